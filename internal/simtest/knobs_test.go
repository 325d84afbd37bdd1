package simtest

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// What policies and limits make the services answer is in the files too.

func TestPoliciesOfATenantAnswerInTheFormOfTheFile(t *testing.T) {
	const pat = `{"displayName":"one","scope":%q,"validTo":%q,"allOrgs":%t}`
	until := time.Now().Add(30 * 24 * time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		why   string
		knobs world.DevOpsKnobs
		scope string
		all   bool
		want  string
	}{
		{"a PAT that would live too long is shortened", world.DevOpsKnobs{MaxLifespan: world.Duration(3 * 24 * time.Hour)}, "vso.code", false, "none"},
		{"a PAT that would live too long is refused", world.DevOpsKnobs{MaxLifespan: world.Duration(time.Hour), Overlong: "refuse"}, "vso.code", false, "patLifespanPolicyViolation"},
		{"PATs for all organisations are refused", world.DevOpsKnobs{RestrictGlobal: true}, "vso.code", true, "globalPatPolicyViolation"},
		{"PATs for all organisations have ended", world.DevOpsKnobs{GlobalCreationBlocked: true}, "vso.code", true, "globalPATCreationBlocked"},
		{"full access is refused", world.DevOpsKnobs{RestrictFullScope: true}, "app_token", false, "fullScopePatPolicyViolation"},
		{"new PATs are refused", world.DevOpsKnobs{CreationBlocked: "enum"}, "vso.code", false, "disablePatCreationPolicyViolation"},
		{"a byte order mark comes first", world.DevOpsKnobs{BOM: true}, "vso.code", false, "none"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := record(t, func(s *world.State) { s.Knobs.DevOps = c.knobs })
			got := r.call("POST", patsURL+"?api-version=7.2-preview.1", r.person(), fmt.Sprintf(pat, c.scope, until, c.all), 200)
			if got["patTokenError"] != c.want {
				t.Errorf("answered %v; want %s", got["patTokenError"], c.want)
			}
			r.hold("Pats_Create 200")
		})
	}
}

func TestRefusalsOfAzureDevOpsHaveItsEnvelope(t *testing.T) {
	r := record(t, func(s *world.State) { s.Knobs.DevOps.CreationBlocked = "400" })
	bearer := r.person()
	const v = "?api-version=7.2-preview.1"
	r.call("POST", patsURL+v, bearer, `{"displayName":"one","scope":"vso.code","allOrgs":false}`, 400)
	const absent = "&authorizationId=11111111-2222-4333-8444-555555555555"
	r.call("DELETE", patsURL+v+absent, bearer, "", 404)
	r.call("GET", patsURL+v, r.token("consumer", world.AzureDevOps+"/.default"), "", 403)
	r.hold("Pats_Create 400", "Pats_Revoke 404", "Pats_List 403")
}

func TestASecretBetweenTwoStatesIsAConflict(t *testing.T) {
	r := record(t, func(s *world.State) {
		s.Knobs.KeyVault = world.KeyVaultKnobs{DeleteTakes: world.Duration(time.Minute), RecoverTakes: world.Duration(time.Minute), EmptyLastPage: true}
	})
	c := r.secrets(r.signedIn("administrator"))
	ctx := context.Background()
	value := azsecrets.SetSecretParameters{Value: new("v")}
	must(c.SetSecret(ctx, "alpha", value, nil))(t)
	pages := 0
	for p := c.NewListSecretPropertiesPager(nil); p.More(); pages++ {
		must(p.NextPage(ctx))(t)
	}
	if pages != 2 {
		t.Errorf("%d pages; the last one should be empty", pages)
	}
	must(c.DeleteSecret(ctx, "alpha", nil))(t)
	_, err := c.SetSecret(ctx, "alpha", value, nil)
	refused(t, err, http.StatusConflict, "Conflict")
	_, err = c.RecoverDeletedSecret(ctx, "alpha", nil)
	refused(t, err, http.StatusConflict, "Conflict")
	_, err = c.GetDeletedSecret(ctx, "alpha", nil)
	refused(t, err, http.StatusNotFound, "SecretNotFound")
	r.sim.World().Advance(2 * time.Minute)
	must(c.RecoverDeletedSecret(ctx, "alpha", nil))(t)
	_, err = c.SetSecret(ctx, "alpha", value, nil)
	refused(t, err, http.StatusConflict, "Conflict")
	r.hold("GetSecrets 200", "SetSecret 409", "RecoverDeletedSecret 409", "GetDeletedSecret 404")
}

func TestTooManyWritesAreThrottledInTheFormOfTheFile(t *testing.T) {
	// The limit counts by the world's clock, which stands still here.
	at := time.Now()
	s := must(sim.New(sim.Config{Now: func() time.Time { return at }}))(t)
	r := &recorder{t: t, sim: s, base: s.Transport()}
	token := r.token("administrator", vaultScope)
	for i := range 300 {
		r.call("PUT", fmt.Sprintf("%s/secrets/s%d?api-version=7.4", vaultURL, i), token, `{"value":"v"}`, 200)
	}
	r.call("PUT", vaultURL+"/secrets/s300?api-version=7.4", token, `{"value":"v"}`, 429)
	r.hold("SetSecret 429")
}

func TestASubscriptionThatIsFullOfAssignmentsSaysSo(t *testing.T) {
	r := record(t, func(s *world.State) { s.Knobs.ARM.MaxRoleAssignments = len(s.RoleAssignments) })
	state := world.BuiltIn()
	role := "/subscriptions/" + world.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + world.RoleKeyVaultUser
	f := must(armauthorization.NewClientFactory(world.SubscriptionID, r.signedIn("administrator"), &arm.ClientOptions{ClientOptions: r.options()}))(t)
	_, err := f.NewRoleAssignmentsClient().Create(context.Background(), state.Vaults[0].ResourceID(), "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f",
		armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
			RoleDefinitionID: &role, PrincipalID: new(app(t, state, "ci").ServicePrincipalID),
		}}, nil)
	refused(t, err, http.StatusBadRequest, "RoleAssignmentLimitExceeded")
	r.hold("RoleAssignments_Create 400")
}
