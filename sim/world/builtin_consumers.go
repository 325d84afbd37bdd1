package world

import (
	"strconv"
	"time"
)

// Names and ids of the built-in world's consumers, for services and tests that refer to them.
const (
	ResourceGroupApps = "rg-apps"

	EndpointShared    = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c01" // azurerm, Manual: shared by two projects
	EndpointAutomatic = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c02" // azurerm, Automatic: Azure DevOps made its app
	EndpointDevOps    = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c03" // azuredevops: a PAT for another organisation
	EndpointTFS       = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c04" // externaltfs: the same PAT
	EndpointFeed      = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c05" // externalnugetfeed: a PAT as nugetkey
	EndpointGeneric   = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c06" // generic: a PAT as the password

	GroupPlain = 7 // four variables, two of them secrets
	GroupVault = 8 // linked to the vault kv-apps

	AutomationName  = "aa-platform"
	WorkerGroupName = "on-premises"
)

// builtInConsumers adds what uses credentials: service connections and variable groups in contoso, an Automation
// account with hybrid workers, API connections, apps, and the vault that scripts and apps read from.
//
// The managed identity rekey may change all of them, and nothing else there. Alex made them.
func builtInConsumers(s *State, born, dies time.Time) {
	const (
		alex     = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
		rekeyMI  = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
		deploySP = "0c16b6a9-95f5-43a2-a4de-cb35f680b5b9"
		autoSP   = "6f1c2b7a-90c3-4f2e-8a53-cc20d7b1a9e2"
		worker   = "b3f0f2a4-5c61-4d0c-8f7e-2a9b6c5d4e31"
		account  = "c4a1e3b5-6d72-4e1d-9a8f-3bac7d6e5f42"
		feedPAT  = Canary + "FEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDFEEDF" + "AZDO" + "F33D"
		peerPAT  = Canary + "PEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERP" + "AZDO" + "P33R"
	)
	sub := s.Subscriptions[0]
	sub.ResourceGroups = append(sub.ResourceGroups, ResourceGroupApps)

	auto := &App{
		ID: "1d2c3b4a-5f6e-4708-91a2-b3c4d5e6f708", ClientID: "7e5d4c3b-2a19-4807-b6c5-d4e3f2a1b0c9", TenantID: TenantID,
		Name: "contoso-platform-" + SubscriptionID, ServicePrincipalID: autoSP, Created: born, Owners: []string{alex},
		ClientSecret: "Au18Q~" + Canary + "Aut0maticConnection2345",
	}
	auto.Secrets = []*PasswordCredential{{KeyID: "0f9e8d7c-6b5a-4938-8271-605f4e3d2c1b", Hint: "Au1", Start: born, End: dies, Value: auto.ClientSecret}}
	s.Apps = append(s.Apps, auto)
	value := func(clientID string, i int) string {
		for _, a := range s.Apps {
			if a.ClientID == clientID {
				return a.Secrets[i].Value
			}
		}
		return ""
	}
	s.ManagedIdentities = append(s.ManagedIdentities,
		&ManagedIdentity{ID: worker, ClientID: "d5b2f4c6-7e83-4f2e-8b90-4cbd8e7f6053", TenantID: TenantID, Name: "hybrid-worker-01", Secret: "Mi." + Canary + ".worker.8Pq4"},
		&ManagedIdentity{ID: account, ClientID: "e6c305d7-8f94-4a3f-9ca1-5dce9f807164", TenantID: TenantID, Name: AutomationName, Secret: "Mi." + Canary + ".account.2Rs7"})

	vault := &Vault{
		Name: "kv-apps", SubscriptionID: SubscriptionID, ResourceGroup: ResourceGroupApps, Location: "westeurope", TenantID: TenantID, SoftDeleteDays: 90,
		Secrets: []*Secret{
			{Name: "reporting-finance", Versions: []*SecretVersion{{ID: "5e0d7c6b4a3928171605f4e3d2c1b0a9", Value: value(AppReporting, 0), Created: born, Updated: born}}},
			{Name: "shop-web", Versions: []*SecretVersion{{ID: "6f1e8d7c5b4a39281716050f4e3d2c1b", Value: value(AppShop, 0), Created: born, Updated: born}}},
		},
	}
	s.Vaults = append(s.Vaults, vault)

	s.Organizations[0].consumers(alex, rekeyMI, born, value, auto.ClientID, peerPAT, feedPAT)
	s.Organizations[1].PATs = append(s.Organizations[1].PATs,
		&PAT{AuthorizationID: "a7d416e8-90a5-4b40-8db2-6edfa0918275", OwnerID: alex, Name: "contoso pipelines", Scope: "vso.build vso.code", ValidFrom: born, ValidTo: dies, Token: peerPAT},
		&PAT{AuthorizationID: "b8e527f9-a1b6-4c51-9ec3-7fe0b1a29386", OwnerID: alex, Name: "contoso feed", Scope: "vso.packaging", ValidFrom: born, ValidTo: dies, Token: feedPAT})

	aa := builtInAutomation(vault, account, worker, born, value)
	s.AutomationAccounts = append(s.AutomationAccounts, aa)
	connection := func(name, shown string, secret string) *Connection {
		return &Connection{
			Name: name, SubscriptionID: SubscriptionID, ResourceGroup: ResourceGroupApps, Location: "westeurope", Kind: "V1",
			DisplayName: shown, API: "keyvault", Created: born, Changed: born,
			Values:    map[string]string{"token:clientId": AppReporting, "token:clientSecret": secret, "token:TenantId": TenantID, "token:grantType": "client_credentials"},
			NonSecret: map[string]string{"vaultName": vault.Name},
		}
	}
	warehouse := connection("warehouse-sql", "Warehouse", value(AppReporting, 1))
	warehouse.API, warehouse.Kind, warehouse.Set, warehouse.NonSecret = "sql", "V2", "oauthSP", nil
	s.Connections = append(s.Connections, connection("reporting-keyvault", "Reporting", value(AppReporting, 0)), warehouse)

	assign := func(n, principal, role, scope string) {
		s.RoleAssignments = append(s.RoleAssignments, &RoleAssignment{
			Name: "0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2c" + n, Scope: scope, RoleID: role, PrincipalID: principal, PrincipalType: "ServicePrincipal",
			CreatedBy: alex, UpdatedBy: alex, Created: born, Updated: born,
		})
	}
	group := "/subscriptions/" + SubscriptionID + "/resourceGroups/" + ResourceGroupApps
	assign("01", deploySP, RoleReader, group)
	assign("02", autoSP, RoleReader, group)
	assign("03", worker, RoleKeyVaultUser, vault.ResourceID())
	assign("04", account, RoleKeyVaultUser, vault.ResourceID())
	assign("05", rekeyMI, RoleKeyVaultOfficer, vault.ResourceID())
	for i, app := range builtInSites(s, vault) {
		assign("1"+strconv.Itoa(i), app, RoleKeyVaultUser, vault.ResourceID())
	}
	assign("08", rekeyMI, RoleWebsiteContributor, group)
	// No built-in role is narrower and lets variables and credentials be written.
	assign("06", rekeyMI, RoleAutomationContributor, aa.ResourceID())
	assign("07", rekeyMI, RoleLogicAppContributor, group)
}

// consumers adds an organisation's service connections and variable groups, and a second project to share with.
func (o *Organization) consumers(maker, rekey string, born time.Time, value func(string, int) string, autoClient, peerPAT, feedPAT string) {
	apps := &Project{ID: "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f31", Name: "apps"}
	o.Projects = append(o.Projects, apps)
	o.Members = append(o.Members, rekey)
	o.Administrators = append(o.Administrators, maker)
	platform := o.Projects[0].ID

	endpoint := func(id, kind, name, url, scheme string, parameters, data map[string]string) *ServiceEndpoint {
		return &ServiceEndpoint{
			ID: id, Name: name, Type: kind, URL: url, Owner: "library", Scheme: scheme, Parameters: parameters, Data: data,
			Projects:       []*ProjectReference{{ProjectID: platform, Name: name}},
			Administrators: []string{maker, rekey}, CreatedBy: maker, ModifiedBy: maker, Created: born, Modified: born,
		}
	}
	azure := func(clientID, secret string) map[string]string {
		return map[string]string{"tenantid": TenantID, "serviceprincipalid": clientID, "authenticationType": "spnKey", "serviceprincipalkey": secret}
	}
	subscription := func(mode string) map[string]string {
		return map[string]string{"subscriptionId": SubscriptionID, "subscriptionName": "Contoso production", "environment": "AzureCloud", "scopeLevel": "Subscription", "creationMode": mode}
	}
	shared := endpoint(EndpointShared, "azurerm", "azure-production", "https://management.azure.com/", "ServicePrincipal",
		azure(AppDeploy, value(AppDeploy, 0)), subscription("Manual"))
	shared.Projects = append(shared.Projects, &ProjectReference{ProjectID: apps.ID, Name: "azure-from-platform", Description: "shared by platform"})
	automatic := subscription("Automatic")
	automatic["spnObjectId"], automatic["appObjectId"] = "6f1c2b7a-90c3-4f2e-8a53-cc20d7b1a9e2", "1d2c3b4a-5f6e-4708-91a2-b3c4d5e6f708"
	o.ServiceEndpoints = append(o.ServiceEndpoints,
		shared,
		endpoint(EndpointAutomatic, "azurerm", "azure-automatic", "https://management.azure.com/", "ServicePrincipal", azure(autoClient, value(autoClient, 0)), automatic),
		endpoint(EndpointDevOps, "azuredevops", "fabrikam", "https://dev.azure.com/fabrikam", "Token", map[string]string{"apitoken": peerPAT}, nil),
		endpoint(EndpointTFS, "externaltfs", "fabrikam-code", "https://dev.azure.com/fabrikam/", "Token", map[string]string{"apitoken": peerPAT}, nil),
		endpoint(EndpointFeed, "externalnugetfeed", "fabrikam-feed", "https://pkgs.dev.azure.com/fabrikam/_packaging/main/nuget/v3/index.json", "None", map[string]string{"nugetkey": feedPAT}, nil),
		endpoint(EndpointGeneric, "generic", "fabrikam-script", "https://dev.azure.com/fabrikam", "UsernamePassword", map[string]string{"username": "pipelines", "password": peerPAT}, nil))

	group := func(id int, name, kind string, variables map[string]*Variable) *VariableGroup {
		return &VariableGroup{
			ID: id, Name: name, Type: kind, Variables: variables, Projects: []*ProjectReference{{ProjectID: platform, Name: name}},
			Administrators: []string{maker, rekey}, CreatedBy: maker, ModifiedBy: maker, Created: born, Modified: born,
		}
	}
	linked := group(GroupVault, "vault-secrets", "AzureKeyVault", map[string]*Variable{
		"reporting-finance": {Secret: true, Use: Target{ClientID: AppReporting, TenantID: TenantID}},
		"shop-web":          {Secret: true, Use: Target{ClientID: AppShop, TenantID: TenantID}},
	})
	linked.Vault, linked.EndpointID = "kv-apps", EndpointShared
	o.VariableGroups = append(o.VariableGroups,
		group(GroupPlain, "release-settings", "Vsts", map[string]*Variable{
			"ApiUrl":                {Value: "https://reporting.contoso.example"},
			"Environment":           {Value: "production", ReadOnly: true},
			"ReportingClientSecret": {Value: value(AppReporting, 0), Secret: true, Use: Target{ClientID: AppReporting, TenantID: TenantID}},
			"FabrikamPat":           {Value: peerPAT, Secret: true, Use: Target{Organization: "fabrikam"}},
		}),
		linked)
}

func builtInAutomation(vault *Vault, identity, worker string, born time.Time, value func(string, int) string) *AutomationAccount {
	text := func(name string, mandatory bool) *RunbookParameter {
		return &RunbookParameter{Name: name, Type: "System.String", Mandatory: mandatory}
	}
	shop, reporting := Target{ClientID: AppShop, TenantID: TenantID}, Target{ClientID: AppReporting, TenantID: TenantID}
	return &AutomationAccount{
		Name: AutomationName, SubscriptionID: SubscriptionID, ResourceGroup: vault.ResourceGroup, Location: vault.Location, IdentityID: identity,
		WorkerGroups: []*WorkerGroup{{Name: WorkerGroupName, IdentityID: worker}, {Name: "decommissioned", IdentityID: worker, Dead: true}},
		Runbooks: []*Runbook{
			{
				Name: "Update-ShopCredential", Type: "PowerShell72", Description: "Reads the secret from the vault and configures the shop.", Created: born, Modified: born,
				Parameters: []*RunbookParameter{text("SecretId", true), text("Environment", false)},
				Script:     Script{IDParameter: "SecretId", Use: shop}, Holds: value(AppShop, 0),
			},
			{
				Name: "Set-ReportingSecret", Type: "PowerShell", Description: "Configures the reporting server.", Created: born, Modified: born,
				Parameters: []*RunbookParameter{text("SecretId", false), text("ClientSecret", false)},
				Script:     Script{IDParameter: "SecretId", ValueParameter: "ClientSecret", Use: reporting}, Holds: value(AppReporting, 0),
			},
			{Name: "Restart-Workers", Type: "PowerShell", Description: "Has nothing to do with credentials.", Created: born, Modified: born},
		},
		Variables: []*AutomationVariable{
			{Name: "ReportingUrl", Value: `"https://reporting.contoso.example"`, Created: born, Modified: born},
			{Name: "ReportingSecret", Value: `"` + value(AppReporting, 1) + `"`, Encrypted: true, Use: reporting, Created: born, Modified: born},
		},
		Credentials: []*AutomationCredential{{Name: "Reporting", UserName: AppReporting, Password: value(AppReporting, 1), Use: reporting, Created: born, Modified: born}},
	}
}
