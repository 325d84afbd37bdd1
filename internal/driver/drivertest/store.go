package drivertest

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// StoreBed is a store with what makes it testable. Methods for Fault and Sent are "List", "Read", "Deleted" (the look
// among the deleted), "Tags", "Version" (the read of an earlier one), "Update" (Prove and Amend) and "Put".
type StoreBed struct {
	Store driver.Store
	// Reader is the same store for a caller that may read everything and write nothing, Stranger for one without rights.
	Reader, Stranger driver.Store
	Service
	// Delete deletes a secret so that it can be recovered, and Disable disables its newest version.
	Delete, Disable func(name string)
	// Versions are all versions of a secret, oldest first, as the service keeps them.
	Versions func(name string) []Version
	// Lapse has Late come to its end.
	Lapse func()
}

// Version is a version as the service keeps it.
type Version struct {
	ID, Value, ContentType string
	Tags                   map[string]string
	Enabled                bool
	Expires                time.Time
}

type store struct {
	driver.Store
	bed StoreBed
}

// Store runs the suite of driver.Store. make is called in each subtest's bubble.
func Store(t *testing.T, make func(*testing.T) StoreBed) {
	run := func(name string, f func(b *bed[store])) {
		each(t, name, func(t *testing.T) (store, Service) {
			x := make(t)
			return store{x.Store, x}, x.Service
		}, f)
	}
	storeReads(run)
	storeLists(run)
	storeEarlier(run)
	storeWrites(run)
}

type runStore func(name string, f func(b *bed[store]))

func put(b *bed[store], name, v string, tags map[string]string) driver.Reading {
	b.Helper()
	r, err := b.port.Put(b.Context(), driver.Put{Name: name, Value: value(v), Tags: tags, ContentType: "text/plain", Expires: b.Now().Add(month).Truncate(time.Second)})
	b.ok("Put", err)
	return r
}

func read(b *bed[store], name string) driver.Reading {
	b.Helper()
	r, err := b.port.Read(b.Context(), name)
	b.ok("Read", err)
	return r
}

func storeReads(run runStore) {
	run("a name that never was is absent, and that is no error", func(b *bed[store]) {
		r := read(b, "never-was")
		if r.Secret.State != rotation.Absent || !r.Value.Empty() {
			b.Errorf("%+v", r.Secret)
		}
		b.dated("Read", r.Date)
	})
	run("a deleted secret that can be recovered is told from an absent one", func(b *bed[store]) {
		put(b, "gone", "value of gone", nil)
		b.port.bed.Delete("gone")
		for what, f := range map[string]func() (driver.Reading, error){
			"Read":   func() (driver.Reading, error) { return b.port.Read(b.Context(), "gone") },
			"Vacant": func() (driver.Reading, error) { return b.port.Vacant(b.Context(), "gone") },
		} {
			r, err := f()
			b.ok(what, err)
			if r.Secret.State != rotation.SoftDeleted || !r.Value.Empty() {
				b.Errorf("%s: %+v", what, r.Secret)
			}
		}
	})
	run("a disabled version is there and has no value", func(b *bed[store]) {
		put(b, "off", "value of off", nil)
		b.port.bed.Disable("off")
		r := read(b, "off")
		if r.Secret.State != rotation.Present || r.Secret.Enabled || !r.Value.Empty() {
			b.Errorf("%+v", r.Secret)
		}
	})
	run("the newest version is read by name, with its value and all that was said of it", func(b *bed[store]) {
		put(b, "pat", "the first value", map[string]string{"n": "1"})
		p := put(b, "pat", "the second value", map[string]string{"n": "2", "team": "platform"})
		for _, name := range []string{"pat", "PAT"} {
			r := read(b, name)
			if plain(r.Value) != "the second value" || r.Secret.Version != p.Secret.Version || !maps.Equal(r.Secret.Tags, map[string]string{"n": "2", "team": "platform"}) {
				b.Errorf("%s: %+v", name, r.Secret)
			}
			if r.Secret.State != rotation.Present || !r.Secret.Enabled || r.Secret.Expires.Sub(b.Now().Add(month)).Abs() > time.Minute {
				b.Errorf("%s: %+v", name, r.Secret)
			}
			b.dated("created", r.Secret.Created)
			b.dated("Read", r.Date)
		}
	})
	run("a read that is not allowed is denied, and nothing is absent by it", func(b *bed[store]) {
		put(b, "pat", "some value", nil)
		for _, name := range []string{"pat", "never-was"} {
			r, err := b.port.bed.Stranger.Read(b.Context(), name)
			b.kind("Read", err, driver.Denied)
			if r.Secret.State != 0 {
				b.Errorf("%s: %+v", name, r.Secret)
			}
		}
	})
	run("a failed look among the deleted leaves unknown what a name is", func(b *bed[store]) {
		b.Fault("Deleted", Denied, 1, 1)
		_, err := b.port.Read(b.Context(), "never-was")
		b.kind("Read", err, driver.Denied)
	})
	for _, f := range []Fault{Lost, Cut, Throttled, Unavailable} {
		run("a secret is read again after "+f.String(), func(b *bed[store]) {
			put(b, "pat", "some value", nil)
			b.Fault("Read", f, 1, 2)
			if r := read(b, "pat"); plain(r.Value) != "some value" {
				b.Errorf("%+v", r.Secret)
			}
		})
	}
	for _, f := range []Fault{Malformed, Page} {
		run("a secret is not taken from "+f.String(), func(b *bed[store]) {
			put(b, "pat", "some value", nil)
			b.Fault("Read", f, 1, 100)
			r, err := b.port.Read(b.Context(), "pat")
			b.kind("Read", err, driver.Unavailable, driver.Denied)
			if r.Secret.State != 0 {
				b.Errorf("%+v", r.Secret)
			}
		})
	}
	run("a vacant name is one that never was and that the caller may write", func(b *bed[store]) {
		r, err := b.port.Vacant(b.Context(), "never-was")
		b.ok("Vacant", err)
		if r.Secret.State != rotation.Absent {
			b.Errorf("%+v", r.Secret)
		}
		b.dated("Vacant", r.Date)
		if v := b.port.bed.Versions("never-was"); len(v) > 0 {
			b.Errorf("looking made %d versions", len(v))
		}
	})
	run("a name is not vacant to a caller that may not write it", func(b *bed[store]) {
		for who, s := range map[string]driver.Store{"a reader": b.port.bed.Reader, "a stranger": b.port.bed.Stranger} {
			_, err := s.Vacant(b.Context(), "never-was")
			b.kind(who, err, driver.Denied)
		}
	})
	run("a name that a list lacked and that is there after all is read", func(b *bed[store]) {
		put(b, "pat", "some value", map[string]string{"n": "1"})
		r, err := b.port.Vacant(b.Context(), "pat")
		b.ok("Vacant", err)
		if r.Secret.State != rotation.Present || plain(r.Value) != "some value" || r.Secret.Tags["n"] != "1" {
			b.Errorf("%+v", r.Secret)
		}
	})
}

func storeLists(run runStore) {
	run("a list has every secret over all pages, by lower-case name, and no value", func(b *bed[store]) {
		const n = 60
		for i := range n {
			put(b, fmt.Sprintf("Secret-%d", i), fmt.Sprintf("value number %d", i), map[string]string{"n": fmt.Sprint(i)})
		}
		l, err := b.port.List(b.Context())
		b.ok("List", err)
		for i := range n {
			s, ok := l.Secrets[strings.ToLower(fmt.Sprintf("Secret-%d", i))]
			if !ok || s.State != rotation.Present || !s.Enabled || s.Tags["n"] != fmt.Sprint(i) || s.Expires.IsZero() || s.Created.IsZero() {
				b.Errorf("secret %d: %+v", i, s)
			}
		}
		if len(l.Secrets) != n || b.Sent("List") < 2 {
			b.Errorf("%d secrets in %d pages", len(l.Secrets), b.Sent("List"))
		}
		b.dated("List", l.Date)
	})
	run("a list that breaks off half-way is an error and no list", func(b *bed[store]) {
		for i := range 60 {
			put(b, fmt.Sprintf("secret-%d", i), "some value", nil)
		}
		b.Fault("List", Refused, 2, 1)
		l, err := b.port.List(b.Context())
		b.kind("List", err, driver.Rejected)
		if len(l.Secrets) > 0 {
			b.Errorf("%d are listed all the same", len(l.Secrets))
		}
	})
	run("a list that is not allowed is denied", func(b *bed[store]) {
		_, err := b.port.bed.Stranger.List(b.Context())
		b.kind("List", err, driver.Denied)
	})
	run("the tags of every version are read over all pages", func(b *bed[store]) {
		const n = 60
		for i := range n {
			put(b, "pat", fmt.Sprintf("value number %d", i), map[string]string{"n": fmt.Sprint(i)})
		}
		all, err := b.port.Tags(b.Context(), "pat")
		b.ok("Tags", err)
		seen := map[string]int{}
		for _, tags := range all {
			seen[tags["n"]]++
		}
		if len(all) != n || len(seen) != n || b.Sent("Tags") < 2 {
			b.Errorf("%d versions, %d different ones, in %d pages", len(all), len(seen), b.Sent("Tags"))
		}
	})
	run("versions that break off half-way are an error", func(b *bed[store]) {
		for range 60 {
			put(b, "pat", "some value", nil)
		}
		b.Fault("Tags", Refused, 2, 1)
		all, err := b.port.Tags(b.Context(), "pat")
		b.kind("Tags", err, driver.Rejected)
		if len(all) > 0 {
			b.Errorf("%d are there all the same", len(all))
		}
	})
	run("a caller that has given up gets an error", func(b *bed[store]) {
		if _, err := b.port.List(ended()); err == nil {
			b.Error("a list")
		}
		if _, err := b.port.Read(ended(), "never-was"); err == nil {
			b.Error("a reading")
		}
	})
}
