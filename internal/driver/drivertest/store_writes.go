package drivertest

import (
	"maps"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

func storeWrites(run runStore) {
	storePuts(run)
	storeProves(run)
	storeAmends(run)
}

func same(t testing.TB, what string, got, want Version) {
	t.Helper()
	if got.ID != want.ID || got.Value != want.Value || got.ContentType != want.ContentType || got.Enabled != want.Enabled ||
		!got.Expires.Equal(want.Expires) || !maps.Equal(got.Tags, want.Tags) {
		t.Errorf("%s: version %s is %v until %v, want %v until %v", what, got.ID, got.Tags, got.Expires, want.Tags, want.Expires)
	}
}

func storePuts(run runStore) {
	run("a publication is one version with value, tags, type and date in it", func(b *bed[store]) {
		until := b.Now().Add(month).Truncate(time.Second)
		tags := map[string]string{"rekey": "1;g=x", "team": "platform"}
		r, err := b.port.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value"), Tags: tags, ContentType: "application/x", Expires: until})
		b.ok("Put", err)
		v := b.port.bed.Versions("pat")
		if len(v) != 1 {
			b.Fatalf("%d versions", len(v))
		}
		same(b, "Put", v[0], Version{ID: r.Secret.Version, Value: "the value", ContentType: "application/x", Tags: tags, Enabled: true, Expires: until})
		b.dated("Put", r.Date)
		b.dated("created", r.Secret.Created)
	})
	run("each accepted publication is a version of its own, the same value too", func(b *bed[store]) {
		if one, two := put(b, "pat", "same", nil), put(b, "pat", "same", nil); one.Secret.Version == two.Secret.Version || len(b.port.bed.Versions("pat")) != 2 {
			b.Errorf("versions %s and %s", one.Secret.Version, two.Secret.Version)
		}
	})
	for _, f := range []Fault{Lost, Late, Truncated, Malformed} {
		run("a publication is ambiguous and not repeated after "+f.String(), func(b *bed[store]) {
			before := b.Sent("Put")
			b.Fault("Put", f, 1, 1)
			_, err := b.port.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value")})
			b.kind("Put", err, driver.Ambiguous)
			b.port.bed.Lapse()
			b.calls("Put", before, 1)
			if v := b.port.bed.Versions("pat"); len(v) != 1 {
				b.Errorf("%d versions, want 1", len(v))
			}
		})
	}
	for _, f := range []Fault{Cut, Unavailable} {
		run("a publication is ambiguous after "+f.String(), func(b *bed[store]) {
			before := b.Sent("Put")
			b.Fault("Put", f, 1, 1)
			_, err := b.port.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value")})
			b.kind("Put", err, driver.Ambiguous)
			b.calls("Put", before, 1)
		})
	}
	run("a page for people is no success of a publication", func(b *bed[store]) {
		b.Fault("Put", Page, 1, 1)
		_, err := b.port.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value")})
		b.kind("Put", err, driver.Ambiguous, driver.Denied)
	})
	run("a 429 says that nothing was applied, so a publication is repeated and committed once", func(b *bed[store]) {
		before := b.Sent("Put")
		b.Fault("Put", Throttled, 1, 2)
		put(b, "pat", "the value", nil)
		b.calls("Put", before, 3)
		if v := b.port.bed.Versions("pat"); len(v) != 1 {
			b.Errorf("%d versions, want 1", len(v))
		}
	})
	run("a service that only ever says 429 is throttled, and nothing was applied", func(b *bed[store]) {
		b.Fault("Put", Throttled, 1, 100)
		_, err := b.port.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value")})
		b.kind("Put", err, driver.Throttled)
		if !driver.NotApplied(err) || len(b.port.bed.Versions("pat")) != 0 {
			b.Error("it does not count as not applied, or is there")
		}
	})
	run("a publication that is refused is known not to be applied", func(b *bed[store]) {
		_, err := b.port.bed.Reader.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value of a reader")})
		b.kind("Put", err, driver.Denied)
		put(b, "gone", "value of gone", nil)
		b.port.bed.Delete("gone")
		_, err = b.port.Put(b.Context(), driver.Put{Name: "gone", Value: value("the value of another")})
		b.kind("Put", err, driver.Conflict)
		b.Fault("Put", Refused, 1, 1)
		_, err = b.port.Put(b.Context(), driver.Put{Name: "pat", Value: value("the value of a third")})
		b.kind("Put", err, driver.Rejected)
		if !driver.NotApplied(err) || len(b.port.bed.Versions("pat")) != 0 {
			b.Error("it does not count as not applied, or is there")
		}
	})
}

func storeProves(run runStore) {
	run("a proof that a secret can be written changes nothing", func(b *bed[store]) {
		put(b, "pat", "the first value", map[string]string{"n": "1"})
		r := put(b, "pat", "the second value", map[string]string{"n": "2"})
		before := b.port.bed.Versions("pat")
		b.ok("Prove", b.port.Prove(b.Context(), "pat", r.Secret.Version))
		after := b.port.bed.Versions("pat")
		if len(after) != len(before) {
			b.Fatalf("%d versions, were %d", len(after), len(before))
		}
		for i := range before {
			same(b, "Prove", after[i], before[i])
		}
	})
	run("a proof fails for who may not write", func(b *bed[store]) {
		r := put(b, "pat", "the value", nil)
		b.kind("Prove", b.port.bed.Reader.Prove(b.Context(), "pat", r.Secret.Version), driver.Denied)
		b.kind("Prove", b.port.bed.Stranger.Prove(b.Context(), "pat", r.Secret.Version), driver.Denied)
	})
	run("a proof on a version that is not there says so", func(b *bed[store]) {
		put(b, "pat", "the value", nil)
		b.kind("Prove", b.port.Prove(b.Context(), "pat", "00000000000000000000000000000000"), driver.Missing)
	})
}

func storeAmends(run runStore) {
	run("an amendment replaces tags and date of one version, keeps its value, and can be repeated", func(b *bed[store]) {
		put(b, "pat", "the first value", map[string]string{"n": "1"})
		r := put(b, "pat", "the second value", map[string]string{"n": "2", "old": "x"})
		before := b.port.bed.Versions("pat")
		until := b.Now().Add(2 * month).Truncate(time.Second)
		tags := map[string]string{"n": "3"}
		for range 2 {
			b.ok("Amend", b.port.Amend(b.Context(), "pat", r.Secret.Version, tags, until))
		}
		after := b.port.bed.Versions("pat")
		if len(after) != 2 {
			b.Fatalf("%d versions", len(after))
		}
		same(b, "the other version", after[0], before[0])
		before[1].Tags, before[1].Expires = tags, until
		same(b, "the amended version", after[1], before[1])

		b.ok("Amend without a date", b.port.Amend(b.Context(), "pat", r.Secret.Version, tags, time.Time{}))
		same(b, "a date that was not named", b.port.bed.Versions("pat")[1], before[1])
	})
	run("an amendment is refused to who may not write", func(b *bed[store]) {
		r := put(b, "pat", "the value", nil)
		b.kind("Amend", b.port.bed.Reader.Amend(b.Context(), "pat", r.Secret.Version, nil, time.Time{}), driver.Denied)
	})
	for _, f := range []Fault{Lost, Unavailable, Cut} {
		run("an amendment is ambiguous after "+f.String(), func(b *bed[store]) {
			r := put(b, "pat", "the value", nil)
			before := b.Sent("Update")
			b.Fault("Update", f, 1, 1)
			b.kind("Amend", b.port.Amend(b.Context(), "pat", r.Secret.Version, map[string]string{"n": "1"}, time.Time{}), driver.Ambiguous)
			b.calls("Update", before, 1)
		})
	}
}
