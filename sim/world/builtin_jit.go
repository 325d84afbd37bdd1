package world

import "time"

// Names and ids of the built-in world's vault that nobody may write to for good.
const (
	VaultJIT = "kv-jit"
	// AppBroker is the client id of what may give one role at that vault to the managed identity rekey, from a job of a
	// protected environment.
	AppBroker = "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c001"
	// BrokerPrincipal is the object id of its service principal.
	BrokerPrincipal = "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c002"
	// RekeyPrincipal is the object id of the managed identity rekey.
	RekeyPrincipal = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
)

// BrokerCondition lets who has it give and take one role, to and from one principal, and nothing else.
func BrokerCondition(role, principal string) string {
	const of = "Microsoft.Authorization/roleAssignments"
	only := func(action, on string) string {
		return "((!(ActionMatches{'" + of + "/" + action + "'})) OR (" +
			on + "[" + of + ":RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + role + "} AND " +
			on + "[" + of + ":PrincipalId] ForAnyOfAnyValues:GuidEquals {" + principal + "}))"
	}
	return only("write", "@Request") + " AND " + only("delete", "@Resource")
}

// builtInJIT adds a vault in which the managed identity rekey reads metadata alone, and the broker that can give it more
// for a time.
func builtInJIT(s *State, born time.Time) {
	const alex = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
	vault := &Vault{Name: VaultJIT, SubscriptionID: SubscriptionID, ResourceGroup: "rg-rekey", Location: "westeurope", TenantID: TenantID, SoftDeleteDays: 90, PurgeProtection: true}
	s.Vaults = append(s.Vaults, vault)
	s.Apps = append(s.Apps, &App{
		ID: "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c003", ClientID: AppBroker, TenantID: TenantID, Name: "rekey-broker", ServicePrincipalID: BrokerPrincipal, Created: born,
		FederatedCredentials: []*FederatedCredential{{
			ID: "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c004", Name: "github-production", Issuer: "https://token.actions.githubusercontent.com",
			Subject: "repo:contoso/platform:environment:production", Audiences: []string{"api://AzureADTokenExchange"},
		}},
	})
	condition, version := BrokerCondition(RoleKeyVaultOfficer, RekeyPrincipal), "2.0"
	assign := func(name, principal, role string) *RoleAssignment {
		a := &RoleAssignment{
			Name: name, Scope: vault.ResourceID(), RoleID: role, PrincipalID: principal, PrincipalType: "ServicePrincipal",
			CreatedBy: alex, UpdatedBy: alex, Created: born, Updated: born,
		}
		s.RoleAssignments = append(s.RoleAssignments, a)
		return a
	}
	assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b31", RekeyPrincipal, RoleKeyVaultReader)
	broker := assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b32", BrokerPrincipal, RoleKeyVaultDataAccess)
	broker.Condition, broker.ConditionVer = &condition, &version
}
