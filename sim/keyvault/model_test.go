package keyvault

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// model is what a vault with one client should be, kept in the simplest way that can be right.
type model struct {
	live    map[string][]modelVersion
	deleted map[string][]modelVersion
	until   map[string]time.Time // when a deleted one is purged by the service
}

type modelVersion struct {
	id, value, tags string
	disabled        bool
}

// TestRandomOperationsAgreeWithASmallModel replays random operations on a few names and holds every status, and what
// is there after each, to the model.
func TestRandomOperationsAgreeWithASmallModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { replay(t, seed) })
	}
}

func replay(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := newBench(t)
	m := model{live: map[string][]modelVersion{}, deleted: map[string][]modelVersion{}, until: map[string]time.Time{}}
	now := b.w.Now()
	for step := range 200 {
		name := []string{"a", "b-1", "Cc"}[rng.IntN(3)]
		as := []string{name, strings.ToUpper(name), strings.ToLower(name)}[rng.IntN(3)]
		isLive, isDeleted := m.live[name] != nil, m.deleted[name] != nil
		var what string
		var got reply
		want := 200
		switch rng.IntN(8) {
		case 0, 1:
			v := modelVersion{value: fmt.Sprintf("value-%d", step), tags: fmt.Sprintf("map[step:%d]", step), disabled: rng.IntN(4) == 0}
			what = "set"
			if !isLive {
				as = name
			}
			got = b.do("officer", "PUT", "/secrets/"+as, fmt.Sprintf(`{"value":%q,"tags":{"step":"%d"},"attributes":{"enabled":%v}}`, v.value, step, !v.disabled))
			if isDeleted {
				want = 409
			} else if id, ok := got.m["id"].(string); ok {
				v.id = id
				m.live[name] = append(m.live[name], v)
			}
		case 2:
			what = "patch"
			got = b.do("officer", "PATCH", "/secrets/"+as, fmt.Sprintf(`{"tags":{"patched":"%d"},"attributes":{"enabled":true}}`, step))
			if !isLive {
				want = 404
			} else {
				v := &m.live[name][len(m.live[name])-1]
				v.tags, v.disabled = fmt.Sprintf("map[patched:%d]", step), false
			}
		case 3:
			what = "delete"
			got = b.do("officer", "DELETE", "/secrets/"+as, "")
			if !isLive {
				want = 404
			} else {
				m.deleted[name], m.until[name] = m.live[name], now.Add(7*day)
				delete(m.live, name)
			}
		case 4:
			what = "recover"
			got = b.do("officer", "POST", "/deletedsecrets/"+as+"/recover", "")
			switch {
			case isLive:
				want = 400
			case !isDeleted:
				want = 404
			default:
				m.live[name] = m.deleted[name]
				delete(m.deleted, name)
			}
		case 5:
			what = "purge"
			got = b.do("officer", "DELETE", "/deletedsecrets/"+as, "")
			switch {
			case isLive:
				want = 400
			case !isDeleted:
				want = 404
			default:
				want = 204
				delete(m.deleted, name)
			}
		case 6:
			what = "restore of a backup"
			r := b.do("officer", "POST", "/secrets/"+as+"/backup", "")
			if !isLive {
				got, want = r, 404
			} else {
				got, want = b.do("officer", "POST", "/secrets/restore", fmt.Sprintf(`{"value":%q}`, r.m["value"])), 409
			}
		case 7:
			what = "wait"
			got.status = 200
			d := time.Duration(rng.IntN(int(2 * day)))
			b.w.Advance(d)
			now = now.Add(d)
			b.principal("officer", "", "")
			for n, at := range m.until {
				if m.deleted[n] != nil && !now.Before(at) {
					delete(m.deleted, n)
				}
			}
		}
		if got.status != want {
			t.Fatalf("step %d: %s of %s: %d %s, want %d", step, what, as, got.status, got.text, want)
		}
		m.compare(t, b, fmt.Sprintf("step %d: after %s of %s", step, what, as))
	}
}

func (m model) compare(t *testing.T, b *bench, when string) {
	t.Helper()
	for path, want := range map[string]map[string][]modelVersion{"/secrets": m.live, "/deletedsecrets": m.deleted} {
		items, _ := b.walk(path + "?api-version=7.4&maxresults=2")
		got := names(items)
		if !slices.Equal(got, slices.SortedFunc(maps.Keys(want), func(x, y string) int { return strings.Compare(strings.ToLower(x), strings.ToLower(y)) })) {
			t.Fatalf("%s: %s has %v, want %v", when, path, got, want)
		}
	}
	for name, versions := range m.live {
		newest := versions[len(versions)-1]
		r := b.do("officer", "GET", "/secrets/"+name, "")
		if newest.disabled {
			r.refused(t, 403, "Forbidden", "SecretDisabled")
		} else if r.m["id"] != newest.id || r.m["value"] != newest.value || fmt.Sprint(r.m["tags"]) != newest.tags {
			t.Fatalf("%s: %s, want %+v", when, r.text, newest)
		}
		if items, _ := b.walk("/secrets/" + name + "/versions?api-version=7.4"); len(items) != len(versions) {
			t.Fatalf("%s: %d versions of %s, want %d", when, len(items), name, len(versions))
		}
	}
}
