package approval_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/approval"
	"github.com/rekeyhq/rekey/sim/world"
)

// token changes the token of a decision.
func token(change func(b *bed, header, claims map[string]any) string) func(*bed) {
	return func(b *bed) {
		b.decision(func(d map[string]any) {
			header, claims := claims(d["token"].(string))
			d["token"] = change(b, header, claims)
		})
	}
}

func TestADecisionCountsOnlyIfTheTenantSignedExactlyThat(t *testing.T) {
	for name, c := range map[string]struct {
		after func(b *bed)
		want  string // "": it counts
	}{
		"as it was made": {func(*bed) {}, ""},
		"edited: its token's claims": {token(func(_ *bed, h, c map[string]any) string {
			c["oid"] = "00000000-0000-4000-8000-000000000001"
			return unsigned(h, c) + ".c2ln"
		}), "its signature is not that of its issuer's key"},
		"self-made, with a key of one's own": {token(func(_ *bed, h, c map[string]any) string { return byOwnKey(h, c) }), "its signature is not that of its issuer's key"},
		"self-made, with a key of another name": {token(func(_ *bed, h, c map[string]any) string {
			h["kid"] = "mine"
			return byOwnKey(h, c)
		}), "a key that its issuer does not publish"},
		"self-made, with the public key as a secret": {token(func(b *bed, h, c map[string]any) string { return b.byHMAC(h, c) }), "an algorithm that does not count"},
		"self-made, with no signature": {token(func(_ *bed, h, c map[string]any) string {
			h["alg"] = "none"
			return unsigned(h, c) + "."
		}), "an algorithm that does not count"},
		"replayed from another request": {func(b *bed) {
			b.decision(func(d map[string]any) { d["id"] = b.waits().ID[:9] + "00000000" })
		}, "made for another request"},
		"another word": {func(b *bed) { b.decision(func(d map[string]any) { d["decision"] = approval.Reject }) }, "not made for this request, this word"},
		"for another application": {func(b *bed) {
			b.reopen(replaced("2bfcc342-eb74-4427-832c-db82f28995f4", "032af216-446e-4fb2-8dac-c20c0a93b12b"))
		}, "it is for another audience"},
		"of somebody who may no longer": {func(b *bed) { b.reopen(replaced("Rekey.Approver", "Rekey.Owner")) }, "has none of the roles"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			if c := b.asks(b.wanted()); c.Given || c.Code != "approval" {
				t.Fatalf("%+v", c)
			}
			if err := b.decides("dana", approval.Approve); err != nil {
				t.Fatal(err)
			}
			digest := b.app
			c.after(b)
			got := b.asks(b.wanted())
			if b.app != digest {
				// The manifest is another one, and so is the intent; what it says of the decision is in the list.
				desk, err := b.app.Desk()
				if err != nil {
					t.Fatal(err)
				}
				list, err := desk.List(t.Context())
				i := slices.IndexFunc(list, func(e approval.Entry) bool { return e.State == approval.Refused })
				if err != nil || i < 0 || !strings.Contains(list[i].Why, c.want) || got.Given {
					t.Errorf("want %q, got %+v %v", c.want, list, err)
				}
				return
			}
			if got.Given != (c.want == "") || !strings.Contains(got.Why, c.want) {
				t.Errorf("want %q, got %+v", c.want, got)
			}
		})
	}
}

func replaced(old, new string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, old, new) }
}

func TestAnotherIntentIsNotApproved(t *testing.T) {
	b := newBed(t, nil)
	b.asks(b.wanted())
	if err := b.decides("dana", approval.Approve); err != nil {
		t.Fatal(err)
	}
	if c := b.asks(b.wanted()); !c.Given {
		t.Fatalf("%+v", c)
	}
	other := b.wanted()
	other.Kinds = []string{"issue", "revoke"}
	if c := b.asks(other); c.Given {
		t.Errorf("%+v", c)
	}
	b.reopen(func(s string) string { return s + "# one line more\n" })
	if c := b.asks(b.wanted()); c.Given {
		t.Errorf("with another manifest: %+v", c)
	}
}

func TestWhoMayNotDecideIsToldAndNothingIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		person   string
		world    func(w *world.World)
		manifest func(string) string
		want     string
	}{
		"without the role":  {"svc-mfa", nil, nil, "has none of the roles"},
		"without the group": {"alex", nil, replaced("roles: [Rekey.Approver]", "groups: ["+world.GroupAdministrators+"]"), "in none of the groups"},
		"in too many groups": {"dana", func(w *world.World) {
			for range 200 {
				w.Groups = append(w.Groups, &world.Group{ID: w.NewID(), TenantID: world.TenantID, Name: "one more", Members: []string{userID(w, "dana")}})
			}
		}, replaced("roles: [Rekey.Approver]", "groups: ["+world.GroupAdministrators+"]"), "give them an app role"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, c.manifest)
			if c.world != nil {
				w := b.s.World()
				w.Lock()
				c.world(w)
				w.Unlock()
			}
			b.asks(b.wanted())
			err := b.decides(c.person, approval.Approve)
			if approval.RefusalOf(err) == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
			if got := b.asks(b.wanted()); got.Given || got.Code != "approval" {
				t.Errorf("%+v", got)
			}
		})
	}
	// In a group, and not in too many, dana may.
	b := newBed(t, replaced("roles: [Rekey.Approver]", "groups: ["+world.GroupAdministrators+"]"))
	b.asks(b.wanted())
	if err := b.decides("dana", approval.Approve); err != nil {
		t.Error(err)
	}
}

func userID(w *world.World, name string) string {
	for _, u := range w.Users {
		if strings.HasPrefix(u.UPN, name+"@") {
			return u.ID
		}
	}
	return ""
}

func TestADecisionOfAnotherTenantDoesNotCount(t *testing.T) {
	b := newBed(t, nil)
	b.asks(b.wanted())
	if err := b.decides("dana", approval.Approve); err != nil {
		t.Fatal(err)
	}
	// The manifest's tenant is another one now, whose keys are the same in the simulator; the token's is not.
	w := b.s.World()
	w.Lock()
	w.Tenants = append(w.Tenants, &world.Tenant{ID: "9b1d6c1e-3c52-4f0a-a1b2-c3d4e5f60718", Domain: "fabrikam.onmicrosoft.com", Name: "Fabrikam"})
	w.Unlock()
	b.reopen(replaced("contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com"))
	desk, err := b.app.Desk()
	if err != nil {
		t.Fatal(err)
	}
	list, err := desk.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != approval.Refused || !strings.Contains(list[0].Why, "it is of another issuer") {
		t.Errorf("%+v %v", list, err)
	}
}

func TestADeniedOneSaysWhoAndWhy(t *testing.T) {
	b := newBed(t, nil)
	b.asks(b.wanted())
	if err := b.decides("dana", approval.Reject); err != nil {
		t.Fatal(err)
	}
	if c := b.asks(b.wanted()); c.Given || c.Code != "refused" || !strings.Contains(c.Why, "denied by dana@contoso.onmicrosoft.com") || !strings.Contains(c.Why, "change 4711") {
		t.Errorf("%+v", c)
	}
}

func TestRequestsLieInAContainerAsInAFolder(t *testing.T) {
	b := newBed(t, replaced("folder: approvals", "blob: https://"+world.LedgerAccount+".blob.core.windows.net/"+world.LedgerContainer))
	if c := b.asks(b.wanted()); c.Given {
		t.Fatalf("%+v", c)
	}
	again := b.asks(b.wanted())
	if again.Given || !strings.Contains(again.Why, b.waits().ID) {
		t.Fatalf("%+v", again)
	}
	if err := b.decides("dana", approval.Approve); err != nil {
		t.Fatal(err)
	}
	b.reopen(replaced("folder: approvals", "blob: https://"+world.LedgerAccount+".blob.core.windows.net/"+world.LedgerContainer))
	if c := b.asks(b.wanted()); !c.Given {
		t.Errorf("%+v", c)
	}
}
