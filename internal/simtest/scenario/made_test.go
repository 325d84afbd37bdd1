package scenario

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const madePassword = "password: {length: 32}"

// playMade is play with a value of our own making.
func playMade(t *testing.T, scenario func(b *bed)) {
	t.Helper()
	t.Parallel()
	stageMade(t, scenario)
}

func stageMade(t *testing.T, scenario func(b *bed)) {
	t.Helper()
	manifest := usual()
	manifest.made = madePassword
	stage(t, manifest, nil, scenario)
}

// made are the values of the secret in the form of PATs: one is revoked when its version cannot be read.
func (b *bed) made() (out []world.PAT) {
	for _, v := range b.versions() {
		p := world.PAT{AuthorizationID: v.ID, Token: v.Value, ValidFrom: v.Created, ValidTo: v.Created.Add(1000 * day)}
		if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil {
			p.AuthorizationID, p.ValidTo = r.IssuerID, r.Expires
			p.Name = rotation.Stamp{Credential: credential, Hash: target.Hash(), Generation: r.Generation}.String()
		}
		if v.Disabled {
			p.Revoked = v.Updated
		}
		out = append(out, p)
	}
	return out
}

// readable says whether who holds a value could have it read again, as a service does that keeps to the version it knows.
func (c *consumer) readable(value string) error {
	for _, v := range c.b.versions() {
		if v.Value == value && !v.Disabled {
			return nil
		}
	}
	return fmt.Errorf("its version is disabled")
}

func TestAValueOfOurMakingLivesItsLife(t *testing.T) {
	playMade(t, func(b *bed) {
		b.apply().is(report.Done, "current").did("publish")
		b.idle()
		b.pass(4*day + time.Minute)
		old := b.record()
		b.apply().is(report.Waiting, "overlap").did("publish")
		b.pass(23 * time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(time.Hour)
		b.apply().is(report.Done, "current").did("revoke")
		if b.pat(old.IssuerID).Revoked.IsZero() {
			b.Error("the old version can be read")
		}
		b.run("rotate", credential).is(report.Waiting, "overlap").did("publish")
		b.consumer.excused("who still has the compromised value is cut off", func() {
			b.run("rotate", "--compromised", credential).did("publish", "revoke", "revoke")
		})
		b.consumer.forget()
		b.settle()
		if n := len(b.versions()); n != 4 {
			b.Errorf("%d versions, want one for each value", n)
		}
	})
}

func TestAValueOfOurMakingIsRetired(t *testing.T) {
	playMade(t, func(b *bed) {
		b.published()
		b.apply().is(report.Waiting, "overlap")
		b.write(func(s *settings) { s.more = "enabled: false" })
		b.consumer.excused("the credential's life ends", func() {
			b.run("retire", credential, "--yes").is(report.Done, "retired").did("revoke", "revoke")
			b.run("retire", credential, "--yes").is(report.Done, "retired").did()
		})
		b.consumer.forget()
		if n := len(b.alive()); n != 0 {
			b.Errorf("%d can be read", n)
		}
	})
}

// What a person has put there is used for the length of a life, with their tags, and then replaced like any other.
func TestAValueThatIsThereIsAdopted(t *testing.T) {
	playMade(t, func(b *bed) {
		b.world(func(w *world.World) {
			v := vaultOf(w, "kv-pat-prod")
			v.Secrets = append(v.Secrets, &world.Secret{Name: secretName, Versions: []*world.SecretVersion{{
				ID: w.NewVersion(), Value: "a person's own value", Created: w.Now(), Updated: w.Now(), Tags: map[string]string{"team": "payments"},
			}}})
		})
		b.consumer.probe("")
		b.apply().is(report.Held, "foreign-version").did()
		b.write(func(s *settings) { s.made += "\n      adopt: true" })
		b.apply().is(report.Done, "current").did("amend")
		adopted := b.record()
		if v := b.newest(); v.Value != "a person's own value" || v.Tags["team"] != "payments" || len(b.versions()) != 1 {
			b.Errorf("the newest version is of %v", v.Tags)
		}
		b.pass(4*day + time.Minute)
		b.apply().is(report.Waiting, "overlap").did("publish")
		if v := b.newest(); v.Value == "a person's own value" || v.Tags["team"] != "payments" {
			b.Errorf("the newest version is of %v", v.Tags)
		}
		b.write(func(s *settings) { s.made = madePassword }) // the word is not needed any more
		b.settle()
		if b.pat(adopted.IssuerID).Revoked.IsZero() {
			b.Error("what was adopted and replaced can be read")
		}
	})
}

func TestARotationOfAValueOfOurMakingEndsWellWhateverIsLostOnTheWay(t *testing.T) {
	for _, c := range []onARotation{
		{name: "the answer to the PUT is lost", faults: []sim.Fault{lost("SetSecret")}, did: []string{"publish unknown"}, alive: 1, newVersions: 1},
		{name: "the PUT is cut before it arrives", faults: []sim.Fault{fault("SetSecret", sim.DoCut)}, did: []string{"publish unknown", "publish"}, alive: 1, newVersions: 1},
		{name: "the PUT is refused", faults: []sim.Fault{{Operation: "SetSecret", Nth: 1, Do: sim.DoAnswer, Status: 403, Body: `{"error":{"code":"Forbidden","message":"no"}}`}},
			did: nil, what: report.Failed},
		{name: "the PUT arrives much later", faults: []sim.Fault{late("SetSecret", 20*time.Minute)}, did: []string{"publish unknown", "publish"}, alive: 1, newVersions: 1},
		{name: "the list of versions is cut", faults: []sim.Fault{fault("GetSecretVersions", sim.DoCut)}, did: []string{"publish"}, alive: 1, newVersions: 1},
	} {
		if c.what = cmp.Or(c.what, report.Waiting); c.what == report.Waiting {
			c.code = "overlap"
		}
		t.Run(c.name, func(t *testing.T) {
			playMade(t, func(b *bed) {
				b.published()
				b.disturbed(c, 1)
				b.pass(30 * time.Minute)
				b.settle()
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d can be read in the end", n)
				}
			})
		})
	}
}

func TestARunOfAValueOfOurMakingThatIsKilledAtAnyCallLeavesWhatTheNextOneMends(t *testing.T) {
	for name, prepare := range map[string]func(b *bed){
		"on an absent secret": func(*bed) {}, "on a due credential": func(b *bed) { b.published() },
		"after the overlap": func(b *bed) { b.published(); b.apply(); b.pass(day) },
	} {
		t.Run(name, func(t *testing.T) {
			var events []string
			t.Run("not at all", func(t *testing.T) {
				stageMade(t, func(b *bed) {
					prepare(b)
					m := b.machine()
					m.run(context.Background(), "apply")
					events = slices.Clone(m.hook.happened())
					b.settle()
				})
			})
			if len(events) < 8 {
				t.Fatalf("the run made only %d calls: %q", len(events)/2, events)
			}
			for i, event := range events {
				if strings.HasPrefix(event, "before") {
					continue
				}
				t.Run(fmt.Sprintf("%02d %s", i, event), func(t *testing.T) {
					playMade(t, func(b *bed) {
						prepare(b)
						m := b.machine()
						m.hook.at("", i+1, func() fate { return die })
						if o := m.run(context.Background(), "apply"); !o.killed {
							b.Errorf("it was not killed: %v", o)
						}
						b.pass(time.Minute)
						b.settle()
					})
				})
			}
		})
	}
}

// Both write a value; who reads by name gets the newest, and the other one can be read for an overlap.
func TestTwoRunsOfAValueOfOurMakingAtOnceEndWithOne(t *testing.T) {
	for _, meet := range []string{"before SetSecret", "after SetSecret", "before UpdateSecret"} {
		t.Run(meet, func(t *testing.T) {
			playMade(t, func(b *bed) {
				b.published()
				// First where both have found it due: the one could be done before the other one looks.
				for _, o := range b.twoMeet("after GetSecretVersions", meet) {
					o.is(report.Waiting, "overlap").did("publish")
				}
				if n := len(b.alive()); n != 3 {
					b.Errorf("%d can be read, want 3", n)
				}
				b.settle()
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d can be read after the overlap", n)
				}
			})
		})
	}
}

// What was rolled back from is ended like any predecessor, and what was rolled back to is in two versions, which end
// together.
func TestAValueOfOurMakingIsRolledBack(t *testing.T) {
	playMade(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		first := b.newest()
		b.pass(time.Hour)
		b.run("rotate", credential).is(report.Waiting, "overlap").did("publish")
		b.run("rollback", credential, "--yes").is(report.Waiting, "overlap").did("rollback")
		if b.newest().Value != first.Value || len(b.versions()) != 3 {
			b.Error("the first value is not the newest one's")
		}
		b.pass(day + time.Minute)
		b.settle()
		b.run("rotate", credential).did("publish")
		b.pass(day + time.Minute)
		b.settle()
		for _, v := range b.versions() {
			if newest := v.ID == b.newest().ID; v.Disabled == newest {
				b.Errorf("version %s is disabled: %t", v.ID, v.Disabled)
			}
		}
	})
}
