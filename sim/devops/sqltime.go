package devops

import "time"

// sqlTime rounds a time as the service's database does: to steps of 1/300 s, then to the 100 ns that it prints. In
// JSON the trailing zeros of the fraction are left out, as encoding/json does anyhow: 23.319 comes back as 23.32,
// and 52.1033333 is a time that the service could have.
func sqlTime(t time.Time) time.Time {
	t = t.UTC()
	steps := (int64(t.Nanosecond())*300 + 500_000_000) / 1_000_000_000
	hundreds := (steps*10_000_000 + 150) / 300
	return t.Truncate(time.Second).Add(time.Duration(hundreds * 100))
}

// dateForms are what the service's JSON reader takes for a date. One without a zone is UTC.
var dateForms = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

func parseDate(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
