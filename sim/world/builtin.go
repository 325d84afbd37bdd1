package world

import "time"

// Names and ids of the built-in world that tests and documentation refer to.
const (
	TenantID       = "2546d48a-c31f-47d0-884b-283dcbb948c3"
	SubscriptionID = "19a6f5fa-f20b-4551-b9ed-15689119b7ab"

	// AzureDevOps is the app id of Azure DevOps, as a resource.
	AzureDevOps = "499b84ac-1321-427f-aa17-267ca6975798"
)

// BuiltIn is the world that `rekey sim` serves when it is not given another one. Ids and secrets are the same in
// every release; each call returns a copy of its own.
//
// Everything in it was made in 1999 and lives to 2199, so that it is in force under any clock: a test's may start
// at the year 2000.
func BuiltIn() State {
	born := time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC)
	dies := time.Date(2199, 9, 1, 8, 0, 0, 0, time.UTC)

	const (
		domain    = "contoso.onmicrosoft.com"
		svcPAT    = "ff477466-a73a-42ae-9376-b5bb89bac062"
		svcMFA    = "a9c0c99b-d207-4df3-8d9d-0ce7acc5248d"
		alex      = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
		rekeyMI   = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
		consumer  = "f2e0aacb-a34c-4e63-8610-a801b9e1157f"
		admin     = "53f1dcd8-d7d5-44f8-8ff4-15b0a4f74a76"
		ci        = "d3099628-fc46-45e4-9edb-3bcb80025736"
		rekeyApp  = "8dbd6bfe-b5e8-47a5-8abf-251e15909e1d"
		passPAT   = "Sim." + Canary + ".svc-devops-pat.7Qm2"
		passMFA   = "Sim." + Canary + ".svc-mfa.9Tz4"
		passAlex  = "Sim." + Canary + ".alex.3Hv8"
		secretCon = "Cn18Q~" + Canary + "c0nsumerConsumerX2345Q7"
		secretAdm = "Ad18Q~" + Canary + "Adm1nistratorAdminX3456"
	)
	vault := func(name string, secrets ...*Secret) *Vault {
		return &Vault{
			Name: name, SubscriptionID: SubscriptionID, ResourceGroup: "rg-rekey", Location: "westeurope",
			TenantID: TenantID, SoftDeleteDays: 90, Secrets: secrets,
		}
	}
	secret := func(name, version, value string) *Secret {
		return &Secret{Name: name, Versions: []*SecretVersion{{ID: version, Value: value, Created: born, Updated: born}}}
	}
	clientSecret := func(keyID, value string) []*PasswordCredential {
		return []*PasswordCredential{{KeyID: keyID, Name: "built-in", Hint: value[:3], Start: born, End: dies, Value: value}}
	}
	prod := vault("kv-pat-prod")
	own := vault("kv-rekey",
		secret("svc-devops-pat-password", "67fe4bde9a664c9185c0e8e07d1a93e5", passPAT),
		secret("svc-mfa-password", "8c73f1e17dd642a783eb0de3af6ffe33", passMFA),
		secret("webhook-signing-key", "9d84a2f28ee753b894fc1ef4b0700f44", "Sim."+Canary+".webhook.signing.4Wk6"))
	subscription := "/subscriptions/" + SubscriptionID
	assign := func(name, principal, role, scope string) *RoleAssignment {
		return &RoleAssignment{
			Name: name, Scope: scope, RoleID: role, PrincipalID: principal, PrincipalType: "ServicePrincipal",
			CreatedBy: alex, UpdatedBy: alex, Created: born, Updated: born,
		}
	}

	s := State{
		Schema:  1,
		Seed:    1,
		Tenants: []*Tenant{{ID: TenantID, Domain: domain, Name: "Contoso"}},
		Users: []*User{
			{ID: svcPAT, TenantID: TenantID, UPN: "svc-devops-pat@" + domain, Name: "Service account for PATs", Password: passPAT, PasswordChanged: born},
			{ID: svcMFA, TenantID: TenantID, UPN: "svc-mfa@" + domain, Name: "Service account with MFA", Password: passMFA, MFARequired: true, PasswordChanged: born},
			{ID: alex, TenantID: TenantID, UPN: "alex@" + domain, Name: "Alex", Password: passAlex, MFARequired: true, PasswordChanged: born},
		},
		Apps: []*App{
			{
				ID: "1e1529b2-a6b8-425c-b864-35b72ba2ab6a", ClientID: "2bfcc342-eb74-4427-832c-db82f28995f4", TenantID: TenantID,
				Name: "rekey-public", ServicePrincipalID: rekeyApp, PublicClient: true, RedirectURIs: []string{"http://localhost"},
				DelegatedPermissions: map[string][]string{AzureDevOps: {"user_impersonation", "vso.pats", "vso.pats_manage", "vso.profile"}},
			},
			{
				ID: "4b91f450-7884-4a70-a063-d94398853344", ClientID: "fd81fa33-1d2b-404a-944f-c154958dbe92", TenantID: TenantID,
				Name: "consumer", ServicePrincipalID: consumer, ClientSecret: secretCon,
				Secrets: clientSecret("ba28b7cf-ecee-4908-8137-850a4a1f76eb", secretCon),
			},
			{
				ID: "132a2e54-e885-4c8f-9a84-2845ded5f748", ClientID: "d894a33b-e9e4-4873-bbcb-a8a4aba0114d", TenantID: TenantID,
				Name: "administrator", ServicePrincipalID: admin, ClientSecret: secretAdm,
				Secrets: clientSecret("aa94833a-5601-4090-9892-18e2eb999b7c", secretAdm),
				ApplicationPermissions: []string{
					"Application.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All",
					"AppRoleAssignment.ReadWrite.All", "RoleManagement.ReadWrite.Directory",
				},
			},
			{
				ID: "a62ce46e-0c14-4cd5-84cd-1c1d3a5cb438", ClientID: "032af216-446e-4fb2-8dac-c20c0a93b12b", TenantID: TenantID,
				Name: "ci", ServicePrincipalID: ci,
				FederatedCredentials: []*FederatedCredential{{
					ID: "733c45c9-d3ae-4f4b-920c-d22e4693ea65", Name: "github-main",
					Issuer:    "https://token.actions.githubusercontent.com",
					Subject:   "repo:contoso/platform:ref:refs/heads/main",
					Audiences: []string{"api://AzureADTokenExchange"},
				}},
			},
		},
		ManagedIdentities: []*ManagedIdentity{{
			ID: rekeyMI, ClientID: "eb2ab58c-d382-4db6-b2ab-33b55dd51529", TenantID: TenantID, Name: "rekey",
			Secret: "Mi." + Canary + ".identity.5Kd1",
		}},
		Subscriptions: []*Subscription{{ID: SubscriptionID, TenantID: TenantID, Name: "Contoso production", ResourceGroups: []string{"rg-rekey"}}},
		Vaults:        []*Vault{prod, own},
		RoleAssignments: []*RoleAssignment{
			assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b01", rekeyMI, RoleKeyVaultOfficer, prod.ResourceID()),
			assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b02", rekeyMI, RoleKeyVaultOfficer, own.ResourceID()),
			assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b03", consumer, RoleKeyVaultUser, prod.ResourceID()),
			assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b04", admin, RoleOwner, subscription),
			assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b05", admin, RoleKeyVaultAdministrator, subscription),
			assign("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2b06", ci, RoleKeyVaultOfficer, prod.ResourceID()),
		},
		Organizations: []*Organization{
			{
				ID: "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11", Name: "contoso", TenantID: TenantID, Members: []string{svcPAT, svcMFA, alex},
				Projects: []*Project{{ID: "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f21", Name: "platform"}},
			},
			{
				ID: "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e12", Name: "fabrikam", TenantID: TenantID, Members: []string{svcPAT, alex},
				Projects: []*Project{{ID: "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f22", Name: "web"}},
			},
		},
	}
	builtInDirectory(&s, born, dies)
	builtInConsumers(&s, born, dies)
	builtInStorage(&s, born)
	builtInJIT(&s, born)
	return s
}
