package explore

import (
	"slices"
	"strings"
	"time"
)

// outcome is what happens at a point.
type outcome string

const (
	unavailable   outcome = "503"           // answered 503, not handled
	cut           outcome = "cut"           // the connection breaks before the request is handled
	outage        outcome = "outage"        // the host answers 503 from here on
	throttled     outcome = "throttled"     // 429 with Retry-After, not handled
	lost          outcome = "lost"          // handled, and the connection breaks
	late          outcome = "late"          // the connection breaks, and it is handled a few seconds later
	muchLater     outcome = "much-later"    // the connection breaks, and it is handled when this run is long over
	truncated     outcome = "truncated"     // handled, half of the body arrives
	malformed     outcome = "malformed"     // handled, and what arrives is not JSON
	signIn        outcome = "sign-in"       // a sign-in page with status 203, not handled
	crashBefore   outcome = "crash-before"  // the process dies
	crashAfter    outcome = "crash-after"   // it is handled, and the process dies
	suspendBefore outcome = "sleep-before"  // the machine sleeps for longer than the sweep window, then the request leaves
	suspendAfter  outcome = "sleep-after"   // it is handled, and the machine sleeps before the process hears of it
	overtaken     outcome = "overtaken"     // it is handled, and the machine sleeps while another run comes and goes
	refused       outcome = "refused"       // a write to disk fails
	unsynced      outcome = "not-confirmed" // it is written, and the process is told that it was not
)

const (
	lateBy      = 5 * time.Second
	muchLaterBy = 20 * time.Minute // a PUT may take so long after an issue that was ten minutes ago, within the sweep window
	suspendFor  = 2 * time.Hour
)

// point is one thing that a process does to the outside.
type point struct {
	Label string // "SetSecret", "ledger issue intended"
	Write bool
}

func (p point) ledger() bool { return strings.HasPrefix(p.Label, "ledger ") }

// signingIn says whether a point is on the way to an access token.
func (p point) signingIn() bool {
	return slices.Contains([]string{"token", "discovery", "openid", "userRealm", "challenge"}, p.Label)
}

// devops says whether the point is a call to a service that shows strangers a page.
func (p point) devops() bool {
	return strings.HasSuffix(p.Label, "Pat") || p.Label == "ListPats" || p.Label == "ConnectionData" ||
		strings.HasSuffix(p.Label, "ServiceEndpoint") || strings.Contains(p.Label, "VariableGroup")
}

// outcomes are what can happen at a point. What is told apart by nothing is left out: to die before a call is to die
// after the one before it, a read's lost answer is a connection that broke.
func outcomes(p point) []outcome {
	switch {
	case p.ledger():
		return []outcome{refused, unsynced, crashBefore, crashAfter, suspendAfter, overtaken}
	case p.signingIn():
		return []outcome{unavailable, outage, throttled, cut, malformed, crashBefore, suspendAfter, overtaken}
	}
	out := []outcome{unavailable, outage, throttled, cut, truncated, malformed, crashBefore, suspendAfter, overtaken}
	if p.Write {
		out = append(out, lost, late, muchLater, crashAfter, suspendBefore)
	}
	if p.devops() {
		out = append(out, signIn)
	}
	return out
}

// survived are the outcomes after which the process goes on as if little had happened: of these there may be two.
func survived(p point) []outcome {
	switch {
	case p.ledger() || p.signingIn():
		return nil
	case p.Write:
		return []outcome{lost, late, muchLater, throttled}
	}
	return []outcome{throttled}
}

// changes says whether an outcome leaves something behind that an undisturbed run does not.
func changes(p point, o outcome) bool {
	return p.Write && (o == lost || o == muchLater || o == crashBefore || o == crashAfter || o == overtaken || o == refused)
}

// handled says whether a request has come to something, whatever the process has heard of that.
func handled(o outcome) bool {
	return o == lost || o == late || o == muchLater || o == truncated || o == malformed || o == crashAfter || o == suspendAfter || o == overtaken
}
