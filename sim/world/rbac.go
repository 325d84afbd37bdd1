package world

import (
	"slices"
	"strings"
	"time"
)

// Role is a built-in role definition.
type Role struct {
	ID             string // GUID
	Name           string
	Description    string
	Actions        []string
	NotActions     []string
	DataActions    []string
	NotDataActions []string
}

// Built-in role GUIDs (facts/keyvault-graph-arm.md section 1.1, and Azure's public list of built-in roles).
const (
	RoleOwner                 = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	RoleContributor           = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	RoleReader                = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	RoleUserAccessAdmin       = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	RoleRBACAdmin             = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
	RoleKeyVaultAdministrator = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
	RoleKeyVaultOfficer       = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
	RoleKeyVaultUser          = "4633458b-17de-408a-b874-0445c86b69e6"
	RoleKeyVaultReader        = "21090545-7ca7-4776-b22c-e363652d74d2"
	RoleKeyVaultPurge         = "a68e7c17-0ab2-4c09-9a58-125dae29748c"
	RoleKeyVaultDataAccess    = "8b54135c-b56d-4d72-a534-26097cfdc8d8"
	RoleAutomationContributor = "f353d9bd-d4a6-484e-a77a-8050b599b867"
	RoleAutomationOperator    = "d3881f73-407a-4167-8283-e981cbba0404"
	RoleAutomationJobOperator = "4fe576fe-1146-4730-92eb-48519fa6bf9f"
	RoleAutomationRunbook     = "5fb5aef8-1081-4b8e-bb16-9d5d0385bab5"
	RoleLogicAppContributor   = "87a39d53-fc1b-424a-814c-f7e04687dc9e"
	RoleWebsiteContributor    = "de139f84-1756-47ae-9be6-808fbbe84772"
	RoleBlobDataOwner         = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
	RoleBlobDataContributor   = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
	RoleBlobDataReader        = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
	RoleMetricsPublisher      = "3913510d-42f4-4e42-8a64-420c390055eb"
)

// Roles are the built-in role definitions that the simulator knows.
var Roles = []Role{
	{ID: RoleOwner, Name: "Owner", Description: "Full access to manage all resources, including assigning roles.", Actions: []string{"*"}},
	{ID: RoleContributor, Name: "Contributor", Description: "Full access to manage all resources, but not to assign roles.", Actions: []string{"*"}, NotActions: []string{"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action"}},
	{ID: RoleReader, Name: "Reader", Description: "View all resources.", Actions: []string{"*/read"}},
	{ID: RoleUserAccessAdmin, Name: "User Access Administrator", Description: "Manage user access to Azure resources.", Actions: []string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"}},
	{ID: RoleRBACAdmin, Name: "Role Based Access Control Administrator", Description: "Manage access by assigning roles.", Actions: []string{"*/read", "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "Microsoft.Support/*"}},
	{ID: RoleKeyVaultAdministrator, Name: "Key Vault Administrator", Description: "All data plane operations on a key vault and its objects.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.KeyVault/checkNameAvailability/read", "Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read", "Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/operations/read", "Microsoft.Resources/subscriptions/resourceGroups/read"}, DataActions: []string{"Microsoft.KeyVault/vaults/*"}},
	{ID: RoleKeyVaultOfficer, Name: "Key Vault Secrets Officer", Description: "Any action on the secrets of a key vault, except manage permissions.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.KeyVault/vaults/*/read"}, DataActions: []string{"Microsoft.KeyVault/vaults/secrets/*"}},
	{ID: RoleKeyVaultUser, Name: "Key Vault Secrets User", Description: "Read secret contents.", DataActions: []string{"Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"}},
	{ID: RoleKeyVaultReader, Name: "Key Vault Reader", Description: "Read metadata of key vaults and their objects; no secret contents.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.KeyVault/vaults/*/read", "Microsoft.Resources/subscriptions/resourceGroups/read"}, DataActions: []string{"Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"}},
	{ID: RoleKeyVaultPurge, Name: "Key Vault Purge Operator", Description: "Purge soft-deleted vaults.", DataActions: []string{"Microsoft.KeyVault/vaults/*/purge/action"}},
	{ID: RoleKeyVaultDataAccess, Name: "Key Vault Data Access Administrator", Description: "Manage access to Key Vault by assigning Key Vault roles only.", Actions: []string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "Microsoft.Authorization/*/read", "Microsoft.KeyVault/vaults/*/read", "Microsoft.Resources/subscriptions/read"}},
	{ID: RoleAutomationContributor, Name: "Automation Contributor", Description: "Manage Azure Automation resources and other resources using Azure Automation.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.Automation/automationAccounts/*", "Microsoft.Insights/alertRules/*", "Microsoft.ResourceHealth/availabilityStatuses/read", "Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*"}},
	{ID: RoleAutomationOperator, Name: "Automation Operator", Description: "Start, stop, suspend, and resume jobs.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.Automation/automationAccounts/hybridRunbookWorkerGroups/read", "Microsoft.Automation/automationAccounts/jobs/read", "Microsoft.Automation/automationAccounts/jobs/resume/action", "Microsoft.Automation/automationAccounts/jobs/stop/action", "Microsoft.Automation/automationAccounts/jobs/streams/read", "Microsoft.Automation/automationAccounts/jobs/suspend/action", "Microsoft.Automation/automationAccounts/jobs/write", "Microsoft.Automation/automationAccounts/jobs/output/read", "Microsoft.Automation/automationAccounts/jobSchedules/read", "Microsoft.Automation/automationAccounts/jobSchedules/write", "Microsoft.Automation/automationAccounts/linkedWorkspace/read", "Microsoft.Automation/automationAccounts/read", "Microsoft.Automation/automationAccounts/runbooks/read", "Microsoft.Automation/automationAccounts/schedules/read", "Microsoft.Automation/automationAccounts/schedules/write", "Microsoft.Resources/subscriptions/resourceGroups/read"}},
	{ID: RoleAutomationJobOperator, Name: "Automation Job Operator", Description: "Create and manage jobs using Automation runbooks.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.Automation/automationAccounts/hybridRunbookWorkerGroups/read", "Microsoft.Automation/automationAccounts/jobs/read", "Microsoft.Automation/automationAccounts/jobs/resume/action", "Microsoft.Automation/automationAccounts/jobs/stop/action", "Microsoft.Automation/automationAccounts/jobs/streams/read", "Microsoft.Automation/automationAccounts/jobs/suspend/action", "Microsoft.Automation/automationAccounts/jobs/write", "Microsoft.Automation/automationAccounts/jobs/output/read", "Microsoft.Resources/subscriptions/resourceGroups/read"}},
	{ID: RoleAutomationRunbook, Name: "Automation Runbook Operator", Description: "Read runbook properties, to be able to create jobs of the runbook.", Actions: []string{"Microsoft.Automation/automationAccounts/runbooks/read", "Microsoft.Authorization/*/read", "Microsoft.Resources/subscriptions/resourceGroups/read"}},
	{ID: RoleLogicAppContributor, Name: "Logic App Contributor", Description: "Manage logic apps, but not access to them.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.Logic/*", "Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*", "Microsoft.Web/connectionGateways/*", "Microsoft.Web/connections/*", "Microsoft.Web/customApis/*"}},
	{ID: RoleWebsiteContributor, Name: "Website Contributor", Description: "Manage websites, but not web plans.", Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Insights/components/*", "Microsoft.ResourceHealth/availabilityStatuses/read", "Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*", "Microsoft.Web/certificates/*", "Microsoft.Web/listSitesAssignedToHostName/read", "Microsoft.Web/serverFarms/join/action", "Microsoft.Web/serverFarms/read", "Microsoft.Web/sites/*"}},
	{ID: RoleBlobDataOwner, Name: "Storage Blob Data Owner", Description: "Full access to blob containers and data.", Actions: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/*", "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"}, DataActions: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"}},
	{ID: RoleBlobDataContributor, Name: "Storage Blob Data Contributor", Description: "Read, write and delete blob containers and data.", Actions: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/delete", "Microsoft.Storage/storageAccounts/blobServices/containers/read", "Microsoft.Storage/storageAccounts/blobServices/containers/write", "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"}, DataActions: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action"}},
	{ID: RoleBlobDataReader, Name: "Storage Blob Data Reader", Description: "Read blob containers and data.", Actions: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/read", "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"}, DataActions: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"}},
	{ID: RoleMetricsPublisher, Name: "Monitoring Metrics Publisher", Description: "Publish metrics and logs of Azure resources.", Actions: []string{"Microsoft.Insights/Register/Action", "Microsoft.Support/*", "Microsoft.Resources/subscriptions/resourceGroups/read"}, DataActions: []string{"Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"}},
}

// RoleByID finds a built-in role by its GUID.
func RoleByID(id string) (Role, bool) {
	i := slices.IndexFunc(Roles, func(r Role) bool { return strings.EqualFold(r.ID, id) })
	if i < 0 {
		return Role{}, false
	}
	return Roles[i], true
}

// Allowed says whether a principal may do a control-plane action at a scope: control-plane changes hold at once.
// Locked.
func (w *World) Allowed(principal, action, scope string) bool {
	return w.AllowedDeed(principal, Deed{Action: action}, scope)
}

// AllowedDeed is Allowed for an action with attributes, which conditions are about. Locked.
func (w *World) AllowedDeed(principal string, d Deed, scope string) bool {
	return w.allowed(principal, d, scope, w.Now(), 0, func(r Role) bool { return r.Grants(d.Action) })
}

// Grants says whether a role has a control-plane action.
func (r Role) Grants(action string) bool {
	return matchAny(r.Actions, action) && !matchAny(r.NotActions, action)
}

// RolesAt are the roles that a principal has at a scope by now, on the control plane. Locked.
func (w *World) RolesAt(principal, scope string) (out []Role) {
	w.allowed(principal, Deed{}, scope, w.Now(), 0, func(r Role) bool {
		out = append(out, r)
		return false
	})
	return out
}

// AllowedData says whether a principal may do a data-plane action at a scope. Assignments and removals reach the
// data plane only after the propagation delay (ARMKnobs.RBACDelay). Locked.
func (w *World) AllowedData(principal, action, scope string) bool {
	return w.allowed(principal, Deed{Action: action}, scope, w.Now(), time.Duration(w.Knobs.ARM.RBACDelay), func(r Role) bool {
		return matchAny(r.DataActions, action) && !matchAny(r.NotDataActions, action)
	})
}

func (w *World) allowed(principal string, d Deed, scope string, now time.Time, delay time.Duration, grants func(Role) bool) bool {
	for _, a := range w.Assignments() {
		if !covers(a.Scope, scope) || !w.IsPrincipal(principal, a.PrincipalID) {
			continue
		}
		if !a.Created.IsZero() && now.Before(a.Created.Add(delay)) {
			continue
		}
		if !a.Removed.IsZero() && !now.Before(a.Removed.Add(delay)) {
			continue
		}
		if r, ok := RoleByID(a.RoleID); ok && grants(r) && a.fulfilled(d) {
			return true
		}
	}
	return false
}

// IsPrincipal says whether a principal is another one, or a member of it. Locked.
func (w *World) IsPrincipal(principal, other string) bool {
	if strings.EqualFold(principal, other) || w.holds(Place{RealmGroup, other, "member", principal}) {
		return true
	}
	return slices.ContainsFunc(w.Groups, func(g *Group) bool {
		return strings.EqualFold(g.ID, other) && slices.ContainsFunc(g.Members, func(m string) bool { return strings.EqualFold(m, principal) })
	})
}

// fulfilled says whether an assignment's condition, if it has one, lets a deed pass.
func (a *RoleAssignment) fulfilled(d Deed) bool {
	if a.Condition == nil || *a.Condition == "" {
		return true
	}
	c, err := ParseCondition(*a.Condition)
	return err == nil && c.Fulfilled(d)
}

// covers says whether an assignment at scope a holds at scope b: the same or an ancestor.
func covers(a, b string) bool {
	a, b = strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/")
	return len(a) <= len(b) && strings.EqualFold(a, b[:len(a)]) && (len(a) == len(b) || b[len(a)] == '/')
}

func matchAny(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(strings.ToLower(p), strings.ToLower(action)) })
}

// match is Azure's wildcard: "*" stands for any run of characters, slashes included. What stands between two of them
// is looked for from the left, as the first place leaves the most for the rest.
func match(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return pattern == s
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
