package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	receiverHost = "hooks.contoso.example"
	hookID       = "deploy"
)

const hookYAML = `consumers:
  deploy:
    webhook:
      url: https://` + receiverHost + `/rekey
      signingKey: {vault: rekey, secret: webhook-signing-key}
    cache: 2h`

// receiver is told by a webhook, and then holds what is newest in the vault.
type receiver struct {
	b *bed

	mu    sync.Mutex
	does  func(context.Context) (status int, take bool, err error) // with a publication; nil: it takes it
	holds string
	taken []string // publications, repetitions too
}

// internet is Azure, and what else a scenario's product reaches.
func (b *bed) internet() http.RoundTripper { return internet{b} }

type internet struct{ b *bed }

func (n internet) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.b.receiver == nil || r.URL.Host != receiverHost {
		return n.b.sim.Transport().RoundTrip(r)
	}
	return n.b.receiver.serve(r)
}

func (x *receiver) serve(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var e struct{ ID, Type string }
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	status, take := 200, true
	x.mu.Lock()
	does := x.does
	x.mu.Unlock()
	if strings.HasSuffix(e.Type, ".published.v1") {
		if does != nil {
			status, take, err = does(r.Context())
		}
		if take {
			x.mu.Lock()
			x.taken = append(x.taken, e.ID)
			x.holds = x.b.newest().Value
			x.mu.Unlock()
		}
	}
	if err == nil {
		err = r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(x.b.newestOrNothing())), Request: r}, nil
}

// newestOrNothing is what a receiver that should not answers with: the value.
func (b *bed) newestOrNothing() string {
	if all := b.versions(); len(all) > 0 {
		return all[len(all)-1].Value
	}
	return ""
}

// hooked plays a scenario whose credential has a webhook. What its receiver holds works whenever a token is revoked.
func hooked(t *testing.T, scenario func(b *bed, x *receiver)) {
	t.Helper()
	playIn(t, nil, func(b *bed) {
		b.write(func(s *settings) { s.more = hookYAML })
		b.receiver, b.heldAlready = &receiver{b: b}, true
		remove := b.sim.OnAnswer(func(_, operation string, _ int) {
			if operation == "RevokePat" {
				b.receiver.works("after a revoke")
			}
		})
		defer remove()
		scenario(b, b.receiver)
	})
}

func (x *receiver) works(when string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.b.world(func(w *world.World) {
		if tried := w.Try(x.holds, world.Target{Organization: "contoso"}); !tried.Works {
			x.b.Errorf("the receiver stands still %s: %s", when, tried.Why)
		}
	})
}

// current fails the test unless the receiver has taken the newest publication last, and holds its value.
func (x *receiver) current() {
	x.b.Helper()
	x.works("at the end")
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.taken); n == 0 || x.taken[n-1] != string(x.b.record().Publication) || x.holds != x.b.newest().Value {
		x.b.Errorf("it took %q, the newest is %s", x.taken, x.b.record().Publication)
	}
}

func (x *receiver) will(f func(context.Context) (int, bool, error)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.does = f
}

// count is how often publications were taken.
func (x *receiver) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.taken)
}

func (x *receiver) replaced() (old string) {
	x.b.Helper()
	x.b.apply().is(report.Done, "current").did("issue", "publish", "tell")
	x.current()
	old = x.b.record().IssuerID
	x.b.pass(4*day + time.Minute)
	return old
}

func TestAWebhookIsToldOnceAndThenTheOldValueEnds(t *testing.T) {
	hooked(t, func(b *bed, x *receiver) {
		old := x.replaced()
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		if !strings.Contains(strings.Join(o.cred().Notes, " "), hookID+" cannot be tried") {
			b.Errorf("notes %q", o.cred().Notes)
		}
		x.current()
		for range 3 {
			b.pass(6 * time.Hour)
			b.apply().is(report.Waiting, "overlap").did()
		}
		b.pass(6*time.Hour + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		b.settle()
		x.current()
		if n := x.count(); n != len(b.versions()) {
			b.Errorf("told %d times of %d publications", n, len(b.versions()))
		}
	})
}

func TestAWebhookThatCannotBeToldHoldsTheEndOfTheOldValue(t *testing.T) {
	hung := func(ctx context.Context) (int, bool, error) {
		<-ctx.Done()
		return 0, false, ctx.Err()
	}
	for name, c := range map[string]struct {
		does  func(context.Context) (int, bool, error)
		error string
	}{
		"it refuses":                    {func(context.Context) (int, bool, error) { return 422, false, nil }, "rejected"},
		"it does not know us any more":  {func(context.Context) (int, bool, error) { return 403, false, nil }, "denied"},
		"it is gone":                    {func(context.Context) (int, bool, error) { return 410, false, nil }, "missing"},
		"it is down":                    {func(context.Context) (int, bool, error) { return 503, false, nil }, "ambiguous"},
		"it hangs":                      {hung, "ambiguous"},
		"it breaks off":                 {func(context.Context) (int, bool, error) { return 0, false, errors.New("connection reset") }, "ambiguous"},
		"it takes it and never says so": {func(context.Context) (int, bool, error) { return 0, true, errors.New("connection reset") }, "ambiguous"},
		"it leads elsewhere":            {func(context.Context) (int, bool, error) { return 307, false, nil }, "ambiguous"},
		"it throttles for ever":         {func(context.Context) (int, bool, error) { return 429, false, nil }, "throttled"},
	} {
		t.Run(name, func(t *testing.T) {
			hooked(t, func(b *bed, x *receiver) {
				b.neverRollsBack()
				old := x.replaced()
				x.will(c.does)
				o := b.apply()
				if e := o.cred().Error; o.code != 1 && o.code != 3 || e != nil && !strings.Contains(e.Text, c.error) {
					b.Errorf("%v, want %q", o, c.error)
				}
				b.pass(day + time.Hour) // over the overlap
				if o := b.apply(); o.code == 0 {
					b.Errorf("%v", o)
				}
				if !b.lives(old) {
					b.Error("the old token was revoked although the receiver may use it")
				}
				x.will(nil)
				b.apply()
				b.pass(3 * time.Hour) // over the cache of who was told late
				b.settle()
				x.current()
				if b.lives(old) {
					b.Error("the old token lives on")
				}
				if got := b.told(hookID); strings.HasSuffix(got, "0 failed, 0 unknown") {
					b.Errorf("the ledger says: %s", got)
				}
			})
		})
	}
}

func TestAWebhookThatAnswersWellAndDoesNothingIsGuardedByTheOverlapAlone(t *testing.T) {
	hooked(t, func(b *bed, x *receiver) {
		old := x.replaced()
		x.will(func(context.Context) (int, bool, error) { return 200, false, nil })
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		if !strings.Contains(strings.Join(o.cred().Notes, " "), "cannot be tried") {
			b.Errorf("nobody is told that nothing can be tried: %q", o.cred().Notes)
		}
		b.pass(day - 10*time.Minute)
		b.apply().is(report.Waiting, "overlap").did()
		if !b.lives(old) {
			b.Error("the old token ended within its overlap")
		}
		x.works("within the overlap")
		x.will(nil)
		b.run("rotate", credential).did("issue", "publish", "tell")
		x.current()
		b.settle()
	})
}

func TestWhatAReceiverRefusesIsRolledBackAndItIsToldTheOldValueAgain(t *testing.T) {
	hooked(t, func(b *bed, x *receiver) {
		b.apply().is(report.Done, "current") // young, so that there is a way back
		old := b.newest().Value
		refuses := true
		x.will(func(context.Context) (int, bool, error) {
			if refuses {
				return 422, false, nil
			}
			return 200, true, nil
		})
		b.run("rotate", credential).is(report.Failed, "")
		b.pass(2 * time.Hour)
		b.apply().is(report.Failed, "") // it is published again, and that is refused too
		if b.newest().Value != old {
			t.Fatal("the old value was not published again")
		}
		refuses = false
		b.apply()
		x.current()
		b.settle()
		x.current()
	})
}

func TestAMarkThatSomebodyTookAwayHasTheSamePublicationToldAgain(t *testing.T) {
	hooked(t, func(b *bed, x *receiver) {
		x.replaced()
		b.apply().is(report.Waiting, "overlap")
		b.edit(func(_ *world.World, s *world.Secret) { delete(last(s).Tags, "rekey-told-"+hookID) })
		b.apply().is(report.Waiting, "overlap").did("tell")
		x.current()
		if n := len(x.taken); n != 3 || x.taken[1] != x.taken[2] {
			b.Errorf("it took %q", x.taken)
		}
		b.settle()
	})
}

func TestAnotherReceiverIsToldAlthoughTheOneBeforeWas(t *testing.T) {
	hooked(t, func(b *bed, x *receiver) {
		x.replaced()
		b.apply().is(report.Waiting, "overlap")
		b.write(func(s *settings) { s.more = strings.Replace(hookYAML, "/rekey\n", "/other\n", 1) })
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.settle()
	})
}

func TestASecretWithoutRoomForTheMarkIsHeldBeforeAnythingIsIssued(t *testing.T) {
	hooked(t, func(b *bed, x *receiver) {
		x.replaced()
		b.edit(func(_ *world.World, s *world.Secret) {
			delete(last(s).Tags, "rekey-told-"+hookID)
			for i := range rotation.MaxTags - 1 {
				last(s).Tags["t"+string(rune('a'+i))] = "x"
			}
		})
		b.apply().is(report.Held, "no-free-tag").did()
		b.edit(func(_ *world.World, s *world.Secret) { delete(last(s).Tags, "ta") })
		b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		b.settle()
		x.current()
	})
}

func TestTwoRunsThatTellAWebhookAtOnceEndWithTheReceiverOnTheCurrentOne(t *testing.T) {
	for name, at := range map[string]string{"both about to publish": "before SetSecret", "both having published": "after SetSecret", "both having asked": "after Webhook"} {
		t.Run(name, func(t *testing.T) {
			hooked(t, func(b *bed, x *receiver) {
				x.replaced()
				b.twoMeet(at)
				x.works("after both")
				b.apply()
				b.settle()
				x.works("at the end")
			})
		})
	}
}

func TestARunThatAnotherOneOvertakesAroundAWebhookEndsWithTheReceiverOnTheCurrentOne(t *testing.T) {
	for _, c := range []struct {
		at  string
		nth int
	}{{"before Webhook", 2}, {"after Webhook", 2}, {"before UpdateSecret", 2}, {"after UpdateSecret", 2}} {
		t.Run(c.at, func(t *testing.T) {
			hooked(t, func(b *bed, x *receiver) {
				x.replaced()
				m := b.machine()
				m.hook.at(c.at, c.nth, func() fate {
					b.run("rotate", credential).did("issue", "publish", "tell")
					return live
				})
				m.begin("apply")()
				x.works("after both")
				b.apply()
				b.settle()
				x.current()
			})
		})
	}
}

func TestARunThatIsKilledAroundAWebhookLeavesWhatTheNextOneMends(t *testing.T) {
	for _, c := range []struct {
		at  string
		nth int
	}{{"before Webhook", 2}, {"after Webhook", 2}, {"before UpdateSecret", 2}, {"after UpdateSecret", 2}} {
		t.Run(c.at, func(t *testing.T) {
			hooked(t, func(b *bed, x *receiver) {
				x.replaced()
				b.killedAt(c.at, c.nth, x.works)
				x.current()
			})
		})
	}
}
