package devops_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/devops"
)

func TestDatesComeBackRoundedToOne300thOfASecond(t *testing.T) {
	for in, want := range map[string]string{
		"2020-12-01T23:46:23.319Z":      "2020-12-01T23:46:23.32Z",
		"2020-12-01T23:46:23Z":          "2020-12-01T23:46:23Z",
		"2020-12-01T23:46:52.104Z":      "2020-12-01T23:46:52.1033333Z",
		"2020-12-01T23:46:52.105Z":      "2020-12-01T23:46:52.1066667Z",
		"2020-12-01T23:46:52.0016Z":     "2020-12-01T23:46:52Z",
		"2020-12-01T23:46:52.0017Z":     "2020-12-01T23:46:52.0033333Z",
		"2020-12-31T23:59:59.999Z":      "2021-01-01T00:00:00Z",
		"2020-12-01T23:46:46.986666Z":   "2020-12-01T23:46:46.9866667Z",
		"2020-12-02T01:46:23.319+02:00": "2020-12-01T23:46:23.32Z",
	} {
		at, err := time.Parse(time.RFC3339Nano, in)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(devops.SQLTime(at))
		if string(got) != `"`+want+`"` {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func TestRoundingADateTwiceChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		at := time.Unix(rng.Int64N(4e9), rng.Int64N(1e9))
		once := devops.SQLTime(at)
		if twice := devops.SQLTime(once); !twice.Equal(once) {
			t.Fatalf("%v becomes %v, then %v", at, once, twice)
		}
		if d := once.Sub(at).Abs(); d > 1_666_767*time.Nanosecond {
			t.Fatalf("%v moved by %v", at, d)
		}
	}
}
