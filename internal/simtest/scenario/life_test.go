package scenario

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
)

func TestATokenLivesItsLife(t *testing.T) {
	play(t, func(b *bed) {
		b.apply().is(report.Done, "current").did("issue", "publish")
		b.idle()
		b.pass(4*24*time.Hour + time.Minute)
		old := b.record()
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.pass(23 * time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(time.Hour)
		b.apply().is(report.Done, "current").did("revoke")
		if b.pat(old.IssuerID).Revoked.IsZero() {
			b.Error("the old token is alive")
		}
		b.settle()
	})
}
