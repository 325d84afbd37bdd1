package simtest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestMicrosoftsClientOfPIMAsksForRoles(t *testing.T) {
	r := record(t, func(s *world.State) { s.Knobs.PIM.ProvisioningTakes = world.Duration(time.Minute) })
	f := must(armauthorization.NewClientFactory(world.SubscriptionID, r.signedIn("administrator"), &arm.ClientOptions{ClientOptions: r.options()}))(t)
	state := world.BuiltIn()
	scope := state.Vaults[0].ResourceID()
	role := "/subscriptions/" + world.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + world.RoleKeyVaultReader
	principal, person := app(t, state, "ci").ServicePrincipalID, user(t, state, "dana").ID
	ctx := context.Background()
	lasting := func(d string) *armauthorization.RoleAssignmentScheduleRequestPropertiesScheduleInfo {
		return &armauthorization.RoleAssignmentScheduleRequestPropertiesScheduleInfo{Expiration: &armauthorization.RoleAssignmentScheduleRequestPropertiesScheduleInfoExpiration{
			Type: new(armauthorization.TypeAfterDuration), Duration: &d,
		}}
	}

	requests := f.NewRoleAssignmentScheduleRequestsClient()
	ask := armauthorization.RoleAssignmentScheduleRequest{Properties: &armauthorization.RoleAssignmentScheduleRequestProperties{
		PrincipalID: &principal, RoleDefinitionID: &role, RequestType: new(armauthorization.RequestTypeAdminAssign), Justification: new("why"), ScheduleInfo: lasting("PT15M"),
	}}
	const name = "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e80"
	dry := must(requests.Validate(ctx, scope, name, ask, nil))(t)
	if *dry.Properties.Status != armauthorization.StatusGranted {
		t.Errorf("validated as %s", *dry.Properties.Status)
	}
	if made := must(requests.Create(ctx, scope, name, ask, nil))(t); *made.Properties.Status != armauthorization.StatusAccepted {
		t.Errorf("answered %s", *made.Properties.Status)
	}
	_, err := requests.Create(ctx, scope, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e81", ask, nil)
	refused(t, err, http.StatusBadRequest, "RoleAssignmentExists")
	r.sim.World().Advance(time.Minute)
	if got := must(requests.Get(ctx, scope, name, nil))(t); *got.Properties.Status != armauthorization.StatusProvisioned {
		t.Errorf("a minute later it is %s", *got.Properties.Status)
	}
	_, err = requests.Cancel(ctx, scope, name, nil)
	refused(t, err, http.StatusBadRequest, "RoleAssignmentRequestCannotBeCancelled")
	later := armauthorization.RoleAssignmentScheduleRequest{Properties: &armauthorization.RoleAssignmentScheduleRequestProperties{
		PrincipalID: &principal, RoleDefinitionID: &role, RequestType: new(armauthorization.RequestTypeAdminAssign), Justification: new("why"), ScheduleInfo: lasting("PT15M"),
	}}
	later.Properties.ScheduleInfo.StartDateTime = new(time.Now().Add(24 * time.Hour))
	group := "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-rekey"
	must(requests.Create(ctx, group, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e82", later, nil))(t)
	must(requests.Cancel(ctx, group, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e82", nil))(t)

	eligible := f.NewRoleEligibilityScheduleRequestsClient()
	must(eligible.Create(ctx, scope, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e83", armauthorization.RoleEligibilityScheduleRequest{Properties: &armauthorization.RoleEligibilityScheduleRequestProperties{
		PrincipalID: &person, RoleDefinitionID: &role, RequestType: new(armauthorization.RequestTypeAdminAssign), Justification: new("why"),
		ScheduleInfo: &armauthorization.RoleEligibilityScheduleRequestPropertiesScheduleInfo{Expiration: &armauthorization.RoleEligibilityScheduleRequestPropertiesScheduleInfoExpiration{Type: new(armauthorization.TypeAfterDuration), Duration: new("P30D")}},
	}}, nil))(t)
	must(eligible.Get(ctx, scope, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e83", nil))(t)
	r.sim.World().Advance(time.Minute)

	filter, persons := "principalId eq '"+principal+"'", "principalId eq '"+person+"'"
	found := 0
	for p := requests.NewListForScopePager(scope, &armauthorization.RoleAssignmentScheduleRequestsClientListForScopeOptions{Filter: &filter}); p.More(); {
		found += len(must(p.NextPage(ctx))(t).Value)
	}
	schedules, instances := f.NewRoleAssignmentSchedulesClient(), f.NewRoleAssignmentScheduleInstancesClient()
	for p := schedules.NewListForScopePager(scope, &armauthorization.RoleAssignmentSchedulesClientListForScopeOptions{Filter: &filter}); p.More(); {
		for _, s := range must(p.NextPage(ctx))(t).Value {
			if s.Properties.EndDateTime != nil {
				must(schedules.Get(ctx, scope, *s.Name, nil))(t)
				found++
			}
		}
	}
	for p := instances.NewListForScopePager(scope, &armauthorization.RoleAssignmentScheduleInstancesClientListForScopeOptions{Filter: &filter}); p.More(); {
		for _, s := range must(p.NextPage(ctx))(t).Value {
			must(instances.Get(ctx, scope, *s.Name, nil))(t)
			found++
		}
	}
	eligibles, may := f.NewRoleEligibilitySchedulesClient(), f.NewRoleEligibilityScheduleInstancesClient()
	for p := eligibles.NewListForScopePager(scope, &armauthorization.RoleEligibilitySchedulesClientListForScopeOptions{Filter: &persons}); p.More(); {
		found += len(must(p.NextPage(ctx))(t).Value)
	}
	for p := may.NewListForScopePager(scope, &armauthorization.RoleEligibilityScheduleInstancesClientListForScopeOptions{Filter: &persons}); p.More(); {
		found += len(must(p.NextPage(ctx))(t).Value)
	}
	if found != 7 {
		t.Errorf("%d of seven are listed", found)
	}

	assigned := f.NewRoleManagementPolicyAssignmentsClient()
	policies := f.NewRoleManagementPoliciesClient()
	for p := assigned.NewListForScopePager(scope, nil); p.More(); {
		a := must(p.NextPage(ctx))(t).Value[0]
		if len(a.Properties.EffectiveRules) == 0 {
			t.Error("a policy without rules")
		}
		must(assigned.Get(ctx, scope, *a.Name, nil))(t)
	}
	for p := policies.NewListForScopePager(scope, nil); p.More(); {
		one := must(p.NextPage(ctx))(t).Value[0]
		got := must(policies.Get(ctx, scope, *one.Name, nil))(t)
		must(policies.Update(ctx, scope, *one.Name, armauthorization.RoleManagementPolicy{Properties: &armauthorization.RoleManagementPolicyProperties{Rules: got.Properties.Rules}}, nil))(t)
	}
	r.hold("RoleAssignmentScheduleRequests_Validate 200", "RoleAssignmentScheduleRequests_Create 201", "RoleAssignmentScheduleRequests_Create 400",
		"RoleAssignmentScheduleRequests_Get 200", "RoleAssignmentScheduleRequests_Cancel 200", "RoleAssignmentScheduleRequests_Cancel 400",
		"RoleAssignmentScheduleRequests_ListForScope 200", "RoleAssignmentSchedules_ListForScope 200", "RoleAssignmentSchedules_Get 200",
		"RoleAssignmentScheduleInstances_ListForScope 200", "RoleAssignmentScheduleInstances_Get 200", "RoleEligibilityScheduleRequests_Create 201",
		"RoleEligibilitySchedules_ListForScope 200", "RoleEligibilityScheduleInstances_ListForScope 200", "RoleManagementPolicyAssignments_ListForScope 200",
		"RoleManagementPolicies_Update 200")
}
