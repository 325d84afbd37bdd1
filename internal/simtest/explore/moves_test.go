package explore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// justAfter is how long after a date a run comes.
const justAfter = 30 * time.Second

// passages are the moves of time: to just after each date that decides something and is still ahead.
func passages(n *node) []script {
	s := invariant.SceneOf(&n.state, n.promise, n.at)
	dates := map[string]time.Time{}
	note := func(name string, t time.Time) {
		if was, there := dates[name]; t.After(n.at) && (!there || t.Before(was)) {
			dates[name] = t
		}
	}
	for _, p := range n.pending {
		note("the late "+p.label, p.due)
	}
	holds := map[string]bool{}
	for i, v := range s.Versions {
		holds[v.Holds] = true
		if end := s.SupersededAt(i); !end.IsZero() {
			if t, ok := s.Token(v.Holds); ok && t.Alive(n.at) {
				note("the end of the overlap", end.Add(promise.Overlap))
			}
		}
	}
	for _, t := range s.Tokens {
		if t.Alive(n.at) && !holds[t.ID] {
			note("the end of the sweep window", t.Born().Add(promise.Window))
		}
	}
	if v := s.Newest(); v != nil {
		if r := v.Record; r != nil {
			note("the end of the overlap", r.RevokeAfter)
		}
		if t, ok := s.Token(v.Holds); ok {
			note("the threshold", promise.DueAt(t.From, t.To))
			note("the expiry", t.To)
		}
	}
	var out []script
	for _, name := range slices.Sorted(maps.Keys(dates)) {
		out = append(out, script{name: "until " + name, until: dates[name].Sub(n.at) + justAfter})
	}
	return out
}

// deed is something that a person does.
type deed struct {
	name string
	can  func(*world.State) bool
	do   func(*world.State, time.Time) map[string]string
}

// deeds are what people do in the portal, in a pipeline or with another tool, where they can. They give what they are
// to blame for, and "" for what they are not to blame for any more.
var deeds = []deed{
	{"deletes the secret", there, func(s *world.State, now time.Time) map[string]string {
		secret(s).Deleted = now
		return nil
	}},
	{"recovers the secret", deleted, func(s *world.State, now time.Time) map[string]string {
		x := secret(s)
		x.Deleted, x.Recovered = time.Time{}, now
		return nil
	}},
	{"purges the deleted secret", deleted, func(s *world.State, now time.Time) map[string]string {
		v := prod(s)
		v.Secrets = slices.DeleteFunc(v.Secrets, func(x *world.Secret) bool { return x.Name == secretName })
		return nil
	}},
	{"writes a value of their own", there, func(s *world.State, now time.Time) map[string]string {
		write(s, now, "somebody's own value", nil)
		return blame("wrote another value")
	}},
	{"writes the first value", func(s *world.State) bool { return secret(s) == nil }, func(s *world.State, now time.Time) map[string]string {
		v := prod(s)
		v.Secrets = append(v.Secrets, &world.Secret{Name: secretName})
		write(s, now, "somebody's own value", nil)
		return blame("wrote another value")
	}},
	{"takes the record off", recorded, func(s *world.State, now time.Time) map[string]string {
		v := newest(s)
		v.Tags, v.Updated = maps.Clone(v.Tags), now
		delete(v.Tags, rotation.RecordTag)
		if p := holder(s); p != nil { // nothing tells any more that it was published
			return map[string]string{p.AuthorizationID: "took its record off"}
		}
		return nil
	}},
	{"restores the record from the version before", func(s *world.State) bool {
		x := secret(s)
		return there(s) && !recorded(s) && len(x.Versions) > 1 && x.Versions[len(x.Versions)-2].Tags[rotation.RecordTag] != ""
	}, func(s *world.State, now time.Time) map[string]string {
		x, v := secret(s), newest(s)
		v.Tags, v.Updated = maps.Clone(x.Versions[len(x.Versions)-2].Tags), now
		if p := holder(s); p != nil { // as a Hold has asked for, so whatever comes of it is nobody else's fault
			return map[string]string{p.AuthorizationID: ""}
		}
		return nil
	}},
	{"adds a tag", there, func(s *world.State, now time.Time) map[string]string {
		v := newest(s)
		v.Tags, v.Updated = maps.Clone(v.Tags), now
		if v.Tags == nil {
			v.Tags = map[string]string{}
		}
		v.Tags["cost-centre"] = "4711"
		return nil
	}},
	{"disables the newest version", there, func(s *world.State, now time.Time) map[string]string {
		newest(s).Disabled = true
		return map[string]string{newest(s).ID: invariant.Disabled}
	}},
	{"publishes the version before again", func(s *world.State) bool { return there(s) && len(secret(s).Versions) > 1 }, func(s *world.State, now time.Time) map[string]string {
		x := secret(s)
		v := x.Versions[len(x.Versions)-2]
		write(s, now, v.Value, maps.Clone(v.Tags))
		out := blame("went back to an older value")
		for _, p := range s.Organizations[0].PATs {
			if p.Token == v.Value {
				out[p.AuthorizationID] = "went back to it"
			}
		}
		return out
	}},
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

// blame excuses nothing by itself: what holds no token of ours is no gap. It keeps the foreign tags of the secret from
// being looked for in a version that a person wrote.
func blame(why string) map[string]string { return map[string]string{promise.Target.String(): why} }

func there(s *world.State) bool    { return secret(s) != nil && secret(s).Deleted.IsZero() }
func deleted(s *world.State) bool  { return secret(s) != nil && !secret(s).Deleted.IsZero() }
func recorded(s *world.State) bool { return there(s) && newest(s).Tags[rotation.RecordTag] != "" }

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

func write(s *world.State, now time.Time, value string, tags map[string]string) {
	x := secret(s)
	x.Deleted = time.Time{}
	id := fmt.Sprintf("%s%02d", strings.Repeat("f", 30), len(x.Versions))
	x.Versions = append(x.Versions, &world.SecretVersion{ID: id, Value: value, Created: now, Updated: now, Tags: tags})
}

// acts are the moves of people.
func acts(n *node) []script {
	var out []script
	for _, d := range deeds {
		if d.can(&n.state) {
			out = append(out, script{name: "a person " + d.name, persons: true, act: d.do})
		}
	}
	return out
}

// commands are what an operator asks of a run: to replace although nothing is due, to replace what has leaked, and to
// end what they were shown.
func commands(n *node) []script {
	alive := map[string]string{}
	for _, t := range invariant.SceneOf(&n.state, n.promise, n.at).Tokens {
		if t.Alive(n.at) {
			alive[t.ID] = "an operator had it ended"
		}
	}
	blame := func(*world.State, time.Time) map[string]string { return alive }
	ask := func(name string, c rotation.Command, act func(*world.State, time.Time) map[string]string) script {
		return script{name: "an operator asks to " + name, persons: true, act: act, plans: []map[int]outcome{nil},
			set: func(x *engine.Credential) {
				if x.Spec.Command = c; c == rotation.Retire {
					x.Spec.Shown = append([]string{}, slices.Sorted(maps.Keys(alive))...)
				}
			}}
	}
	return []script{
		ask("rotate", rotation.Rotate, nil),
		ask("rotate what is compromised", rotation.Compromised, blame),
		ask("retire", rotation.Retire, blame),
	}
}
