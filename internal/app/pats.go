package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// makePATs makes a block of PATs: what it stands for is found out when a run begins.
func makePATs(a *App, c manifest.Credential) (issued, error) {
	s := *c.Settings.(*devops.SeveralSettings)
	s.Probe = c.Check.Probe
	account, err := a.Account(s.Account)
	if err != nil {
		return issued{}, err
	}
	vault, err := a.store(c.Store.Vault)
	if err != nil {
		return issued{}, err
	}
	out := issued{order: rotation.ShownOnce}
	if seal := account.Seal(); seal != nil {
		out.seal = &engine.Seal{Store: seal.Store, Name: seal.Name}
	}
	apart := func(organization, id, name string) string {
		return a.chosenElsewhere(c.Name, s.Account, organization, id, name)
	}
	out.several = devops.NewSeveral(a.options(), account, s, c.Name, vault.Host(), c.Store.Secret, apart)
	return out, nil
}

// chosenElsewhere says which other credential of the manifest takes a PAT of the account over.
func (a *App) chosenElsewhere(block, account, organization, id, name string) string {
	for _, c := range a.cfg.Manifest.Credentials {
		switch o := c.Settings.(type) {
		case *devops.Settings:
			if o.Adopt != nil && o.Account == account && strings.EqualFold(o.Organization, organization) && (strings.EqualFold(o.Adopt.ID, id) || o.Adopt.Name != "" && o.Adopt.Name == name) {
				return fmt.Sprintf("credential %s adopts it too", c.Name)
			}
		case *devops.SeveralSettings:
			if c.Name != block && o.Account == account && o.Chooses(organization, name) {
				return fmt.Sprintf("block %s chooses it too", c.Name)
			}
		}
	}
	return ""
}

// several makes a block's members into credentials like the block itself.
type several struct{ *devops.Several }

// Choose implements engine.Several.
func (s several) Choose(block engine.Credential, known map[string]rotation.Secret, listed bool) (out []engine.Member) {
	for _, x := range s.Several.Choose(known, listed) {
		m := engine.Member{Credential: block, Why: x.Why, Do: x.Do}
		m.Several, m.Only, m.Issuer, m.Notes = nil, "", x.Issuer, x.Notes
		m.Spec.Name, m.Spec.Target.Name = x.Name, x.Secret
		m.Spec.Shape, m.Spec.Adopt = x.Shape, rotation.Adoption{ID: x.Adopt}
		m.Spec.Census = m.Spec.Census || x.Missing
		out = append(out, m)
	}
	return out
}

// named checks the names that a person gave. One that is not in the manifest may be that of what a block stands for:
// only has them by block.
func (a *App) named(names, known []string) (only map[string][]string, err error) {
	only = map[string][]string{}
	for _, n := range names {
		if slices.Contains(known, n) {
			continue
		}
		of := ""
		for _, c := range a.cfg.Manifest.Credentials {
			if _, block := c.Settings.(*devops.SeveralSettings); block && strings.HasPrefix(n, c.Name+"-") && len(c.Name) > len(of) {
				of = c.Name
			}
		}
		if of == "" {
			return nil, fmt.Errorf("no credential %q in the manifest%s", n, manifest.DidYouMean(n, known))
		}
		only[of] = append(only[of], n)
	}
	return only, nil
}
