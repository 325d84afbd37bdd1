package approval_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"github.com/rekeyhq/rekey/internal/approval"
)

// usual is an intent with something in each of its members.
func usual() approval.Intent {
	return approval.Intent{
		Credentials: []string{"devops-pat", "shop"}, Kinds: []string{approval.Issue, approval.Tell}, Role: "Key Vault Secrets Officer",
		Scope: "kv-pat-prod.vault.azure.net/devops-pat-token", Duration: 30 * 24 * time.Hour, Consumers: []string{"deploy", "feed"},
		Manifest: "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4",
	}
}

func TestTheCanonicalIntentNeverChanges(t *testing.T) {
	const want = `{"consumers":["deploy","feed"],"credentials":["devops-pat","shop"],"duration":"720h0m0s","kinds":["issue","tell"],` +
		`"manifest":"8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4","role":"Key Vault Secrets Officer","scope":"kv-pat-prod.vault.azure.net/devops-pat-token","v":1}`
	if got := string(usual().Canonical()); got != want {
		t.Errorf("%s", got)
	}
	const hash = "15b8236c225805c1dccf19b86463c6511b6320da9c58a658e0269e8ff5788dc8"
	if got := usual().Hash(); got != hash {
		t.Errorf("%s: what was approved before this change would not count any more", got)
	}
	if got := string(approval.Intent{}.Canonical()); got != `{"consumers":[],"credentials":[],"duration":"0s","kinds":[],"manifest":"","role":"","scope":"","v":1}` {
		t.Errorf("of nothing: %s", got)
	}
}

func TestOrderAndRepetitionMeanNothingToAnIntent(t *testing.T) {
	same := func(credentials, kinds, consumers []string, seed uint64) bool {
		i := approval.Intent{Credentials: credentials, Kinds: kinds, Consumers: consumers}
		random := rand.New(rand.NewPCG(seed, 1))
		shuffled := func(list []string) []string {
			out := slices.Clone(list)
			if len(out) > 0 {
				out = append(out, out[random.IntN(len(out))])
			}
			random.Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
			return out
		}
		j := approval.Intent{Credentials: shuffled(credentials), Kinds: shuffled(kinds), Consumers: shuffled(consumers)}
		return i.Hash() == j.Hash()
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func TestEveryMemberOfAnIntentCounts(t *testing.T) {
	seen := map[string]string{usual().Hash(): "nothing"}
	for what, change := range map[string]func(*approval.Intent){
		"another credential":  func(i *approval.Intent) { i.Credentials[0] = "devops-pat2" },
		"one credential more": func(i *approval.Intent) { i.Credentials = append(i.Credentials, "x") },
		"another kind":        func(i *approval.Intent) { i.Kinds[0] = approval.Revoke },
		"one kind more":       func(i *approval.Intent) { i.Kinds = append(i.Kinds, approval.Revoke) },
		"another role":        func(i *approval.Intent) { i.Role = "Owner" },
		"another scope":       func(i *approval.Intent) { i.Scope += "2" },
		"a second more":       func(i *approval.Intent) { i.Duration += time.Second },
		"another consumer":    func(i *approval.Intent) { i.Consumers[1] = "fed" },
		"no consumer":         func(i *approval.Intent) { i.Consumers = nil },
		"another manifest":    func(i *approval.Intent) { i.Manifest = "0" },
		"a consumer as a credential": func(i *approval.Intent) {
			i.Credentials, i.Consumers = append(i.Credentials, "deploy"), i.Consumers[1:]
		},
		"two credentials made of one": func(i *approval.Intent) { i.Credentials = []string{`devops-pat","shop`} },
	} {
		i := usual()
		change(&i)
		if first, taken := seen[i.Hash()]; taken {
			t.Errorf("%s has the hash of %s", what, first)
		}
		seen[i.Hash()] = what
	}
}
