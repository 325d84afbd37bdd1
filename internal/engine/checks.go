package engine

import (
	"context"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// checkTries is how often in a row a check must fail before that is believed: one that fails once in a while must not
	// undo a replacement.
	checkTries = 3
	checkPause = 5 * time.Second
	// slowTry is a try so long that it is not repeated: what was observed before would be too old to act on.
	slowTry = 20 * time.Second
)

// tryChecks tries the manifest's own checks, all at once, with what is in the store now.
func (p *pass) tryChecks(ctx context.Context) error {
	if p.age(p.readAt) > freshFor {
		before, _ := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag])
		if err := p.readSecret(ctx, false); err != nil {
			return err
		}
		if now, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag]); err != nil || now.Publication != before.Publication {
			p.again() // another run has published: first everything is told
			return nil
		}
	}
	out := make([]rotation.Fact[rotation.Check], len(p.c.Checks))
	errs := make([]error, len(p.c.Checks))
	var wg sync.WaitGroup
	for i, c := range p.c.Checks {
		wg.Go(func() { out[i], errs[i] = p.tryCheck(ctx, c, p.value) })
	}
	wg.Wait()
	p.obs.Checks = out
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) tryCheck(ctx context.Context, c driver.Check, v secret.Value) (rotation.Fact[rotation.Check], error) {
	for n := 1; ; n++ {
		asked := p.wall()
		r, err := c.Try(ctx, v)
		if err != nil {
			return failed[rotation.Check](err, p.now()), err
		}
		if r.Works || n == checkTries || p.age(asked) > slowTry || ctx.Err() != nil {
			return rotation.Known(r), nil
		}
		t := time.NewTimer(checkPause)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// tried are the manifest's checks for the result.
func (p *pass) tried() (out []Trial) {
	for i, c := range p.c.Checks {
		x := Trial{ID: c.ID(), Place: c.Place()}
		if i < len(p.obs.Checks) {
			x.Outcome = p.obs.Checks[i]
		}
		out = append(out, x)
	}
	return out
}
