package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/rotation"
)

func TestWhatBeginsWhen(t *testing.T) {
	for _, c := range []struct {
		name, creds, want string
	}{
		{"nothing depends on anything", "a b c", "a b c"},
		{"what comes first is later in the manifest", "a:c b c", "b c a"},
		{"a row, backwards", "a:b b:c c:d d", "d c b a"},
		{"two ways to one", "a:b,c b:d c:d d", "d b c a"},
		{"what is not in this run", "a:x b", "a b"},
		{"a circle, which no manifest has", "a:b b:a", "b a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var creds []Credential
			for _, s := range strings.Fields(c.creds) {
				name, after, _ := strings.Cut(s, ":")
				x := Credential{Spec: rotation.Spec{Name: rotation.CredentialID(name)}}
				for _, a := range strings.FieldsFunc(after, func(r rune) bool { return r == ',' }) {
					x.After = append(x.After, rotation.CredentialID(a))
				}
				creds = append(creds, x)
			}
			units, order := arrange(creds)
			var got []string
			for _, u := range order {
				got = append(got, string(u.Spec.Name))
			}
			if len(units) != len(creds) || strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatIsStoppedByWhatItDependsOn(t *testing.T) {
	for _, c := range []struct {
		name    string
		results []Result
		enabled bool
		want    bool
	}{
		{"done", []Result{{Decision: rotation.Decision{Kind: rotation.Done}}}, true, false},
		{"waiting for an overlap", []Result{{Decision: rotation.Decision{Kind: rotation.Wait, Code: "overlap"}}}, true, false},
		{"failed", []Result{{Err: errors.New("no")}}, true, true},
		{"held", []Result{{Decision: rotation.Decision{Kind: rotation.Hold}}}, true, true},
		{"one of many held", []Result{{}, {Decision: rotation.Decision{Kind: rotation.Hold}}}, true, true},
		{"itself stopped", []Result{{Decision: rotation.Decision{Kind: rotation.Wait, Code: "depends"}}}, true, true},
		{"failed, but this one is disabled", []Result{{Err: errors.New("no")}}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &unit{Credential: &Credential{Spec: rotation.Spec{Enabled: c.enabled}}, after: []*unit{{Credential: &Credential{}, results: c.results}}}
			if d, stopped := u.stopped(); stopped != c.want || stopped && d.Kind != rotation.Wait {
				t.Errorf("stopped: %v %+v", stopped, d)
			}
		})
	}
}
