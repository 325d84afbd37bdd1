package hostile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// failing hears whether a test would have failed.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }

func TestAnErrorThatSaysTooMuchFails(t *testing.T) {
	says := func(detail string) error { return &driver.Error{Kind: driver.Rejected, Op: "ask", Detail: detail} }
	for name, c := range map[string]struct {
		err      error
		own, fit bool // whether they fail
	}{
		"words of our own":                 {says("the service refused it"), false, false},
		"such words in another error":      {fmt.Errorf("read: %w", says("the service refused it")), false, false},
		"an error that is none of ours":    {errors.New("no"), true, true},
		"a name in another script":         {says("the group is Größe"), true, false},
		"an escape of a terminal":          {says("the group is \x1b[31m"), true, true},
		"a line of its own":                {says("the group is\nOK"), true, true},
		"the secret":                       {says("the answer is " + badinput.Secret), true, true},
		"more than anybody reads":          {says(strings.Repeat("x", 300)), true, true},
		"the secret in what is to be done": {&driver.Error{Op: "ask", Hint: badinput.Secret}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{TB: t}
			if hostile.Own(f, c.err, 200); f.failed != c.own {
				t.Errorf("words of our own failed: %v", f.failed)
			}
			f = &failing{TB: t}
			if hostile.Fit(f, c.err, 200); f.failed != c.fit {
				t.Errorf("fit to be shown failed: %v", f.failed)
			}
		})
	}
}

func TestADateThatCannotBeWrittenFails(t *testing.T) {
	f := &failing{TB: t}
	if hostile.Writable(f, time.Unix(0, 0), time.Time{}); f.failed {
		t.Error("dates that can be written fail")
	}
	if hostile.Writable(f, time.Unix(0, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)); !f.failed {
		t.Error("a year of five digits passes")
	}
}
