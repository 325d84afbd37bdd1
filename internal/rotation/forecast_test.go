package rotation_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

func TestAForecastSaysWhatARunWouldMostLikelyDo(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  change
		want    string
		assumed int
	}{
		{"nothing to do", all(bulk, unasked), "done current", 0},
		{"due", all(unasked, at(t0.Add(26*day)), issuerUnasked), "issue due after current", 2},
		{"absent", all(secretIs(Absent), unasked), "issue absent, the first", 2},
		{"asked for", all(command(Rotate), unasked), "issue asked after current", 2},
		{"inside the overlap", all(replaced, at(t0.Add(time.Hour)), unasked), "wait overlap until 24h", 2},
		{"to be adopted by name", all(untagged, unasked, spec(func(s *Spec) { s.Adopt.Name = "ci" })), "amend adopt of  until 960h", 3},
		{"to be retired", all(command(Retire), unasked), "revoke current", 2},
		{"a consumer is taken to be told", all(replaced, at(t0.Add(time.Hour)), unasked, spec(func(s *Spec) { s.Consumers = []ConsumerSpec{{ID: "c0"}} })), "wait overlap until 24h", 3},
		{"a hold needs no guess", all(secretIs(SoftDeleted), unasked), "hold soft-deleted", 0},
		{"what must be read directly is not guessed", all(bulk, unasked, at(t0.Add(26*day))), "look direct", 0},
		{"what could not be read is not guessed", all(unasked, at(t0.Add(26*day)), func(g *given) { g.Obs.Issued.Failed = "503" }), "wait unknown until 624h1m0s", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := steady(c.change)
			d, assumed := Forecast(g.Spec, g.Obs, g.Now)
			if got := say(d); got != c.want {
				t.Errorf("got  %s (%s)\nwant %s", got, d.Why, c.want)
			}
			if len(assumed) != c.assumed {
				t.Errorf("assumed %s, want %d guesses", strings.Join(assumed, ", "), c.assumed)
			}
			if g.Obs.Issued.Known {
				t.Error("the forecast changed what was observed")
			}
		})
	}
}

func issuerUnasked(g *given) { g.Obs.IssuerDate = time.Time{} }

func TestAliveIsWhatRetireRevokes(t *testing.T) {
	g := steady(replaced, stray("orphan", t0, 2), stray("young", t0.Add(10*day-time.Minute), 3),
		named("foreign", Stamp{Credential: "pat", Hash: other, Generation: gen(t0, 4)}, t0),
		alive(Issued{ID: "mine", Name: "by hand"}))
	var got []string
	for _, i := range Alive(g.Spec, g.Obs, g.Now) {
		got = append(got, i.ID)
	}
	if s := strings.Join(got, " "); s != "old orphan young current" {
		t.Errorf("alive: %s", s)
	}
}

func TestAliveCountsWhatADeletedSecretLeft(t *testing.T) {
	g := steady(secretIs(SoftDeleted), stray("x", t0, 2))
	if got := Alive(g.Spec, g.Obs, g.Now); len(got) != 1 || got[0].ID != "x" {
		t.Errorf("alive: %v", got)
	}
}

func TestReasonsArePlainAndDurationsAsInTheManifest(t *testing.T) {
	for _, c := range []struct {
		name   string
		change change
		want   string
	}{
		{"due", at(t0.Add(25 * day)), "5d"},
		{"clamped, in days and hours", all(clamp(2*day+12*time.Hour), at(t0.Add(time.Hour))), "2d12h"},
		{"clamped, in minutes", all(clamp(90*time.Minute), at(t0.Add(time.Minute))), "1h30m"},
		{"no life at all", all(clamp(-time.Hour), at(t0.Add(time.Minute))), "no time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := steady(c.change)
			if d := g.decide(); !strings.Contains(d.Why, c.want) || strings.Contains(d.Why, "0s") && !strings.Contains(d.Why, "Z") {
				t.Errorf("%s: %q does not say %s", say(d), d.Why, c.want)
			}
		})
	}
}
