package app

import (
	"context"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/entra"
	"github.com/rekeyhq/rekey/internal/azure/resources"
	"github.com/rekeyhq/rekey/internal/azure/roles"
	"github.com/rekeyhq/rekey/internal/doctor"
)

// Doctor looks at the manifest's identities and vaults, as Rekey's own identity, and says what is to be said. looking is
// told what is looked at. It changes nothing.
func (a *App) Doctor(ctx context.Context, looking func(string)) []doctor.Finding {
	worker, out := a.examined(ctx, "worker", a.cred)
	byName := map[string]doctor.Identity{}
	for _, b := range a.cfg.Manifest.Brokers {
		looking("broker " + b.Name)
		cred, err := a.brokerCredential(b.Name)
		if err != nil {
			out = append(out, doctor.Finding{Level: doctor.Bad, About: "broker " + b.Name, Says: "it cannot be signed in: " + err.Error(), Mend: "look at its identity in the manifest, and at where this runs"})
			byName[b.Name] = doctor.Identity{Name: b.Name, Failed: err.Error()}
			continue
		}
		id, found := a.examined(ctx, "broker "+b.Name, cred)
		id.Name = b.Name
		byName[b.Name], out = id, append(out, found...)
	}
	ids, lerr := a.vaultIDs(ctx, looking)
	for _, v := range a.cfg.Manifest.Vaults {
		looking("vault " + v.Name)
		x := doctor.Vault{Name: v.Name, ID: ids[v.Host]}
		var brokers []doctor.Identity
		if e, ok := a.cfg.Manifest.Elevation(v.Elevation); ok {
			x.Elevated, x.Broker, x.Role = true, e.Broker, e.Role
			if at := a.vaultOf(e.Scope); x.ID == "" && at == v.Host {
				x.ID = vaultIn(e.Scope)
			}
			if b, ok := byName[e.Broker]; ok {
				brokers = append(brokers, b)
			}
		}
		switch {
		case x.ID != "":
			a.survey(ctx, &x)
		case lerr != nil:
			x.Failed = lerr.Error()
		default:
			x.Failed = "Resource Manager does not show it to Rekey's identity"
		}
		out = append(out, doctor.Judge(x, worker, brokers)...)
	}
	return out
}

// examined signs an identity in and says who it is.
func (a *App) examined(ctx context.Context, what string, cred *azhttp.Credential) (doctor.Identity, []doctor.Finding) {
	id, kind, err := entra.Holder(ctx, cred, a.resources().Audience())
	if err != nil {
		return doctor.Identity{Name: what, Failed: err.Error()}, []doctor.Finding{{Level: doctor.Bad, About: what, Says: "it cannot be signed in: " + err.Error(), Mend: "look at its identity in the manifest, and at where this runs"}}
	}
	return doctor.Identity{Name: what, ID: id, Kind: kind}, []doctor.Finding{{Level: doctor.OK, About: what, Says: "signs in as " + doctor.KindOf(kind) + " " + id}}
}

// vaultIDs are the resource ids of the vaults that Rekey's identity sees, by host.
func (a *App) vaultIDs(ctx context.Context, looking func(string)) (map[string]string, error) {
	looking("vaults")
	out := map[string]string{}
	seen, err := a.seen().List(ctx, resources.Vaults, func(int) {})
	for _, r := range seen {
		out[strings.ToLower(r.Name)+a.vaultSuffix()] = r.ID
	}
	return out, err
}

// vaultIn is the part of a scope that is the vault's id.
func vaultIn(scope string) string {
	parts := strings.Split(scope, "/")
	for i := 0; i+1 < len(parts); i++ {
		if strings.EqualFold(parts[i], "vaults") {
			return strings.Join(parts[:i+2], "/")
		}
	}
	return ""
}

// survey looks at one vault.
func (a *App) survey(ctx context.Context, x *doctor.Vault) {
	s := roles.NewSurvey(a.resources(), x.ID)
	// Key Vault Reader shows who has which role, and not in every cloud how the vault is set up.
	if v, err := s.Vault(ctx); err != nil {
		x.Closed = err.Error()
	} else {
		x.AccessPolicies, x.PurgeProtection, x.Public = !v.RBAC, v.PurgeProtection, v.Public
	}
	held, err := s.Holders(ctx)
	if err != nil {
		x.Failed = err.Error()
		return
	}
	eligible, err := s.Eligible(ctx)
	if err != nil {
		x.Unseen = err.Error()
	}
	for _, h := range held {
		x.Holders = append(x.Holders, holder(h, false))
	}
	for _, h := range eligible {
		x.Holders = append(x.Holders, holder(h, true))
	}
	if x.Role != "" {
		x.RoleID, _ = s.RoleID(ctx, x.Role)
	}
}

func holder(h roles.Held, eligible bool) doctor.Holder {
	const secrets = "Microsoft.KeyVault/vaults/secrets/"
	return doctor.Holder{
		Principal: h.Principal, Kind: h.Kind, Role: h.Role, Scope: h.Scope, Assignment: h.ID, Condition: h.Condition, Eligible: eligible, Timed: h.Ours,
		Abilities: doctor.Abilities{
			Metadata: h.MayData(secrets + "readMetadata/action"), Read: h.MayData(secrets + "getSecret/action"), Write: h.MayData(secrets + "setSecret/action"),
			Assign: h.May("Microsoft.Authorization/roleAssignments/write"), Manage: h.May("Microsoft.KeyVault/vaults/write"),
		},
	}
}
