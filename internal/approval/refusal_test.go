package approval_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/approval"
)

// file is a request's or a decision's, to be changed.
func (o *office) file(name string, change func(map[string]any)) {
	o.Helper()
	path := filepath.Join(o.folder, name)
	b, err := os.ReadFile(path)
	var v map[string]any
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		o.Fatal(err)
	}
	change(v)
	if b, err = json.Marshal(v); err != nil {
		o.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		o.Fatal(err)
	}
}

// TestADecisionThatDoesNotCountSaysWhy changes one thing of an approval that counts. What a signature says is in
// internal/simtest/approval.
func TestADecisionThatDoesNotCountSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		token func(o *office, claims map[string]any)
		after func(o *office, id string)
		want  string
	}{
		"for another application": {func(_ *office, c map[string]any) { c["aud"] = dana }, nil, "for another application"},
		"for two applications":    {func(_ *office, c map[string]any) { c["aud"] = []string{clientID, dana} }, nil, "for another application"},
		"of another tenant":       {func(_ *office, c map[string]any) { c["tid"] = dana }, nil, "of another tenant"},
		"of no tenant":            {func(_ *office, c map[string]any) { delete(c, "tid") }, nil, "of another tenant"},
		"with another nonce":      {func(_ *office, c map[string]any) { c["nonce"] = "x" }, nil, "not made for this request"},
		"without a nonce":         {func(_ *office, c map[string]any) { delete(c, "nonce") }, nil, "not made for this request"},
		"before it was asked for": {func(o *office, c map[string]any) { c["iat"] = o.now.Add(-time.Hour).Unix() }, nil, "before it was asked for"},
		"in the future":           {func(o *office, c map[string]any) { c["iat"] = o.now.Add(time.Hour).Unix() }, nil, "in the future"},
		"at no time":              {func(_ *office, c map[string]any) { delete(c, "iat") }, nil, "does not say when"},
		"by nobody":               {func(_ *office, c map[string]any) { delete(c, "oid") }, nil, "names no person"},
		"by the requester":        {func(_ *office, c map[string]any) { c["oid"] = strings.ToUpper(alex) }, nil, "nobody approves what they asked for"},
		"without the role":        {func(_ *office, c map[string]any) { delete(c, "roles") }, nil, "in none of the groups"},
		"with another role":       {func(_ *office, c map[string]any) { c["roles"] = []string{"Rekey.Reader"} }, nil, "in none of the groups"},
		"with a role as a number": {func(_ *office, c map[string]any) { c["roles"] = []any{7, "Rekey.Approver"} }, nil, "in none of the groups"},
		"with another word": {nil, func(o *office, id string) {
			o.file(id+".decision.json", func(d map[string]any) { d["decision"] = "deny" })
		}, "not made for this request"},
		"with another reason": {nil, func(o *office, id string) { o.file(id+".decision.json", func(d map[string]any) { d["reason"] = "x" }) }, "not made for this request"},
		"with another end": {nil, func(o *office, id string) {
			o.file(id+".decision.json", func(d map[string]any) { d["expires"] = "2027-01-01T00:00:00Z" })
		}, "does not end when its request does"},
		"with both ends moved": {nil, func(o *office, id string) {
			later := func(d map[string]any) { d["expires"] = "2026-11-23T17:31:00Z" }
			o.file(id+".json", later)
			o.file(id+".decision.json", later)
		}, "not made for this request"},
		"of another request": {nil, func(o *office, id string) {
			o.file(id+".decision.json", func(d map[string]any) { d["id"] = id[:9] + "00000000" })
		}, "for another request"},
		"of another intent": {nil, func(o *office, id string) {
			o.file(id+".decision.json", func(d map[string]any) { d["hash"] = strings.Repeat("0", 64) })
		}, "for another intent"},
		"with a member too many": {nil, func(o *office, id string) { o.file(id+".decision.json", func(d map[string]any) { d["x"] = 1 }) }, "not what Rekey writes"},
		"with half a token": {nil, func(o *office, id string) {
			o.file(id+".decision.json", func(d map[string]any) { d["token"] = "e30" + "!" })
		}, "it is no token"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			id := o.ask(o.request()).ID
			a, err := o.desk().Find(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			change := func(claims map[string]any) {
				if c.token != nil {
					c.token(o, claims)
				}
			}
			_, err = o.desk().Decide(t.Context(), a, approval.Approve, "change 4711", o.signs(dana, change))
			if c.token != nil {
				// It is refused at once, and nothing is kept: as a run would refuse it.
				if refusal := approval.RefusalOf(err); refusal == nil || !strings.Contains(refusal.Text, c.want) || len(o.files()) != 1 {
					t.Errorf("want %q, got %v and %q", c.want, err, o.files())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v := o.ask(o.request()); v.Outcome != approval.Allow {
				t.Fatalf("before it is changed: %+v", v)
			}
			c.after(o, id)
			v := o.ask(o.request())
			if v.Outcome != approval.Ask || v.ID != id || !strings.Contains(v.Why, c.want) {
				t.Errorf("want %q, got %+v", c.want, v)
			}
			if list, err := o.desk().List(t.Context()); err != nil || list[0].State != approval.Refused || !strings.Contains(list[0].Why, c.want) {
				t.Errorf("%+v %v", list, err)
			}
		})
	}
}

func TestAnEditedRequestAsksForNothing(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"its intent":             func(a map[string]any) { a["intent"].(map[string]any)["scope"] = "kv-other/secret" },
		"its hash":               func(a map[string]any) { a["hash"] = strings.Repeat("0", 64) },
		"its intent's version":   func(a map[string]any) { a["intent"].(map[string]any)["v"] = 2 },
		"a member of its intent": func(a map[string]any) { a["intent"].(map[string]any)["more"] = true },
		"its id":                 func(a map[string]any) { a["id"] = "00000000-00000000" },
		"its end before it":      func(a map[string]any) { a["expires"] = a["asked"] },
		"its form":               func(a map[string]any) { a["schema"] = "rekey.approval-request/2" },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			id := o.ask(o.request()).ID
			o.decides(id, approval.Approve)
			o.file(id+".json", change)
			if v := o.ask(o.request()); v.Outcome != approval.Ask || v.ID == id {
				t.Errorf("%+v", v)
			}
			if _, err := o.desk().Find(t.Context(), id); err == nil {
				t.Error("it is found")
			}
		})
	}
}

func TestARequestThatLivesForTooLongIsNotDecidedOn(t *testing.T) {
	o := newOffice(t)
	id := o.ask(o.request()).ID
	o.file(id+".json", func(a map[string]any) { a["expires"] = "2027-11-23T17:30:00Z" })
	a, err := o.desk().Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.desk().Decide(t.Context(), a, approval.Approve, "why", o.signs(dana, nil)); approval.RefusalOf(err) == nil || approval.RefusalOf(err).Code != "life" {
		t.Errorf("%v", err)
	}
	// Nor does it help if the approver's own program did not look.
	o.cfg.Life = 10_000 * time.Hour
	if _, err := o.desk().Decide(t.Context(), a, approval.Approve, "why", o.signs(dana, nil)); err != nil {
		t.Fatal(err)
	}
	o.cfg.Life = 8 * time.Hour
	if v := o.ask(o.request()); v.Outcome != approval.Ask || !strings.Contains(v.Why, "for longer after the sign-in than") {
		t.Errorf("%+v", v)
	}
}

func TestASignInThatOutlastsTheRequestDecidesNothing(t *testing.T) {
	o := newOffice(t)
	a, err := o.desk().Find(t.Context(), o.ask(o.request()).ID)
	if err != nil {
		t.Fatal(err)
	}
	slow := func(ctx context.Context, nonce string) (string, error) {
		token, err := o.signs(dana, nil)(ctx, nonce)
		o.now = a.Expires
		return token, err
	}
	if _, err := o.desk().Decide(t.Context(), a, approval.Approve, "why", slow); approval.RefusalOf(err) == nil || approval.RefusalOf(err).Code != "expired" || len(o.files()) != 1 {
		t.Errorf("%v", err)
	}
}

func TestWhoStartedAJobDoesNotApproveIt(t *testing.T) {
	o := newOffice(t)
	r := o.request()
	r.Requester = approval.Requester{CI: "github", Who: "repo:contoso/platform:ref:refs/heads/main", Actor: "octocat", Object: "eb2ab58c-d382-4db6-b2ab-33b55dd51529"}
	a, err := o.desk().Find(t.Context(), o.ask(r).ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.desk().Decide(t.Context(), a, approval.Approve, "why", o.signs(alex, nil)); approval.RefusalOf(err) == nil || approval.RefusalOf(err).Code != "requester" {
		t.Errorf("%v", err)
	}
	// Whoever asks now counts too, not only who asked first.
	o.decides(a.ID, approval.Approve)
	r.Requester = approval.Requester{Object: dana}
	if v := o.ask(r); v.Outcome != approval.Ask || !strings.Contains(v.Why, "nobody approves what they asked for") {
		t.Errorf("%+v", v)
	}
	// Whom the manifest does not know is said.
	r.Requester = approval.Requester{CI: "github", Who: "x", Actor: "hubot"}
	if v := o.ask(r); v.Outcome != approval.Allow {
		t.Errorf("%+v", v)
	}
	r.Scope += "2"
	if v := o.ask(r); !strings.Contains(v.Do, "does not say who hubot is") {
		t.Errorf("%+v", v)
	}
}

func TestTooManyGroupsAreRefusedWithAWayOut(t *testing.T) {
	o := newOffice(t)
	o.cfg.Approvers = approval.Approvers{Groups: []string{"33c8e2a0-27d2-4a50-9380-948a2bdb9b92"}}
	a, err := o.desk().Find(t.Context(), o.ask(o.request()).ID)
	if err != nil {
		t.Fatal(err)
	}
	over := func(claims map[string]any) {
		delete(claims, "roles")
		claims["_claim_names"] = map[string]string{"groups": "src1"}
	}
	_, err = o.desk().Decide(t.Context(), a, approval.Approve, "why", o.signs(dana, over))
	if r := approval.RefusalOf(err); r == nil || r.Code != "overage" || !strings.Contains(r.Text, "app role") {
		t.Errorf("%v", err)
	}
	in := func(claims map[string]any) {
		delete(claims, "roles")
		claims["groups"] = []string{"33C8E2A0-27D2-4A50-9380-948A2BDB9B92"}
	}
	if _, err := o.desk().Decide(t.Context(), a, approval.Approve, "why", o.signs(dana, in)); err != nil {
		t.Errorf("%v", err)
	}
}
