package approval_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/approval"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const (
	honestIntent = `{"consumers":["deploy"],"credentials":["devops-pat"],"duration":"720h0m0s","kinds":["issue","tell"],"manifest":"00","role":"","scope":"kv/secret","v":1}`
	honestEnd    = `"asked":"2026-11-23T09:30:00Z","expires":"2026-11-23T17:30:00Z","rule":"rest","words":"what: issue","requester":{"ci":"github","who":"repo:a/b:ref:c","claims":{"ref":"c"}}}`
)

// honestAsked is a request as it is written.
func honestAsked() string {
	i := approval.Intent{Consumers: []string{"deploy"}, Credentials: []string{"devops-pat"}, Duration: 720 * time.Hour, Kinds: []string{"issue", "tell"}, Manifest: "00", Scope: "kv/secret"}
	return `{"schema":"rekey.approval-request/1","id":"` + i.Hash()[:8] + `-0a1b2c3d","hash":"` + i.Hash() + `","intent":` + honestIntent + `,` + honestEnd
}

// FuzzAsked: what a folder or a container says that a request is.
func FuzzAsked(f *testing.F) {
	if _, err := approval.ParseAsked([]byte(honestAsked())); err != nil {
		f.Fatalf("the honest one: %v", err)
	}
	for _, b := range badinput.Broken(honestAsked()) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			a, err := approval.ParseAsked(b)
			if err != nil {
				return
			}
			if a.Means().Hash() != a.Hash || len(a.ID) != 17 || !a.Expires.After(a.Asked) {
				t.Errorf("%+v", a)
			}
			if _, err := json.Marshal(a); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
			_ = a.Text()
		})
	})
}

// FuzzDecision: what a folder or a container says that a decision is.
func FuzzDecision(f *testing.F) {
	for _, b := range badinput.Broken(`{"schema":"rekey.approval-decision/1","id":"15b8236c-0a1b2c3d","hash":"00","decision":"approve","reason":"why","expires":"2026-11-23T17:30:00Z","token":"a.b.c"}`) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			d, err := approval.ParseDecision(b)
			if err == nil && (d.Decision != approval.Approve && d.Decision != approval.Reject || d.Token == "" || len(d.ID) != 17) {
				t.Errorf("%+v", d)
			}
		})
	})
}

// FuzzCases: a table that a person wrote.
func FuzzCases(f *testing.F) {
	for _, s := range []string{"", "cases:\n  - name: a\n    request: {kinds: [issue], claims: {a: 1, b: [x]}}\n    want: allow\n", "cases: [", "cases: &a [*a]", "a: &a [1]\nb: [*a, *a]", "\t", "cases: {}", "- - - - -"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		cases, err := approval.ParseCases(b, time.Unix(0, 0))
		if err == nil && len(cases) == 0 {
			t.Error("a table of nothing")
		}
	})
}
