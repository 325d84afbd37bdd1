package scenario

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim/world"
)

// appHost is where something runs that uses the token, and says by its answer whether it can.
const appHost = "app.contoso.example"

const checksYAML = `checks:
  api:
    http: {url: https://` + appHost + `/health, header: Authorization}
  smoke:
    command: {run: [sh, smoke.sh]}`

// smoke is a program that fails while the file "broken" is beside it, and says all that it should not.
const smoke = `value=$(cat)
test -n "$value" || { echo "no value"; exit 1; }
if [ -e broken ]; then echo "cannot sign in with $value"; echo "$value" | cut -c5-40 >&2; exit 9; fi
`

// app is what answers at appHost.
type app struct {
	asked int
	ill   bool
}

// checked plays a scenario whose credential has both checks.
func checked(t *testing.T, scenario func(b *bed, a *app)) {
	t.Helper()
	playIn(t, nil, func(b *bed) {
		a := &app{}
		b.home.hook.app = a.answer(b)
		b.write(func(s *settings) { s.more = checksYAML })
		if err := os.WriteFile(filepath.Join(b.dir, "smoke.sh"), []byte(smoke), 0o600); err != nil {
			b.Fatal(err)
		}
		scenario(b, a)
	})
}

func (a *app) answer(b *bed) func(r *http.Request) int {
	return func(r *http.Request) (status int) {
		a.asked++
		value, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		b.world(func(w *world.World) {
			if !w.Try(value, world.Target{Organization: "contoso"}).Works {
				status = http.StatusUnauthorized
			}
		})
		if a.ill {
			return http.StatusInternalServerError
		}
		return max(status, http.StatusOK)
	}
}

func (b *bed) broken(is bool) {
	b.Helper()
	file := filepath.Join(b.dir, "broken")
	var err error
	if is {
		err = os.WriteFile(file, nil, 0o600)
	} else {
		err = os.Remove(file)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func TestChecksPassAfterAPublicationAndAgainBeforeTheOldOneEnds(t *testing.T) {
	checked(t, func(b *bed, a *app) {
		o := b.apply().is(report.Done, "current").did("issue", "publish")
		if c := o.cred().Checks; len(c) != 2 || c[0].State != report.Passing || c[1].State != report.Passing {
			b.Errorf("checks %+v", c)
		}
		b.pass(4*day + time.Minute)
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.pass(day + time.Minute)
		before := a.asked
		b.apply().is(report.Done, "current").did("revoke")
		if a.asked == before {
			b.Error("it was revoked without a check")
		}
		b.settle()
	})
}

func TestACheckThatFailsKeepsTheOldOneAndIsRolledBackPastItsDeadline(t *testing.T) {
	for name, ill := range map[string]struct {
		of   func(b *bed, a *app, is bool)
		says string
	}{
		"the application": {func(_ *bed, a *app, is bool) { a.ill = is }, "check api does not pass with it: answers 500 where 200 is expected"},
		"the program":     {func(b *bed, _ *app, is bool) { b.broken(is) }, "check smoke does not pass with it: ended with exit status 9: cannot sign in with [secret]"},
	} {
		t.Run(name, func(t *testing.T) {
			checked(t, func(b *bed, a *app) {
				b.apply().is(report.Done, "current")
				old := b.record().IssuerID
				b.pass(4*day + time.Minute)
				ill.of(b, a, true)
				o := b.apply().is(report.Failed, "").did("issue", "publish")
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, "on it is rolled back") {
					b.Errorf("%v", o)
				}
				b.pass(rollbackAfter)
				// With either value: it is rolled back once.
				b.apply().is(report.Failed, "").did("rollback")
				if r := b.record(); r.IssuerID != old || r.Failures != 1 {
					b.Errorf("not rolled back: %+v", r)
				}
				found := false
				for _, e := range b.entries() {
					found = found || e.Effect == "rollback" && strings.Contains(e.Reason, ill.says)
				}
				if !found {
					b.Errorf("the ledger does not say that %q", ill.says)
				}
				ill.of(b, a, false)
				b.apply().is(report.Waiting, "")
				b.passUntil(b.record().NotBefore)
				b.apply().is(report.Waiting, "overlap").did("issue", "publish")
				b.settle()
			})
		})
	}
}

func TestACheckThatFailsOnceInAWhileUndoesNothing(t *testing.T) {
	checked(t, func(b *bed, a *app) {
		b.apply().is(report.Done, "current")
		b.pass(4*day + time.Minute)
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.pass(2 * time.Hour)
		healthy := b.home.hook.app
		failures := 2
		b.home.hook.app = func(r *http.Request) int {
			if failures--; failures >= 0 {
				return http.StatusServiceUnavailable
			}
			return healthy(r)
		}
		b.apply().is(report.Waiting, "overlap").did()
		if failures > 0 {
			b.Error("nothing has failed")
		}
		b.settle()
	})
}

func TestACheckThatNobodyAnswersEndsNothingAndUndoesNothing(t *testing.T) {
	checked(t, func(b *bed, _ *app) {
		b.apply().is(report.Done, "current")
		old := b.record().IssuerID
		b.pass(4*day + time.Minute)
		b.apply().is(report.Waiting, "overlap")
		healthy := b.home.hook.app
		b.home.hook.app = func(*http.Request) int { return http.StatusTooManyRequests }
		b.pass(day + time.Minute)
		b.apply("--wait", "0").is(report.Failed, "unknown").did()
		if !b.lives(old) {
			b.Error("the old one has ended without a check")
		}
		b.home.hook.app = healthy
		b.apply().is(report.Done, "current").did("revoke")
		b.settle()
	})
}
