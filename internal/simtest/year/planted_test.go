package year

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// TestWhatIsPlantedIsFound breaks each promise in the world after the last run, and expects the checker
// that is meant to find it.
func TestWhatIsPlantedIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want  string // invariant
		about string // in what it says
		plant func(*year)
	}{
		"nothing": {"", "", func(*year) {}},
		"a token that a consumer holds is revoked": {"gap", "holds a token that ended", func(y *year) {
			l := y.first("")
			y.locked(func(w *world.World) { l.holder().Revoked = w.Now().Add(-time.Second) })
			y.judge(l, *l.promise())
		}},
		"an orphan that no run sees": {"stray", "nobody's", func(y *year) {
			p := y.first("").promise()
			y.locked(func(w *world.World) {
				at := w.Now().Add(-3 * time.Hour)
				s := rotation.Stamp{Credential: p.Credential, Hash: p.Target.Hash(), Generation: rotation.NewGeneration(at, [5]byte{9})}
				o := organization(&w.State, p.Organization)
				o.PATs = append(o.PATs, &world.PAT{AuthorizationID: w.NewID(), OwnerID: p.Owner, Name: s.String(), Scope: "vso.code", ValidFrom: at, ValidTo: at.Add(day), Token: w.MintPAT()})
			})
		}},
		"a client secret that a consumer holds is removed": {"gap", "holds a token that ended", func(y *year) {
			l := y.first(invariant.AppSecret)
			y.locked(func(w *world.World) { (&hand{y, w, l, nil}).revoke(l.holder()) })
			y.judge(l, *l.promise())
		}},
		"a team's client secret is removed": {"foreign", "a team's client secret", func(y *year) {
			y.locked(func(*world.World) { y.first(invariant.AppSecret).app().Secrets[0].Name = "renamed" })
		}},
		"a consumer is left behind": {"told", "is not on the newest publication", func(y *year) {
			l := y.teller()
			y.locked(func(w *world.World) {
				one := l.promise().Consumers[0]
				consumer.Of(one.Kind).Put(&w.State, one.At, "typed")
				delete(l.history.Excused, one.At)
			})
		}},
		"what is beside a consumer is changed": {"foreign", "what is not the credential's was changed", func(y *year) {
			y.locked(func(w *world.World) {
				for _, o := range w.Organizations {
					for _, g := range o.VariableGroups {
						g.Description = "changed"
					}
					for _, e := range o.ServiceEndpoints {
						e.Owner = "changed"
					}
				}
			})
		}},
		"a person's token is renamed": {"foreign", "somebody else's and was changed", func(y *year) {
			y.locked(func(*world.World) { y.others.State.Organizations[0].PATs[0].Name = "renamed" })
		}},
		"a token in a log": {"leak", "log: line", func(y *year) {
			y.keep("log", "level=DEBUG msg=call authorization=Basic "+base64.StdEncoding.EncodeToString([]byte("x:"+y.first("").holder().Token)))
		}},
		"a password in a result, escaped": {"leak", "result: line", func(y *year) {
			y.keep("result", `{"why":"`+url.QueryEscape(`a/password`+world.Canary)+`"}`)
		}},
		"a secret without a canary in a ledger": {"leak", "ledger: line", func(y *year) {
			y.locked(func(w *world.World) { w.Remember("somebody's own value") })
			y.keep("ledger", hex.EncodeToString([]byte("somebody's own value")))
		}},
		"a run that leaves alone what does not work": {"mended", "does not work since", func(y *year) {
			l := y.first("")
			y.locked(func(w *world.World) {
				l.holder().Revoked, l.calmSince[replicaA] = w.Now().Add(-5*day), w.Now().Add(-6*day)
				y.mended(&process{lane: replicaA}, l, "done", w.Now())
			})
		}},
		"a Hold whose advice does not help": {"hold", "although people do", func(y *year) {
			y.locked(func(w *world.World) {
				y.first("").held = w.Now().Add(-13 * day)
				y.stuck(y.first(""), w.Now())
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := live(t, plan{size: size{seed: 11, credentials: 6, days: 12, every: 24 * time.Hour}, plant: c.plant})
			for _, b := range y.broken {
				if b.Invariant == c.want && strings.Contains(b.What, c.about) {
					return
				}
				t.Errorf("it finds %v", b.Violation)
			}
			if c.want != "" {
				t.Errorf("%s is not found", c.want)
			}
		})
	}
}

// TestAWriteThatAPersonsTagsCrossedIsNoBrokenPromise tells what Key Vault cannot prevent from what Rekey must: it counts
// what the process had read when it sent the write, for it may read again before a request that it gave up on arrives.
func TestAWriteThatAPersonsTagsCrossedIsNoBrokenPromise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		read, again time.Duration // after the person's change; again is the process's last read
		late        bool
		crossed     int
	}{
		"a write made of what was read before":                                {-time.Second, -time.Second, false, 1},
		"a write made of what was read after":                                 {time.Second, time.Second, false, 0},
		"a request left behind, made of what was read before, and read since": {-time.Second, time.Minute, true, 1},
		"a request left behind, made of what was read after, and read again":  {time.Second, time.Minute, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live(t, plan{size: size{seed: 11, credentials: 6, days: 12, every: 24 * time.Hour}, plant: func(y *year) {
				l := y.first("")
				target := l.promise().Target.String()
				y.locked(func(w *world.World) {
					before := y.stats.crossed
					l.tagged = w.Now().Add(-time.Hour)
					l.history.Foreign.Tags[target] = map[string]string{"owner": "a person"}
					p := &process{y: y, read: map[*life]time.Time{l: l.tagged.Add(c.again)}}
					call := &invariant.Call{Operation: "UpdateSecret", Target: target, Status: 200, At: w.Now(), Late: c.late}
					y.crossed(p, call, subject{life: l, read: l.tagged.Add(c.read)}, "")
					_, promised := l.history.Foreign.Tags[target]
					if n := y.stats.crossed - before; n != c.crossed || promised != (c.crossed == 0) {
						t.Errorf("counted %d times, and still promised: %t", n, promised)
					}
					delete(l.history.Foreign.Tags, target)
					l.tagged = time.Time{}
				})
			}})
		})
	}
}

// first is the first credential of a kind, as a promise has it.
func (y *year) first(kind string) *life {
	return y.book.lives[slices.IndexFunc(y.book.lives, func(l *life) bool { return l.promise().Kind == kind })]
}

// teller is the first credential with a consumer.
func (y *year) teller() *life {
	return y.book.lives[slices.IndexFunc(y.book.lives, func(l *life) bool { return len(l.promise().Consumers) > 0 })]
}

// locked calls f with the world and the year locked.
func (y *year) locked(f func(*world.World)) {
	w := y.srv.World()
	w.Lock()
	defer w.Unlock()
	y.mu.Lock()
	defer y.mu.Unlock()
	f(w)
}
