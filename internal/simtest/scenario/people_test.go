package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// byAPerson is a change to the secret that only people can judge.
type byAPerson struct {
	name   string
	change func(w *world.World, s *world.Secret)
	code   string
	undo   func(w *world.World, s *world.Secret)
	// breaks says that the change itself takes the value away from consumers: their gap is the person's doing, and it
	// ends with the change.
	breaks bool
}

func last(s *world.Secret) *world.SecretVersion { return s.Versions[len(s.Versions)-1] }

func changes() []byAPerson {
	// Each change remembers the tags in the version before, where restoring finds them: changes are shared by tests.
	keep := func(s *world.Secret) {
		s.Versions = append([]*world.SecretVersion{{ID: strings.Repeat("f", 32), Disabled: true, Tags: maps.Clone(last(s).Tags)}}, s.Versions...)
	}
	restore := func(_ *world.World, s *world.Secret) {
		last(s).Tags = s.Versions[0].Tags
		s.Versions = s.Versions[1:]
	}
	return []byAPerson{
		{
			name: "the secret is deleted", code: "soft-deleted", breaks: true,
			change: func(w *world.World, s *world.Secret) { s.Deleted = w.Now() },
			undo:   func(_ *world.World, s *world.Secret) { s.Deleted = time.Time{} },
		},
		{
			name: "the newest version is disabled", code: "disabled-version", breaks: true,
			change: func(_ *world.World, s *world.Secret) { last(s).Disabled = true },
			undo:   func(_ *world.World, s *world.Secret) { last(s).Disabled = false },
		},
		{
			name: "a version is written without our record", code: "foreign-version",
			change: func(w *world.World, s *world.Secret) {
				s.Versions = append(s.Versions, &world.SecretVersion{ID: w.NewVersion(), Value: tokenOf(0), Created: w.Now(), Updated: w.Now()})
			},
			undo: func(_ *world.World, s *world.Secret) { s.Versions = s.Versions[:len(s.Versions)-1] },
		},
		{
			name: "the tags are removed", code: "foreign-version",
			change: func(_ *world.World, s *world.Secret) { keep(s); last(s).Tags = map[string]string{} },
			undo:   restore,
		},
		{
			name: "the record is edited", code: "unreadable-record",
			change: func(_ *world.World, s *world.Secret) {
				keep(s)
				last(s).Tags[rotation.RecordTag] += ";z=1"
			},
			undo: restore,
		},
		{
			name: "fifteen foreign tags leave no room for the record", code: "no-free-tag",
			change: func(_ *world.World, s *world.Secret) {
				keep(s)
				last(s).Tags = map[string]string{}
				for i := range 15 {
					last(s).Tags[fmt.Sprintf("tag-%02d", i)] = "theirs"
				}
			},
			undo: restore,
		},
	}
}

func TestAPersonsChangeToTheSecretHoldsBeforeAnythingIsIssued(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.published()
				meddle := func() {
					b.edit(c.change)
					b.apply().is(report.Held, c.code).did()
					b.apply("--verify").is(report.Held, c.code).did()
					b.run("rotate", credential).is(report.Held, c.code).did()
					b.edit(c.undo)
				}
				if c.breaks {
					b.consumer.excused("a person took the value away", meddle)
				} else {
					meddle()
				}
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d tokens are alive", n)
				}
				b.settle()
			})
		})
	}
}

func TestAPersonsChangeBetweenTheLookAndThePUTIsSeen(t *testing.T) {
	for _, c := range changes() {
		if c.code == "no-free-tag" || c.code == "unreadable-record" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.published()
				old := b.record().IssuerID
				// Key Vault has no conditional PUT: what a person does between the look and the PUT is overwritten, but
				// for a deletion, which refuses the PUT.
				meddle := func() {
					b.home.hook.at("before SetSecret", 1, func() fate { b.edit(c.change); return live })
					o := b.apply()
					if c.code == "soft-deleted" {
						o.is(report.Held, "soft-deleted").did("issue", "revoke")
						if n := len(b.alive()); n != 1 {
							b.Errorf("%d tokens are alive", n)
						}
						b.edit(c.undo)
						return
					}
					o.is(report.Waiting, "overlap").did("issue", "publish")
				}
				if c.breaks {
					b.consumer.excused("a person took the value away", meddle)
				} else {
					meddle()
				}
				if !b.pat(old).Revoked.IsZero() {
					b.Error("the old token is revoked")
				}
				b.settle()
			})
		})
	}
}

func TestForeignTagsOutliveARotation(t *testing.T) {
	play(t, func(b *bed) {
		b.write(func(s *settings) { s.more = "tags: {team: platform}" })
		b.published()
		theirs := map[string]string{}
		b.edit(func(_ *world.World, s *world.Secret) {
			for i := range 13 { // with the record and the manifest's own: fifteen
				theirs[fmt.Sprintf("tag-%02d", i)] = "theirs"
			}
			maps.Copy(last(s).Tags, theirs)
		})
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		theirs["team"] = "platform"
		got := maps.Clone(b.newest().Tags)
		delete(got, rotation.RecordTag)
		if !maps.Equal(got, theirs) {
			b.Errorf("the tags are %v", got)
		}
		b.settle()

		b.write(func(s *settings) { s.more = "tags: {team: platform, more: no-room}" })
		b.run("rotate", credential).is(report.Held, "no-free-tag").did()
		b.write(func(s *settings) { s.more = "tags: {team: platform}" })
		b.settle()
	})
}

func TestATokenRevokedByHandIsReplaced(t *testing.T) {
	for name, mend := range map[string]func(b *bed){
		"by a run that verifies": func(b *bed) { b.apply("--verify").is(report.Done, "current").did("issue", "publish") },
		"by the daily census": func(b *bed) {
			b.write(func(s *settings) { s.schedule = "1h" })
			for range 25 {
				if slices.ContainsFunc(b.apply().cred().Effects, func(e report.Effect) bool { return e.Effect == "publish" }) {
					return
				}
				b.pass(time.Hour)
			}
			b.Error("not within a day")
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.apply().is(report.Done, "current")
				b.pass(26 * time.Hour)
				b.consumer.excused("a person revoked the token that is in use", func() {
					b.editPAT(b.record().IssuerID, func(w *world.World, p *world.PAT) { p.Revoked = w.Now() })
					mend(b)
				})
				b.consumer.forget()
				b.settle()
			})
		})
	}
}

func TestADateMovedInThePortalIsWhatCounts(t *testing.T) {
	for name, by := range map[string]time.Duration{"later": 20 * day, "earlier": -day} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.apply().is(report.Done, "current")
				b.pass(26 * time.Hour)
				var to time.Time
				b.editPAT(b.record().IssuerID, func(_ *world.World, p *world.PAT) { p.ValidTo = p.ValidTo.Add(by); to = p.ValidTo })
				b.write(func(s *settings) { s.schedule = "24h" }) // so that every run asks the issuer
				b.apply().is(report.Done, "current").did("amend")
				if got := b.record().Expires; got.Sub(to).Abs() > time.Second {
					b.Errorf("the record says %v, want %v", got, to)
				}
				if versions := b.versions(); len(versions) != 1 {
					b.Errorf("%d versions; the value has not changed", len(versions))
				}
				b.settle()
			})
		})
	}
}

// stray adds a living token with a stamp.
func (b *bed) stray(age time.Duration, of rotation.CredentialID, hash string) (id string) {
	b.world(func(w *world.World) {
		made := w.Now().Add(-age)
		id = w.NewID()
		var owner string
		for _, u := range w.Users {
			if u.UPN == svcPAT {
				owner = u.ID
			}
		}
		o := w.Organizations[0]
		o.PATs = append(o.PATs, &world.PAT{
			AuthorizationID: id, OwnerID: owner, Scope: "vso.code vso.packaging", ValidFrom: made, ValidTo: made.Add(30 * day), Token: w.MintPAT(),
			Name: rotation.Stamp{Credential: of, Hash: hash, Generation: rotation.NewGeneration(made, [5]byte(w.Random(5)))}.String(),
		})
	})
	return id
}

func TestAnOrphanIsSweptOnceItIsOldEnough(t *testing.T) {
	play(t, func(b *bed) {
		b.write(func(s *settings) { s.schedule = "24h" })
		b.apply().is(report.Done, "current")
		b.pass(3 * time.Hour)
		old := b.stray(61*time.Minute, credential, target.Hash())
		b.apply().is(report.Done, "current").did("revoke")
		if b.pat(old).Revoked.IsZero() {
			b.Error("the orphan is alive")
		}
		young := b.stray(20*time.Minute, credential, target.Hash())
		o := b.apply().did()
		if !b.pat(young).Revoked.IsZero() {
			b.Errorf("a token that may belong to another run was revoked: %v", o)
		}
		b.pass(41 * time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.pat(young).Revoked.IsZero() {
			b.Error("the orphan is alive")
		}
		b.settle()
	})
}

func TestStrayTokensAreSweptBeforeAnythingNewIsIssued(t *testing.T) {
	play(t, func(b *bed) {
		orphan := b.stray(2*time.Hour, credential, target.Hash())
		theirs := b.stray(2*time.Hour, "another", strings.Repeat("0", 8))
		o := b.apply()
		o.is(report.Done, "current").did("revoke", "issue", "publish")
		told := false
		for _, x := range o.doc.Strangers {
			told = told || x.ID == theirs
			if x.ID == orphan || !strings.HasPrefix(x.Name, "rekey/") {
				b.Errorf("%s (%s) is called a stranger", x.ID, x.Name)
			}
		}
		if !told {
			b.Error("what is stamped for another secret is not reported")
		}
		if b.pat(orphan).Revoked.IsZero() || !b.pat(theirs).Revoked.IsZero() {
			b.Error("swept what it should not, or not what it should")
		}
		b.settle()
	})
}
