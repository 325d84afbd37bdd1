package world

// SiteShop is the built-in world's web app, which has the slot SlotStaging; SiteReports is a function app.
const (
	SiteShop    = "shop-web"
	SiteReports = "reporting-functions"
	SlotStaging = "staging"
)

// builtInSites adds apps whose settings refer to secrets of the vault. It returns whom each reads them as.
func builtInSites(s *State, vault *Vault) (readers []string) {
	site := func(name, slot, kind, identity, setting, secret, reference, client string) *Site {
		x := &Site{
			Name: name, Slot: slot, SubscriptionID: SubscriptionID, ResourceGroup: ResourceGroupApps, Location: "westeurope", Kind: kind, IdentityID: identity,
			Settings: map[string]string{setting: reference, "WEBSITE_TIME_ZONE": "W. Europe Standard Time"},
			Uses:     map[string]Target{setting: {ClientID: client, TenantID: TenantID}},
		}
		for _, v := range vault.Secrets {
			if v.Name == secret {
				x.Resolved = map[string]Resolved{setting: {Value: v.Versions[0].Value, Version: v.Versions[0].ID, Status: "Resolved"}}
			}
		}
		principal := name
		if slot != "" {
			principal += "/slots/" + slot
		}
		s.ManagedIdentities = append(s.ManagedIdentities, &ManagedIdentity{ID: identity, ClientID: identity[:35] + "f", TenantID: TenantID, Name: principal, Secret: "Mi." + Canary + "." + name + slot + ".6Tv1"})
		readers = append(readers, identity)
		return x
	}
	const (
		shop    = "a1c7f2d4-0b3e-4c58-9a61-7d2e8f904b10"
		staging = "a1c7f2d4-0b3e-4c58-9a61-7d2e8f904b20"
		reports = "a1c7f2d4-0b3e-4c58-9a61-7d2e8f904b30"
	)
	s.Sites = append(s.Sites,
		site(SiteShop, "", "app", shop, "Shop__ClientSecret", "shop-web", "@Microsoft.KeyVault(SecretUri=https://"+vault.Name+".vault.azure.net/secrets/shop-web/)", AppShop),
		site(SiteShop, SlotStaging, "app", staging, "Shop__ClientSecret", "shop-web", "@Microsoft.KeyVault(VaultName="+vault.Name+";SecretName=shop-web)", AppShop),
		site(SiteReports, "", "functionapp", reports, "ReportingClientSecret", "reporting-finance", "@Microsoft.KeyVault(VaultName="+vault.Name+";SecretName=reporting-finance)", AppReporting))
	return readers
}
