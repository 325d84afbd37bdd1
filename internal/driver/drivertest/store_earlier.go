package drivertest

import (
	"fmt"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

func wanted(n string) func(map[string]string) bool {
	return func(tags map[string]string) bool { return tags["n"] == n }
}

// storeEarlier is about versions that are not the newest any more.
func storeEarlier(run runStore) {
	run("an earlier version is found by its tags over all pages, and read with its own value", func(b *bed[store]) {
		for i := range 60 {
			put(b, "pat", fmt.Sprintf("value number %d", i), map[string]string{"n": fmt.Sprint(i), "common": "yes"})
		}
		for _, n := range []string{"0", "7", "31", "59"} {
			r, err := b.port.Earlier(b.Context(), "pat", wanted(n))
			b.ok("Earlier", err)
			if plain(r.Value) != "value number "+n || r.Secret.Tags["n"] != n || !r.Secret.Enabled || r.Secret.Version == "" {
				b.Errorf("of %s: %+v", n, r.Secret)
			}
			b.dated("Earlier", r.Date)
		}
		if r := read(b, "pat"); plain(r.Value) != "value number 59" {
			b.Error("looking changed what is newest")
		}
	})
	run("of several versions that are as wanted the newest is read", func(b *bed[store]) {
		for i := range 30 {
			put(b, "pat", fmt.Sprintf("value number %d", i), map[string]string{"n": fmt.Sprint(i % 2)})
			b.Advance(2 * time.Second) // creation dates are cut to the second
		}
		r, err := b.port.Earlier(b.Context(), "pat", wanted("0"))
		b.ok("Earlier", err)
		if plain(r.Value) != "value number 28" {
			b.Errorf("another one than the newest of them: %+v", r.Secret)
		}
	})
	run("an earlier version that is disabled has no value", func(b *bed[store]) {
		put(b, "pat", "the first value", map[string]string{"n": "1"})
		b.port.bed.Disable("pat")
		put(b, "pat", "the second value", map[string]string{"n": "2"})
		r, err := b.port.Earlier(b.Context(), "pat", wanted("1"))
		b.ok("Earlier", err)
		if r.Secret.Enabled || !r.Value.Empty() {
			b.Errorf("%+v", r.Secret)
		}
	})
	run("a version that is not there is missing, and no other one is read in its place", func(b *bed[store]) {
		put(b, "pat", "some value", map[string]string{"n": "1"})
		r, err := b.port.Earlier(b.Context(), "pat", wanted("2"))
		b.kind("Earlier", err, driver.Missing)
		if !r.Value.Empty() {
			b.Error("a value all the same")
		}
	})
	run("a look for an earlier version that breaks off, or is not allowed, is an error", func(b *bed[store]) {
		for i := range 60 {
			put(b, "pat", "some value", map[string]string{"n": fmt.Sprint(i)})
		}
		_, err := b.port.bed.Stranger.Earlier(b.Context(), "pat", wanted("1"))
		b.kind("Earlier", err, driver.Denied)
		b.Fault("Tags", Refused, 2, 1)
		_, err = b.port.Earlier(b.Context(), "pat", wanted("1"))
		b.kind("Earlier", err, driver.Rejected)
	})
	for _, f := range []Fault{Malformed, Page} {
		run("an earlier version is not taken from "+f.String(), func(b *bed[store]) {
			put(b, "pat", "some value", map[string]string{"n": "1"})
			b.Fault("Version", f, 1, 100)
			r, err := b.port.Earlier(b.Context(), "pat", wanted("1"))
			b.kind("Earlier", err, driver.Unavailable, driver.Denied)
			if !r.Value.Empty() {
				b.Error("a value all the same")
			}
		})
	}
}
