package driver

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a vendor's error means to us. It loses the rest on purpose: nobody branches on more.
type Kind int

const (
	Denied      Kind = iota + 1 // not signed in, or not permitted
	Missing                     // not there
	Conflict                    // there is something in the way; not applied
	Throttled                   // not applied; try later
	Unavailable                 // a read failed, or a write that certainly did not leave
	Rejected                    // understood and refused; not applied
	Ambiguous                   // a write whose answer was lost or cannot be trusted: it may be applied, now or later
)

func (k Kind) String() string {
	return [...]string{"unknown", "denied", "missing", "conflict", "throttled", "unavailable", "rejected", "ambiguous"}[k]
}

// Error is what an adapter returns. Its text holds our words and the vendor's short code, never a vendor's message or
// body: those can quote what was sent.
type Error struct {
	Kind   Kind
	Op     string // "create PAT in organisation contoso"
	Code   string // the vendor's code: "ForbiddenByRbac", "AADSTS50076", "HTTP 503"
	Detail string // our own sentence, when the code does not say enough
	// Hint is what a person can do about it.
	Hint string
	// Person says that nothing will help until a person did what Hint says.
	Person bool
	// RetryAfter is how long the service asked to be left alone; 0 if it did not.
	RetryAfter time.Duration
	// Date is the service's clock when it refused; zero if unknown.
	Date time.Time
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// KindOf returns the kind of an error, or 0 if it is not a driver's.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// NotApplied says whether an error of a write proves that nothing was changed.
func NotApplied(err error) bool {
	switch KindOf(err) {
	case Denied, Missing, Conflict, Throttled, Rejected, Unavailable:
		return true
	}
	return false
}

// Errorf makes an error of ours with a detail.
func Errorf(kind Kind, op, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Code: code, Detail: fmt.Sprintf(format, args...)}
}
