package hook_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
)

// clerk is a receiver that does what a test says while it is handed something.
type clerk struct {
	key    string
	during func()
	taken  int
}

func (c *clerk) Place() string                                      { return "clerk" }
func (c *clerk) Key() string                                        { return c.key }
func (c *clerk) Preflight(context.Context) error                    { return nil }
func (c *clerk) Weak() bool                                         { return true }
func (c *clerk) Try(context.Context, hook.Handover) (string, error) { return "", nil }
func (c *clerk) Hand(_ context.Context, h hook.Handover) error {
	c.taken++
	if c.during != nil {
		c.during()
	}
	return nil
}

const first, second = rotation.Publication("01aaaaaaaaaaaaaaaa"), rotation.Publication("01bbbbbbbbbbbbbbbb")

// told is a secret whose first publication a clerk has taken.
func told(t *testing.T, test func(b *bed, x *clerk, c *hook.Consumer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		v, _ := b.store()
		x := &clerk{key: "a"}
		c := hook.New("receiver", "devops-pat", v, target, x)
		b.publish(first, secret.New([]byte("one")))
		s, err := c.Tell(t.Context(), first, secret.New([]byte("one")))
		if err != nil || s.Publication != first || !s.Works || x.taken != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
		test(b, x, c)
	})
}

// on wants a state to be of a publication.
func on(b *bed, c *hook.Consumer, want rotation.Publication) rotation.ConsumerState {
	b.Helper()
	s, err := c.State(b.Context(), nil)
	if err != nil || s.Publication != want || (want == "") == s.Works {
		b.Errorf("%+v, %v; want %q", s, err, want)
	}
	return s
}

func TestAMarkIsOfOneReceiver(t *testing.T) {
	told(t, func(b *bed, x *clerk, c *hook.Consumer) {
		on(b, c, first)
		x.key = "another address"
		on(b, c, "")
	})
}

func TestAMarkThatAPublicationCarriesAlongIsOfTheOneBefore(t *testing.T) {
	told(t, func(b *bed, x *clerk, c *hook.Consumer) {
		b.publish(second, secret.New([]byte("two"))) // which keeps every tag, as the engine does
		on(b, c, first)
	})
}

func TestAMarkThatComesAlongWithAnOlderVersionIsOfThat(t *testing.T) {
	told(t, func(b *bed, x *clerk, c *hook.Consumer) {
		older := b.newest(target.Name)
		b.publish(second, secret.New([]byte("two")))
		if _, err := c.Tell(b.Context(), second, secret.New([]byte("two"))); err != nil {
			b.Fatal(err)
		}
		// A person publishes the version before again, tags and all: the receiver has something else by now.
		b.put(target.Name, older.Value, older.Tags)
		on(b, c, "")
		if _, err := c.Tell(b.Context(), first, secret.New([]byte("one"))); err != nil {
			b.Fatal(err)
		}
		on(b, c, first)
	})
}

// The engine has read the secret before it asks who uses it. What they say must not be of another one.
func TestASecretThatChangesBetweenTwoReadsIsLookedAtAnew(t *testing.T) {
	for name, change := range map[string]func(b *bed){
		"a person takes the record off": func(b *bed) {
			w := b.srv.World()
			w.Lock()
			defer w.Unlock()
			for _, x := range w.Vaults[0].Secrets {
				if x.Name == target.Name {
					delete(x.Versions[len(x.Versions)-1].Tags, rotation.RecordTag)
				}
			}
		},
		"another run publishes": func(b *bed) { b.publish(second, secret.New([]byte("two"))) },
	} {
		t.Run(name, func(t *testing.T) {
			told(t, func(b *bed, x *clerk, c *hook.Consumer) {
				read := []rotation.Publication{first}
				if s, err := c.State(b.Context(), read); err != nil || !s.Works {
					b.Errorf("before it: %+v, %v", s, err)
				}
				change(b)
				if s, err := c.State(b.Context(), read); driver.KindOf(err) != driver.Unavailable {
					b.Errorf("%+v, %v", s, err)
				}
			})
		})
	}
}

func TestAMarkThatSomebodyWroteIsNone(t *testing.T) {
	for _, tag := range []string{"", "x", string(first), string(first) + " 2026-02-30T10:00:00Z 00000000", string(first) + " 2026-01-30T10:00:00Z"} {
		told(t, func(b *bed, x *clerk, c *hook.Consumer) {
			tags := b.newest(target.Name).Tags
			tags[c.Tag()] = tag
			b.put(target.Name, "one", tags)
			on(b, c, "")
		})
	}
}

func TestNothingIsHandedOverThatWasPublishedAgainMeanwhile(t *testing.T) {
	told(t, func(b *bed, x *clerk, c *hook.Consumer) {
		b.publish(second, secret.New([]byte("two")))
		_, err := c.Tell(b.Context(), first, secret.New([]byte("one")))
		if driver.KindOf(err) != driver.Unavailable || x.taken != 1 {
			b.Errorf("%v, taken %d times", err, x.taken)
		}
	})
}

func TestWhatIsPublishedAndToldWhileAnOlderOneIsHandedOverIsToldAgain(t *testing.T) {
	third := rotation.Publication("01cccccccccccccccc")
	told(t, func(b *bed, x *clerk, c *hook.Consumer) {
		b.publish(second, secret.New([]byte("two")))
		x.during = func() {
			x.during = nil
			b.publish(third, secret.New([]byte("three")))
			if _, err := c.Tell(b.Context(), third, secret.New([]byte("three"))); err != nil {
				b.Error(err)
			}
			on(b, c, third)
		}
		if _, err := c.Tell(b.Context(), second, secret.New([]byte("two"))); driver.KindOf(err) != driver.Ambiguous {
			b.Errorf("%v", err)
		}
		on(b, c, "")
		if tags := b.newest(target.Name).Tags; tags["owner"] != "a team" || !strings.Contains(tags[rotation.RecordTag], string(third)) {
			b.Errorf("tags are %v", tags)
		}
	})
}

func TestATagThatAPersonSetsWhileItIsHandedOverStays(t *testing.T) {
	told(t, func(b *bed, x *clerk, c *hook.Consumer) {
		x.during = func() {
			w := b.srv.World()
			w.Advance(10 * time.Minute)
			w.Lock()
			defer w.Unlock()
			for _, s := range w.Vaults[0].Secrets {
				if s.Name == target.Name {
					s.Versions[len(s.Versions)-1].Tags["ticket"] = "4711"
				}
			}
		}
		if s, err := c.Tell(b.Context(), first, secret.New([]byte("one"))); err != nil || b.now().Sub(s.Told).Abs() > 2*time.Second {
			b.Fatalf("%+v, %v", s, err)
		}
		if tags := b.newest(target.Name).Tags; tags["ticket"] != "4711" || tags["owner"] != "a team" {
			b.Errorf("tags are %v", tags)
		}
		if s := on(b, c, first); b.now().Sub(s.Told).Abs() > 2*time.Second {
			b.Errorf("told at %v, and it is %v", s.Told, b.now())
		}
	})
}

func TestWhatWasTakenAndCouldNotBeMarkedIsHandedOverAgain(t *testing.T) {
	for name, f := range map[string]sim.Fault{
		"refused": {Do: sim.DoAnswer, Status: 403, Body: `{"error":{"code":"Forbidden","innererror":{"code":"ForbiddenByRbac"}}}`},
		"cut":     {Do: sim.DoCut},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, func(b *bed, x *clerk, c *hook.Consumer) {
				b.publish(second, secret.New([]byte("two")))
				f.Service, f.Operation, f.Nth, f.Times = "keyvault", "UpdateSecret", 1, 100
				if err := b.srv.AddFaults(f); err != nil {
					b.Fatal(err)
				}
				_, err := c.Tell(b.Context(), second, secret.New([]byte("two")))
				if driver.KindOf(err) != driver.Ambiguous || !strings.Contains(err.Error(), "it was told") {
					b.Errorf("%v", err)
				}
				on(b, c, first)
				b.srv.ClearFaults()
				if _, err := c.Tell(b.Context(), second, secret.New([]byte("two"))); err != nil || x.taken != 3 {
					b.Errorf("%v, taken %d times", err, x.taken)
				}
				on(b, c, second)
			})
		})
	}
}

// watchman is a receiver that shows what is wrong with it.
type watchman struct {
	clerk
	idle  bool
	wrong string
	err   error
	seen  []hook.Handover
}

func (w *watchman) Hand(ctx context.Context, h hook.Handover) error {
	if w.idle {
		return fmt.Errorf("the receiver: %w", hook.ErrIdle)
	}
	return w.clerk.Hand(ctx, h)
}

func (w *watchman) Look(_ context.Context, h hook.Handover) (string, error) {
	w.seen = append(w.seen, h)
	return w.wrong, w.err
}

func (w *watchman) Notes() []string { return []string{"watched"} }

func TestWhatCannotBeTriedAndIsWatchedShowsWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		v, _ := b.store()
		x := &watchman{clerk: clerk{key: "a"}}
		c := hook.New("receiver", "devops-pat", v, target, x)
		b.publish(first, secret.New([]byte("one")))
		if s, err := c.Tell(t.Context(), first, secret.New([]byte("one"))); err != nil || !s.Works || !s.Weak {
			t.Fatalf("%+v, %v", s, err)
		}
		on(b, c, first)
		if n := len(x.seen); n != 2 || x.seen[0].Version == "" || x.seen[1].Version != x.seen[0].Version || x.seen[0].Version != b.newest(target.Name).ID {
			t.Errorf("it was asked about %+v", x.seen)
		}
		x.wrong = "it is asleep"
		if s, err := c.State(t.Context(), nil); err != nil || s.Works || s.Why != "it is asleep" || s.Publication != first {
			t.Errorf("%+v, %v", s, err)
		}
		x.err = &driver.Error{Kind: driver.Unavailable, Op: "look"}
		if s, err := c.State(t.Context(), nil); driver.KindOf(err) != driver.Unavailable || s.Works {
			t.Errorf("%+v, %v", s, err)
		}
		// One that is not there is no reason to try and tell it in each run.
		marked := b.newest(target.Name)
		bare := maps.Clone(marked.Tags)
		delete(bare, c.Tag())
		b.put(target.Name, marked.Value, bare)
		x.err = &driver.Error{Kind: driver.Missing, Op: "look", Person: true}
		if s, err := c.State(t.Context(), nil); driver.KindOf(err) != driver.Missing || s.Works {
			t.Errorf("%+v, %v", s, err)
		}
		x.wrong, x.err = "", nil
		if _, err := c.Tell(t.Context(), first, secret.New([]byte("one"))); err != nil {
			t.Fatal(err)
		}
		b.publish(second, secret.New([]byte("two")))
		on(b, c, first)
		if got := x.seen[len(x.seen)-1].Version; got != "" {
			t.Errorf("an older publication has version %q", got)
		}
		if notes := c.Notes(); len(notes) != 1 {
			t.Errorf("notes %q", notes)
		}
	})
}

func TestWhatAnswersWellAndTookNothingIsNotMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		v, _ := b.store()
		x := &watchman{clerk: clerk{key: "a"}}
		c := hook.New("receiver", "devops-pat", v, target, x)
		for n, p := range []rotation.Publication{first, second} {
			b.publish(p, secret.New([]byte(p)))
			x.idle = n == 1
			if s, err := c.Tell(t.Context(), p, secret.New([]byte(p))); err != nil || s.Publication != first || s.Works == x.idle {
				t.Fatalf("%+v, %v", s, err)
			}
		}
		on(b, c, first)
		// What was taken once and is not any more is on no publication, so that it is told again.
		b.publish(first, secret.New([]byte("one")))
		if s, err := c.Tell(t.Context(), first, secret.New([]byte("one"))); err != nil || s.Publication != "" || s.Works || s.Why == "" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
