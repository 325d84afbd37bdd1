package bench

import (
	"fmt"
	"testing"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/sim/world"
)

// What an app may add, in calls of Azure, when the token is replaced and before the old one is revoked: one that is
// refreshed (its references and the caller's permissions, read, refresh, read, mark, its references; then read, its
// references), and one that is left to itself. How often it is asked whether a refresh is over is not counted: here it is
// over at once.
var appBudgets = []struct {
	name, how string
	most      [2]int
}{{"app", "", [2]int{7, 2}}, {"untold-app", ", refresh: false", [2]int{3, 2}}}

// BenchmarkLifeOfAnApp counts what an app adds to the life of the token of the first example, which it is made to use.
func BenchmarkLifeOfAnApp(b *testing.B) {
	for b.Loop() {
		t := newTable("What an app of App Service adds to a token's life, from the simulator's request log", "app", "tell", "prove")
		alone := callsOf(b, examples.Manifest("pat"))
		for _, c := range appBudgets {
			id, most := "", c.most
			app := func(s *world.State) {
				x := s.Sites[0]
				id = x.ResourceID()
				x.Settings = map[string]string{"Token": "@Microsoft.KeyVault(VaultName=kv-pat-prod;SecretName=devops-pat-token)"}
				s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "e5e5e5e5-0000-4000-8000-000000000001", Scope: "/subscriptions/" + world.SubscriptionID, RoleID: world.RoleKeyVaultUser, PrincipalID: x.IdentityID, PrincipalType: "ServicePrincipal"})
			}
			s := world.BuiltIn()
			app(&s)
			y := append(examples.Manifest("pat"), "    consumers:\n      shop:\n        appService: {app: "+id+c.how+"}\n"...)
			with := callsOf(b, y, app)
			tell, prove := with[0]-alone[0], with[1]-alone[1]
			t.row(c.name, fmt.Sprintf("%d, at most %d", tell, most[0]), fmt.Sprintf("%d, at most %d", prove, most[1]))
			b.ReportMetric(float64(tell+prove), c.name+"-calls/life")
			if tell > most[0] || prove > most[1] || tell == 0 || prove == 0 {
				b.Errorf("%s: tell %d, prove %d", c.name, tell, prove)
			}
		}
	}
}
