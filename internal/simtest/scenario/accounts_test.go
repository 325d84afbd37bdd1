package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// user changes a user as an administrator would.
func (b *bed) user(upn string, f func(w *world.World, u *world.User)) {
	b.world(func(w *world.World) {
		for _, u := range w.Users {
			if u.UPN == upn {
				f(w, u)
			}
		}
	})
}

func TestAnAccountThatCannotSignInNeedsAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		change, undo func(b *bed)
		do           string // what the person is told
	}{
		"its password has expired": {
			func(b *bed) { b.user(svcPAT, func(_ *world.World, u *world.User) { u.PasswordExpired = true }) },
			func(b *bed) { b.user(svcPAT, func(_ *world.World, u *world.User) { u.PasswordExpired = false }) },
			"set a new password",
		},
		"the password in the vault is wrong": {
			func(b *bed) { b.user(svcPAT, func(_ *world.World, u *world.User) { u.Password += "x" }) },
			func(b *bed) {
				b.user(svcPAT, func(_ *world.World, u *world.User) { u.Password = strings.TrimSuffix(u.Password, "x") })
			},
			"put the account's password into its secret",
		},
		"it must pass multi-factor authentication from now on": {
			func(b *bed) { b.user(svcPAT, func(_ *world.World, u *world.User) { u.MFARequired = true }) },
			func(b *bed) { b.user(svcPAT, func(_ *world.World, u *world.User) { u.MFARequired = false }) },
			"rekey login",
		},
		"its password is not in the vault": {
			func(b *bed) { b.write(func(s *settings) { s.account = byPassword(svcPAT, "no-such-secret") }) },
			func(b *bed) { b.write(func(s *settings) { s.account = byPassword(svcPAT, "svc-devops-pat-password") }) },
			"put the account's password into secret no-such-secret",
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.published()
				calls := len(b.sim.Requests())
				c.change(b)
				o := b.apply().is(report.Held, "person").did()
				if !strings.Contains(o.cred().Do, c.do) {
					b.Errorf("it says %q, want %q", o.cred().Do, c.do)
				}
				if signIns := b.calls(calls, "token:password"); signIns > 1 {
					b.Errorf("%d sign-ins: trying again locks an account", signIns)
				}
				if n := len(b.writes(calls)); n > 0 {
					b.Errorf("%d writes", n)
				}
				c.undo(b)
				b.settle()
			})
		})
	}
	t.Run("a disabled account's tokens are dead too", func(t *testing.T) {
		play(t, func(b *bed) {
			b.published()
			b.consumer.excused("an administrator disabled the user", func() {
				b.user(svcPAT, func(_ *world.World, u *world.User) { u.Disabled = true })
				b.apply().is(report.Held, "person").did()
				b.user(svcPAT, func(_ *world.World, u *world.User) { u.Disabled = false })
			})
			b.settle()
		})
	})
	t.Run("an account with multi-factor authentication, from the beginning", func(t *testing.T) {
		play(t, func(b *bed) {
			b.write(func(s *settings) { s.account = byPassword(svcMFA, "svc-mfa-password") })
			o := b.apply().is(report.Held, "person").did()
			if !strings.Contains(o.cred().Do, "rekey login --account svc-devops-pat") {
				b.Errorf("it says %q", o.cred().Do)
			}
			if len(b.versions()) != 0 {
				b.Error("something was written")
			}
		})
	})
}

// calls counts calls of an operation since then.
func (b *bed) calls(since int, operation string) (n int) {
	for _, c := range b.sim.Requests()[since:] {
		if c.Operation == operation && c.Principal != "consumer" {
			n++
		}
	}
	return n
}

// role takes Rekey's role on the vault away, or gives it back.
func (b *bed) role(give bool) {
	b.world(func(w *world.World) {
		for _, a := range w.RoleAssignments {
			if a.PrincipalID != rekeySP || !strings.HasSuffix(a.Scope, "kv-pat-prod") {
				continue
			}
			if a.Removed = w.Now(); give {
				a.Removed, a.Created = time.Time{}, w.Now()
			}
		}
	})
}

func TestAVaultThatMayNotBeWrittenStopsItBeforeAnythingIsIssued(t *testing.T) {
	for name, due := range map[string]bool{"the first time": false, "on a due credential": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if due {
					b.published()
				}
				b.role(false)
				calls := len(b.sim.Requests())
				o := b.apply().is(report.Failed, "").did()
				if e := o.cred().Error; e == nil || e.Kind != "denied" || !strings.Contains(e.Hint, "Key Vault Secrets Officer") {
					b.Errorf("%v", o)
				}
				if n := b.calls(calls, "CreatePat"); n != 0 {
					b.Errorf("%d creates", n)
				}
				b.role(true)
				b.settle()
			})
		})
	}
	t.Run("for a role that may read and not write", func(t *testing.T) {
		play(t, func(b *bed) {
			b.published()
			b.world(func(w *world.World) {
				for _, a := range w.RoleAssignments {
					if a.PrincipalID == rekeySP && strings.HasSuffix(a.Scope, "kv-pat-prod") {
						a.RoleID = world.RoleKeyVaultUser
					}
				}
			})
			calls := len(b.sim.Requests())
			o := b.apply().is(report.Failed, "").did()
			if e := o.cred().Error; e == nil || e.Kind != "denied" {
				b.Errorf("%v", o)
			}
			if n := b.calls(calls, "CreatePat"); n != 0 {
				b.Errorf("%d creates", n)
			}
			b.world(func(w *world.World) {
				for _, a := range w.RoleAssignments {
					if a.PrincipalID == rekeySP {
						a.RoleID = world.RoleKeyVaultOfficer
					}
				}
			})
			b.settle()
		})
	})
	t.Run("taken away between the proof and the PUT", func(t *testing.T) {
		play(t, func(b *bed) {
			b.published()
			b.home.hook.at("before SetSecret", 1, func() fate { b.role(false); return live })
			o := b.apply()
			if o.code != cli.ExitFailed {
				b.Errorf("%v", o)
			}
			if n := len(b.alive()); n != 1 {
				b.Errorf("%d tokens are alive: what could not be published must not stay", n)
			}
			b.role(true)
			b.settle()
		})
	})
	t.Run("while a new assignment has not reached the vault", func(t *testing.T) {
		playIn(t, func(s *world.State) { s.Knobs.ARM.RBACDelay = world.Duration(8 * time.Minute) }, func(b *bed) {
			b.role(true) // just now
			b.apply().is(report.Failed, "").did()
			b.pass(8 * time.Minute)
			b.apply().is(report.Done, "current").did("issue", "publish")
			b.settle()
		})
	})
}

func TestAStoppedOrganisationIsSaidToBe(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		stopped := func(is bool) { b.world(func(w *world.World) { w.Organizations[0].Stopped = is }) }
		b.consumer.excused("the organisation is stopped", func() {
			stopped(true)
			o := b.apply().is(report.Failed, "").did()
			if e := o.cred().Error; e == nil || e.Code != "TF24668" || e.Hint == "" {
				b.Errorf("%v", o)
			}
			stopped(false)
		})
		b.settle()
	})
}

func TestAnOutageOfTheOrganisationIsWaitedFor(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		b.faults(sim.Fault{Service: "devops", Nth: 1, Times: 8, Do: sim.DoAnswer, Status: 503, Body: `{}`})
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.struck()
		b.settle()
	})
}

// sealed is an account whose token a person sealed once.
func sealed(t *testing.T, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	playIn(t, func(s *world.State) {
		s.Knobs.Entra.DeviceAutoApprove = svcMFA
		s.Knobs.Entra.DeviceAutoApproveAfter = 2
		if change != nil {
			change(s)
		}
	}, func(b *bed) {
		b.write(func(s *settings) { s.account = byCache(svcMFA) })
		scenario(b)
	})
}

func (b *bed) login() {
	b.Helper()
	if o := b.run("login", "--account", "svc-devops-pat", "--device-code"); o.code != cli.ExitDone {
		b.Errorf("%v\n%s", o, o.err)
	}
}

func (b *bed) seals() (n int) {
	b.world(func(w *world.World) {
		if s := secretOf(vaultOf(w, "kv-rekey"), "svc-msal"); s != nil {
			n = len(s.Versions)
		}
	})
	return n
}

func TestASealedSignInIsUsedAndSealedAgain(t *testing.T) {
	for name, single := range map[string]bool{"refresh tokens that stay valid": false, "refresh tokens for one use": true} {
		t.Run(name, func(t *testing.T) {
			sealed(t, func(s *world.State) { s.Knobs.Entra.RefreshSingleUse = single; s.Knobs.Entra.TokenLife = 0 }, func(b *bed) {
				o := b.apply().is(report.Held, "person").did()
				if !strings.Contains(o.cred().Do, "rekey login --account svc-devops-pat") {
					b.Errorf("it says %q", o.cred().Do)
				}
				b.login()
				if n := b.seals(); n != 1 {
					b.Errorf("sealed %d times", n)
				}
				b.apply().is(report.Done, "current").did("issue", "publish")
				b.pass(4*day + time.Minute)
				before := b.seals()
				b.apply().is(report.Waiting, "overlap").did("issue", "publish")
				if n := b.seals() - before; n != 1 {
					b.Errorf("sealed %d times by a run that redeemed once", n)
				}
				b.apply().did()
				b.pass(day)
				b.apply().is(report.Done, "current").did("revoke")
			})
		})
	}
}

func TestTwoRunsAtOnceShareOneSealedSignIn(t *testing.T) {
	sealed(t, func(s *world.State) { s.Knobs.Entra.RefreshSingleUse = true; s.Knobs.Entra.TokenLife = 0 }, func(b *bed) {
		b.login()
		b.apply().is(report.Done, "current")
		b.pass(4*day + time.Minute)
		slow, quick := b.machine(), b.machine()
		// The slower one has read the sealed token, and the quicker one redeems and seals it before it can.
		read, redeemed := make(chan struct{}), make(chan struct{})
		opened := false
		slow.hook.at("before refresh", 1, func() fate { close(read); <-redeemed; opened = true; return live })
		first := slow.begin("apply")
		<-read
		if o := quick.run(b.Context(), "apply").did("issue", "publish"); o.code != cli.ExitDone {
			b.Errorf("%v", o)
		}
		close(redeemed)
		if o := first(); o.code != cli.ExitDone || !opened {
			b.Errorf("%v\nstderr:\n%s", o, o.err)
		}
		b.settle()
	})
}

// The world's clock is moved here and the machine's is not, as when a service ends a token before its date.
func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	sealed(t, func(s *world.State) { s.Knobs.Entra.TokenLife = 0 }, func(b *bed) {
		b.login()
		b.apply().is(report.Done, "current")
		b.consumer.excused("a jump of the world's clock is no passing of time", func() {
			b.sim.World().Advance(2 * time.Hour)
			before := len(b.sim.Requests())
			b.consumer.signOut()
			b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
			if n := b.calls(before, "token:refresh_token"); n != 1 {
				b.Errorf("redeemed %d times", n)
			}
		})
	})
}

func TestARevokedSignInNeedsAPersonAgain(t *testing.T) {
	sealed(t, nil, func(b *bed) {
		b.login()
		b.published()
		b.user(svcMFA, func(w *world.World, u *world.User) { u.SessionsRevoked = w.Now() })
		o := b.apply().is(report.Held, "person").did()
		if !strings.Contains(o.cred().Do, "rekey login --account svc-devops-pat") {
			b.Errorf("it says %q", o.cred().Do)
		}
		b.login()
		b.settle()
	})
}

func TestAWrongPersonsSignInIsNotSealed(t *testing.T) {
	sealed(t, func(s *world.State) { s.Knobs.Entra.DeviceAutoApprove = "alex@contoso.onmicrosoft.com" }, func(b *bed) {
		if o := b.run("login", "--account", "svc-devops-pat", "--device-code"); o.code != cli.ExitFailed || b.seals() != 0 {
			b.Errorf("%v, sealed %d times", o, b.seals())
		}
	})
}
