package explore

import (
	"fmt"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// appSecretDeeds are what people do to client secrets in the portal. Graph lets nobody change one that is there.
var appSecretDeeds = []deed{
	{"removes the current client secret", held, func(s *world.State, now time.Time) map[string]string {
		_, x := current(s)
		return removed(s, x.Value, now)
	}},
	{"removes the client secret of the version before", func(s *world.State) bool {
		if !there(s) || len(secret(s).Versions) < 2 {
			return false
		}
		_, x := withValue(s, before(s).Value)
		return x != nil
	}, func(s *world.State, now time.Time) map[string]string { return removed(s, before(s).Value, now) }},
	{"adds a client secret by hand", func(*world.State) bool { return true }, func(s *world.State, now time.Time) map[string]string {
		add(s, "by hand", now)
		return nil
	}},
	{"adds a client secret with the name of the current one", held, func(s *world.State, now time.Time) map[string]string {
		_, x := current(s)
		add(s, x.Name, now)
		return nil
	}},
}

// before is the version before the newest.
func before(s *world.State) *world.SecretVersion {
	all := secret(s).Versions
	return all[len(all)-2]
}

func held(s *world.State) bool {
	_, x := current(s)
	return x != nil
}

// current is the client secret that the newest version holds, nil if it is not there any more.
func current(s *world.State) (*world.App, *world.PasswordCredential) {
	if !there(s) {
		return nil, nil
	}
	return withValue(s, newest(s).Value)
}

func withValue(s *world.State, value string) (*world.App, *world.PasswordCredential) {
	for _, a := range s.Apps {
		if i := slices.IndexFunc(a.Secrets, func(x *world.PasswordCredential) bool { return x.Value == value }); i >= 0 {
			return a, a.Secrets[i]
		}
	}
	return nil, nil
}

// removed takes a client secret away, and keeps it where a checker looks back.
func removed(s *world.State, value string, now time.Time) map[string]string {
	a, x := withValue(s, value)
	gone := *x
	gone.Removed = now
	a.RemovedSecrets = append(a.RemovedSecrets, &gone)
	a.Secrets = slices.DeleteFunc(a.Secrets, func(y *world.PasswordCredential) bool { return y == x })
	return map[string]string{x.KeyID: "removed it"}
}

func add(s *world.State, name string, now time.Time) {
	for _, a := range s.Apps {
		if a.ClientID == world.AppReporting {
			n := len(a.Secrets) + len(a.RemovedSecrets)
			a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: fmt.Sprintf("d1d1d1d1-0000-4000-8000-%012d", n), Name: name,
				Start: now, End: now.Add(30 * day), Value: fmt.Sprintf("Bh%02dQ~%sByHandByHandByHandByH%02d", n, world.Canary, n)})
		}
	}
}
