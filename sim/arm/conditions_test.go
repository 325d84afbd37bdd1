package arm

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// broker gives the principal "none" the right to give and take one role, to and from one identity.
func broker(b *bench) {
	const attribute = "Microsoft.Authorization/roleAssignments:"
	condition := "(!(ActionMatches{'" + assignmentType + "/write'}) OR (@Request[" + attribute + "RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + world.RoleKeyVaultOfficer +
		"} AND @Request[" + attribute + "PrincipalId] ForAnyOfAnyValues:GuidEquals {" + miID + "}))" +
		" AND (!(ActionMatches{'" + assignmentType + "/delete'}) OR @Resource[" + attribute + "RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + world.RoleKeyVaultOfficer + "})"
	body := properties(world.RoleKeyVaultDataAccess, noneID, `,"condition":"`+condition+`","conditionVersion":"2.0"`)
	if r := b.do("owner", "PUT", assignment(vault, "dddddddd-0000-4000-8000-000000000001"), body); r.status != 201 {
		b.t.Fatal(r.text)
	}
}

func TestAConditionBoundsWhatCanBeGivenAndTaken(t *testing.T) {
	b := newBench(t)
	broker(b)
	put := func(scope, role, principal string) reply {
		return b.do("none", "PUT", assignment(scope, newID), properties(role, principal, ""))
	}
	put(vault, world.RoleOwner, miID).refused(t, 403, "AuthorizationFailed")
	put(vault, world.RoleKeyVaultOfficer, readerID).refused(t, 403, "AuthorizationFailed")
	put(group, world.RoleKeyVaultOfficer, miID).refused(t, 403, "AuthorizationFailed")
	b.do("none", "PUT", assignment(vault, newID), "nonsense").refused(t, 403, "AuthorizationFailed")
	if r := put(vault, world.RoleKeyVaultOfficer, noneID); !strings.Contains(r.message(), "an ABAC condition not fulfilled") {
		t.Error(r.text)
	}
	if r := put(vault, world.RoleKeyVaultOfficer, miID); r.status != 201 {
		t.Fatal(r.text)
	}
	b.do("none", "DELETE", assignment(vault, b.w.RoleAssignments[2].Name), "").refused(t, 403, "AuthorizationFailed")
	b.ok("none", "GET", vault+auth+"/roleAssignments", "")
	b.ok("none", "DELETE", assignment(vault, newID), "")
	b.do("none", "DELETE", assignment(vault, newID), "").refused(t, 403, "AuthorizationFailed")
	b.w.Lock()
	b.w.Knobs.ARM.AbsentDeletesUnconditioned = true
	b.w.Unlock()
	if r := b.do("none", "DELETE", assignment(vault, newID), ""); r.status != 204 {
		t.Errorf("with the knob: %d %s", r.status, r.text)
	}
	b.do("reader", "DELETE", assignment(vault, newID), "").refused(t, 403, "AuthorizationFailed")
}

func TestARemovedAssignmentExistsForAWhile(t *testing.T) {
	b := newBench(t)
	b.w.Lock()
	b.w.Knobs.ARM.ExistsAfterRemoval = world.Duration(3 * time.Minute)
	b.w.Unlock()
	of := b.w.RoleAssignments[1].Name
	b.ok("owner", "DELETE", assignment(group, of), "")
	again := func() reply {
		return b.do("owner", "PUT", assignment(group, newID), properties(world.RoleReader, readerID, ""))
	}
	again().refused(t, 409, "RoleAssignmentExists")
	b.do("owner", "PUT", assignment(group, twoID), properties(world.RoleReader, noneID, ""))
	again().refused(t, 409, "RoleAssignmentExists")
	b.w.Advance(3 * time.Minute)
	if r := again(); r.status != 201 {
		t.Error(r.text)
	}
}

func TestTheLastOwnerOfASubscriptionStays(t *testing.T) {
	b := newBench(t)
	first := b.w.RoleAssignments[0].Name
	b.do("owner", "DELETE", assignment(sub, first), "").refused(t, 400, "RoleAssignmentDeleteNotPermitted")
	if r := b.do("owner", "PUT", assignment(sub, newID), properties(world.RoleOwner, noneID, "")); r.status != 201 {
		t.Fatal(r.text)
	}
	b.ok("owner", "DELETE", assignment(sub, first), "")
	b.do("owner", "GET", assignment(sub, newID), "").refused(t, 403, "AuthorizationFailed")
}

func TestANewServicePrincipalHasToBeNamedAsOne(t *testing.T) {
	b := newBench(t)
	b.w.Lock()
	b.w.Apps = append(b.w.Apps, &world.App{ID: twoID, ServicePrincipalID: twoID, TenantID: tenantID, Created: b.w.Now()})
	b.w.Knobs.ARM.PrincipalDelay = world.Duration(time.Minute)
	b.w.Unlock()
	put := func(more string) reply {
		return b.do("owner", "PUT", assignment(group, newID), properties(world.RoleReader, twoID, more))
	}
	put("").refused(t, 400, "PrincipalNotFound")
	if r := put(`,"principalType":"ServicePrincipal"`); r.status != 201 {
		t.Error(r.text)
	}
	b.ok("owner", "DELETE", assignment(group, newID), "")
	b.w.Advance(time.Minute)
	if r := put(""); r.status != 201 {
		t.Error(r.text)
	}
}

func TestAssignmentsToAGroupAreItsMembers(t *testing.T) {
	b := newBench(t)
	b.w.Lock()
	b.w.Groups = append(b.w.Groups, &world.Group{ID: twoID, TenantID: tenantID, Name: "Group", Members: []string{noneID}})
	b.w.Unlock()
	r := b.do("owner", "PUT", assignment(group, newID), properties(world.RoleReader, twoID, ""))
	if p, _ := r.m["properties"].(map[string]any); r.status != 201 || p["principalType"] != "Group" {
		t.Fatal(r.text)
	}
	b.ok("none", "GET", group, "")
	for f, want := range map[string]string{"assignedTo('" + noneID + "')": newID, "principalId eq '" + noneID + "'": "", "assignedTo('" + miID + "')": ""} {
		if got := b.ok("owner", "GET", group+auth+"/roleAssignments"+filter(f), "").names(); got != want {
			t.Errorf("%s: %q, want %q", f, got, want)
		}
	}
}
