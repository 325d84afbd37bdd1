package drivertest

import (
	"context"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

func consumerTells(run runConsumer) {
	run("it holds the value that it was told, is on that publication, and keeps everything else", func(b *bed[consumer]) {
		rest, v := b.port.bed.Rest(), b.port.bed.Value()
		p := publication(b.Now(), 1)
		s, err := b.port.Tell(b.Context(), p, value(v))
		b.ok("Tell", err)
		on(b, "Tell", s, p)
		if !s.Told.IsZero() {
			b.dated("Tell", s.Told)
		}
		stands(b, p, v)
		if got := b.port.bed.Rest(); got != rest {
			b.Errorf("the rest is\n%s\nwas\n%s", got, rest)
		}
	})
	run("it holds what it was told although a preflight saw it before", func(b *bed[consumer]) {
		b.ok("Preflight", b.port.Preflight(b.Context()))
		v := b.port.bed.Value()
		stands(b, tell(b, 1, v), v)
	})
	run("telling it the same again is harmless", func(b *bed[consumer]) {
		v := b.port.bed.Value()
		p := publication(b.Now(), 1)
		for range 2 {
			s, err := b.port.Tell(b.Context(), p, value(v))
			b.ok("Tell", err)
			on(b, "Tell", s, p)
		}
		stands(b, p, v)
	})
	run("each publication replaces the one before, and an older value can be published again", func(b *bed[consumer]) {
		rest, old, v := b.port.bed.Rest(), b.port.bed.Value(), b.port.bed.Value()
		for n, x := range []string{old, v, old} {
			b.Advance(time.Hour)
			stands(b, tell(b, byte(n), x), x)
		}
		if got := b.port.bed.Rest(); got != rest {
			b.Errorf("the rest is\n%s\nwas\n%s", got, rest)
		}
	})
	run("one that a person changed is mended by telling it the same publication again", func(b *bed[consumer]) {
		if b.port.bed.Once {
			b.Skip("a publication is told once there")
		}
		v := b.port.bed.Value()
		p := tell(b, 1, v)
		b.port.bed.Replace("a value that works nowhere")
		s, err := b.port.Tell(b.Context(), p, value(v))
		b.ok("Tell", err)
		on(b, "Tell", s, p)
		stands(b, p, v)
	})
	run("a value that does not work is told, and seen not to", func(b *bed[consumer]) {
		if b.port.bed.Weak && !b.port.bed.Tried {
			b.Skip("nothing can be tried there")
		}
		p := publication(b.Now(), 1)
		s, err := b.port.Tell(b.Context(), p, value("a value that works nowhere"))
		b.ok("Tell", err)
		if s.Publication != p || s.Works || s.Why == "" {
			b.Errorf("%+v", s)
		}
	})
	run("what takes a while is waited for", func(b *bed[consumer]) {
		if b.port.bed.Slow == nil {
			b.Skip("it is there at once")
		}
		b.port.bed.Slow(25 * time.Second)
		v := b.port.bed.Value()
		stands(b, tell(b, 1, v), v)
	})
	run("what takes too long is told and does not work yet", func(b *bed[consumer]) {
		if b.port.bed.Slow == nil {
			b.Skip("it is there at once")
		}
		b.port.bed.Slow(24 * time.Hour)
		start := b.Now()
		p := publication(start, 1)
		s, err := b.port.Tell(b.Context(), p, value(b.port.bed.Value()))
		b.ok("Tell", err)
		if s.Publication != p || s.Works || s.Why == "" {
			b.Errorf("%+v", s)
		}
		if d := b.Now().Sub(start); d > 5*time.Minute {
			b.Errorf("it waited for %v", d)
		}
	})
}

func consumerFaults(run runConsumer) {
	for _, f := range []Fault{Lost, Late, Truncated, Malformed} {
		run("a tell is ambiguous and not repeated after "+f.String(), func(b *bed[consumer]) {
			b.Fault("Write", f, 1, 1)
			v := b.port.bed.Value()
			p := publication(b.Now(), 1)
			_, err := b.port.Tell(b.Context(), p, value(v))
			b.kind("Tell", err, driver.Ambiguous)
			b.port.bed.Lapse()
			b.calls("Write", 0, 1)
			if b.port.bed.Forgets {
				if s, err := b.port.State(b.Context(), nil); err != nil || s.Publication == p {
					b.Errorf("%+v, %v, and nothing says that it was told", s, err)
				}
				_, err := b.port.Tell(b.Context(), p, value(v))
				b.ok("Tell", err)
			}
			stands(b, p, v)
		})
	}
	for _, f := range []Fault{Cut, Unavailable, Page} {
		run("a tell is ambiguous after "+f.String()+", and can be told again", func(b *bed[consumer]) {
			before := b.port.bed.Holds()
			b.Fault("Write", f, 1, 1)
			v := b.port.bed.Value()
			p := publication(b.Now(), 1)
			_, err := b.port.Tell(b.Context(), p, value(v))
			b.kind("Tell", err, driver.Ambiguous)
			b.calls("Write", 0, 1)
			if b.port.bed.Holds() != before {
				b.Fatal("it was applied, so this shows nothing")
			}
			_, err = b.port.Tell(b.Context(), p, value(v))
			b.ok("Tell", err)
			stands(b, p, v)
		})
	}
	run("a tell that hangs ends with the caller's time, and may have been applied", func(b *bed[consumer]) {
		b.Fault("Write", Hung, 1, 1)
		ctx, stop := context.WithTimeout(b.Context(), time.Minute)
		defer stop()
		start := b.Now()
		_, err := b.port.Tell(ctx, publication(start, 1), value(b.port.bed.Value()))
		b.kind("Tell", err, driver.Ambiguous)
		if d := b.Now().Sub(start); d > 2*time.Minute {
			b.Errorf("it took %v", d)
		}
		b.port.bed.Lapse()
	})
	run("a 429 says that nothing was applied, so a tell is repeated", func(b *bed[consumer]) {
		b.Fault("Write", Throttled, 1, 1)
		v := b.port.bed.Value()
		p := tell(b, 1, v)
		b.calls("Write", 0, 2)
		stands(b, p, v)
	})
	run("a service that only ever says 429 is throttled, and nothing was applied", func(b *bed[consumer]) {
		before := b.port.bed.Holds()
		b.Fault("Write", Throttled, 1, 100)
		_, err := b.port.Tell(b.Context(), publication(b.Now(), 1), value(b.port.bed.Value()))
		b.kind("Tell", err, driver.Throttled)
		if !driver.NotApplied(err) || b.port.bed.Holds() != before {
			b.Error("it does not count as not applied, or was")
		}
	})
	for f, kind := range map[Fault]driver.Kind{Refused: driver.Rejected, Denied: driver.Denied} {
		run("a tell is known not to be applied after "+f.String(), func(b *bed[consumer]) {
			before := b.port.bed.Holds()
			b.Fault("Write", f, 1, 100)
			_, err := b.port.Tell(b.Context(), publication(b.Now(), 1), value(b.port.bed.Value()))
			b.kind("Tell", err, kind)
			if !driver.NotApplied(err) || b.port.bed.Holds() != before {
				b.Error("it does not count as not applied, or was")
			}
			b.calls("Write", 0, 1)
		})
	}
	for _, f := range []Fault{Malformed, Page, Denied} {
		run("nothing is written over what could not be read after "+f.String(), func(b *bed[consumer]) {
			b.Fault("Read", f, 1, 100)
			_, err := b.port.Tell(b.Context(), publication(b.Now(), 1), value(b.port.bed.Value()))
			b.kind("Tell", err, driver.Unavailable, driver.Denied)
			b.calls("Write", 0, 0)
		})
	}
	run("a service that answers well and does nothing is not on the publication", func(b *bed[consumer]) {
		if b.port.bed.Deaf == nil {
			b.Skip("nobody could tell")
		}
		old := b.port.bed.Value()
		was := tell(b, 1, old)
		b.port.bed.Deaf()
		p := publication(b.Now(), 2)
		s, err := b.port.Tell(b.Context(), p, value(b.port.bed.Value()))
		b.ok("Tell", err)
		if s.Publication != was {
			b.Errorf("%+v", s)
		}
		stands(b, was, old, p)
	})
	run("what was taken and could not be tried is a state that does not work yet", func(b *bed[consumer]) {
		if b.port.bed.Weak {
			b.Skip("nothing can be tried there")
		}
		b.Fault("Test", Malformed, 1, 100)
		p := publication(b.Now(), 1)
		s, err := b.port.Tell(b.Context(), p, value(b.port.bed.Value()))
		b.ok("Tell", err)
		if s.Publication != p || s.Works || s.Why == "" {
			b.Errorf("%+v", s)
		}
	})
	run("who may not tell it changes nothing", func(b *bed[consumer]) {
		before := b.port.bed.Holds()
		_, err := b.port.bed.Powerless.Tell(b.Context(), publication(b.Now(), 1), value(b.port.bed.Value()))
		b.kind("Tell", err, driver.Denied, driver.Missing)
		if !driver.NotApplied(err) || b.port.bed.Holds() != before {
			b.Error("it does not count as not applied, or was")
		}
	})
	run("a caller that has given up tells nobody", func(b *bed[consumer]) {
		before := b.port.bed.Holds()
		if _, err := b.port.Tell(ended(), publication(b.Now(), 1), value(b.port.bed.Value())); err == nil || b.port.bed.Holds() != before {
			b.Error("it was told")
		}
	})
}
