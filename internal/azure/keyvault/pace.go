package keyvault

import (
	"context"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

const (
	// creates is how many new versions a vault takes in each createWindow (facts 1.5).
	creates      = 300
	createWindow = 10 * time.Second
	// paceMargin is for requests that travel faster than those before them.
	paceMargin = 250 * time.Millisecond
)

// pace keeps this process under the vault's limit of new versions. Key Vault does not say for how long a request that
// was one too many should wait, so many callers that find out each by themselves wait too long. Others may use the
// same limit up all the same; what the vault then refuses is tried again as ever.
type pace struct {
	mu   sync.Mutex
	sent []time.Time // the last ones, at most creates, in order; those that wait are in it with their turn
}

// turn waits until one more may be sent. What would have to wait for longer than within (if it is not 0) fails at once,
// and has no turn.
func (p *pace) turn(ctx context.Context, op string, within time.Duration) error {
	p.mu.Lock()
	now := time.Now()
	at := now
	if len(p.sent) == creates {
		if next := p.sent[0].Add(createWindow + paceMargin); next.After(at) {
			at = next
		}
	}
	if within > 0 && at.Sub(now) > within {
		p.mu.Unlock()
		return driver.Errorf(driver.Throttled, op, "", "the vault takes %d new versions in %s, and this one would come too late", creates, createWindow)
	}
	if len(p.sent) == creates {
		p.sent = p.sent[1:]
	}
	p.sent = append(p.sent, at)
	p.mu.Unlock()
	if wait := at.Sub(now); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return driver.Errorf(driver.Unavailable, op, "", "it was given up while it waited for its turn")
		}
		// By the wall clock: timers stand still while a machine sleeps.
		if within > 0 && time.Now().Round(0).Sub(now.Round(0)) > within {
			return driver.Errorf(driver.Throttled, op, "", "this process was suspended while it waited for its turn")
		}
	}
	return nil
}
