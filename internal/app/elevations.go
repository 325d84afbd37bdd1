package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/entra"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/azure/roles"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// Rights are what is taken for a run and given back.
func (a *App) Rights() *elevation.Manager { return a.rights }

// Right makes the right that the manifest names, once: whoever needs it shares it.
func (a *App) Right(name string) (*elevation.Grant, error) {
	e, ok := a.cfg.Manifest.Elevation(name)
	if !ok {
		return nil, fmt.Errorf("no elevation %q in the manifest%s", name, manifest.DidYouMean(name, a.ElevationNames()))
	}
	return a.RightOf(e)
}

// RightOf makes a right that a person describes.
func (a *App) RightOf(e manifest.Elevation) (*elevation.Grant, error) {
	x, err := a.Elevator(e)
	if err != nil {
		return nil, err
	}
	return a.rights.Grant(x, e.For), nil
}

// ElevationNames lists the manifest's elevations.
func (a *App) ElevationNames() (out []string) {
	for _, e := range a.cfg.Manifest.Elevations {
		out = append(out, e.Name)
	}
	return out
}

// Elevator makes what takes a role.
func (a *App) Elevator(e manifest.Elevation) (driver.Elevator, error) {
	cred, self := a.cred, e.Kind == manifest.PIMActivation
	if !self {
		var err error
		if cred, err = a.brokerCredential(e.Broker); err != nil {
			return nil, err
		}
	}
	signedIn := a.client.Renewing(a.options(), cred)
	if e.Role == "" {
		return roles.NewDirectory(azhttp.NewDirectory(signedIn, cred), roles.Directory{Role: e.Directory, Group: e.Group, Access: e.Access, Who: a.principal(e)}, self), nil
	}
	s, arm := roles.Settings{Role: e.Role, Scope: e.Scope, Who: a.principal(e)}, azhttp.NewResources(signedIn, cred)
	if self {
		return roles.NewActivation(arm, s), nil
	}
	if e.Kind == manifest.RoleAssignment {
		return roles.NewTimed(arm, s, e.SweepEvery), nil
	}
	return roles.NewAssignment(arm, s), nil
}

// principal is who gets a role: who the manifest names, else Rekey itself.
func (a *App) principal(e manifest.Elevation) func(context.Context) (roles.Principal, error) {
	return func(ctx context.Context) (roles.Principal, error) {
		if e.Principal != "" {
			return roles.Principal{ID: e.Principal}, nil
		}
		id, kind, err := entra.Holder(ctx, a.cred, a.resources().Audience())
		return roles.Principal{ID: id, Type: kind}, err
	}
}

// brokerCredential signs a broker in. It is made once.
func (a *App) brokerCredential(name string) (*azhttp.Credential, error) {
	if cred, ok := a.brokers[name]; ok {
		return cred, nil
	}
	b, ok := a.cfg.Manifest.Broker(name)
	if !ok {
		return nil, fmt.Errorf("no broker %q in the manifest", name)
	}
	cred, err := entra.NewIdentity(b.Identity, cmp.Or(b.Tenant, a.cfg.Manifest.Tenant), a.client, a.options(), entra.Environment{Getenv: a.cfg.Getenv, ReadFile: a.readFile})
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", name, err)
	}
	a.brokers[name] = cred
	return cred, nil
}

// Probe is a call that a role is needed for, as Rekey's own identity: it is let through once the role is honoured. What
// can be asked without changing anything is a vault; of everything else Resource Manager's own view is asked, and what
// honours the role may know of it a little later.
func (a *App) Probe(e manifest.Elevation) func(context.Context) error {
	if e.Principal != "" {
		return func(context.Context) error { return nil } // nobody but that principal could ask
	}
	if host := a.vaultOf(e.Scope); host != "" && probes[e.Role] != nil {
		return func(ctx context.Context) error {
			vault, err := keyvault.New(host, a.cred, a.client.Renewing(a.options(), a.cred))
			if err != nil {
				return err
			}
			return probes[e.Role](ctx, vault, probeName(e.Scope))
		}
	}
	if e.Scope == "" {
		return func(context.Context) error { return nil } // what a role of the directory lets through is in no one place
	}
	return func(ctx context.Context) error {
		return a.resources().Roles(ctx, "find out whether "+e.Role+" is in force", e.Scope)
	}
}

// probes are what each role at a vault lets through, by the role's name.
var probes = map[string]func(ctx context.Context, v *keyvault.Vault, name string) error{
	"Key Vault Secrets Officer": probeWrite,
	"Key Vault Administrator":   probeWrite,
	"Key Vault Secrets User": func(ctx context.Context, v *keyvault.Vault, name string) error {
		_, err := v.Read(ctx, name)
		return err
	},
	"Key Vault Reader": func(ctx context.Context, v *keyvault.Vault, _ string) error {
		_, err := v.List(ctx)
		return err
	},
}

func probeWrite(ctx context.Context, v *keyvault.Vault, name string) error {
	_, err := v.Vacant(ctx, name)
	return err
}

// probeName is the name of a secret that is asked for: the one that the scope names, else one that nobody has.
func probeName(scope string) string {
	if _, name, ok := strings.Cut(strings.ToLower(scope), "/secrets/"); ok {
		return name
	}
	var b [8]byte
	_, _ = rand.Read(b[:])
	return "rekey-probe-" + hex.EncodeToString(b[:])
}

// vaultOf is the host of the vault that a scope is in, "" if it is in none.
func (a *App) vaultOf(scope string) string {
	_, rest, ok := strings.Cut(strings.ToLower(scope), "/providers/microsoft.keyvault/vaults/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name + a.vaultSuffix()
}
