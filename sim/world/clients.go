package world

import (
	"slices"
	"strings"
)

// FirstPartyClient is a public client of Microsoft's own. It needs no app registration in a tenant, and is
// pre-consented to everything.
type FirstPartyClient struct {
	ID   string
	Name string
}

// Client ids of Microsoft's own public clients.
const (
	ClientAzureCLI         = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	ClientAzurePowerShell  = "1950a258-227b-4e31-a9cf-717495945fc2"
	ClientVisualStudioCode = "aebc6443-996d-45c2-90f0-388ff96faa56"
	ClientVisualStudio     = "872cd9fa-d31f-45e0-9eab-6e460a02d1f1"
)

// FirstPartyClients are the clients of Microsoft's own that sign users in.
var FirstPartyClients = []FirstPartyClient{
	{ClientAzureCLI, "Microsoft Azure CLI"},
	{ClientAzurePowerShell, "Microsoft Azure PowerShell"},
	{ClientVisualStudioCode, "Visual Studio Code"},
	{ClientVisualStudio, "Visual Studio"},
}

// FirstPartyClientByID finds a client of Microsoft's own.
func FirstPartyClientByID(id string) (FirstPartyClient, bool) {
	i := slices.IndexFunc(FirstPartyClients, func(c FirstPartyClient) bool { return strings.EqualFold(c.ID, id) })
	if i < 0 {
		return FirstPartyClient{}, false
	}
	return FirstPartyClients[i], true
}
