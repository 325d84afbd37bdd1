package drivertest

import (
	"fmt"
	"testing"

	"github.com/rekeyhq/rekey/internal/driver"
)

// Versions runs the suite of what driver.Versions adds to a store. make is called in each subtest's bubble.
func Versions(t *testing.T, make func(*testing.T) StoreBed) {
	run := func(name string, f func(b *bed[store], port driver.Versions)) {
		each(t, name, func(t *testing.T) (store, Service) {
			x := make(t)
			return store{x.Store, x}, x.Service
		}, func(b *bed[store]) { f(b, b.port.Store.(driver.Versions)) })
	}
	all := func(b *bed[store], port driver.Versions) map[string]driver.Version {
		b.Helper()
		list, date, err := port.Versions(b.Context(), "pat")
		b.ok("Versions", err)
		b.dated("Versions", date)
		out := map[string]driver.Version{}
		for _, v := range list {
			if out[v.ID] = v; v.ID == "" {
				b.Error("a version has no id")
			}
		}
		return out
	}
	run("every version is listed once with its tags, over all pages", func(b *bed[store], port driver.Versions) {
		const n = 30
		for i := range n {
			put(b, "pat", fmt.Sprint("value ", i), map[string]string{"n": fmt.Sprint(i)})
		}
		got := all(b, port)
		if len(got) != n || b.Sent("Tags") < 2 {
			b.Fatalf("%d of %d, in %d pages", len(got), n, b.Sent("Tags"))
		}
		for i, want := range b.port.bed.Versions("pat") {
			if v := got[want.ID]; v.Tags["n"] != fmt.Sprint(i) || !v.Enabled || v.Created.IsZero() {
				b.Errorf("version %d is %+v", i, v)
			}
		}
	})
	run("a name that never existed has no versions, and that is no error", func(b *bed[store], port driver.Versions) {
		if got := all(b, port); len(got) != 0 {
			b.Errorf("%v", got)
		}
	})
	run("a list that breaks off half-way is an error and no list", func(b *bed[store], port driver.Versions) {
		for i := range 30 {
			put(b, "pat", fmt.Sprint("value ", i), nil)
		}
		b.Fault("Tags", Refused, 2, 1)
		list, _, err := port.Versions(b.Context(), "pat")
		if b.kind("Versions", err, driver.Rejected); len(list) > 0 {
			b.Errorf("%d are listed all the same", len(list))
		}
	})
	run("a version is disabled, and it alone, and a second time is success", func(b *bed[store], port driver.Versions) {
		old, newer := put(b, "pat", "old", map[string]string{"team": "a"}), put(b, "pat", "new", nil)
		before := b.port.bed.Versions("pat")
		for range 2 {
			b.ok("Disable", port.Disable(b.Context(), "pat", old.Secret.Version))
		}
		before[0].Enabled = false
		for i, v := range b.port.bed.Versions("pat") {
			same(b, "Disable", v, before[i])
		}
		if r := read(b, "pat"); plain(r.Value) != "new" || r.Secret.Version != newer.Secret.Version {
			b.Error("the newest version is not what is read")
		}
		if v := all(b, port)[old.Secret.Version]; v.Enabled {
			b.Error("it is listed as enabled")
		}
	})
	run("no version named does not mean the newest, and what is not there is missing", func(b *bed[store], port driver.Versions) {
		put(b, "pat", "value", nil)
		b.kind("Disable", port.Disable(b.Context(), "pat", ""), driver.Missing)
		b.kind("Disable", port.Disable(b.Context(), "pat", "0123456789abcdef0123456789abcdef"), driver.Missing)
		if !b.port.bed.Versions("pat")[0].Enabled {
			b.Error("the newest version is disabled")
		}
	})
	for _, f := range []Fault{Lost, Cut, Unavailable} {
		run("to disable a version is ambiguous after "+f.String(), func(b *bed[store], port driver.Versions) {
			r, before := put(b, "pat", "value", nil), b.Sent("Update")
			b.Fault("Update", f, 1, 1)
			b.kind("Disable", port.Disable(b.Context(), "pat", r.Secret.Version), driver.Ambiguous)
			b.calls("Update", before, 1)
		})
	}
	run("who may only read disables nothing", func(b *bed[store], _ driver.Versions) {
		r := put(b, "pat", "value", nil)
		b.kind("Disable", b.port.bed.Reader.(driver.Versions).Disable(b.Context(), "pat", r.Secret.Version), driver.Denied)
	})
}
