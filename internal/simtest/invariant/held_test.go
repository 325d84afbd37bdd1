package invariant

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim/world"
)

// told is the story with a connection and a group that held "old" until t0 and ten minutes, and hold "new" since. Both
// have a cache of an hour.
func told() *story {
	s := begin()
	s.world.Organizations[0].Projects = []*world.Project{{ID: "p", Name: "platform"}}
	p := &s.Promises[0]
	for _, kind := range []string{"serviceConnection", "variableGroup"} {
		one := consumer.Of(kind).Make(&s.world, consumer.Making{Use: world.Target{Organization: "contoso"}, Value: "by hand", Rekey: "rekey", At: t0})
		p.Consumers = append(p.Consumers, one)
		s.holds(one.At, "old", t0.Add(-25*day), t0.Add(10*time.Minute))
		s.holds(one.At, "new", t0.Add(10*time.Minute), time.Time{})
	}
	s.Foreign = BystandersOf(&s.world, s.Promises)
	return s
}

func (s *story) publication(id string) string {
	for _, v := range SceneOf(&s.world, s.Promises[0], s.Now).Versions {
		if v.Holds == id {
			return string(v.Record.Publication)
		}
	}
	return ""
}

func (s *story) holds(at, id string, from, until time.Time) {
	s.Held = append(s.Held, Held{At: at, Holding: consumer.Holding{There: true, Value: "value of " + id, Publication: s.publication(id), Told: from}, Token: id, From: from, Until: until})
}

// now has a consumer hold something else from now on.
func (s *story) now(n int, id string) {
	at := s.Promises[0].Consumers[n].At
	s.Holding(at).Until = s.Now
	s.holds(at, id, s.Now, time.Time{})
}

// consulted notes calls of process 1 about a consumer.
func (s *story) consulted(n int, operations ...string) *story {
	for _, op := range operations {
		x := s.Holding(s.Promises[0].Consumers[n].At)
		s.Events = append(s.Events, Event{Process: 1, Call: &Call{Asked: s.Now, At: s.Now, Operation: op, Write: Writes("PUT", op), Status: 200, Heard: true, Consumer: x.At, Marked: x.Publication, Holds: x.Token, Took: x.From.Equal(s.Now)}})
	}
	return s
}

func TestCheckersKnowWhatConsumersHold(t *testing.T) {
	const connection, group = 0, 1
	revoked := func(s *story) *story {
		s.did("RevokePat old")
		s.Events[len(s.Events)-1].Call.Before = SceneOf(&s.world, s.Promises[0], s.Now)
		s.Events[len(s.Events)-1].Call.Before.Tokens[0].Revoked = time.Time{}
		return s
	}
	all := func(s *story) *story {
		return s.did(looked...).consulted(connection, "GetServiceEndpoint", "TestServiceEndpoint").consulted(group, "GetVariableGroup")
	}
	for _, c := range []struct {
		name  string
		by    Checker
		story *story
		want  string
	}{
		{"all on what is current", Gap, told(), ""},
		{"a consumer that holds what has ended", Gap, told().with(func(s *story) {
			s.now(group, "old")
			s.token("old").Revoked = t0.Add(2 * day)
		}), "consumer group-0 holds a credential that ended"},
		{"a consumer that is told what had ended before", Gap, told().with(func(s *story) {
			s.token("old").Revoked = t0.Add(day)
			s.now(connection, "old")
		}), "consumer connection-0 holds a credential that ended"},
		{"a consumer whose cache was not over", Gap, told().with(func(s *story) {
			s.Held[0].Until, s.Now = t0.Add(3*time.Hour), t0.Add(3*time.Hour+30*time.Minute)
			s.token("old").Revoked = s.Now
		}), "consumer connection-0 held until"},
		{"a consumer whose cache was over", Gap, told().with(func(s *story) { s.token("old").Revoked = t0.Add(71 * time.Minute) }), ""},
		{"a consumer that a person gave what has ended", Gap, told().with(func(s *story) {
			s.now(connection, "old")
			s.token("old").Revoked = t0.Add(2 * day)
			s.Excused = map[string]string{BlamePerson(s.Promises[0].Consumers[connection].At, "old"): "put it back"}
		}), ""},

		{"all consumers seen", Revoke, revoked(all(told())), ""},
		{"a consumer not looked at", Revoke, revoked(told().did(looked...).consulted(connection, "GetServiceEndpoint", "TestServiceEndpoint")), "group-0 was not looked at"},
		{"a consumer not tried", Revoke, revoked(told().did(looked...).consulted(connection, "GetServiceEndpoint").consulted(group, "GetVariableGroup")), "connection-0 was not tried"},
		{"a consumer on another publication", Revoke, revoked(all(told().with(func(s *story) { s.now(group, "old") }))), "group-0 was on another publication"},
		{"a consumer that was told something else under the mark", Revoke, revoked(all(told().with(func(s *story) {
			s.now(connection, "old")
			s.Held[len(s.Held)-1].Publication = s.publication("new")
		}))), "connection-0 was tried with something else"},
		{"a consumer that was looked at too long ago", Revoke, revoked(told().consulted(connection, "GetServiceEndpoint", "TestServiceEndpoint").with(func(s *story) { s.Now = s.Now.Add(time.Hour) }).did(looked...).consulted(group, "GetVariableGroup")), "connection-0 was not looked at"},
		{"a consumer that did not answer", Revoke, revoked(all(told()).with(func(s *story) { s.Events[len(s.Events)-1].Call.Status = 503 })), "group-0 was not looked at"},

		{"all told", Told, told(), ""},
		{"a consumer left behind", Told, told().with(func(s *story) { s.now(group, "old") }), "group-0 is not on the newest"},
		{"a consumer with a stranger's value", Told, told().with(func(s *story) { s.now(connection, "") }), "connection-0 is not on the newest"},
		{"a consumer that a person changed where nothing shows it", Told, told().with(func(s *story) {
			s.now(group, "")
			s.Excused = map[string]string{s.Promises[0].Consumers[group].At: "typed"}
		}), ""},
		{"a consumer that waits for a person", Told, told().with(func(s *story) { s.now(group, "old") }).ended(Result{Credential: "pat", Kind: rotation.Hold, Do: "decide"}), ""},

		{"told from a read of its own", Fresh, told().did("GetSecret").consulted(connection, "UpdateServiceEndpoint").did("GetSecret").consulted(group, "UpdateVariableGroup"), ""},
		{"two told from one read", Fresh, told().did("GetSecret").consulted(connection, "UpdateServiceEndpoint").consulted(group, "UpdateVariableGroup"), "told group-0 at 2026-11-03 12:00:00 from memory"},
		{"told from a read of long ago", Fresh, told().did("GetSecret").with(func(s *story) { s.Now = s.Now.Add(time.Hour) }).consulted(group, "UpdateVariableGroup"), "what it had read 1h0m0s before"},
		{"told from a read that failed", Fresh, told().did("GetSecret").with(func(s *story) { s.Events[0].Call.Heard = false }).consulted(group, "UpdateVariableGroup"), "from memory"},
		{"told something else under the mark", Fresh, told().did("GetSecret").with(func(s *story) {
			s.now(group, "old")
			s.Held[len(s.Held)-1].Publication = s.publication("new")
		}).consulted(group, "UpdateVariableGroup"), "holds something else"},
		{"told, where a person had typed something under the mark and the service did nothing", Fresh, told().did("GetSecret").with(func(s *story) {
			s.now(group, "old")
			s.Held[len(s.Held)-1].Publication, s.Held[len(s.Held)-1].From = s.publication("new"), s.Now.Add(-time.Minute)
		}).consulted(group, "UpdateVariableGroup"), ""},
		{"a tell that was refused", Fresh, told().consulted(group, "UpdateVariableGroup").with(func(s *story) { s.Events[0].Call.Status = 429 }), ""},

		{"a tell with its intent", Intent, told().wrote("tell", ledger.Intended).consulted(group, "UpdateVariableGroup"), ""},
		{"a tell without an intent", Intent, told().consulted(group, "UpdateVariableGroup"), "was not intended"},
		{"a run that tells and has nothing to do", Idle, told().consulted(group, "UpdateVariableGroup").ended(), "called UpdateVariableGroup"},
		{"a run that tries and writes nothing", Idle, told().consulted(connection, "TestServiceEndpoint").ended(), ""},

		{"another secret of a group changed", Foreign, told().with(func(s *story) { s.world.Organizations[0].VariableGroups[0].Variables["OTHER"].Value = "x" }), "variableGroup contoso/1000"},
		{"somebody else's connection changed", Foreign, told().with(func(s *story) { s.world.Organizations[0].ServiceEndpoints[1].Parameters["apitoken"] = "x" }), "serviceConnection contoso/e1e1e1e1"},
		{"a connection's own words changed", Foreign, told().with(func(s *story) { s.world.Organizations[0].ServiceEndpoints[0].Description = "x" }), "serviceConnection contoso/e0e0e0e0"},
		{"a connection deleted", Foreign, told().with(func(s *story) {
			s.world.Organizations[0].ServiceEndpoints = slices.Delete(s.world.Organizations[0].ServiceEndpoints, 1, 2)
		}), "serviceConnection contoso/e1e1e1e1"},
		{"a connection told and marked", Foreign, told().with(func(s *story) {
			e := s.world.Organizations[0].ServiceEndpoints[0]
			e.Parameters["apitoken"], e.Description, e.Modified = "new", "made by hand [rekey x]", s.Now
		}), ""},
	} {
		t.Run(c.by.Name+": "+c.name, func(t *testing.T) {
			got := c.by.Check(&c.story.History)
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("says %v", got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), c.want)):
				t.Errorf("says %v, want one with %q", got, c.want)
			}
		})
	}
}

func TestWhatConsumersHoldIsNotedAsItChanges(t *testing.T) {
	s := told()
	s.Held = nil
	w := &world.World{State: s.world}
	note := func(after time.Duration, change func(o *world.Organization)) {
		if change != nil {
			change(w.Organizations[0])
		}
		s.Note(w, t0.Add(after))
	}
	note(0, nil)
	note(time.Minute, nil)
	note(2*time.Minute, func(o *world.Organization) { o.VariableGroups[0].Variables["DEPLOY_KEY"].Value = "value of new" })
	s.Excused = map[string]string{s.Promises[0].Consumers[0].At: "typed"}
	note(3*time.Minute, func(o *world.Organization) { o.ServiceEndpoints[0].Parameters["apitoken"] = "value of new" })
	note(4*time.Minute, func(o *world.Organization) { o.ServiceEndpoints = nil })
	var got []string
	for _, x := range s.Held {
		got = append(got, strings.TrimSpace(x.At[:12]+" "+x.Token+" "+x.From.Format("15:04")+" "+x.Until.Format("15:04")))
	}
	want := []string{"contoso/e0e0  12:00 12:03", "contoso/1000  12:00 12:02", "contoso/1000 new 12:02 00:00", "contoso/e0e0 new 12:03 12:04", "contoso/e0e0  12:04 00:00"}
	if !slices.Equal(got, want) {
		t.Errorf("noted %q, want %q", got, want)
	}
	if len(s.Excused) > 0 {
		t.Error("what was mended is still excused")
	}
	if n := len(s.Lately(t0.Add(62 * time.Minute))); n != 4 {
		t.Errorf("%d are in use or in a cache, want 4", n)
	}
}
