package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// What a fault does.
const (
	DoLost     = "lost"     // handled, then the connection is cut
	DoLate     = "late"     // the connection is cut at once, the request is handled Delay later
	DoCut      = "cut"      // the connection is cut, the request is never handled
	DoAnswer   = "answer"   // Status, Headers and Body instead of handling
	DoDelay    = "delay"    // handled Delay later; not at all if the client has gone by then
	DoThrottle = "throttle" // 429 instead of handling, with the service's own body; RetryAfter if given
	DoSignIn   = "signin"   // 203 and Azure DevOps's sign-in page instead of handling
	DoTruncate = "truncate" // handled; half of the body leaves, then the connection is cut
	DoMalform  = "malform"  // handled; a 200 with broken JSON leaves instead of the answer
)

var deeds = []string{DoLost, DoLate, DoCut, DoAnswer, DoDelay, DoThrottle, DoSignIn, DoTruncate, DoMalform}

// Fault is one thing that goes wrong on purpose.
//
// Over HTTP/1.1 a cut is a reset of the TCP connection; over HTTP/2, where other requests share the connection, it
// is a reset of the one stream.
type Fault struct {
	// Service and Operation say which requests it is about, by the names of the request log; empty is any.
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	// Agent is what the User-Agent of the requests contains, so that of two clients one alone is hit; empty is any.
	Agent string `json:"agent,omitempty"`
	// Nth is which match it hits, counted from when the fault was set: 1 is the next one, 0 every one.
	Nth int `json:"nth,omitempty"`
	// Times is how many matches in a row it hits, from the Nth on. 0 is one, or without end where Nth is 0.
	Times int `json:"times,omitempty"`
	// Do is one of the Do constants.
	Do string `json:"do"`

	Status     int               `json:"status,omitempty"`     // answer
	Body       Text              `json:"body,omitempty"`       // answer; in JSON a string as it is, or any other value as JSON
	Headers    map[string]string `json:"headers,omitempty"`    // answer
	Delay      world.Duration    `json:"delay,omitzero"`       // late, delay; 0 is one second
	RetryAfter Text              `json:"retryAfter,omitempty"` // throttle: the header's value, seconds or an HTTP date
}

// Text is a string that may also be written as another JSON value, which then stands for its own JSON text.
type Text string

func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = Text(s)
		return nil
	}
	*t = Text(b)
	return nil
}

func (f Fault) delay() time.Duration {
	if f.Delay == 0 {
		return time.Second
	}
	return time.Duration(f.Delay)
}

// Validate names everything that is wrong with the fault.
func (f Fault) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	only := func(set bool, member string, dos ...string) {
		if set && !slices.Contains(dos, f.Do) {
			bad("%s belongs to do %s, not to %q", member, strings.Join(dos, " and "), f.Do)
		}
	}
	if !slices.Contains(deeds, f.Do) {
		bad("unknown do %q: one of %s", f.Do, strings.Join(deeds, ", "))
		return errors.Join(errs...)
	}
	if names := serviceNames(); f.Service != "" && !slices.Contains(names, f.Service) {
		bad("unknown service %q: one of %s", f.Service, strings.Join(names, ", "))
	}
	if f.Nth < 0 || f.Times < 0 {
		bad("nth and times are not negative")
	}
	if f.Do == DoAnswer && (f.Status < 200 || f.Status > 599) {
		bad("do answer needs a status from 200 to 599, not %d", f.Status)
	}
	if f.Delay < 0 {
		bad("delay is not negative")
	}
	if _, err := retryAfter(string(f.RetryAfter)); f.RetryAfter != "" && err != nil {
		bad("retryAfter %q is neither seconds nor an HTTP date", f.RetryAfter)
	}
	only(f.Status != 0, "status", DoAnswer)
	only(f.Body != "", "body", DoAnswer)
	only(len(f.Headers) > 0, "headers", DoAnswer)
	only(f.Delay != 0, "delay", DoLate, DoDelay)
	only(f.RetryAfter != "", "retryAfter", DoThrottle)
	return errors.Join(errs...)
}

// retryAfter is the header's value for what a fault says: seconds, a duration ("30s"), or an HTTP date.
func retryAfter(s string) (string, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return s, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return strconv.Itoa(int(d / time.Second)), nil
	}
	_, err := http.ParseTime(s)
	return s, err
}

// serviceNames are the services that a fault can name.
func serviceNames() []string {
	names := []string{identityName}
	for _, n := range hosts {
		names = append(names, n)
	}
	for _, n := range regional {
		names = append(names, n)
	}
	for _, n := range providers {
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ParseFaults reads one fault or an array of faults, strictly.
func ParseFaults(data []byte) ([]Fault, error) {
	var fs []Fault
	if trimmed := strings.TrimSpace(string(data)); strings.HasPrefix(trimmed, "{") {
		var f Fault
		if err := world.Strict(data, &f); err != nil {
			return nil, fmt.Errorf("fault: %w", err)
		}
		fs = []Fault{f}
	} else if err := world.Strict(data, &fs); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	return fs, validate(fs)
}

func validate(fs []Fault) error {
	for i, f := range fs {
		if err := f.Validate(); err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
	}
	return nil
}
