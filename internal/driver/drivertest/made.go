package drivertest

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// MadeBed is an issuer of order rotation.ChosenByUs over a store, whose methods for Fault and Sent are those of StoreBed.
type MadeBed struct {
	// Issuer is made for the credential "conformance", and Name is its secret.
	Issuer driver.Issuer
	Name   string
	Store  driver.Store
	// Twin is made for another secret of the same store.
	Twin driver.Issuer
	Service
	// Versions are all versions of the secret, oldest first, as the service keeps them.
	Versions func() []Version
}

type madeIssuer struct {
	driver.Issuer
	bed MadeBed
}

// Made runs the suite of driver.Issuer for one that makes its values itself: what there is of them are the versions of
// their secret. make is called in each subtest's bubble.
func Made(t *testing.T, make func(*testing.T) MadeBed) {
	run := func(name string, f func(b *bed[madeIssuer])) {
		each(t, name, func(t *testing.T) (madeIssuer, Service) {
			x := make(t)
			return madeIssuer{x.Issuer, x}, x.Service
		}, f)
	}
	madeIssues(run)
	madeLists(run)
	madeRevokes(run)
}

type runMade func(name string, f func(b *bed[madeIssuer]))

func makeOne(b *bed[madeIssuer], n byte) driver.Issue {
	b.Helper()
	i, err := b.port.Issue(b.Context(), driver.IssueRequest{Stamp: stamp(b.Now(), n), Until: b.Now().Add(month)})
	b.ok("Issue", err)
	return i
}

// commit publishes what was made as the engine does.
func commit(b *bed[madeIssuer], i driver.Issue) driver.Reading {
	b.Helper()
	g := stampOf(i).Generation
	tag, err := rotation.Record{Generation: g, IssuerID: i.Issued.ID, Publication: rotation.Publication(g), Shape: i.Issued.Shape, Expires: i.Issued.To}.Encode()
	b.ok("Encode", err)
	r, err := b.port.bed.Store.Put(b.Context(), driver.Put{Name: b.port.bed.Name, Value: i.Value, Tags: map[string]string{rotation.RecordTag: tag}, Expires: i.Issued.To})
	b.ok("Put", err)
	return r
}

func listMade(b *bed[madeIssuer]) driver.Listing {
	b.Helper()
	l, err := b.port.List(b.Context())
	b.ok("List", err)
	b.dated("List", l.Date)
	return l
}

func madeIssues(run runMade) {
	run("a value is made without a word to the store, and no two are the same", func(b *bed[madeIssuer]) {
		one, two := makeOne(b, 1), makeOne(b, 2)
		if one.Value.Empty() || one.Value.Equal(two.Value) || one.Issued.ID == two.Issued.ID || one.Issued.ID == "" {
			b.Errorf("made %+v and %+v", one.Issued, two.Issued)
		}
		if d := one.Issued.To.Sub(b.Now().Add(month)); d.Abs() > time.Minute || stampOf(one).Credential != "conformance" {
			b.Errorf("made %+v", one.Issued)
		}
		if n := len(b.port.bed.Versions()); n != 0 || b.Sent("Put")+b.Sent("Tags")+b.Sent("Read")+b.Sent("Update") != 0 {
			b.Errorf("the store has %d versions, or was asked", n)
		}
	})
	run("what was made works, and what nobody can use does not", func(b *bed[madeIssuer]) {
		c, err := b.port.Check(b.Context(), makeOne(b, 1).Value)
		b.ok("Check", err)
		if !c.Works || c.Why != "" {
			b.Errorf("works %t (%s)", c.Works, c.Why)
		}
		c, err = b.port.Check(b.Context(), value(" \n"))
		b.ok("Check", err)
		if c.Works || c.Why == "" {
			b.Errorf("works %t (%s)", c.Works, c.Why)
		}
	})
	run("nothing is made for a caller that has given up", func(b *bed[madeIssuer]) {
		if i, err := b.port.Issue(ended(), driver.IssueRequest{Stamp: stamp(b.Now(), 1), Until: b.Now().Add(month)}); err == nil || !i.Value.Empty() {
			b.Error("a value")
		}
	})
	run("no date is moved", func(b *bed[madeIssuer]) {
		i := makeOne(b, 1)
		commit(b, i)
		_, err := b.port.Extend(b.Context(), i.Issued.ID, b.Now().Add(2*month))
		b.kind("Extend", err, driver.Rejected)
	})
}

func madeLists(run runMade) {
	run("what is published is listed as it was made, and what is not published is not", func(b *bed[madeIssuer]) {
		i := makeOne(b, 1)
		if l := listMade(b); len(l.Issued) != 0 {
			b.Errorf("listed are %+v", l.Issued)
		}
		commit(b, i)
		l := listMade(b)
		if len(l.Issued) != 1 || l.Issued[0].ID != i.Issued.ID || l.Issued[0].Name != i.Issued.Name || l.Issued[0].Shape != i.Issued.Shape || !l.Issued[0].To.Equal(i.Issued.To) {
			b.Errorf("listed are %+v, made was %+v", l.Issued, i.Issued)
		}
	})
	run("every version is listed over all pages, and one record once", func(b *bed[madeIssuer]) {
		for n := range 30 {
			commit(b, makeOne(b, byte(n)))
			b.Advance(time.Second)
		}
		last := makeOne(b, 99)
		commit(b, last)
		commit(b, last)
		if l := listMade(b); len(l.Issued) != 31 {
			b.Errorf("%d are listed, want 31", len(l.Issued))
		}
	})
	run("what somebody else wrote is not listed, nor a version that cannot be read", func(b *bed[madeIssuer]) {
		i := makeOne(b, 1)
		commit(b, i)
		_, err := b.port.bed.Store.Put(b.Context(), driver.Put{Name: b.port.bed.Name, Value: value("by hand"), Tags: map[string]string{"team": "a"}})
		b.ok("Put", err)
		if l := listMade(b); len(l.Issued) != 1 {
			b.Errorf("listed are %+v", l.Issued)
		}
		b.ok("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()))
		if l := listMade(b); len(l.Issued) != 0 {
			b.Errorf("listed are %+v", l.Issued)
		}
	})
	run("a secret is its own account", func(b *bed[madeIssuer]) {
		if b.port.ListKey() == "" || b.port.ListKey() == b.port.bed.Twin.ListKey() {
			b.Errorf("keys %q and %q", b.port.ListKey(), b.port.bed.Twin.ListKey())
		}
		commit(b, makeOne(b, 1))
		if l, err := b.port.bed.Twin.List(b.Context()); err != nil || len(l.Issued) != 0 {
			b.Errorf("the other one lists %+v, %v", l.Issued, err)
		}
	})
	run("what may not be listed is denied", func(b *bed[madeIssuer]) {
		b.Fault("Tags", Denied, 1, 100)
		_, err := b.port.List(b.Context())
		b.kind("List", err, driver.Denied)
	})
}

func madeRevokes(run runMade) {
	run("what is revoked cannot be read any more, every copy of it, and nothing else is touched", func(b *bed[madeIssuer]) {
		old := makeOne(b, 1)
		commit(b, old)
		commit(b, old) // a person's copy
		b.Advance(time.Hour)
		now := makeOne(b, 2)
		commit(b, now)
		for range 2 {
			b.ok("Revoke", b.port.Revoke(b.Context(), permit(b, old.Issued.ID, b.Now()), b.Now()))
		}
		v := b.port.bed.Versions()
		if v[0].Enabled || v[1].Enabled || !v[2].Enabled {
			b.Errorf("enabled are %t, %t, %t", v[0].Enabled, v[1].Enabled, v[2].Enabled)
		}
		b.calls("Update", 0, 2)
		if r, err := b.port.bed.Store.Read(b.Context(), b.port.bed.Name); err != nil || !r.Value.Equal(now.Value) {
			b.Errorf("the newest value is not what is read: %v", err)
		}
	})
	run("the end of what was never published is success, and writes nothing", func(b *bed[madeIssuer]) {
		i := makeOne(b, 1)
		b.ok("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()))
		b.calls("Update", 0, 0)
	})
	run("nothing is revoked without a permit, or with one that has expired", func(b *bed[madeIssuer]) {
		i := makeOne(b, 1)
		commit(b, i)
		old := permit(b, i.Issued.ID, b.Now())
		if b.port.Revoke(b.Context(), rotation.Permit{}, b.Now()) == nil || b.port.Revoke(b.Context(), old, b.Now().Add(rotation.PermitLife)) == nil {
			b.Error("no permit, or an expired one, was enough")
		}
		b.calls("Update", 0, 0)
	})
	for _, f := range []Fault{Lost, Unavailable, Cut} {
		run("a revocation is ambiguous after "+f.String(), func(b *bed[madeIssuer]) {
			i := makeOne(b, 1)
			commit(b, i)
			b.Fault("Update", f, 1, 1)
			b.kind("Revoke", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()), driver.Ambiguous)
			b.calls("Update", 0, 1)
			b.ok("Revoke again", b.port.Revoke(b.Context(), permit(b, i.Issued.ID, b.Now()), b.Now()))
			if b.port.bed.Versions()[0].Enabled {
				b.Error("it can be read")
			}
		})
	}
}
