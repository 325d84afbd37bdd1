package drivertest

import (
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// IssuerBed is an issuer with what makes it testable. Methods for Fault and Sent are "List", "Issue", "Check",
// "Extend" and "Revoke".
type IssuerBed struct {
	Issuer driver.Issuer
	// Twin is made for another credential of the same account.
	Twin driver.Issuer
	Service
	// Fill makes so many credentials in the account's list that more than one page is needed.
	Fill func(n int)
	// Whole says that the service gives an account's list in one piece.
	Whole bool
	// Fixed says that the issuer moves no date.
	Fixed bool
	// Clamp has the issuer give at most so much life from now on; nil if it gives what is asked for, or nothing.
	Clamp func(time.Duration)
	// Settle lets time pass until every part of the service has heard of a change; nil if all do at once.
	Settle func()
	// Lapse has Lost and Late come to their end: time that passes until all that was sent is applied.
	Lapse func()
}

type issuer struct {
	driver.Issuer
	bed IssuerBed
}

const month = 30 * 24 * time.Hour

// Issuer runs the suite of driver.Issuer. make is called in each subtest's bubble.
func Issuer(t *testing.T, make func(*testing.T) IssuerBed) {
	run := func(name string, f func(b *bed[issuer])) {
		each(t, name, func(t *testing.T) (issuer, Service) {
			x := make(t)
			return issuer{x.Issuer, x}, x.Service
		}, f)
	}
	issuerReads(run)
	issuerChecks(run)
	issuerWrites(run)
}

type runIssuer func(name string, f func(b *bed[issuer]))

// issue makes a credential, which must work.
func issue(b *bed[issuer], n byte) driver.Issue {
	b.Helper()
	i, err := b.port.Issue(b.Context(), driver.IssueRequest{Stamp: stamp(b.Now(), n), Until: b.Now().Add(month)})
	b.ok("Issue", err)
	settle(b)
	return i
}

func settle(b *bed[issuer]) {
	if b.port.bed.Settle != nil {
		b.port.bed.Settle()
	}
}

func named(l driver.Listing, s rotation.Stamp) (out []rotation.Issued) {
	for _, i := range l.Issued {
		if i.Name == s.String() {
			out = append(out, i)
		}
	}
	return out
}

func list(b *bed[issuer]) driver.Listing {
	b.Helper()
	l, err := b.port.List(b.Context())
	b.ok("List", err)
	return l
}

func issuerReads(run runIssuer) {
	run("issuers of one account see one list", func(b *bed[issuer]) {
		if b.port.ListKey() == "" || b.port.ListKey() != b.port.bed.Twin.ListKey() {
			b.Errorf("keys %q and %q", b.port.ListKey(), b.port.bed.Twin.ListKey())
		}
		i := issue(b, 1)
		l, err := b.port.bed.Twin.List(b.Context())
		b.ok("List", err)
		if !slices.ContainsFunc(l.Issued, func(x rotation.Issued) bool { return x.ID == i.Issued.ID }) {
			b.Error("the other one's list lacks what was issued")
		}
	})
	run("a list is complete over its pages, and no id is in it twice", func(b *bed[issuer]) {
		const n = 250
		b.port.bed.Fill(n)
		l := list(b)
		seen := map[string]bool{}
		for _, i := range l.Issued {
			if seen[i.ID] || i.ID == "" {
				b.Errorf("id %q is there twice, or empty", i.ID)
			}
			seen[i.ID] = true
		}
		if len(l.Issued) < n {
			b.Errorf("%d of %d are listed", len(l.Issued), n)
		}
		if b.Sent("List") < 2 && !b.port.bed.Whole {
			b.Error("all of it came on one page, so this shows nothing")
		}
		b.dated("List", l.Date)
	})
	run("a list that breaks off half-way is an error and no list", func(b *bed[issuer]) {
		if b.port.bed.Whole {
			b.Skip("it comes in one piece")
		}
		b.port.bed.Fill(250)
		b.Fault("List", Refused, 2, 1)
		l, err := b.port.List(b.Context())
		b.kind("List", err, driver.Rejected)
		if len(l.Issued) > 0 {
			b.Errorf("%d are listed all the same", len(l.Issued))
		}
	})
	for _, f := range []Fault{Lost, Cut, Throttled, Unavailable} {
		run("a list is read again after "+f.String(), func(b *bed[issuer]) {
			b.Fault("List", f, 1, 2)
			i := issue(b, 1)
			if l := list(b); len(named(l, stampOf(i))) != 1 {
				b.Error("the list lacks what was issued")
			}
		})
	}
	for _, f := range []Fault{Truncated, Malformed, Page} {
		run("a list is not taken from "+f.String(), func(b *bed[issuer]) {
			b.Fault("List", f, 1, 100)
			_, err := b.port.List(b.Context())
			b.kind("List", err, driver.Unavailable, driver.Denied)
		})
	}
	run("what may not be listed is denied", func(b *bed[issuer]) {
		b.Fault("List", Denied, 1, 100)
		_, err := b.port.List(b.Context())
		b.kind("List", err, driver.Denied)
	})
	run("a caller that has given up gets an error and not a list", func(b *bed[issuer]) {
		if _, err := b.port.List(ended()); err == nil {
			b.Error("a list")
		}
	})
}

func stampOf(i driver.Issue) rotation.Stamp {
	s, _ := rotation.ParseStamp(i.Issued.Name)
	return s
}

func issuerChecks(run runIssuer) {
	check := func(b *bed[issuer], i driver.Issue, want bool, why string) {
		b.Helper()
		c, err := b.port.Check(b.Context(), i.Value)
		b.ok("Check", err)
		if c.Works != want || c.Works == (c.Why != "") {
			b.Errorf("%s: works %v (%s), want %v", why, c.Works, c.Why, want)
		}
		b.dated("Check", c.Date)
	}
	run("a value works, and the probe says so", func(b *bed[issuer]) {
		check(b, issue(b, 1), true, "new")
	})
	run("a value that is refused is an answer and no error", func(b *bed[issuer]) {
		i := issue(b, 1)
		b.ok("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()))
		settle(b)
		check(b, i, false, "revoked")
	})
	run("a value past its date is refused, and that is an answer", func(b *bed[issuer]) {
		i := issue(b, 1)
		b.Advance(month + time.Minute)
		check(b, i, false, "expired")
	})
	run("a value that never was one is refused, and that is an answer", func(b *bed[issuer]) {
		i := issue(b, 1)
		i.Value = value("this never was a value of the issuer, nor like one of it")
		check(b, i, false, "nonsense")
	})
	for _, f := range []Fault{Page, Malformed, Truncated, Denied} {
		run("a probe says nothing of the value after "+f.String(), func(b *bed[issuer]) {
			i := issue(b, 1)
			b.Fault("Check", f, 1, 100)
			c, err := b.port.Check(b.Context(), i.Value)
			b.kind("Check", err, driver.Unavailable, driver.Denied)
			if c.Works {
				b.Error("it works all the same")
			}
		})
	}
	for _, f := range []Fault{Lost, Cut, Throttled, Unavailable} {
		run("a probe is repeated after "+f.String(), func(b *bed[issuer]) {
			i := issue(b, 1)
			b.Fault("Check", f, 1, 2)
			check(b, i, true, f.String())
		})
	}
}
