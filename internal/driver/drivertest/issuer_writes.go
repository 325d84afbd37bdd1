package drivertest

import (
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

func issuerWrites(run runIssuer) {
	issuerIssues(run)
	issuerExtends(run)
	issuerRevokes(run)
}

func issuerIssues(run runIssuer) {
	run("a credential is issued under its stamp, and the value is in that answer alone", func(b *bed[issuer]) {
		before := b.Now()
		i, err := b.port.Issue(b.Context(), driver.IssueRequest{Stamp: stamp(b.Now(), 1), Until: b.Now().Add(month)})
		b.ok("Issue", err)
		b.dated("Issue", i.Date)
		settle(b)
		if i.Issued.ID == "" || i.Value.Empty() || i.Issued.Name == "" || stampOf(i).Credential != "conformance" {
			b.Errorf("issued %+v", i.Issued)
		}
		if d := i.Issued.To.Sub(before.Add(month)); d.Abs() > time.Minute {
			b.Errorf("valid to %v, asked for 30 days", i.Issued.To)
		}
		l := named(list(b), stampOf(i))
		if len(l) != 1 || l[0] != i.Issued {
			b.Errorf("the list says %+v, the answer said %+v", l, i.Issued)
		}
	})
	run("the date that counts is the issuer's and not the one asked for", func(b *bed[issuer]) {
		if b.port.bed.Clamp == nil {
			b.Skip("it gives what is asked for, or nothing")
		}
		b.port.bed.Clamp(72 * time.Hour)
		i := issue(b, 1)
		if d := i.Issued.To.Sub(b.Now().Add(72 * time.Hour)); d.Abs() > time.Minute {
			b.Errorf("valid to %v, the issuer gives three days", i.Issued.To)
		}
	})
	for _, f := range []Fault{Lost, Late, Truncated, Malformed} {
		run("an issue is ambiguous and not repeated after "+f.String(), func(b *bed[issuer]) {
			before := b.Sent("Issue")
			b.Fault("Issue", f, 1, 1)
			s := stamp(b.Now(), 1)
			i, err := b.port.Issue(b.Context(), driver.IssueRequest{Stamp: s, Until: b.Now().Add(month)})
			b.kind("Issue", err, driver.Ambiguous)
			if driver.NotApplied(err) || !i.Value.Empty() {
				b.Error("it counts as not applied, or there is a value")
			}
			b.port.bed.Lapse()
			b.calls("Issue", before, 1)
			if l := named(list(b), s); len(l) != 1 {
				b.Errorf("%d are there under the stamp, want 1", len(l))
			}
		})
	}
	for _, f := range []Fault{Cut, Unavailable, Page} {
		run("an issue is ambiguous after "+f.String(), func(b *bed[issuer]) {
			before := b.Sent("Issue")
			b.Fault("Issue", f, 1, 1)
			s := stamp(b.Now(), 1)
			_, err := b.port.Issue(b.Context(), driver.IssueRequest{Stamp: s, Until: b.Now().Add(month)})
			b.kind("Issue", err, driver.Ambiguous)
			b.calls("Issue", before, 1)
			settle(b)
			if l := named(list(b), s); len(l) != 0 {
				b.Errorf("%d are there under the stamp, so this was no %s", len(l), f)
			}
		})
	}
	run("a 429 says that nothing was applied, so an issue is repeated, and one is there", func(b *bed[issuer]) {
		before := b.Sent("Issue")
		b.Fault("Issue", Throttled, 1, 1)
		i := issue(b, 1)
		b.calls("Issue", before, 2)
		if l := named(list(b), stampOf(i)); len(l) != 1 {
			b.Errorf("%d are there under the stamp, want 1", len(l))
		}
	})
	for f, kind := range map[Fault]driver.Kind{Refused: driver.Rejected, Denied: driver.Denied} {
		run("an issue is known not to be applied after "+f.String(), func(b *bed[issuer]) {
			before := b.Sent("Issue")
			b.Fault("Issue", f, 1, 100)
			_, err := b.port.Issue(b.Context(), driver.IssueRequest{Stamp: stamp(b.Now(), 1), Until: b.Now().Add(month)})
			b.kind("Issue", err, kind)
			if !driver.NotApplied(err) {
				b.Error("it does not count as not applied")
			}
			b.calls("Issue", before, 1)
		})
	}
}

func issuerExtends(run runIssuer) {
	run("an extension by an issuer that moves no date is refused, and changes nothing", func(b *bed[issuer]) {
		if !b.port.bed.Fixed {
			b.Skip("it moves dates")
		}
		i := issue(b, 1)
		_, err := b.port.Extend(b.Context(), i.Issued.ID, b.Now().Add(month))
		b.kind("Extend", err, driver.Rejected)
		if l := named(list(b), stampOf(i)); len(l) != 1 || l[0] != i.Issued {
			b.Errorf("the list says %+v, the answer said %+v", l, i.Issued)
		}
	})
	run("an extension moves the date and keeps the value, and repeating it is harmless", func(b *bed[issuer]) {
		if b.port.bed.Fixed {
			b.Skip("it moves no date")
		}
		i := issue(b, 1)
		b.Advance(10 * 24 * time.Hour)
		until := b.Now().Add(month)
		for range 2 {
			moved, err := b.port.Extend(b.Context(), i.Issued.ID, until)
			b.ok("Extend", err)
			if moved.ID != i.Issued.ID || moved.To.Sub(until).Abs() > time.Minute {
				b.Errorf("moved to %+v, want %v", moved, until)
			}
		}
		b.Advance(25 * 24 * time.Hour)
		c, err := b.port.Check(b.Context(), i.Value)
		b.ok("Check", err)
		if !c.Works {
			b.Errorf("past its first date the value does not work: %s", c.Why)
		}
	})
	run("an extension of what is not there is refused", func(b *bed[issuer]) {
		_, err := b.port.Extend(b.Context(), "00000000-0000-4000-8000-000000000001", b.Now().Add(month))
		b.kind("Extend", err, driver.Rejected, driver.Missing)
	})
	run("an extension whose answer is lost is ambiguous", func(b *bed[issuer]) {
		if b.port.bed.Fixed {
			b.Skip("it moves no date")
		}
		i := issue(b, 1)
		b.Fault("Extend", Lost, 1, 1)
		_, err := b.port.Extend(b.Context(), i.Issued.ID, b.Now().Add(month))
		b.kind("Extend", err, driver.Ambiguous)
	})
}

func issuerRevokes(run runIssuer) {
	run("what is revoked is gone, nothing else is, and a second time is success", func(b *bed[issuer]) {
		i, other := issue(b, 1), issue(b, 2)
		for range 2 {
			b.ok("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()))
		}
		settle(b)
		l := list(b)
		if len(named(l, stampOf(i))) != 0 || len(named(l, stampOf(other))) != 1 {
			b.Errorf("alive are %+v", l.Issued)
		}
	})
	run("the end of what never was there is success", func(b *bed[issuer]) {
		b.ok("Revoke", b.port.Revoke(b.Context(), permit(b, "00000000-0000-4000-8000-000000000001", b.Now()), b.Now()))
	})
	run("nothing is revoked without a permit, or with one that has expired", func(b *bed[issuer]) {
		i := issue(b, 1)
		old := permit(b, i.Issued.ID, b.Now())
		if b.port.Revoke(b.Context(), rotation.Permit{}, b.Now()) == nil {
			b.Error("no permit was enough")
		}
		if b.port.Revoke(b.Context(), old, b.Now().Add(rotation.PermitLife)) == nil {
			b.Error("an expired permit was enough")
		}
		b.calls("Revoke", 0, 0)
		if len(named(list(b), stampOf(i))) != 1 {
			b.Error("it is gone")
		}
	})
	for _, f := range []Fault{Lost, Unavailable, Cut} {
		run("a revocation is ambiguous after "+f.String(), func(b *bed[issuer]) {
			i := issue(b, 1)
			b.Fault("Revoke", f, 1, 1)
			b.kind("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()), driver.Ambiguous)
			b.calls("Revoke", 0, 1)
			settle(b)
			b.ok("Revoke again", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()))
			settle(b)
			if len(named(list(b), stampOf(i))) != 0 {
				b.Error("it is alive")
			}
		})
	}
	run("a page for people is no success of a revocation", func(b *bed[issuer]) {
		i := issue(b, 1)
		b.Fault("Revoke", Page, 1, 1)
		b.kind("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()), driver.Ambiguous)
		if len(named(list(b), stampOf(i))) != 1 {
			b.Error("it is gone")
		}
	})
}
