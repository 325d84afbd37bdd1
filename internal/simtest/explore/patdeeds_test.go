package explore

import (
	"fmt"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// patDeeds are what people do to a token in Azure DevOps.
var patDeeds = []deed{
	{"revokes the current token", func(s *world.State) bool { return holder(s) != nil }, func(s *world.State, now time.Time) map[string]string {
		p := holder(s)
		p.Revoked = now
		return map[string]string{p.AuthorizationID: "revoked it"}
	}},
	{"renames the current token", func(s *world.State) bool { return holder(s) != nil }, func(s *world.State, now time.Time) map[string]string {
		p := holder(s)
		p.Name = "renamed by hand"
		return nil
	}},
	{"shortens the current token's life to three days", func(s *world.State) bool { return holder(s) != nil }, func(s *world.State, now time.Time) map[string]string {
		p := holder(s)
		if end := now.Add(3 * day); end.Before(p.ValidTo) {
			p.ValidTo = end
		}
		return map[string]string{p.AuthorizationID: "shortened its life"}
	}},
	{"makes a token with the name of the current one", func(s *world.State) bool { return holder(s) != nil }, func(s *world.State, now time.Time) map[string]string {
		addPAT(s, fmt.Sprintf("d0d0d0d0-0000-4000-8000-%012d", len(s.Organizations[0].PATs)), holder(s).Name, now, 30*day)
		return nil
	}},
}

// holder is the living token that the newest version holds.
func holder(s *world.State) *world.PAT {
	if !there(s) {
		return nil
	}
	for _, p := range s.Organizations[0].PATs {
		if p.Token == newest(s).Value && p.Revoked.IsZero() {
			return p
		}
	}
	return nil
}
