package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// durationPattern is also the schema's, so it uses nothing that only Go's regular expressions know.
const durationPattern = `^([0-9]+d([0-9]+h)?([0-9]+m)?|[0-9]+h([0-9]+m)?|[0-9]+m)$`

var (
	duration   = regexp.MustCompile(durationPattern)
	bareNumber = regexp.MustCompile(`^[0-9]+$`)
	weeks      = regexp.MustCompile(`^([0-9]{1,4})w$`)
	daysOnly   = regexp.MustCompile(`^[0-9]+ ?days?$`)
)

// maxDuration keeps sums of durations far from overflow; the rules for each field are narrower.
const maxDuration = 100 * 365 * day

// ParseDuration reads "30d", "24h", "45m", "1d12h". The error says what to write.
func ParseDuration(s string) (time.Duration, error) {
	if !duration.MatchString(s) {
		return 0, fmt.Errorf("%s is not a duration: %s", quote(s), durationHelp(s))
	}
	var total time.Duration
	n := 0
	for _, c := range s {
		unit := time.Minute
		switch c {
		case 'd':
			unit = day
		case 'h':
			unit = time.Hour
		case 'm':
		default:
			n = min(n*10+int(c-'0'), 1e8)
			continue
		}
		if time.Duration(n) > (maxDuration-total)/unit {
			return 0, fmt.Errorf("%s is more than a hundred years", quote(s))
		}
		total += time.Duration(n) * unit
		n = 0
	}
	if total == 0 {
		return 0, fmt.Errorf("%s must be longer than nothing", quote(s))
	}
	return total, nil
}

func durationHelp(s string) string {
	low := strings.ToLower(strings.ReplaceAll(s, " ", ""))
	switch {
	case strings.HasPrefix(s, "-"):
		return "it cannot be negative"
	case bareNumber.MatchString(s):
		return fmt.Sprintf("a number needs its unit, write %sd, %sh or %sm", cut(s), cut(s), cut(s))
	case strings.ContainsAny(s, ".,"):
		return "fractions are not read, write 1d12h for a day and a half"
	case weeks.MatchString(low):
		n, _ := strconv.Atoi(strings.TrimSuffix(low, "w"))
		return fmt.Sprintf("write days, %dd", 7*n)
	case daysOnly.MatchString(strings.ToLower(s)):
		return fmt.Sprintf("write %s", strings.TrimRight(low, "days")+"d")
	case duration.MatchString(low):
		return fmt.Sprintf("write %s", low)
	}
	return "write days, hours and minutes, like 30d, 24h, 45m or 1d12h"
}

// FormatDuration writes a duration the way the manifest does. Seconds are cut off.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		return "-" + FormatDuration(-d)
	}
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		sign string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.sign)
			d %= u.unit
		}
	}
	if b.Len() == 0 {
		return "0m"
	}
	return b.String()
}
