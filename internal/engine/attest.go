package engine

import (
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// Attest records the digest of what is said of this run, as its last entry. It is no effect on anything.
func (e *Engine) Attest(at time.Time, target, digest string) error {
	_, err := e.record(ledger.Entry{Effect: "attest", Phase: ledger.Done, Time: at, Target: target, Digest: digest})
	return err
}
