package scenario

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// fullDisk makes a ledger folder whose file takes no byte.
func (b *bed) fullDisk() {
	b.Helper()
	if runtime.GOOS != "linux" {
		b.Skip("only Linux has a device that is always full")
	}
	dir := filepath.Join(b.dir, "full")
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, ledger.File)); err != nil {
		b.Fatal(err)
	}
}

func clamped(to time.Duration) func(*world.State) {
	return func(s *world.State) { s.Knobs.DevOps.MaxLifespan = world.Duration(to) }
}

func TestALifetimeClampedToThreeDaysConverges(t *testing.T) {
	playIn(t, clamped(3*day), func(b *bed) {
		b.write(func(s *settings) { s.lifetime, s.rotateBefore = "30d", "5d" })
		o := b.apply().is(report.Done, "current").did("issue", "publish")
		if !strings.Contains(strings.Join(o.cred().Notes, " "), "gave 3d of life where 30d was asked for") {
			b.Errorf("no warning: %q", o.cred().Notes)
		}
		b.pass(day)
		for range 3 {
			b.pass(day - time.Hour)
			b.apply().is(report.Done, "current").did()
			b.pass(time.Hour + time.Minute)
			b.apply().is(report.Waiting, "overlap").did("issue", "publish")
			b.pass(day)
			b.apply().is(report.Done, "current").did() // the old one's own life has just ended
		}
		b.converged()
		b.idle()
	})
}

func TestALifetimeClampedToOneDayHoldsAfterPublishing(t *testing.T) {
	playIn(t, clamped(day), func(b *bed) {
		b.write(func(s *settings) { s.lifetime, s.rotateBefore = "30d", "5d" })
		b.apply().is(report.Held, "overlap-does-not-fit").did("issue", "publish")
		b.converged()
		b.apply().is(report.Held, "overlap-does-not-fit").did()
		b.pass(17 * time.Hour)
		b.apply().is(report.Held, "overlap-does-not-fit").did()
		b.run("rotate", credential).did("issue", "publish")
		b.converged()
		b.write(func(s *settings) { s.overlap = "6h" }) // what a person does about it
		for range 8 {
			o := b.apply()
			if o.code != 0 {
				b.Errorf("%v", o)
			}
			b.converged()
			b.passUntil(o.cred().Next)
		}
	})
}

func TestRotateReplacesNowAndKeepsTheOverlap(t *testing.T) {
	play(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.pass(2 * time.Hour)
		old := b.record().IssuerID
		b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
		b.pass(day - 10*time.Minute)
		b.apply().is(report.Waiting, "overlap").did()
		if !b.pat(old).Revoked.IsZero() {
			b.Error("the old token is revoked within its overlap")
		}
		b.settle()
	})
}

func TestACompromisedCredentialDiesAtOnce(t *testing.T) {
	play(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.pass(2 * time.Hour)
		old := b.record().IssuerID
		b.consumer.excused("who still has the compromised token is cut off", func() {
			b.run("rotate", "--compromised", credential).is(report.Done, "current").did("issue", "publish", "revoke")
		})
		b.consumer.forget()
		if b.pat(old).Revoked.IsZero() {
			b.Error("the compromised token is alive")
		}
		b.settle()
	})
}

func TestRetireRevokesAllThatWasIssuedForTheSecretAndNothingElse(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		b.apply().is(report.Waiting, "overlap")
		b.write(func(s *settings) { s.more = "enabled: false" })
		if o := b.run("retire", credential); o.code != 3 {
			b.Errorf("without anybody to confirm it: %v", o)
		}
		b.consumer.excused("the credential's life ends", func() {
			b.run("retire", credential, "--yes").is(report.Done, "retired").did("revoke", "revoke")
			b.apply().is(report.Done, "disabled").did()
			b.run("retire", credential, "--yes").is(report.Done, "retired").did()
			if n := len(b.alive()); n != 0 {
				b.Errorf("%d tokens are alive", n)
			}
			b.write(func(s *settings) { s.more = "" })
			b.pass(time.Minute)
			b.apply("--verify").did("issue", "publish")
		})
		b.consumer.forget()
		b.settle()
	})
}

func TestExtendKeepsTheValueAndMovesTheDate(t *testing.T) {
	extend := func(s *settings) { s.more = "strategy: extend" }
	t.Run("as asked", func(t *testing.T) {
		play(t, func(b *bed) {
			b.write(extend)
			b.published()
			before := b.newest()
			b.apply().is(report.Done, "current").did("extend", "amend")
			if after := b.newest(); after.Value != before.Value || len(b.versions()) != 1 {
				b.Error("the value changed")
			}
			if to := b.record().Expires; to.Sub(b.now().Add(6*day)).Abs() > time.Minute {
				b.Errorf("valid until %v", to)
			}
			b.settle()
		})
	})
	t.Run("its answer lost", func(t *testing.T) {
		play(t, func(b *bed) {
			b.write(extend)
			b.published()
			b.faults(lost("UpdatePat"))
			b.apply().is(report.Done, "current").did("extend unknown", "amend")
			b.struck()
			if len(b.versions()) != 1 {
				b.Error("the value changed")
			}
			b.settle()
		})
	})
	t.Run("its record's answer lost", func(t *testing.T) {
		play(t, func(b *bed) {
			b.write(extend)
			b.published()
			b.faults(lost("UpdateSecret"))
			b.apply().is(report.Done, "current").did("extend", "amend unknown")
			b.struck()
			b.settle()
		})
	})
	t.Run("cut before it arrives", func(t *testing.T) {
		play(t, func(b *bed) {
			b.write(extend)
			b.published()
			b.faults(fault("UpdatePat", sim.DoCut))
			b.apply().is(report.Waiting, "overlap").did("extend unknown", "issue", "publish")
			b.struck()
			b.settle()
		})
	})
	t.Run("clamped to the token's own creation, so it is replaced", func(t *testing.T) {
		playIn(t, clamped(6*day), func(b *bed) {
			b.write(extend)
			b.published()
			b.apply().is(report.Waiting, "overlap").did("extend", "amend", "issue", "publish")
			b.settle()
		})
	})
}

func TestAnExistingTokenIsAdopted(t *testing.T) {
	const id, name = "b0b0b0b0-0000-4000-8000-000000000000", "deploy-script"
	for how, adopt := range map[string]string{"by id": "id: " + id, "by name": "name: " + name} {
		inTheVault := func(b *bed) {
			b.world(func(w *world.World) {
				v := vaultOf(w, "kv-pat-prod")
				v.Secrets = append(v.Secrets, &world.Secret{Name: secretName, Versions: []*world.SecretVersion{{
					ID: w.NewVersion(), Value: tokenOf(0), Created: w.Now(), Updated: w.Now(), Tags: map[string]string{"owner": "a person"},
				}}})
			})
		}
		t.Run(how+", with its value in the vault", func(t *testing.T) {
			play(t, func(b *bed) {
				inTheVault(b)
				b.consumer.probe("")
				b.write(func(s *settings) { s.pat = "adopt: {" + adopt + "}" })
				b.apply().is(report.Done, "current").did("amend")
				if r := b.record(); r.IssuerID != id || b.newest().Tags["owner"] != "a person" || len(b.versions()) != 1 {
					b.Errorf("adopted %s", r.IssuerID)
				}
				b.idle()
				b.pass(time.Hour)
				delete(b.bystanders, id) // from here on it is Rekey's
				b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
				b.pass(day - 10*time.Minute)
				b.apply().is(report.Waiting, "overlap").did()
				b.settle()
				if b.pat(id).Revoked.IsZero() {
					b.Error("what was adopted and replaced is alive")
				}
			})
		})
		t.Run(how+", with no secret", func(t *testing.T) {
			play(t, func(b *bed) {
				b.write(func(s *settings) { s.pat = "adopt: {" + adopt + "}" })
				delete(b.bystanders, id)
				b.apply().is(report.Waiting, "overlap").did("issue", "publish")
				if !b.pat(id).Revoked.IsZero() {
					b.Error("what was adopted is revoked within the overlap")
				}
				b.settle()
				if b.pat(id).Revoked.IsZero() {
					b.Error("what was adopted and replaced is alive")
				}
			})
		})
		t.Run(how+", with another value in the vault", func(t *testing.T) {
			play(t, func(b *bed) {
				inTheVault(b)
				b.edit(func(_ *world.World, s *world.Secret) { last(s).Value = "not-a-token-at-all" })
				b.write(func(s *settings) { s.pat = "adopt: {" + adopt + "}" })
				b.consumer.excused("the value that a person put there never worked", func() {
					b.apply().is(report.Held, "adopt-value").did()
				})
				b.consumer.forget()
				b.edit(func(_ *world.World, s *world.Secret) { last(s).Value = tokenOf(0) })
				b.apply().is(report.Done, "current").did("amend")
			})
		})
	}
	t.Run("by a name that two have: a person must decide", func(t *testing.T) {
		playIn(t, func(s *world.State) {
			p := *s.Organizations[0].PATs[0]
			p.AuthorizationID, p.Token = "b0b0b0b0-0000-4000-8000-000000000008", tokenOf(8)
			s.Organizations[0].PATs = append(s.Organizations[0].PATs, &p)
		}, func(b *bed) {
			b.write(func(s *settings) { s.pat = "adopt: {name: " + name + "}" })
			b.world(func(w *world.World) {
				v := vaultOf(w, "kv-pat-prod")
				v.Secrets = append(v.Secrets, &world.Secret{Name: secretName, Versions: []*world.SecretVersion{{ID: w.NewVersion(), Value: tokenOf(0), Created: w.Now(), Updated: w.Now()}}})
			})
			b.apply().is(report.Held, "adopt-ambiguous").did()
		})
	})
}

func TestAChangedScopeMakesItDue(t *testing.T) {
	play(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.pass(time.Hour)
		raw, err := os.ReadFile(b.file())
		if err != nil {
			b.Fatal(err)
		}
		swap := func(scopes string) {
			changed := strings.Replace(string(raw), "[vso.code, vso.packaging]", scopes, 1)
			if err := os.WriteFile(b.file(), []byte(changed), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		swap("[vso.packaging, vso.code]") // a set
		b.apply().is(report.Done, "current").did()
		swap("[vso.code]")
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		if p := b.pat(b.record().IssuerID); p.Scope != "vso.code" {
			b.Errorf("%v: issued with scope %q", o, p.Scope)
		}
		if _, ok := rotation.ParseStamp(b.pat(b.record().IssuerID).Name); !ok {
			b.Error("no stamp")
		}
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		b.converged()
	})
}

func TestTheManifestLengthensAnOverlapAndNeverShortensIt(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		old := b.record().IssuerID
		b.apply().is(report.Waiting, "overlap")
		b.write(func(s *settings) { s.overlap = "2h" })
		b.pass(3 * time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.write(func(s *settings) { s.overlap = "30h" })
		b.pass(22 * time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		if !b.pat(old).Revoked.IsZero() {
			b.Error("the old token is revoked before its time")
		}
		b.pass(5*time.Hour + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		b.settle()
	})
}
