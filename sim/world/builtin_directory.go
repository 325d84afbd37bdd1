package world

import "time"

// Client ids of apps of the built-in world, for services and tests that refer to them.
const (
	AppBilling   = "39bbcadf-d7e9-4ed8-9dd2-9794b7d197b9" // billing-api: a client secret, no owners
	AppDeploy    = "028955b0-38f5-4233-b0e3-9baef4488c21" // deploy-platform: what a service connection signs in as
	AppSigning   = "c06ae3a5-7337-4907-8cd9-ba311afdf314" // signing-service: a certificate, no client secret
	AppShop      = "e92f5531-6fc1-41ae-8f0f-f95426dadb5a" // shop-web: for personal accounts, so two client secrets at most
	AppReporting = "8a59d95d-95dc-41b4-b38f-18583a788961" // reporting-shared: two teams, one client secret each
)

// RoleApprover is the app role of rekey-public that lets people approve, and GroupAdministrators a group that has it.
const (
	RoleApprover        = "Rekey.Approver"
	GroupAdministrators = "33c8e2a0-27d2-4a50-9380-948a2bdb9b92"
)

// builtInDirectory adds what the directory is changed through and what is changed in it: apps with and without
// owners, a certificate, a service account, administrators.
//
// The managed identity rekey owns every app but billing-api, so that it needs no permission for apps that are none
// of its business.
func builtInDirectory(s *State, born, dies time.Time) {
	const (
		domain   = "contoso.onmicrosoft.com"
		alex     = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
		rekeyMI  = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
		admin    = "53f1dcd8-d7d5-44f8-8ff4-15b0a4f74a76"
		dana     = "f1b037aa-0a89-40d5-9e68-8304d672b3e9"
		kim      = "a754c299-db25-410e-b75f-06e41118485e"
		svcBatch = "754c2455-5e48-4761-a579-96280daa33a9"
	)
	user := func(id, name, shown string, mfa bool) *User {
		return &User{
			ID: id, TenantID: TenantID, UPN: name + "@" + domain, Name: shown,
			Password: "Sim." + Canary + "." + name + ".4Wd6", MFARequired: mfa, PasswordChanged: born,
		}
	}
	s.Users = append(s.Users,
		user(dana, "dana", "Dana", true),
		user(kim, "kim", "Kim", true),
		user(svcBatch, "svc-batch", "Service account for batch jobs", false))

	secret := func(keyID, name, value string) *PasswordCredential {
		return &PasswordCredential{KeyID: keyID, Name: name, Hint: value[:3], Start: born, End: dies, Value: value}
	}
	app := func(id, clientID, principal, name string, owners []string, secrets ...*PasswordCredential) *App {
		a := &App{
			ID: id, ClientID: clientID, TenantID: TenantID, Name: name, ServicePrincipalID: principal, Created: born,
			Owners: owners, Secrets: secrets,
		}
		if len(secrets) > 0 {
			a.ClientSecret = secrets[0].Value
		}
		return a
	}
	billing := app("0b3b01c9-9b3f-4a51-8436-56805bba4533", AppBilling, "ed6d61e8-3824-4e83-8e3d-1989618512b9", "billing-api", nil,
		secret("6793f1f7-a623-451c-a6ae-23f8fa711e37", "made by hand", "Bi18Q~"+Canary+"B1llingApiBillingApi234"))
	deploy := app("b8a5e48a-5e6b-4229-b055-36b64b08d37d", AppDeploy, "0c16b6a9-95f5-43a2-a4de-cb35f680b5b9", "deploy-platform", []string{alex, rekeyMI},
		secret("7504bd3c-d3fe-4a46-be0f-1bcc35646fdf", "service connection", "De18Q~"+Canary+"D3ployPlatformDeploy234"))
	signing := app("0ce7b0ab-ef47-4643-98dc-5cfeb1232c9c", AppSigning, "83205740-fb16-4fe2-92a1-2beddbe78d8c", "signing-service", []string{dana, rekeyMI})
	signing.Certificates = []*KeyCredential{{KeyID: "5b5c3a56-1fc4-4080-ba4e-44bc479b23e5", Name: "CN=signing-service", Start: born, End: dies, DER: signingDER()}}
	shop := app("15cdb287-0299-482f-a8aa-223c6f8295b3", AppShop, "2fc08540-0985-4615-abcb-a2d325e3eddd", "shop-web", []string{kim, rekeyMI},
		secret("f7472a96-1d67-46c8-beba-5633a4378e0a", "web shop", "Sh18Q~"+Canary+"Sh0pWebShopWebShopWeb23"))
	shop.SignInAudience = "AzureADandPersonalMicrosoftAccount"
	reporting := app("978d58f9-0fde-4d59-9a8a-29971b64983c", AppReporting, "ecdc79e1-25ac-4b22-8e9c-2f46180dcc8c", "reporting-shared", []string{dana, kim, rekeyMI},
		secret("0948bb94-1a5f-48f7-bea4-9b2c9cbf35f8", "finance", "Fi18Q~"+Canary+"R3portingFinance2345672"),
		secret("b28d1fd0-621c-4b41-ba01-0fad585d343a", "sales", "Sa18Q~"+Canary+"R3portingSales234567234"))
	s.Apps = append(s.Apps, billing, deploy, signing, shop, reporting)

	for _, m := range s.ManagedIdentities {
		if m.ID == rekeyMI {
			m.ApplicationPermissions = []string{"Application.ReadWrite.OwnedBy", "User.Read.All", "User-PasswordProfile.ReadWrite.All"}
		}
	}
	for _, v := range s.Vaults {
		if v.Name == "kv-rekey" {
			v.Secrets = append(v.Secrets,
				&Secret{Name: "svc-batch-password", Versions: []*SecretVersion{{ID: "c08eaf2d3b32456abdde21ebad9dacf1", Value: s.Users[len(s.Users)-1].Password, Created: born, Updated: born}}},
				&Secret{Name: "signing-service-certificate", Versions: []*SecretVersion{{ID: "40197593a7c348f58af97ab5efc29c73", Value: signingPEM(), Created: born, Updated: born}}})
		}
	}
	s.Groups = append(s.Groups, &Group{ID: GroupAdministrators, TenantID: TenantID, Name: "Application administrators", Members: []string{dana, kim}})
	// Approvers sign in to rekey-public: alex in person, dana and kim by their group.
	for _, a := range s.Apps {
		if a.Name == "rekey-public" {
			a.GroupClaims = "SecurityGroup"
			a.AppRoles = []*AppRole{{Name: RoleApprover, Assigned: []string{alex, GroupAdministrators}}}
		}
	}
	role := func(id, role, principal string) {
		s.DirectoryRoleAssignments = append(s.DirectoryRoleAssignments, &DirectoryRoleAssignment{ID: id, TenantID: TenantID, RoleID: role, PrincipalID: principal})
	}
	role("1db5f52a-e991-4a94-9a50-a998c6e0c5b8", RoleGlobalAdministrator, alex)
	role("3a77a64e-629e-4718-8f9a-c6aa9aba919b", RoleApplicationAdministrator, dana)
	role("90ceb4c9-b9c9-4992-aa5f-354136ffc83d", RoleUserAdministrator, admin)
}
