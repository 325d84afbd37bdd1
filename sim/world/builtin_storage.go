package world

import "time"

// Names of the built-in world's storage and of what takes its events.
const (
	LedgerAccount   = "stcontosorekey"
	LedgerContainer = "ledger"
	EventsRule      = "dcr-6f1d2c7b8a9e4035b6c7d8e9f0a1b2c3"
	EventsEndpoint  = "https://dce-rekey-k3x1.westeurope-1.ingest.monitor.azure.com"
	EventsStream    = "Custom-RekeyEvents_CL"
)

// builtInStorage adds a container and a data collection rule that the managed identity rekey may write to.
func builtInStorage(s *State, born time.Time) {
	const rekeyMI, alex = "a7bd7cea-133a-46cf-b58b-cab861acfaaf", "4d72fd10-46ca-41d8-be4e-493356bab8a9"
	account := &StorageAccount{
		Name: LedgerAccount, SubscriptionID: SubscriptionID, ResourceGroup: "rg-rekey", Location: "westeurope", TenantID: TenantID,
		Containers: []*BlobContainer{{Name: LedgerContainer, ETag: "0x8D0000000000001", Modified: born}},
	}
	rule := &CollectionRule{
		Name: "dcr-rekey", ImmutableID: EventsRule, SubscriptionID: SubscriptionID, ResourceGroup: "rg-rekey", Location: "westeurope", TenantID: TenantID,
		Endpoint: "dce-rekey-k3x1", Streams: []CollectionStream{{Name: EventsStream, Columns: []string{"TimeGenerated", "Kind", "Credential", "Run", "Who", "Detail"}}},
	}
	s.StorageAccounts, s.CollectionRules = append(s.StorageAccounts, account), append(s.CollectionRules, rule)
	assign := func(name, role, scope string) {
		s.RoleAssignments = append(s.RoleAssignments, &RoleAssignment{
			Name: name, Scope: scope, RoleID: role, PrincipalID: rekeyMI, PrincipalType: "ServicePrincipal", CreatedBy: alex, UpdatedBy: alex, Created: born, Updated: born,
		})
	}
	assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b21", RoleBlobDataContributor, account.ResourceID()+"/blobServices/default/containers/"+LedgerContainer)
	assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b22", RoleMetricsPublisher, rule.ResourceID())
}
