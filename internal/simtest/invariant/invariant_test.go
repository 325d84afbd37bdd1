package invariant

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

const day = 24 * time.Hour

var (
	t0      = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	promise = Promise{
		Credential: "pat", Target: rotation.Target{Vault: "kv.vault.azure.net", Name: "token"}, Organization: "contoso", Owner: "alice",
		Lifetime: 30 * day, RotateBefore: 5 * day, Overlap: day, Window: time.Hour, Cache: time.Hour,
	}
)

// story is a history in the making: a world with one promised secret, and what happened to it.
type story struct {
	History
	world world.State
}

// begin is a world in which the token "old" was replaced by "new" at t0, with a bystander. It is t0 and two days, and
// process 1 is about to revoke "old".
func begin() *story {
	s := &story{world: world.State{
		Vaults:        []*world.Vault{{Name: "kv", Secrets: []*world.Secret{{Name: "token"}, {Name: "other", Versions: []*world.SecretVersion{{ID: "o1", Value: "x"}}}}}},
		Organizations: []*world.Organization{{Name: "contoso", PATs: []*world.PAT{{AuthorizationID: "bystander", OwnerID: "alice", Name: "by hand", ValidTo: t0.Add(90 * day)}}}},
	}}
	s.issued("old", t0.Add(-25*day))
	s.published("old", t0.Add(-25*day), "")
	s.issued("new", t0)
	s.published("new", t0, "old")
	s.Promises, s.Now, s.State = []Promise{promise}, t0.Add(2*day), &s.world
	s.Foreign = BystandersOf(&s.world, s.Promises)
	return s
}

func gen(id string, at time.Time) rotation.Generation {
	return rotation.NewGeneration(at, [5]byte{id[0], id[1], id[len(id)-1]})
}

func (s *story) token(id string) *world.PAT {
	for _, p := range s.world.Organizations[0].PATs {
		if p.AuthorizationID == id {
			return p
		}
	}
	panic("no token " + id)
}

func (s *story) secret() *world.Secret { return secretOf(&s.world, promise.Target) }

func (s *story) issued(id string, at time.Time) {
	o := s.world.Organizations[0]
	name := rotation.Stamp{Credential: promise.Credential, Hash: promise.Target.Hash(), Generation: gen(id, at)}.String()
	o.PATs = append(o.PATs, &world.PAT{AuthorizationID: id, OwnerID: "alice", Name: name, ValidFrom: at, ValidTo: at.Add(30 * day), Token: "value of " + id})
}

func (s *story) published(id string, at time.Time, predecessor string) {
	t := s.token(id)
	r := rotation.Record{Generation: gen(id, t.ValidFrom), IssuerID: id, Publication: rotation.NewPublication(at, [5]byte{}), Shape: "0", Expires: t.ValidTo, Predecessor: predecessor, RevokeAfter: at.Add(day)}
	tag, err := r.Encode()
	if err != nil {
		panic(err)
	}
	x := s.secret()
	x.Versions = append(x.Versions, &world.SecretVersion{ID: fmt.Sprint("v", len(x.Versions)+1), Value: t.Token, Created: at, Tags: map[string]string{"owner": "team", rotation.RecordTag: tag}})
}

// did notes calls of process 1 that were heard, in order, as "operation" or "operation token".
func (s *story) did(calls ...string) *story {
	for _, text := range calls {
		op, token, _ := strings.Cut(text, " ")
		c := &Call{Asked: s.Now, At: s.Now, Operation: op, Status: 200, Heard: true, Token: token}
		switch {
		case op == "RevokePat":
			c.Write, c.Status, c.Before, c.Target = true, 204, SceneOf(&s.world, promise, s.Now), promise.Target.String()
			s.token(token).Revoked = s.Now
		case op == "CreatePat":
			c.Write = true
		case strings.HasSuffix(op, "Secret") && !s.secret().Deleted.IsZero():
			c.Status, c.Target = 404, promise.Target.String()
		case strings.HasSuffix(op, "Secret"), op == "GetSecretVersions":
			c.Target = promise.Target.String()
			c.Write = op == "SetSecret" || op == "UpdateSecret" || op == "DeleteSecret"
			if n := len(s.secret().Versions); n > 0 {
				x := s.secret().Versions[n-1]
				if c.Version, c.Recorded = x.ID, len(x.Tags) > 0; c.Recorded {
					r, _ := rotation.ParseRecord(x.Tags[rotation.RecordTag])
					c.Record = &r
				}
			}
		}
		s.Events = append(s.Events, Event{Process: 1, Call: c})
	}
	return s
}

func (s *story) wrote(effect string, phase ledger.Phase) *story {
	s.Events = append(s.Events, Event{Process: 1, Entry: &Entry{Entry: ledger.Entry{Credential: "pat", Effect: effect, Target: "x", Phase: phase}}})
	return s
}

func (s *story) ended(results ...Result) *story {
	s.Events = append(s.Events, Event{Process: 1, Ended: &Ended{At: s.Now, Results: results}})
	return s
}

// rolledBack has the newest version be one that was published again, and is replaced again from a time on.
func rolledBack(s *story, next time.Time) {
	s.newestRecord(func(r *rotation.Record) { r.Failures, r.NotBefore = 1, next })
}

// reported has the newest version answer a report of something at a time. It is an hour after t0.
func reported(what string, at time.Time) func(*story) {
	return func(s *story) {
		s.Now = t0.Add(time.Hour)
		s.newestRecord(func(r *rotation.Record) { r.Compromised, r.Predecessor, r.RevokeAfter = true, what, at })
	}
}

func (s *story) newestRecord(f func(*rotation.Record)) {
	x := s.secret().Versions[1]
	r, err := rotation.ParseRecord(x.Tags[rotation.RecordTag])
	if err != nil {
		panic(err)
	}
	f(&r)
	if x.Tags[rotation.RecordTag], err = r.Encode(); err != nil {
		panic(err)
	}
}

// inTime has a calm run in the time in which the token is due, and then none until it has expired.
func inTime(s *story, kind rotation.Kind) {
	s.Events = append(s.Events, Event{Process: 1, Ended: &Ended{At: t0.Add(28 * day), Calm: true, Results: []Result{{Credential: promise.Credential, Kind: kind}}}})
	s.Now = t0.Add(31 * day)
}

func (s *story) with(f func(*story)) *story {
	f(s)
	return s
}

// unheard has the answer to the first call lost, and the last call be about another token.
func unheard(s *story) {
	s.Events[0].Call.Heard, s.Events[0].Call.Name = false, s.token("new").Name
	s.Events[len(s.Events)-1].Call.Name = s.token("old").Name
}

// looked is everything that proves that "old" may be revoked.
var looked = []string{"GetSecret", "ListPats", "GetSecretVersions", "ConnectionData new"}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func TestEachCheckerFindsWhatItIsFor(t *testing.T) {
	revokedOld := func(calls []string) *story { return begin().did(calls...).did("RevokePat old") }
	stray := func(age time.Duration) *story {
		return begin().with(func(s *story) { s.issued("stray", s.Now.Add(-age)) })
	}
	done := Result{Credential: "pat", Kind: rotation.Done}
	for _, c := range []struct {
		name  string
		by    Checker
		story *story
		want  string // "" for a history that breaks nothing
	}{
		{"a token revoked while a consumer may use it", Gap, begin().with(func(s *story) { s.token("old").Revoked = t0.Add(30 * time.Minute) }), "holds a token that ended"},
		{"a token revoked after every cache is over", Gap, begin().with(func(s *story) { s.token("old").Revoked = t0.Add(2 * time.Hour) }), ""},
		{"the current token revoked", Gap, begin().with(func(s *story) { s.token("new").Revoked = t0.Add(day) }), "v2 holds a token that ended"},
		{"the current token revoked this very moment", Gap, begin().with(func(s *story) { s.token("new").Revoked = s.Now }), "v2 holds a token that ended"},
		{"a token revoked this very moment, while a consumer may use it", Gap, begin().with(func(s *story) {
			s.Now = t0.Add(10 * time.Minute)
			s.token("old").Revoked = s.Now
		}), "v1 holds a token that ended"},
		{"the current token revoked by a person", Gap, begin().with(func(s *story) {
			s.token("new").Revoked = t0.Add(day)
			s.Excused = map[string]string{"new": "a person revoked it"}
		}), ""},
		{"a published token that was dead", Gap, begin().with(func(s *story) {
			s.issued("dead", t0)
			s.token("dead").Revoked = t0.Add(time.Hour)
			s.published("dead", t0.Add(2*time.Hour), "new")
		}), "v3 holds a token that ended"},
		{"a token that expired although a run came in time", Gap, begin().with(func(s *story) { s.Now, s.LastCalm = t0.Add(31*day), t0.Add(28*day) }), "v2 holds a token that ended"},
		{"a token that expired although a calm run came in time", Gap, begin().with(func(s *story) { inTime(s, rotation.Wait) }), "v2 holds a token that ended"},
		{"a token that expired after a run in time asked for a person", Gap, begin().with(func(s *story) { inTime(s, rotation.Hold) }), ""},
		{"a token that was rolled back to and expired before its next try, with a run before that", Gap, begin().with(func(s *story) { rolledBack(s, t0.Add(29*day)); inTime(s, rotation.Wait) }), ""},
		{"a token that was rolled back to and expired before its next try, and was replaced then", Gap, begin().with(func(s *story) {
			rolledBack(s, t0.Add(29*day))
			inTime(s, rotation.Wait)
			s.issued("newer", s.Now)
			s.published("newer", s.Now, "new")
		}), ""},
		{"a token that was rolled back to and expired although a run came after its next try", Gap, begin().with(func(s *story) { rolledBack(s, t0.Add(27*day)); inTime(s, rotation.Wait) }), "v2 holds a token that ended"},
		{"a token that was rolled back to until after its end", Gap, begin().with(func(s *story) { rolledBack(s, t0.Add(30*day)); inTime(s, rotation.Wait) }), "v2 holds a token that ended"},
		{"a token that expired and nobody ran", Gap, begin().with(func(s *story) { s.Now = t0.Add(31 * day) }), ""},
		{"a token that expired and a run came too late", Gap, begin().with(func(s *story) { s.Now, s.LastCalm = t0.Add(31*day), t0.Add(30*day-time.Minute) }), ""},

		{"somebody's token revoked", Foreign, begin().with(func(s *story) { s.token("bystander").Revoked = t0 }), "bystander (by hand) is somebody else's and was changed"},
		{"somebody's token gone", Foreign, begin().with(func(s *story) { s.world.Organizations[0].PATs = s.world.Organizations[0].PATs[1:] }), "has gone"},
		{"somebody's secret written", Foreign, begin().with(func(s *story) { s.world.Vaults[0].Secrets[1].Versions[0].ID = "o2" }), "secret kv/other is somebody else's"},
		{"a foreign tag lost", Foreign, begin().with(func(s *story) { delete(s.secret().Versions[1].Tags, "owner") }), "lost its tag owner"},
		{"a version that a person disabled, enabled", Foreign, begin().with(func(s *story) { s.Excused = map[string]string{"v2": Disabled} }), "v2 was disabled by a person"},
		{"nothing foreign touched", Foreign, begin(), ""},

		{"everything proved", Revoke, revokedOld(looked), ""},
		{"the list not read", Revoke, revokedOld(without(looked, "ListPats")), "list was not read"},
		{"the versions not read", Revoke, revokedOld(without(looked, "GetSecretVersions")), "versions were not read"},
		{"the secret not read by name", Revoke, revokedOld(without(looked, "GetSecret")), "neither read"},
		{"the new value not probed", Revoke, revokedOld(without(looked, "ConnectionData new")), "not probed"},
		{"probed before it was published", Revoke, begin().did(looked...).did("SetSecret new", "RevokePat old"), "neither read"},
		{"looked at too long ago", Revoke, begin().did(looked...).with(func(s *story) { s.Now = s.Now.Add(time.Hour) }).did("RevokePat old"), "list was not read"},
		{"inside the overlap", Revoke, begin().with(func(s *story) { s.Now = t0.Add(23 * time.Hour) }).did(looked...).did("RevokePat old"), "its overlap ends at"},
		{"what was reported as compromised, inside the overlap", Revoke, begin().with(reported("old", t0)).did(looked...).did("RevokePat old"), ""},
		{"what was there when somebody reported what replaced it, inside the overlap", Revoke, begin().with(reported("", t0)).did(looked...).did("RevokePat old"), ""},
		{"what was issued since somebody reported another one, inside the overlap", Revoke, begin().with(reported("", t0.Add(-26*day))).did(looked...).did("RevokePat old"), "its overlap ends at"},
		{"what the newest version holds", Revoke, begin().did(looked...).did("RevokePat new"), "what the newest version holds"},
		{"while the value that was read is another than the one that was probed", Revoke, begin().did(without(looked, "ConnectionData new")...).did("ConnectionData old", "RevokePat old"), "not probed"},
		{"an orphan, proved", Revoke, stray(2*time.Hour).did("GetSecret", "ListPats", "GetSecretVersions", "RevokePat stray"), ""},
		{"a stray that is young", Revoke, stray(50*time.Minute).did("GetSecret", "ListPats", "GetSecretVersions", "RevokePat stray"), "only 50m0s old"},
		{"a stray while the newest version is a person's", Revoke, stray(2*time.Hour).with(func(s *story) { s.secret().Versions[1].Tags = nil }).did("GetSecret", "ListPats", "GetSecretVersions", "RevokePat stray"), "not Rekey's"},
		{"a stray while the secret is deleted", Revoke, stray(2*time.Hour).with(func(s *story) { s.secret().Deleted = t0 }).did("GetSecret", "ListPats", "GetSecretVersions", "RevokePat stray"), "neither read"},
		{"a stray of an absent secret without a look among the deleted", Revoke, stray(2*time.Hour).with(func(s *story) { s.secret().Name = "gone" }).did("ListPats", "RevokePat stray"), "nor looked for among the deleted"},
		{"one of the current generation that a person made, while another takes the record off", Revoke, begin().with(func(s *story) {
			s.issued("twin", s.Now.Add(-time.Minute))
			s.token("twin").Name = s.token("new").Name
		}).did(looked...).with(func(s *story) { s.secret().Versions[1].Tags = nil }).did("RevokePat twin"), ""},
		{"a stray that is young, while a person takes the record off", Revoke, stray(50 * time.Minute).did(looked...).with(func(s *story) { s.secret().Versions[1].Tags = nil }).did("RevokePat stray"), "only 50m0s old"},
		{"its own, unpublished", Revoke, stray(0).did("CreatePat stray", "RevokePat stray"), ""},
		{"its own, sent to the store", Revoke, stray(0).did("CreatePat stray", "SetSecret stray", "RevokePat stray"), "list was not read"},
		{"its own, made twice", Revoke, stray(0).did("CreatePat twin", "RevokePat stray").with(func(s *story) { s.Events[0].Call.Name = s.token("stray").Name }), ""},
		{"somebody else's unpublished one", Revoke, stray(0).did("RevokePat stray"), "list was not read"},
		{"one without a stamp", Revoke, begin().with(func(s *story) { s.token("old").Name = "by hand" }).did(looked...).did("RevokePat old"), "not stamped"},
		{"one without a stamp that is adopted", Revoke, begin().with(func(s *story) {
			s.token("old").Name, s.Promises[0].Adopts = "by hand", "old"
		}).did(looked...).did("RevokePat old"), ""},
		{"a dead one, which ends nothing", Revoke, begin().with(func(s *story) { s.token("old").ValidTo = t0 }).did("RevokePat old"), ""},

		{"a token asked for twice", Once, begin().did("CreatePat new", "CreatePat new"), "was sent again"},
		{"a value stored twice", Once, begin().did("SetSecret new", "SetSecret new"), "was sent again"},
		{"a value stored again that was refused", Once, begin().did("SetSecret new", "SetSecret new").with(func(s *story) { s.Events[0].Call.Status = 429 }), ""},
		{"a value that was stored late", Once, begin().did("SetSecret new", "SetSecret new").with(func(s *story) {
			s.Events[0].Call.Late, s.Events[0].Call.Status, s.Events[1].Call.Late = true, 0, true
		}), ""},
		{"another token asked for before it was looked what became of the first", Once, begin().did("CreatePat new", "GetSecret", "CreatePat old").with(unheard), "before it was looked up"},
		{"another token asked for after a look at the list", Once, begin().did("CreatePat new", "ListPats", "CreatePat old").with(unheard), ""},
		{"another token asked for after a look that failed", Once, begin().did("CreatePat new", "ListPats", "CreatePat old").with(unheard).with(func(s *story) { s.Events[1].Call.Status = 503 }), "before it was looked up"},
		{"another value stored before it was looked what became of the first", Once, begin().did("SetSecret new", "ListPats", "SetSecret old").with(unheard), "before it was looked up"},
		{"another value stored after a look at the secret", Once, begin().did("SetSecret new", "GetSecret", "SetSecret old").with(unheard), ""},
		{"another value", Once, begin().did("SetSecret old", "SetSecret new"), ""},

		{"done without an intent", Intent, begin().did("CreatePat new"), "was not intended"},
		{"done with another intent", Intent, begin().wrote("prove", ledger.Intended).did("CreatePat new"), "where prove was intended"},
		{"done after its end", Intent, begin().wrote("issue", ledger.Intended).wrote("issue", ledger.Done).did("CreatePat new"), "was not intended"},
		{"done where the intent was refused", Intent, begin().wrote("issue", ledger.Intended).with(func(s *story) { s.Events[0].Entry.Refused = true }).did("CreatePat new"), "was not intended"},
		{"a record changed without an intent", Intent, begin().did("UpdateSecret").with(func(s *story) { s.Events[0].Call.Changed = true }), "was not intended"},
		{"something done that is no effect", Intent, begin().wrote("prove", ledger.Intended).did("DeleteSecret"), "no effect that the ledger has a word for"},
		{"a write that changes nothing", Intent, begin().did("UpdateSecret"), ""},
		{"intended and done", Intent, begin().wrote("issue", ledger.Intended).did("CreatePat new").wrote("issue", ledger.Done), ""},

		{"a record that promises more than the issuer gave", Record, begin().with(func(s *story) { s.token("new").ValidTo = t0.Add(20 * day) }), "ends at 2026-12-01"},
		{"a record that promises more since a person shortened its life", Record, begin().with(func(s *story) {
			s.token("new").ValidTo = t0.Add(20 * day)
			s.Excused = map[string]string{"new": "shortened its life"}
		}), ""},
		{"a record that promises less than the issuer gave", Record, begin().with(func(s *story) { s.token("new").ValidTo = t0.Add(40 * day) }), ""},
		{"a record that was rounded", Record, begin().with(func(s *story) { s.token("new").ValidTo = t0.Add(30*day - time.Second) }), ""},
		{"an older record", Record, begin().with(func(s *story) { s.token("old").ValidTo = t0.Add(time.Hour) }), ""},

		{"an intent without an end", Pairs, begin().wrote("issue", ledger.Intended).ended(), "has no end"},
		{"an intent without an end before the next", Pairs, begin().wrote("issue", ledger.Intended).wrote("publish", ledger.Intended).wrote("publish", ledger.Done).ended(), "has no end"},
		{"an end without an intent", Pairs, begin().wrote("issue", ledger.Done).ended(), "was not intended"},
		{"a process that died", Pairs, begin().wrote("issue", ledger.Intended).ended().with(func(s *story) { s.Events[1].Ended.Killed = true }), ""},
		{"a revocation that is said to be done and is not", Pairs, begin().wrote("revoke", ledger.Intended).wrote("revoke", ledger.Done).with(func(s *story) { s.Events[1].Entry.IssuerID = "old" }).ended(), "revoke old is said to be done"},
		{"a revocation that is done", Pairs, begin().wrote("revoke", ledger.Intended).wrote("revoke", ledger.Done).with(func(s *story) {
			s.Events[1].Entry.IssuerID = "old"
			s.token("old").Revoked = s.Now
		}).ended(), ""},
		{"a later word on what was unknown", Pairs, begin().wrote("issue", ledger.Intended).wrote("issue", ledger.Unknown).wrote("issue", ledger.Recovered).ended(), ""},
		{"a later word on what was unknown and could not be written", Pairs, begin().wrote("issue", ledger.Intended).wrote("issue", ledger.Unknown).with(func(s *story) { s.Events[1].Entry.Refused = true }).wrote("issue", ledger.Recovered).ended(), ""},
		{"a later word on what was done", Pairs, begin().wrote("issue", ledger.Intended).wrote("issue", ledger.Done).wrote("issue", ledger.Recovered).ended(), "whose end was known"},
		{"two later words on one effect", Pairs, begin().wrote("issue", ledger.Intended).wrote("issue", ledger.Unknown).wrote("issue", ledger.Recovered).wrote("issue", ledger.Recovered).ended(), "whose end was known"},
		{"a pair", Pairs, begin().wrote("issue", ledger.Intended).wrote("issue", ledger.Unknown).ended(), ""},

		{"a secret in a log", Leak, begin().with(func(s *story) {
			s.Secrets, s.Texts = []string{"correct horse battery"}, map[string]string{"log": "a\nb correct horse battery"}
		}), "log: secret 1, plain, in line 2"},
		{"a canary in a report", Leak, begin().with(func(s *story) { s.Texts = map[string]string{"report": "x" + world.Canary} }), "report: secret 0"},
		{"no secret", Leak, begin().with(func(s *story) {
			s.Secrets, s.Texts = []string{"correct horse battery"}, map[string]string{"log": "nothing"}
		}), ""},

		{"an old stray", Stray, stray(2 * time.Hour).with(func(s *story) { s.token("old").Revoked = s.Now }), "and nobody's"},
		{"a predecessor after its overlap", Stray, begin(), "token old"},
		{"a predecessor inside its overlap", Stray, begin().with(func(s *story) { s.Now = t0.Add(time.Hour) }), ""},
		{"an old stray that a person must decide on", Stray, stray(2 * time.Hour).ended(Result{Credential: "pat", Kind: rotation.Hold, Do: "decide"}), ""},
		{"a young stray", Stray, stray(time.Minute).with(func(s *story) { s.token("old").Revoked = s.Now }), ""},
		{"a dead current one", Stray, begin().with(func(s *story) { s.token("old").Revoked, s.token("new").Revoked = s.Now, s.Now }), "holds no living token"},
		{"a value that is not the record's", Stray, begin().with(func(s *story) {
			s.token("old").Revoked = s.Now
			s.secret().Versions[1].Tags = s.secret().Versions[0].Tags
		}), "its record says old"},

		{"a wait that never ends", Converged, begin().ended(Result{Credential: "pat", Kind: rotation.Wait, Code: "young"}), "ended with wait young"},
		{"a Hold that says nothing", Converged, begin().ended(Result{Credential: "pat", Kind: rotation.Hold, Code: "x"}), "says nothing"},
		{"a failure", Converged, begin().ended(Result{Credential: "pat", Kind: rotation.Act, Failed: "no"}), "failed: no"},
		{"a Hold that says what to do", Converged, begin().ended(Result{Credential: "pat", Kind: rotation.Hold, Do: "ask"}), ""},
		{"done", Converged, begin().ended(done), ""},

		{"a last run that wrote to Azure", Idle, begin().did("UpdateSecret").ended(done), "called UpdateSecret"},
		{"a last run that asked whether it could write a secret that is not there", Idle, begin().did("UpdateSecret").with(func(s *story) { s.Events[0].Call.Status = 404 }).ended(done), ""},
		{"a last run that wrote to the ledger", Idle, begin().wrote("prove", ledger.Intended).ended(done), "wrote to the ledger"},
		{"a run before the last that wrote", Idle, begin().did("UpdateSecret").ended(done).did("GetSecrets").ended(done), ""},
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

func TestAHistoryWithoutEventsBreaksNothing(t *testing.T) {
	for _, c := range All() {
		if got := c.Check(&History{State: &world.State{}}); len(got) > 0 {
			t.Errorf("%s says %v", c.Name, got)
		}
		if c.Name == "" || c.Holds == "" {
			t.Errorf("%q does not say what it is about", c.Name)
		}
	}
}
