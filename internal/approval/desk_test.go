package approval_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/approval"
)

const (
	clientID = "2bfcc342-eb74-4427-832c-db82f28995f4"
	tenant   = "2546d48a-c31f-47d0-884b-283dcbb948c3"
	alex     = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
	dana     = "f1b037aa-0a89-40d5-9e68-8304d672b3e9"
)

// office is a desk on a folder, with a tenant that signs whatever claims it is shown: signatures are tried with real keys
// in internal/simtest/approval.
type office struct {
	*testing.T
	cfg    approval.Config
	folder string
	now    time.Time
	// down is why nothing can be verified.
	down error
}

func (o *office) Verify(_ context.Context, token string) (map[string]any, string, error) {
	if o.down != nil {
		return nil, "", o.down
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	var claims map[string]any
	if err != nil || json.Unmarshal(b, &claims) != nil {
		return nil, "", &approval.Refusal{Code: "malformed", Text: "it is no token"}
	}
	return claims, tenant, nil
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{T: t, folder: filepath.Join(t.TempDir(), "approvals"), now: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)}
	o.cfg = approval.Config{
		Policy: compile(t, rule("revocations", "kinds == ['revoke']", approval.Allow), rule("never", "'retire' in kinds", approval.Deny), rule("rest", "true", approval.Ask)),
		Box:    approval.Folder(o.folder), Verifier: o, ClientID: clientID, Approvers: approval.Approvers{Roles: []string{"Rekey.Approver"}}, Life: 8 * time.Hour,
		Actors: map[string]string{"octocat": alex}, Now: func() time.Time { return o.now },
	}
	return o
}

func (o *office) desk() *approval.Desk { return approval.NewDesk(o.cfg) }

func (o *office) request() approval.Request {
	return approval.Request{Intent: usual(), Reason: "it is due", Ticket: "CHG-4711", Requester: approval.Requester{Object: alex}}
}

func (o *office) ask(r approval.Request) approval.Verdict {
	o.Helper()
	v, err := o.desk().Ask(o.Context(), r)
	if err != nil {
		o.Fatal(err)
	}
	return v
}

// signs has a person sign in; change makes the token another one.
func (o *office) signs(person string, change func(claims map[string]any)) approval.SignIn {
	return func(_ context.Context, nonce string) (string, error) {
		claims := map[string]any{"aud": clientID, "tid": tenant, "oid": person, "preferred_username": person + "@contoso", "nonce": nonce, "roles": []string{"Rekey.Approver"}, "iat": o.now.Add(-5 * time.Minute).Unix()}
		if change != nil {
			change(claims)
		}
		b, err := json.Marshal(claims)
		return base64.RawURLEncoding.EncodeToString(b), err
	}
}

func (o *office) decides(id, word string) {
	o.Helper()
	a, err := o.desk().Find(o.Context(), id)
	if err != nil {
		o.Fatal(err)
	}
	if _, err := o.desk().Decide(o.Context(), a, word, "change 4711", o.signs(dana, nil)); err != nil {
		o.Fatal(err)
	}
}

func (o *office) files() (names []string) {
	o.Helper()
	names, err := approval.Folder(o.folder).List(o.Context(), "")
	if err != nil {
		o.Fatal(err)
	}
	return names
}

func TestWhatIsAskedForOnceIsFoundAgainAndGoesOnOnceItIsApproved(t *testing.T) {
	o := newOffice(t)
	first := o.ask(o.request())
	if first.Outcome != approval.Ask || first.ID == "" || !strings.HasPrefix(first.ID, usual().Hash()[:8]) || first.Rule != "rest" || !strings.Contains(first.Do, "rekey approve "+first.ID) {
		t.Fatalf("%+v", first)
	}
	o.now = o.now.Add(time.Hour)
	if second := o.ask(o.request()); second.ID != first.ID || len(o.files()) != 1 {
		t.Errorf("asked again: %+v, %q", second, o.files())
	}
	o.decides(first.ID, approval.Approve)
	v := o.ask(o.request())
	if v.Outcome != approval.Allow || v.Decided == nil || v.Decided.Object != dana || v.Decided.Reason != "change 4711" || !strings.Contains(v.Why, "change 4711") {
		t.Errorf("%+v", v)
	}
	// It counts until it expires, and then it is asked for anew.
	o.now = o.now.Add(7*time.Hour - time.Second)
	if v := o.ask(o.request()); v.Outcome != approval.Allow {
		t.Errorf("a second before its end: %+v", v)
	}
	o.now = o.now.Add(time.Second)
	if v := o.ask(o.request()); v.Outcome != approval.Ask || v.ID == first.ID {
		t.Errorf("at its end: %+v", v)
	}
}

func TestWhatADenialSaysIsSaidToWhoeverAsks(t *testing.T) {
	o := newOffice(t)
	id := o.ask(o.request()).ID
	o.decides(id, approval.Reject)
	if v := o.ask(o.request()); v.Outcome != approval.Deny || v.ID != id || !strings.Contains(v.Why, "denied by "+dana+"@contoso") || !strings.Contains(v.Why, "change 4711") {
		t.Errorf("%+v", v)
	}
}

func TestRulesAloneDecideWithoutAnybody(t *testing.T) {
	o := newOffice(t)
	for kind, want := range map[string]string{approval.Revoke: approval.Allow, approval.Retire: approval.Deny} {
		r := o.request()
		r.Kinds = []string{kind}
		if v := o.ask(r); v.Outcome != want || v.ID != "" || v.Decided != nil {
			t.Errorf("%s: %+v", kind, v)
		}
	}
	o.cfg.Box = nil
	if v := o.ask(o.request()); v.Outcome != approval.Deny {
		t.Errorf("nowhere to ask: %+v", v)
	}
	if len(o.files()) != 0 {
		t.Errorf("%q were written", o.files())
	}
}

func TestALookWritesNothing(t *testing.T) {
	o := newOffice(t)
	v, err := o.desk().Look(t.Context(), o.request())
	if err != nil || v.Outcome != approval.Ask || v.ID != "" || len(o.files()) != 0 {
		t.Errorf("%+v %v %q", v, err, o.files())
	}
}

func TestTextThatIsNoneIsDenied(t *testing.T) {
	o := newOffice(t)
	r := o.request()
	r.Scope = "a\xffb"
	if v := o.ask(r); v.Outcome != approval.Deny {
		t.Errorf("%+v", v)
	}
}

func TestWhatCannotBeVerifiedIsAnErrorAndNoRefusal(t *testing.T) {
	o := newOffice(t)
	o.decides(o.ask(o.request()).ID, approval.Approve)
	o.down = errors.New("no connection")
	if v, err := o.desk().Ask(t.Context(), o.request()); !errors.Is(err, o.down) || v.Outcome != "" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestTheFirstOfTwoDecisionsCounts(t *testing.T) {
	o := newOffice(t)
	a, err := o.desk().Find(t.Context(), o.ask(o.request()).ID)
	if err != nil {
		t.Fatal(err)
	}
	meanwhile := func(ctx context.Context, nonce string) (string, error) {
		o.decides(a.ID, approval.Reject)
		return o.signs(dana, nil)(ctx, nonce)
	}
	if _, err := o.desk().Decide(t.Context(), a, approval.Approve, "late", meanwhile); err == nil || !strings.Contains(err.Error(), "somebody else has decided") {
		t.Errorf("%v", err)
	}
	if _, err := o.desk().Find(t.Context(), a.ID); err == nil || !strings.Contains(err.Error(), "denied already") {
		t.Errorf("%v", err)
	}
	if v := o.ask(o.request()); v.Outcome != approval.Deny {
		t.Errorf("%+v", v)
	}
}

func TestARuleMayNarrowDownWhoApproves(t *testing.T) {
	o := newOffice(t)
	narrow := rule("rest", "true", approval.Ask)
	narrow.Approvers = &approval.Approvers{Groups: []string{"33c8e2a0-27d2-4a50-9380-948a2bdb9b92"}}
	id := o.ask(o.request()).ID
	o.decides(id, approval.Approve)
	o.cfg.Policy = compile(t, narrow)
	if v := o.ask(o.request()); v.Outcome != approval.Ask || !strings.Contains(v.Why, "in none of the groups") {
		t.Errorf("%+v", v)
	}
}

func TestWhatLiesInTheFolderBesideIsPassedOver(t *testing.T) {
	o := newOffice(t)
	id := o.ask(o.request()).ID
	for name, text := range map[string]string{
		"README.json": "{}", usual().Hash()[:8] + "-00000000.json": "{}", usual().Hash()[:8] + "-00000001.json": strings.Repeat("x", 300<<10), ".new-123": "half",
	} {
		if err := os.WriteFile(filepath.Join(o.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v := o.ask(o.request()); v.ID != id {
		t.Errorf("%+v", v)
	}
	if list, err := o.desk().List(t.Context()); err != nil || len(list) != 1 || list[0].State != approval.Waiting {
		t.Errorf("%+v %v", list, err)
	}
}

func TestARequestIsFoundByTheBeginOfItsID(t *testing.T) {
	o := newOffice(t)
	id := o.ask(o.request()).ID
	if a, err := o.desk().Find(t.Context(), id[:6]); err != nil || a.ID != id {
		t.Errorf("%v", err)
	}
	for _, wrong := range []string{"", "zzz", "../" + id} {
		if _, err := o.desk().Find(t.Context(), wrong); err == nil {
			t.Errorf("%q is found", wrong)
		}
	}
}

func TestTheTextOfARequestIsThatOfItsIntent(t *testing.T) {
	o := newOffice(t)
	id := o.ask(o.request()).ID
	name := filepath.Join(o.folder, id+".json")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(b), "what: issue, tell devops-pat, shop", "what: nothing at all", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := o.desk().Find(t.Context(), id)
	if err != nil || !strings.Contains(a.Words, "nothing at all") || strings.Contains(a.Text(), "nothing at all") || !strings.Contains(a.Text(), "issue, tell devops-pat, shop as Key Vault Secrets Officer") {
		t.Errorf("%v\n%s", err, a.Text())
	}
}

func TestAReasonCannotLookLikeAnotherLine(t *testing.T) {
	o := newOffice(t)
	r := o.request()
	r.Reason = "it is due\nscope: something harmless\r\u2028what: nothing"
	r.Claims = map[string]any{"ref": "a\nwhat: nothing"}
	a, err := o.desk().Find(t.Context(), o.ask(r).ID)
	if err != nil || strings.Count("\n"+a.Text(), "\nscope: ") != 1 || strings.Count("\n"+a.Text(), "\nwhat: ") != 1 || strings.Contains(a.Text(), "\u2028") {
		t.Errorf("%v\n%s", err, a.Text())
	}
}

func TestAFolderTakesANameOnce(t *testing.T) {
	f := approval.Folder(filepath.Join(t.TempDir(), "deep", "folder"))
	ctx := t.Context()
	if names, err := f.List(ctx, ""); err != nil || len(names) != 0 {
		t.Errorf("%q %v", names, err)
	}
	if _, err := f.Read(ctx, "a"); !errors.Is(err, approval.ErrNotThere) {
		t.Errorf("%v", err)
	}
	if err := f.Create(ctx, "a", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := f.Create(ctx, "a", []byte("two")); !errors.Is(err, approval.ErrThere) {
		t.Errorf("%v", err)
	}
	b, err := f.Read(ctx, "a")
	if names, lerr := f.List(ctx, ""); string(b) != "one" || err != nil || len(names) != 1 || lerr != nil {
		t.Errorf("%s %v %q %v", b, err, names, lerr)
	}
	if entries, err := os.ReadDir(string(f)); err != nil || len(entries) != 1 {
		t.Errorf("%d files are left (%v)", len(entries), err)
	}
}
