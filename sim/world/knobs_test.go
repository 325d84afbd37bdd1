package world

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDurationsMayBeDays(t *testing.T) {
	for in, want := range map[string]time.Duration{
		`"90s"`: 90 * time.Second, `"720h"`: 720 * time.Hour, `"30d"`: 720 * time.Hour, `"1d12h"`: 36 * time.Hour, `"0s"`: 0, `"-5m"`: -5 * time.Minute,
	} {
		var d Duration
		if err := json.Unmarshal([]byte(in), &d); err != nil || time.Duration(d) != want {
			t.Errorf("%s = %v, %v; want %v", in, time.Duration(d), err, want)
		}
	}
	for _, in := range []string{`"d"`, `"-3d"`, `"3days"`, `"99999d"`, `""`, `90`, `"soon"`} {
		var d Duration
		if err := json.Unmarshal([]byte(in), &d); err == nil {
			t.Errorf("%s was read as %v", in, time.Duration(d))
		}
	}
}
