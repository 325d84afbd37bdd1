package simtest

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestMicrosoftsAuthorizationClientAssignsRoles(t *testing.T) {
	r := record(t, nil)
	f := must(armauthorization.NewClientFactory(world.SubscriptionID, r.signedIn("administrator"), &arm.ClientOptions{ClientOptions: r.options()}))(t)
	state := world.BuiltIn()
	scope := state.Vaults[0].ResourceID()
	ctx := context.Background()

	definitions := f.NewRoleDefinitionsClient()
	var role *armauthorization.RoleDefinition
	// This client sends the filter as it is given.
	for p := definitions.NewListPager(scope, &armauthorization.RoleDefinitionsClientListOptions{Filter: new("roleName eq 'Key Vault Secrets User'")}); p.More(); {
		for _, d := range must(p.NextPage(ctx))(t).Value {
			role = d
		}
	}
	if role == nil {
		t.Fatal("the role is not found by its name")
	}
	must(definitions.Get(ctx, scope, *role.Name, nil))(t)
	must(definitions.GetByID(ctx, *role.ID, nil))(t)
	_, err := definitions.Get(ctx, scope, "11111111-2222-4333-8444-555555555555", nil)
	refused(t, err, http.StatusNotFound, "RoleDefinitionDoesNotExist")

	assignments := f.NewRoleAssignmentsClient()
	const name = "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f"
	principal := app(t, state, "ci").ServicePrincipalID
	parameters := armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		RoleDefinitionID: role.ID, PrincipalID: &principal, PrincipalType: new(armauthorization.PrincipalTypeServicePrincipal),
	}}
	made := must(assignments.Create(ctx, scope, name, parameters, nil))(t)
	if *made.Properties.Scope != scope || *made.Properties.PrincipalID != principal {
		t.Errorf("the client reads %+v", made.Properties)
	}
	_, err = assignments.Create(ctx, scope, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e70", parameters, nil)
	refused(t, err, http.StatusConflict, "RoleAssignmentExists")
	parameters.Properties.PrincipalID, parameters.Properties.PrincipalType = new("0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e71"), nil
	_, err = assignments.Create(ctx, scope, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e72", parameters, nil)
	refused(t, err, http.StatusBadRequest, "PrincipalNotFound")
	must(assignments.Get(ctx, scope, name, nil))(t)
	must(assignments.GetByID(ctx, *made.ID, nil))(t)

	found := 0
	count := func(list []*armauthorization.RoleAssignment) {
		for _, a := range list {
			if *a.Name == name {
				found++
			}
		}
	}
	filter := url.QueryEscape("principalId eq '" + principal + "'")
	for p := assignments.NewListForScopePager(scope, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: &filter}); p.More(); {
		count(must(p.NextPage(ctx))(t).Value)
	}
	for p := assignments.NewListForSubscriptionPager(nil); p.More(); {
		count(must(p.NextPage(ctx))(t).Value)
	}
	for p := assignments.NewListForResourceGroupPager("rg-rekey", nil); p.More(); {
		count(must(p.NextPage(ctx))(t).Value)
	}
	for p := assignments.NewListForResourcePager("rg-rekey", "Microsoft.KeyVault", "vaults", state.Vaults[0].Name, nil); p.More(); {
		count(must(p.NextPage(ctx))(t).Value)
	}
	if found != 4 {
		t.Errorf("the new assignment is in %d of four lists", found)
	}
	must(assignments.Delete(ctx, scope, name, nil))(t)
	must(assignments.Delete(ctx, scope, name, nil))(t)
	_, err = assignments.Get(ctx, scope, name, nil)
	refused(t, err, http.StatusNotFound, "RoleAssignmentNotFound")

	r.hold("RoleDefinitions_List 200", "RoleDefinitions_Get 200", "RoleDefinitions_Get 404", "RoleAssignments_Create 201",
		"RoleAssignments_Create 409", "RoleAssignments_Create 400", "RoleAssignments_Get 200", "RoleAssignments_Get 404",
		"RoleAssignments_ListForSubscription 200", "RoleAssignments_ListForResourceGroup 200",
		"RoleAssignments_ListForResource 200", "RoleAssignments_Delete 200", "RoleAssignments_Delete 204")
}

func TestWhoOwnsNothingAssignsNothing(t *testing.T) {
	r := record(t, nil)
	f := must(armauthorization.NewClientFactory(world.SubscriptionID, r.signedIn("consumer"), &arm.ClientOptions{ClientOptions: r.options()}))(t)
	state := world.BuiltIn()
	role := "/subscriptions/" + world.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + world.RoleKeyVaultUser
	_, err := f.NewRoleAssignmentsClient().Create(context.Background(), state.Vaults[0].ResourceID(), "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f",
		armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
			RoleDefinitionID: &role, PrincipalID: new(app(t, state, "ci").ServicePrincipalID),
		}}, nil)
	refused(t, err, http.StatusForbidden, "AuthorizationFailed")
	r.hold("RoleAssignments_Create 403")
}
