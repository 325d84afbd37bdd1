package explore

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/sim/world"
)

// severalManifest has a block that chooses the token called "pat": it becomes the credential of the other worlds.
var severalManifest = sync.OnceValue(func() *manifest.Manifest {
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
accounts:
  svc-devops-pat:
    clientId: %s
    username: svc-devops-pat@contoso.onmicrosoft.com
    password: {vault: rekey, secret: svc-devops-pat-password}
vaults:
  rekey: {name: kv-rekey}
  prod: {name: kv-pat-prod}
credentials:
  devops:
    pats:
      account: svc-devops-pat
      organizations: [contoso]
      select: pat
    tags: {owner: platform}
    lifetime: 6d
    rotateBefore: 2d
    overlap: 24h
    store: {vault: prod, secret: "devops-{name}-token"}
`, rekeyClient, signInClient)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	return m
})

// patsFields are the worlds of a block of tokens. What it stands for is a credential like any other, so that only what is
// different is gone through: a token that is to be taken over, and the list that says what there is.
func patsFields() []field {
	chosen := func() *node {
		n := originWith("somebody's token is chosen by its name", severalManifest(), func(s *world.State) {
			p := pat(s, adoptedID)
			p.Name, p.ValidTo = "pat", born.Add(30*day)
		})
		delete(n.foreign.Tokens, adoptedID) // chosen, and so not foreign
		return n
	}
	f := field{kind: "pats", name: "several", alone: true}
	const due = "+4d1m"
	for _, steps := range [][]string{nil, {"run"}, {"run", "+24h1m"}, {"run", "+24h1m", "run", "+3d1m"}, {"run CreatePat:crash-after", "+61m"}} {
		f.starts = append(f.starts, start{f.name + ", " + cmp.Or(strings.Join(steps, " "), "to be taken over"), func(t *testing.T) *node { return then(t, chosen(), steps...) }})
	}
	f.starts = append(f.starts, start{f.name + ", due in the overlap", func(t *testing.T) *node { return then(t, chosen(), "run", due) }})
	// Its value is in the secret already, where a person has put it.
	there := func() *node {
		n := chosen()
		v := prod(&n.state)
		v.Secrets = append(v.Secrets, &world.Secret{Name: secretName})
		write(&n.state, born, pat(&n.state, adoptedID).Token, map[string]string{"team": "a"})
		tokens := n.foreign.Tokens
		n.foreign = foreignIn(n.state, n.promise)
		n.foreign.Tokens = tokens
		n.mayHold = true // it may end before it is taken over
		return n
	}
	for _, steps := range [][]string{nil, {"run"}, {"run", "+28d1m"}, {"run", "+28d1m", "run", "+24h1m"}} {
		f.starts = append(f.starts, start{f.name + ", kept already, " + cmp.Or(strings.Join(steps, " "), "to be taken over"), func(t *testing.T) *node { return then(t, there(), steps...) }})
	}
	return []field{f}
}
