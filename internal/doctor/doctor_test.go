package doctor

import (
	"slices"
	"strings"
	"testing"
)

const (
	vaultID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
	officer = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
)

var (
	worker = Identity{Name: "worker", ID: "11111111-0000-4000-8000-000000000001", Kind: "ServicePrincipal"}
	broker = Identity{Name: "production", ID: "22222222-0000-4000-8000-000000000002", Kind: "ServicePrincipal"}

	metadata = Abilities{Metadata: true}
	writes   = Abilities{Metadata: true, Read: true, Write: true}
	assigns  = Abilities{Assign: true}
)

func has(p Identity, role string, a Abilities, change ...func(*Holder)) Holder {
	h := Holder{Principal: p.ID, Kind: p.Kind, Role: role, Scope: vaultID, Assignment: "ID-OF-" + role, Abilities: a}
	for _, f := range change {
		f(&h)
	}
	return h
}

func conditioned(text string) func(*Holder) { return func(h *Holder) { h.Condition = text } }

func TestWhatIsFound(t *testing.T) {
	other := Identity{Name: "x", ID: "33333333-0000-4000-8000-000000000003", Kind: "User"}
	sound := Condition(officer, worker.ID)
	for name, c := range map[string]struct {
		change  func(*Vault)
		holders []Holder
		want    []string // level and words of what is found, in order
	}{
		"as it should be": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound))},
			[]string{"ok nothing is missing"}},
		"a worker that cannot list": {nil, []Holder{has(broker, "KVDAA", assigns, conditioned(sound))},
			[]string{"bad it cannot list the secrets | az role assignment create --role 'Key Vault Reader' --assignee-object-id " + worker.ID}},
		"a role for good that is taken for the work": {nil, []Holder{has(worker, "Officer", writes), has(broker, "KVDAA", assigns, conditioned(sound))},
			[]string{"warn it has Officer for good, where the manifest takes | az role assignment delete --ids ID-OF-Officer"}},
		"a role that a run has by now": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(worker, "Officer", writes, func(h *Holder) { h.Timed = true }), has(broker, "KVDAA", assigns, conditioned(sound))},
			[]string{"ok nothing", "note a run has Officer by now"}},
		"a worker that may do everything": {nil, []Holder{has(worker, "Owner", Abilities{Metadata: true, Assign: true, Manage: true}), has(broker, "KVDAA", assigns, conditioned(sound))},
			[]string{"warn it has Owner for good, and so can give roles to others, change the vault"}},
		"a broker without a condition": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns)},
			[]string{"warn it has KVDAA without a condition | ForAnyOfAnyValues:GuidEquals {" + officer + "}"}},
		"a broker whose condition names somebody else": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(Condition(officer, other.ID)))},
			[]string{"warn the condition of its KVDAA does not name"}},
		"a broker that reads values itself": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound)), has(broker, "User", Abilities{Read: true})},
			[]string{"bad it has User, and so can read values itself"}},
		"a broker that cannot": {nil, []Holder{has(worker, "Key Vault Reader", metadata)},
			[]string{"bad it cannot give Key Vault Secrets Officer | --condition-version 2.0"}},
		"a broker that may only activate it": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound), func(h *Holder) { h.Eligible = true })},
			[]string{"bad it cannot give"}},
		"without elevation": {func(v *Vault) { v.Elevated = false }, []Holder{has(worker, "Officer", writes)},
			[]string{"ok nothing", "note it can read and write secrets for good"}},
		"without elevation, and without a role": {func(v *Vault) { v.Elevated = false }, []Holder{has(worker, "Key Vault Reader", metadata)},
			[]string{"bad it cannot read and write secrets | --role 'Key Vault Secrets Officer'"}},
		"a role above the vault": {func(v *Vault) { v.Elevated = false }, []Holder{has(worker, "Officer", writes, func(h *Holder) { h.Scope = "/subscriptions/s" })},
			[]string{"warn it has Officer at /subscriptions/s, and so in every vault there", "note it can read"}},
		"others": {nil, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound)), has(other, "User", Abilities{Read: true}), has(other, "Reader", metadata), has(other, "Owner", Abilities{Assign: true}, func(h *Holder) { h.Eligible, h.Scope = true, "/subscriptions/s" })},
			[]string{"ok nothing", "note user " + other.ID + " has User, and so can read values", "note user " + other.ID + " may activate Owner at /subscriptions/s, and so can give roles"}},
		"an open vault": {func(v *Vault) { v.AccessPolicies, v.PurgeProtection, v.Public = true, false, true }, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound))},
			[]string{"bad its permissions are access policies | --enable-rbac-authorization true", "warn it has no purge protection | --enable-purge-protection true", "note it can be reached from everywhere"}},
		"a vault that cannot be seen":      {func(v *Vault) { v.Failed = "denied" }, nil, []string{"bad it could not be looked at: denied"}},
		"settings that cannot be seen":     {func(v *Vault) { v.Closed, v.PurgeProtection = "denied", false }, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound))}, []string{"ok nothing", "note how it is set up could not be seen | --role 'Reader'"}},
		"eligible roles cannot be seen":    {func(v *Vault) { v.Unseen = "denied" }, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(sound))}, []string{"ok nothing", "note who may activate a role there could not be seen: denied"}},
		"an identity that is told already": {func(v *Vault) {}, []Holder{has(worker, "Key Vault Reader", metadata), has(broker, "KVDAA", assigns, conditioned(strings.ToUpper(sound)))}, []string{"ok nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := Vault{Name: "prod", ID: vaultID, PurgeProtection: true, Elevated: true, Broker: "production", Role: "Key Vault Secrets Officer", RoleID: officer, Holders: c.holders}
			if c.change != nil {
				c.change(&v)
			}
			var brokers []Identity
			if v.Elevated {
				brokers = append(brokers, broker)
			}
			got := Judge(v, worker, brokers)
			if len(got) != len(c.want) {
				t.Fatalf("%d findings, want %d: %+v", len(got), len(c.want), got)
			}
			for i, want := range c.want {
				level, words, _ := strings.Cut(want, " ")
				says, mend, _ := strings.Cut(words, " | ")
				if f := got[i]; string(f.Level) != level || !strings.Contains(f.Says, says) || !strings.Contains(f.Mend, mend) {
					t.Errorf("%d is %+v, want %s", i, f, want)
				}
			}
		})
	}
}

func TestAnIdentityThatIsNotSignedInIsNotJudged(t *testing.T) {
	v := Vault{Name: "prod", ID: vaultID, PurgeProtection: true, Elevated: true, Role: "Key Vault Secrets Officer", RoleID: officer}
	got := Judge(v, Identity{Name: "worker", Failed: "no"}, []Identity{{Name: "production", Failed: "no"}})
	if slices.ContainsFunc(got, func(f Finding) bool { return f.Level == Bad }) {
		t.Errorf("%+v", got)
	}
}
