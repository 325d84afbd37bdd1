package blob

import (
	"testing"
	"time"
)

const (
	mine   = "bbbbbbbb-0000-4000-8000-000000000001"
	theirs = "bbbbbbbb-0000-4000-8000-000000000002"
)

func (x *bench) leaseDo(action string, headers ...string) reply {
	x.t.Helper()
	return x.do("writer", "PUT", at+"?comp=lease", "", append([]string{"x-ms-lease-action", action}, headers...)...)
}

func acquired(t *testing.T, seconds string) *bench {
	x := newBench(t)
	x.put("one").is(201)
	r := x.leaseDo("acquire", "x-ms-lease-duration", seconds, "x-ms-proposed-lease-id", mine).is(201)
	if r.header.Get("x-ms-lease-id") != mine {
		t.Error(r.header)
	}
	return x
}

func TestALeaseKeepsOthersFromWriting(t *testing.T) {
	x := acquired(t, "15")
	x.put("two").refused(412, "LeaseIdMissing")
	x.put("two", "x-ms-lease-id", theirs).refused(412, "LeaseIdMismatchWithBlobOperation")
	x.do("writer", "DELETE", at, "").refused(412, "LeaseIdMissing")
	x.put("two", "x-ms-lease-id", mine).is(201)
	got := x.do("reader", "GET", at, "").is(200)
	if got.header.Get("x-ms-lease-state") != "leased" || got.header.Get("x-ms-lease-status") != "locked" || got.header.Get("x-ms-lease-duration") != "fixed" {
		t.Error(got.header)
	}
	x.do("reader", "GET", at, "", "x-ms-lease-id", theirs).refused(412, "LeaseIdMismatchWithBlobOperation")
	x.leaseDo("acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", theirs).refused(409, "LeaseAlreadyPresent")
	x.leaseDo("acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", mine).is(201)
	x.leaseDo("release", "x-ms-lease-id", theirs).refused(409, "LeaseIdMismatchWithLeaseOperation")
	x.leaseDo("release", "x-ms-lease-id", mine).is(200)
	x.put("three", "x-ms-lease-id", mine).refused(412, "LeaseNotPresentWithBlobOperation")
	x.put("three").is(201)
	if got := x.do("reader", "HEAD", at, "").header.Get("x-ms-lease-state"); got != "available" {
		t.Error(got)
	}
}

func TestALeaseExpiresAndIsRenewedUntilSomebodyWrites(t *testing.T) {
	x := acquired(t, "15")
	x.now = x.now.Add(14 * time.Second)
	x.leaseDo("renew", "x-ms-lease-id", mine).is(200)
	x.now = x.now.Add(15 * time.Second)
	x.put("two", "x-ms-lease-id", mine).refused(412, "LeaseLost")
	x.leaseDo("renew", "x-ms-lease-id", theirs).refused(409, "LeaseIdMismatchWithLeaseOperation")
	x.leaseDo("renew", "x-ms-lease-id", mine).is(200)
	x.now = x.now.Add(15 * time.Second)
	x.put("two").is(201)
	x.leaseDo("renew", "x-ms-lease-id", mine).refused(409, "LeaseIdMismatchWithLeaseOperation")
	x.leaseDo("acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", theirs).is(201)
	x.now = x.now.AddDate(0, 1, 0)
	x.put("three").refused(412, "LeaseIdMissing")
}

func TestALeaseIsBrokenAtOnceOrAfterAWhile(t *testing.T) {
	for why, c := range map[string]struct {
		seconds, period string
		wait            time.Duration
		left            string
	}{
		"an endless one":             {"-1", "", 0, "0"},
		"an endless one, later":      {"-1", "30", 30 * time.Second, "30"},
		"one with an end":            {"60", "", 60 * time.Second, "60"},
		"one with an end, sooner":    {"60", "10", 10 * time.Second, "10"},
		"one with an end, not later": {"15", "60", 15 * time.Second, "15"},
	} {
		t.Run(why, func(t *testing.T) {
			x := acquired(t, c.seconds)
			var headers []string
			if c.period != "" {
				headers = []string{"x-ms-lease-break-period", c.period}
			}
			if got := x.leaseDo("break", headers...).is(202).header.Get("x-ms-lease-time"); got != c.left {
				t.Errorf("%s seconds are left, want %s", got, c.left)
			}
			if c.wait > 0 {
				x.put("two").refused(412, "LeaseIdMissing")
				x.leaseDo("acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", mine).refused(409, "LeaseIsBreakingAndCannotBeAcquired")
				x.leaseDo("acquire", "x-ms-lease-duration", "15").refused(409, "LeaseAlreadyPresent")
				x.leaseDo("change", "x-ms-lease-id", mine, "x-ms-proposed-lease-id", theirs).refused(409, "LeaseIsBreakingAndCannotBeChanged")
			}
			x.leaseDo("renew", "x-ms-lease-id", mine).refused(409, "LeaseIsBrokenAndCannotBeRenewed")
			x.now = x.now.Add(c.wait)
			x.put("two").is(201)
			x.leaseDo("acquire", "x-ms-lease-duration", "15").is(201)
		})
	}
}

func TestALeaseChangesItsIdAndRefusesWhatIsNoLease(t *testing.T) {
	x := acquired(t, "60")
	x.leaseDo("change", "x-ms-lease-id", theirs, "x-ms-proposed-lease-id", "bbbbbbbb-0000-4000-8000-000000000003").refused(409, "LeaseIdMismatchWithLeaseOperation")
	x.leaseDo("change", "x-ms-lease-id", mine, "x-ms-proposed-lease-id", theirs).is(200)
	x.leaseDo("change", "x-ms-lease-id", mine, "x-ms-proposed-lease-id", theirs).is(200) // the same again
	x.put("two", "x-ms-lease-id", theirs).is(201)
	x.leaseDo("release", "x-ms-lease-id", theirs).is(200)
	x.leaseDo("change", "x-ms-lease-id", theirs, "x-ms-proposed-lease-id", mine).refused(409, "LeaseNotPresentWithLeaseOperation")
	x.leaseDo("break").refused(409, "LeaseNotPresentWithLeaseOperation")
	x.leaseDo("hold").refused(400, "InvalidHeaderValue")
	x.leaseDo("renew").refused(400, "MissingRequiredHeader")
	x.leaseDo("acquire").refused(400, "MissingRequiredHeader")
	x.leaseDo("acquire", "x-ms-lease-duration", "14").refused(400, "InvalidHeaderValue")
	x.leaseDo("acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", "x").refused(400, "InvalidHeaderValue")
}
