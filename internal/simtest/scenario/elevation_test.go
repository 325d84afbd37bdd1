package scenario

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	prodScope    = "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-rekey/providers/Microsoft.KeyVault/vaults/kv-pat-prod"
	secretBroker = "Br18Q~" + world.Canary + "BrokerItself1234567890"
	timed        = "kind: roleAssignment, sweepEvery: 1h, for: 30m"
	byPIM        = "kind: pimAssignment, for: 30m"
)

// playElevated plays with a vault that Rekey's own identity may only list, and a broker that may give it one role there.
func playElevated(t *testing.T, how string, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	manifest := usual()
	manifest.made, manifest.elevation = madePassword, how
	stage(t, manifest, func(s *world.State) {
		for _, a := range s.RoleAssignments {
			if a.PrincipalID == rekeySP && a.Scope == prodScope {
				a.RoleID = world.RoleKeyVaultReader
			}
		}
		broker(s, world.RoleKeyVaultDataAccess, world.RoleKeyVaultOfficer, prodScope)
		if change != nil {
			change(s)
		}
	}, scenario)
}

// broker lets the broker sign in with a secret, and give one role to Rekey's own identity at one scope.
func broker(s *world.State, its, role, scope string) {
	for _, a := range s.Apps {
		if a.ClientID == world.AppBroker {
			a.ClientSecret = secretBroker
			a.Secrets = []*world.PasswordCredential{{KeyID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f19", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: secretBroker}}
		}
	}
	condition, version := world.BrokerCondition(role, rekeySP), "2.0"
	s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f2f", Scope: scope, RoleID: its,
		PrincipalID: world.BrokerPrincipal, PrincipalType: "ServicePrincipal", Condition: &condition, ConditionVer: &version})
}

// each plays with both kinds that an application can be given a role by.
func each(t *testing.T, change func(*world.State), scenario func(b *bed, timed bool)) {
	for name, how := range map[string]string{"a timed role assignment": timed, "an active assignment": byPIM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			playElevated(t, how, change, func(b *bed) { scenario(b, how == timed) })
		})
	}
}

// may says whether Rekey's identity may write in the vault by now.
func (b *bed) may() (yes bool) {
	b.world(func(w *world.World) {
		yes = w.AllowedData(rekeySP, "Microsoft.KeyVault/vaults/secrets/setSecret/action", prodScope)
	})
	return yes
}

// privileged says whether the role is in force, whatever the vault knows of it.
func (b *bed) privileged() (yes bool) {
	b.world(func(w *world.World) {
		for _, a := range w.Assignments() {
			if a.PrincipalID == rekeySP && a.Scope == prodScope && a.RoleID == world.RoleKeyVaultOfficer && !a.Created.After(w.Now()) && (a.Removed.IsZero() || a.Removed.After(w.Now())) {
				yes = true
			}
		}
	})
	return yes
}

// asks counts what was asked of Resource Manager that gives or takes a role.
func (b *bed) asks() (n int) {
	for _, r := range b.sim.Requests() {
		if strings.HasPrefix(r.Operation, "PutRoleAssignment") || r.Operation == "DeleteRoleAssignment" {
			n++
		}
	}
	return n
}

func TestARoleIsTakenForTheWorkAndGivenBack(t *testing.T) {
	t.Parallel()
	each(t, nil, func(b *bed, timed bool) {
		if o := b.run("plan"); !strings.Contains(o.out, "takes Key Vault Secrets Officer at vault kv-pat-prod for 30m0s") || o.doc.Credentials[0].Outcome != report.ToDo {
			b.Errorf("the plan says %s", o.out)
		}
		if n := b.asks(); n != 0 || b.may() {
			b.Errorf("a plan has asked for a role %d times", n)
		}
		o := b.apply().is(report.Done, "current").did("publish")
		if len(o.doc.Elevations) != 1 || o.doc.Elevations[0].Error != nil || o.doc.Elevations[0].Left == timed {
			b.Fatalf("%+v", o.doc.Elevations)
		}
		if timed && (b.may() || o.doc.Elevations[0].Seconds > 60) {
			b.Errorf("the role is there after the run: %+v", o.doc.Elevations[0])
		}
		b.pass(30 * time.Minute)
		if b.may() {
			b.Error("the role is there after its end")
		}
		n := b.asks()
		b.idle()
		if m := b.asks(); m != n {
			b.Errorf("a run with nothing to do has asked for a role %d times", m-n)
		}
		b.pass(4 * day)
		b.apply().is(report.Waiting, "overlap").did("publish")
		b.pass(12 * time.Hour)
		n = b.asks()
		b.apply().is(report.Waiting, "overlap").did()
		if m := b.asks(); m != n {
			b.Errorf("a run that only waits has asked for a role %d times", m-n)
		}
		b.pass(12 * time.Hour)
		b.apply().is(report.Done, "current").did("revoke")
		b.pass(30 * time.Minute)
		if b.may() {
			b.Error("the role is there at the end")
		}
	})
}

func TestAVaultThatLearnsOfARoleMinutesLaterIsWaitedFor(t *testing.T) {
	t.Parallel()
	each(t, func(s *world.State) { s.Knobs.ARM.RBACDelay = world.Duration(5 * time.Minute) }, func(b *bed, _ bool) {
		began := time.Now()
		b.apply().is(report.Done, "current").did("publish")
		if took := time.Since(began); took < 5*time.Minute || took > 7*time.Minute {
			b.Errorf("it took %s", took)
		}
		b.pass(36 * time.Minute)
		if b.may() {
			b.Error("the role is honoured after its end and its lag")
		}
	})
}

func TestARoleThatWasJustGivenBackIsHadAgainMinutesLater(t *testing.T) {
	t.Parallel()
	gaps := func(s *world.State) {
		s.Knobs.ARM.ExistsAfterRemoval, s.Knobs.PIM.ExistsAfterRemoval = world.Duration(210*time.Second), world.Duration(210*time.Second)
		s.Knobs.PIM.ListLag, s.Knobs.PIM.ProvisioningTakes = world.Duration(70*time.Second), world.Duration(20*time.Second)
	}
	each(t, gaps, func(b *bed, _ bool) {
		b.apply().is(report.Done, "current")
		b.run("rotate", credential).is(report.Waiting, "overlap").did("publish")
		b.pass(time.Hour)
		if b.privileged() {
			b.Error("the role is there at the end")
		}
	})
}

func TestALostAnswerToARoleIsNoReasonToTakeItTwiceOrToKeepIt(t *testing.T) {
	t.Parallel()
	for _, do := range []string{sim.DoLost, sim.DoCut, sim.DoLate} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			each(t, nil, func(b *bed, timed bool) {
				op := "PutRoleAssignmentRequest"
				if timed {
					op = "PutRoleAssignment"
				}
				f := sim.Fault{Service: "arm", Operation: op, Nth: 1, Times: 1, Do: do}
				if do == sim.DoLate { // it comes when the run is over, and nobody knows of it
					f.Delay = world.Duration(10 * time.Second)
				}
				b.faults(f)
				b.apply().is(report.Done, "current").did("publish")
				b.pass(31 * time.Minute)
				if timed {
					b.sweep()
				}
				if b.privileged() {
					b.Error("the role is there at the end")
				}
			})
		})
	}
}

func TestTwoRunsAtOnceShareARole(t *testing.T) {
	t.Parallel()
	each(t, nil, func(b *bed, timed bool) {
		var all sync.WaitGroup
		for range 2 {
			m := b.machine()
			all.Go(func() { m.run(b.Context(), "apply") })
		}
		all.Wait()
		b.pass(2 * time.Hour)
		if timed {
			b.sweep() // two that give their shares back at the same instant may each write down the other's
		}
		b.settle()
		b.pass(30 * time.Minute)
		if b.privileged() {
			b.Error("the role is there at the end")
		}
		if timed {
			b.world(func(w *world.World) {
				if slices.ContainsFunc(w.RoleAssignments, func(a *world.RoleAssignment) bool { return a.Removed.IsZero() && a.Description != nil }) {
					b.Error("an assignment is left")
				}
			})
		}
	})
}

func TestARunThatIsKilledKeepsNoRolePastItsEnd(t *testing.T) {
	t.Parallel()
	each(t, nil, func(b *bed, timed bool) {
		m := b.machine()
		m.hook.at("before SetSecret", 1, func() fate { return die })
		m.run(b.Context(), "apply")
		if !b.privileged() {
			b.Fatal("the scenario shows nothing: the role is not there")
		}
		b.pass(30*time.Minute + time.Second)
		if !timed {
			if b.privileged() {
				b.Error("Azure has not ended it")
			}
		} else if o := b.sweep(); b.privileged() {
			b.Errorf("the sweep has not ended it: %s", o.out+o.err)
		}
		b.pass(time.Hour)
		b.settle()
	})
}

// sweep ends what is past its stated end.
func (b *bed) sweep() outcome { return b.run("elevations", "sweep") }

func TestAPolicyThatForbidsARoleNeedsAPersonAndNothingIsTaken(t *testing.T) {
	t.Parallel()
	strict := func(s *world.State) {
		s.RolePolicies = append(s.RolePolicies, &world.RolePolicy{Place: world.Place{Realm: world.RealmAzure, Scope: prodScope, RoleID: world.RoleKeyVaultOfficer}, MaxActive: world.Duration(15 * time.Minute)})
	}
	playElevated(t, byPIM, strict, func(b *bed) {
		o := b.apply()
		if !strings.Contains(o.out, "ExpirationRule") || !strings.Contains(o.out, "15m0s") || o.code == 0 || b.asks() != 0 {
			b.Errorf("code %d, asked %d: %s", o.code, b.asks(), o.out)
		}
		b.write(func(s *settings) { s.elevation = "kind: pimAssignment, for: 15m" })
		b.apply().is(report.Done, "current").did("publish")
		b.pass(15 * time.Minute)
	})
}

// What a consumer needs is taken when it is to be told, and not for a run that only looks at the vault's list.
func TestAConsumerIsToldUnderARoleOfItsOwn(t *testing.T) {
	app := (&world.Site{Name: appName, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps}).ResourceID()
	playIn(t, func(s *world.State) {
		withApp(s)
		for _, a := range s.RoleAssignments {
			if a.PrincipalID == rekeySP && a.Scope == app {
				a.RoleID = world.RoleReader
			}
		}
		broker(s, world.RoleRBACAdmin, world.RoleWebsiteContributor, app)
	}, func(b *bed) {
		b.write(func(s *settings) {
			s.right = "role: Website Contributor, scope: " + app + ", kind: roleAssignment, sweepEvery: 1h"
			s.more = "consumers:\n  " + appID + ":\n    appService: {app: " + app + "}\n    elevation: right\n    cache: 2h\n"
		})
		o := b.apply().is(report.Done, "current").did("issue", "publish", "tell")
		b.appNewest()
		if len(o.doc.Elevations) != 1 || o.doc.Elevations[0].Role != "Website Contributor" || o.doc.Elevations[0].Left {
			b.Errorf("%+v", o.doc.Elevations)
		}
		n := b.asks()
		b.idle()
		if m := b.asks(); m != n {
			b.Errorf("a run with nothing to do has asked for a role %d times", m-n)
		}
		b.pass(4*day + time.Minute)
		b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		b.pass(day)
		b.apply().is(report.Done, "current").did("revoke")
		b.appNewest()
		// One that nobody told yet is told by a run that issues nothing.
		b.edit(func(_ *world.World, s *world.Secret) { delete(last(s).Tags, "rekey-told-"+appID) })
		b.apply().is(report.Done, "current").did("tell")
		b.world(func(w *world.World) {
			for _, a := range w.RoleAssignments {
				if a.RoleID == world.RoleWebsiteContributor && a.Scope == app && a.Removed.IsZero() {
					b.Errorf("%+v is left", a)
				}
			}
		})
	})
}

// A revocation rests on an observation that gets too old, so it is not simply repeated until its role is honoured.
func TestARevocationIsMadeAgainOnAFreshLookUntilItsRoleIsHonoured(t *testing.T) {
	app := (&world.Site{Name: appName, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps}).ResourceID()
	change := func(s *world.State) {
		withApp(s)
		s.RoleAssignments = slices.DeleteFunc(s.RoleAssignments, func(a *world.RoleAssignment) bool { return a.PrincipalID == rekeySP && a.Scope == app })
		broker(s, world.RoleRBACAdmin, world.RoleWebsiteContributor, app)
	}
	for name, c := range map[string]struct {
		refused int
		ends    bool
	}{
		"honoured minutes later": {5, true},
		"never honoured":         {100, false},
	} {
		t.Run(name, func(t *testing.T) {
			playSecret(t, change, func(b *bed) {
				b.write(func(s *settings) {
					s.right = "role: Website Contributor, scope: " + app + ", " + timed
					s.more = "elevation: right\n"
				})
				b.published()
				b.apply().did("issue", "publish")
				b.pass(day)
				old := len(b.alive())
				b.faults(sim.Fault{Service: "graph", Operation: "RemovePassword", Nth: 1, Times: c.refused, Do: sim.DoAnswer, Status: 403, Body: `{"error":{"code":"Authorization_RequestDenied","message":"x"}}`})
				began := time.Now()
				o := b.apply()
				if took := time.Since(began); c.ends && (took < 2*time.Minute || took > 5*time.Minute) || !c.ends && took > 13*time.Minute {
					b.Errorf("it took %s", took)
				}
				if left := len(b.alive()); c.ends && (left != old-1 || o.code != 0) || !c.ends && (left != old || o.code == 0 || !strings.Contains(o.out, "although Website Contributor at sites deploy-app was taken for it")) {
					b.Errorf("exit %d, %d of %d are alive: %s", o.code, left, old, o.out)
				}
				if err := b.sim.SetFaults(); err != nil {
					b.Fatal(err)
				}
				b.settle()
			})
		})
	}
}
