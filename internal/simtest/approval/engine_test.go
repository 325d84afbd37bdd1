package approval_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// lines is a ledger in memory.
type lines []ledger.Entry

func (l *lines) Append(e ledger.Entry) error {
	*l = append(*l, e)
	return nil
}

// told makes the manifest's credential one that is copied to another vault.
func told(src string) string {
	src = strings.Replace(src, "vaults: {prod: {name: kv-pat-prod}}", "vaults: {prod: {name: kv-pat-prod}, apps: {name: kv-apps}}", 1)
	return strings.Replace(src, "overlap: 1d}", "overlap: 1d, consumers: {apps: {copy: {vault: apps, secret: salt}}}}", 1)
}

// run runs the manifest's credential with an answer to every question, and gives what was asked.
func (b *bed) run(command rotation.Command, plan bool, answer func(engine.Wanted) (engine.Consent, error)) (asked []engine.Wanted, effects lines, r engine.Result) {
	b.Helper()
	creds, err := b.app.Credentials()
	if err != nil {
		b.Fatal(err)
	}
	creds[0].Spec.Command = command
	e := engine.New(engine.Config{Ledger: &effects, Parallel: 1, Approve: func(_ context.Context, w engine.Wanted) (engine.Consent, error) {
		asked = append(asked, w)
		return answer(w)
	}})
	if plan {
		return asked, effects, e.Plan(b.Context(), creds)[0]
	}
	results := e.Run(b.Context(), creds)
	return asked, effects, results[0]
}

func yes(engine.Wanted) (engine.Consent, error) { return engine.Consent{Given: true}, nil }

// did are the effects that changed something.
func did(l lines) (out []string) {
	for _, e := range l {
		if e.Phase == ledger.Done {
			out = append(out, e.Effect)
		}
	}
	return out
}

func kinds(asked []engine.Wanted) (out []string) {
	for _, w := range asked {
		out = append(out, strings.Join(w.Kinds, "+"))
	}
	return out
}

func TestAPassAsksOnceForAllThatFollowsFromItsDecision(t *testing.T) {
	b := newBed(t, told)
	asked, effects, r := b.run(rotation.Converge, false, yes)
	if r.Err != nil || !slices.Equal(kinds(asked), []string{"issue+tell"}) || asked[0].Plan || asked[0].Compromised || !slices.Contains(did(effects), "tell") {
		t.Fatalf("%v: asked %q, did %q", r.Err, kinds(asked), did(effects))
	}
	// A run with nothing to do asks nothing.
	if asked, _, r := b.run(rotation.Converge, false, yes); len(asked) != 0 || r.Decision.Kind != rotation.Done {
		t.Errorf("%+v: asked %q", r.Decision, kinds(asked))
	}
	// What has had its overlap is a matter of its own.
	if asked, _, _ := b.run(rotation.Rotate, false, yes); !slices.Equal(kinds(asked), []string{"issue+tell"}) {
		t.Errorf("asked %q", kinds(asked))
	}
	b.s.World().Advance(25 * time.Hour)
	if asked, effects, r := b.run(rotation.Converge, false, yes); !slices.Equal(kinds(asked), []string{"revoke"}) || !slices.Contains(did(effects), "revoke") {
		t.Errorf("%+v: asked %q, did %q", r.Decision, kinds(asked), did(effects))
	}
	// So is a value that is revoked at once, which one answer covers.
	asked, effects, _ = b.run(rotation.Compromised, false, yes)
	if !slices.Equal(kinds(asked), []string{"issue+revoke+tell"}) || !asked[0].Compromised || !slices.Contains(did(effects), "revoke") {
		t.Errorf("asked %q, did %q", kinds(asked), did(effects))
	}
	if asked, _, _ = b.run(rotation.Retire, false, yes); !slices.Equal(kinds(asked), []string{"retire"}) {
		t.Errorf("asked %q", kinds(asked))
	}
}

func TestWithoutConsentNothingIsDone(t *testing.T) {
	b := newBed(t, told)
	no := func(engine.Wanted) (engine.Consent, error) {
		return engine.Consent{Code: "approval", Why: "somebody must", Do: "have somebody"}, nil
	}
	_, effects, r := b.run(rotation.Converge, false, no)
	if r.Err != nil || r.Decision.Kind != rotation.Hold || r.Decision.Code != "approval" || !strings.Contains(r.Decision.Why, "somebody must") || r.Decision.Do != "have somebody" || len(effects) != 0 {
		t.Errorf("%v %+v, did %q", r.Err, r.Decision, did(effects))
	}
	broken := errors.New("nobody knows")
	_, effects, r = b.run(rotation.Converge, false, func(engine.Wanted) (engine.Consent, error) { return engine.Consent{}, broken })
	if !errors.Is(r.Err, broken) || len(effects) != 0 {
		t.Errorf("%v, did %q", r.Err, did(effects))
	}
	asked, effects, r := b.run(rotation.Converge, true, no)
	if r.Err != nil || len(asked) != 1 || !asked[0].Plan || len(effects) != 0 || r.Decision.Kind != rotation.Act ||
		!slices.ContainsFunc(r.Decision.Notes, func(n rotation.Note) bool { return n.Text == "needs approval: somebody must" }) {
		t.Errorf("%v %+v: asked %d", r.Err, r.Decision, len(asked))
	}
	w := b.s.World()
	w.Lock()
	defer w.Unlock()
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if x.Name == "salt" {
				t.Errorf("there is a secret in %s", v.Name)
			}
		}
	}
}

func TestWhatAnAnswerDoesNotCoverIsAskedForAgain(t *testing.T) {
	b := newBed(t, told)
	if _, _, r := b.run(rotation.Converge, false, yes); r.Err != nil {
		t.Fatal(r.Err)
	}
	b.s.World().Advance(time.Hour)
	noRevoke := func(w engine.Wanted) (engine.Consent, error) {
		return engine.Consent{Given: w.Kinds[0] != "revoke", Code: "approval", Why: "no"}, nil
	}
	if asked, effects, _ := b.run(rotation.Rotate, false, noRevoke); !slices.Equal(kinds(asked), []string{"issue+tell"}) || !slices.Contains(did(effects), "tell") {
		t.Errorf("asked %q, did %q", kinds(asked), did(effects))
	}
	// Past the overlap, the end of what was before is not covered by that: it is asked for, and denied.
	b.s.World().Advance(25 * time.Hour)
	asked, effects, r := b.run(rotation.Converge, false, noRevoke)
	if !slices.Equal(kinds(asked), []string{"revoke"}) || r.Decision.Code != "approval" || slices.Contains(did(effects), "revoke") {
		t.Errorf("%+v: asked %q, did %q", r.Decision, kinds(asked), did(effects))
	}
}
