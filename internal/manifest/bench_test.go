package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const head = `version: 1
tenant: contoso.onmicrosoft.com
identity: {managedIdentity: {}}
schedule: 1h
ledger: ./ledger
accounts:
  svc-devops-pat:
    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4
    username: svc-devops-pat@contoso.onmicrosoft.com
    tokenCache: {vault: own, secret: svc-devops-pat-msal}
vaults:
  own: {name: kv-rekey}
`

// fleet is a manifest of n credentials in ten vaults.
func fleet(n int) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := range 10 {
		fmt.Fprintf(&b, "  v%d: {name: kv-prod-%d}\n", i, i)
	}
	b.WriteString("credentials:\n")
	for i := range n {
		fmt.Fprintf(&b, "  cred-%05d:\n    pat: {account: svc-devops-pat, organization: contoso, scopes: [vso.code, vso.packaging]}\n"+
			"    lifetime: 30d\n    rotateBefore: 5d\n    overlap: 24h\n    store: {vault: v%d, secret: token-%05d}\n    tags:\n      team: platform\n", i, i%10, i)
	}
	return []byte(b.String())
}

// BenchmarkParse10000 is part of the budget of a plan over ten thousand credentials: 2 s of CPU and 150 MB for all of
// it, of which reading the manifest may take a quarter.
func BenchmarkParse10000(b *testing.B) {
	src := fleet(10_000)
	ks := kinds()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		m, ps := manifest.Parse("rekey.yaml", src, ks)
		if ps.Failed() || len(m.Credentials) != 10_000 {
			b.Fatal(len(ps), ps[:min(3, len(ps))])
		}
	}
}
