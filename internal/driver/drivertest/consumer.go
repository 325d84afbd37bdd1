package drivertest

import (
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// ConsumerBed is a consumer with what makes it testable. Methods for Fault and Sent are "Read" (how Tell and State look
// at it), "Preflight", "Write" (what Tell changes it with) and "Test" (how it is tried).
type ConsumerBed struct {
	Consumer driver.Consumer
	// Twin is the same consumer in another process.
	Twin driver.Consumer
	// Powerless is the same one for a caller that sees it and may not tell it, Absent is made for what is not there.
	Powerless, Absent driver.Consumer
	Service
	// Value mints a value that works where the consumer uses it, and Holds is the one that it holds now.
	Value, Holds func() string
	// Rest is everything that the service keeps there but value and mark.
	Rest func() string
	// Replace has a person put another value in, by hand.
	Replace func(value string)
	// Deaf has the service answer well and do nothing from now on; nil if nobody could tell.
	Deaf func()
	// Slow has what is told take so long until it counts; nil if that cannot be.
	Slow func(time.Duration)
	// Weak says that nothing can be tried there.
	Weak bool
	// Tried says of a weak one that it is seen all the same when it does not work.
	Tried bool
	// Once says that what is done for a publication is done once, so that nothing mends what a person broke since.
	Once bool
	// Local says that a preflight asks no service.
	Local bool
	// Forgets says that no mark is where the value is: what was taken while the answer was lost is told again.
	Forgets bool
	// Lapse has Lost and Late come to their end.
	Lapse func()
}

type consumer struct {
	driver.Consumer
	bed   ConsumerBed
	known *[]rotation.Publication
}

// Consumer runs the suite of driver.Consumer. make is called in each subtest's bubble.
func Consumer(t *testing.T, make func(*testing.T) ConsumerBed) {
	run := func(name string, f func(b *bed[consumer])) {
		each(t, name, func(t *testing.T) (consumer, Service) {
			x := make(t)
			return consumer{x.Consumer, x, new([]rotation.Publication)}, x.Service
		}, f)
	}
	consumerPreflights(run)
	consumerStates(run)
	consumerTells(run)
	consumerFaults(run)
}

type runConsumer func(name string, f func(b *bed[consumer]))

// publication makes a new one.
func publication(now time.Time, n byte) rotation.Publication {
	return rotation.NewPublication(now, [5]byte{n})
}

// published are the publications so far, of which p is the newest.
func published(b *bed[consumer], p rotation.Publication) []rotation.Publication {
	known := slices.DeleteFunc(*b.port.known, func(x rotation.Publication) bool { return x == p })
	*b.port.known = append(known, p)
	return slices.Clone(*b.port.known)
}

// tell hands the consumer a value, which must be taken.
func tell(b *bed[consumer], n byte, v string) rotation.Publication {
	b.Helper()
	p := publication(b.Now(), n)
	published(b, p)
	s, err := b.port.Tell(b.Context(), p, value(v))
	b.ok("Tell", err)
	on(b, "Tell", s, p)
	return p
}

// on wants a state of a consumer that is on a publication and works, as far as that can be known.
func on(b *bed[consumer], what string, s rotation.ConsumerState, p rotation.Publication) {
	b.Helper()
	if s.Publication != p || !s.Works || s.Why != "" || s.Weak != b.port.bed.Weak {
		b.Errorf("%s: on %q, works %v (%s), weak %v; want %q", what, s.Publication, s.Works, s.Why, s.Weak, p)
	}
}

// stands wants the consumer to be on a publication and to hold a value, to whoever looks.
func stands(b *bed[consumer], p rotation.Publication, v string, since ...rotation.Publication) {
	b.Helper()
	s, err := b.port.bed.Twin.State(b.Context(), append(published(b, p), since...))
	b.ok("State", err)
	on(b, "State", s, p)
	if b.port.bed.Holds() != v {
		b.Error("it does not hold the value of that publication")
	}
}

func consumerPreflights(run runConsumer) {
	run("what is there and may be told passes, and nothing is changed", func(b *bed[consumer]) {
		rest, held := b.port.bed.Rest(), b.port.bed.Holds()
		b.ok("Preflight", b.port.Preflight(b.Context()))
		b.calls("Write", 0, 0)
		if b.port.bed.Rest() != rest || b.port.bed.Holds() != held {
			b.Error("it changed something")
		}
		if b.port.ID() == "" || b.port.Place() == "" {
			b.Error("it does not say what it is")
		}
	})
	run("what is not there is missing, and a person is told", func(b *bed[consumer]) {
		if e := b.kind("Preflight", b.port.bed.Absent.Preflight(b.Context()), driver.Missing); !e.Person || e.Hint == "" {
			b.Errorf("%v: person %v, hint %q", e, e.Person, e.Hint)
		}
	})
	run("who may not tell it hears so before anything is issued, with what to do", func(b *bed[consumer]) {
		if e := b.kind("Preflight", b.port.bed.Powerless.Preflight(b.Context()), driver.Denied, driver.Missing); !e.Person || e.Hint == "" {
			b.Errorf("%v: person %v, hint %q", e, e.Person, e.Hint)
		}
	})
	for _, f := range []Fault{Lost, Cut, Throttled, Unavailable} {
		run("a preflight looks again after "+f.String(), func(b *bed[consumer]) {
			if b.port.bed.Local {
				b.Skip("nobody is asked")
			}
			b.Fault("Preflight", f, 1, 2)
			b.ok("Preflight", b.port.Preflight(b.Context()))
		})
	}
	for _, f := range []Fault{Page, Malformed, Truncated, Denied} {
		run("a preflight does not pass after "+f.String(), func(b *bed[consumer]) {
			if b.port.bed.Local {
				b.Skip("nobody is asked")
			}
			b.Fault("Preflight", f, 1, 100)
			b.kind("Preflight", b.port.Preflight(b.Context()), driver.Unavailable, driver.Denied)
		})
	}
}

func consumerStates(run runConsumer) {
	run("one that was never told is on no publication, and that is no error", func(b *bed[consumer]) {
		s, err := b.port.State(b.Context(), published(b, publication(b.Now(), 1)))
		b.ok("State", err)
		if s.Publication != "" || s.Works == (s.Why != "") {
			b.Errorf("%+v", s)
		}
	})
	run("a state is what the service says and not what this process remembers", func(b *bed[consumer]) {
		tell(b, 1, b.port.bed.Value())
		v := b.port.bed.Value()
		p := publication(b.Now(), 2)
		_, err := b.port.bed.Twin.Tell(b.Context(), p, value(v))
		b.ok("Tell", err)
		s, err := b.port.State(b.Context(), published(b, p))
		b.ok("State", err)
		on(b, "State", s, p)
	})
	run("a value that a person put there is seen not to work, or it is said that nothing can be tried", func(b *bed[consumer]) {
		p := tell(b, 1, b.port.bed.Value())
		b.port.bed.Replace("a value that works nowhere")
		s, err := b.port.State(b.Context(), published(b, p))
		b.ok("State", err)
		if s.Works != (b.port.bed.Weak && !b.port.bed.Tried) || s.Weak != b.port.bed.Weak || s.Works == (s.Why != "") {
			b.Errorf("%+v, after publication %s", s, p)
		}
	})
	run("what is not there is missing and not on no publication", func(b *bed[consumer]) {
		_, err := b.port.bed.Absent.State(b.Context(), []rotation.Publication{publication(b.Now(), 1)})
		b.kind("State", err, driver.Missing)
	})
	for _, f := range []Fault{Lost, Cut, Throttled, Unavailable} {
		run("a state is read again after "+f.String(), func(b *bed[consumer]) {
			p := tell(b, 1, b.port.bed.Value())
			b.Fault("Read", f, 1, 2)
			s, err := b.port.State(b.Context(), published(b, p))
			b.ok("State", err)
			on(b, "State", s, p)
		})
	}
	for _, method := range []string{"Read", "Test"} {
		for _, f := range []Fault{Page, Malformed, Truncated, Denied} {
			run("a state is unknown after "+f.String()+" in answer to a "+method, func(b *bed[consumer]) {
				if method == "Test" && b.port.bed.Weak {
					b.Skip("nothing can be tried there")
				}
				p := tell(b, 1, b.port.bed.Value())
				b.Fault(method, f, 1, 100)
				s, err := b.port.State(b.Context(), published(b, p))
				b.kind("State", err, driver.Unavailable, driver.Denied)
				if s.Works {
					b.Error("it works all the same")
				}
			})
		}
	}
	run("a caller that has given up gets an error and not a state", func(b *bed[consumer]) {
		if _, err := b.port.State(ended(), published(b, publication(b.Now(), 1))); err == nil {
			b.Error("a state")
		}
	})
}
