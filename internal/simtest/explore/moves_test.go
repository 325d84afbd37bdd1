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
	for _, c := range n.caches() {
		note("the end of a cache", c)
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

// vaultDeeds are what people do to the secret in the portal, in a pipeline or with another tool, where they can. They give
// what they are to blame for, and "" for what they are not to blame for any more.
var vaultDeeds = []deed{
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
		return blamed(s, v.Value, "took its record off") // nothing tells any more that it was published
	}},
	{"restores the record from the version before", func(s *world.State) bool {
		x := secret(s)
		return there(s) && !recorded(s) && len(x.Versions) > 1 && x.Versions[len(x.Versions)-2].Tags[rotation.RecordTag] != ""
	}, func(s *world.State, now time.Time) map[string]string {
		x, v := secret(s), newest(s)
		v.Tags, v.Updated = maps.Clone(x.Versions[len(x.Versions)-2].Tags), now
		return blamed(s, v.Value, "") // as a Hold has asked for, so whatever comes of it is nobody else's fault
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
		out := blamed(s, v.Value, "went back to it")
		maps.Copy(out, blame("went back to an older value"))
		return out
	}},
}

// issuedDeeds are what people do to what was issued, by the kind of a promise. A kind that is not here has none.
var issuedDeeds = map[string][]deed{"": patDeeds, invariant.AppSecret: appSecretDeeds}

// deeds are what people do to what a world has. Where somebody is told, most of what people do to the vault and to what
// was issued is left to the fields without consumers.
func (n *node) deeds() []deed {
	others := slices.Concat(vaultDeeds, issuedDeeds[n.promise.Kind])
	if len(n.promise.Consumers) > 0 && !*full {
		others = slices.DeleteFunc(others, func(d deed) bool {
			return d.name != "publishes the version before again" && d.name != "revokes the current token" && d.name != "removes the current client secret"
		})
	}
	return slices.Concat(others, deedsTo(n.promise.Consumers))
}

// blamed has nobody blame the product for what becomes of the credentials with a value.
func blamed(s *world.State, value, why string) map[string]string {
	out := map[string]string{}
	for _, id := range valued(s, value) {
		out[id] = why
	}
	return out
}

// valued are the ids of the credentials that have a value.
func valued(s *world.State, value string) (out []string) {
	for _, p := range s.Organizations[0].PATs {
		if p.Token == value {
			out = append(out, p.AuthorizationID)
		}
	}
	for _, a := range s.Apps {
		for _, x := range slices.Concat(a.Secrets, a.RemovedSecrets) {
			if x.Value == value {
				out = append(out, x.KeyID)
			}
		}
	}
	return out
}

// caches are when nobody uses any more what was told before.
func (n *node) caches() (out []time.Time) {
	for _, c := range n.promise.Consumers {
		for _, x := range n.held {
			if x.At == c.At && x.Until.IsZero() && !x.Told.IsZero() {
				out = append(out, x.Told.Add(c.Cache))
			}
		}
	}
	return out
}

// blame excuses nothing by itself: what holds no token of ours is no gap. It keeps the foreign tags of the secret from
// being looked for in a version that a person wrote.
func blame(why string) map[string]string { return map[string]string{promise.Target.String(): why} }

func there(s *world.State) bool    { return secret(s) != nil && secret(s).Deleted.IsZero() }
func deleted(s *world.State) bool  { return secret(s) != nil && !secret(s).Deleted.IsZero() }
func recorded(s *world.State) bool { return there(s) && newest(s).Tags[rotation.RecordTag] != "" }

func write(s *world.State, now time.Time, value string, tags map[string]string) {
	x := secret(s)
	x.Deleted = time.Time{}
	id := fmt.Sprintf("%s%02d", strings.Repeat("f", 30), len(x.Versions))
	x.Versions = append(x.Versions, &world.SecretVersion{ID: id, Value: value, Created: now, Updated: now, Tags: tags})
}

// acts are the moves of people.
func acts(n *node) []script {
	var out []script
	for _, d := range n.deeds() {
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
