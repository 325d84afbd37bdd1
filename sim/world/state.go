package world

import (
	"slices"
	"time"
)

// State is everything that the world consists of, in the form that `rekey sim world` prints and `--world` reads.
// Names are case-insensitive where Azure's are. Times are UTC.
type State struct {
	Schema  int       `json:"schema"` // 1
	Seed    uint32    `json:"seed"`
	Tenants []*Tenant `json:"tenants"`
	Users   []*User   `json:"users"`
	Apps    []*App    `json:"apps"`
	// ManagedIdentities are what the managed identity endpoint signs in. The first one without the need to be
	// named is the system-assigned one of the machine.
	ManagedIdentities []*ManagedIdentity `json:"managedIdentities"`
	Subscriptions     []*Subscription    `json:"subscriptions"`
	Vaults            []*Vault           `json:"vaults"`
	RoleAssignments   []*RoleAssignment  `json:"roleAssignments"`
	Organizations     []*Organization    `json:"organizations"`
	Consumers
	Directory
	PIM
	Storage
	Knobs Knobs `json:"knobs"`
}

// Tenant is one Entra directory.
type Tenant struct {
	ID     string `json:"id"`
	Domain string `json:"domain"` // contoso.onmicrosoft.com
	Name   string `json:"displayName"`
}

// User is a person or service account in a tenant.
type User struct {
	ID              string    `json:"id"`
	TenantID        string    `json:"tenantId"`
	UPN             string    `json:"userPrincipalName"`
	Name            string    `json:"displayName"`
	Password        string    `json:"password,omitempty"`
	MFARequired     bool      `json:"mfaRequired,omitempty"`     // the password grant is refused with 50076
	Disabled        bool      `json:"disabled,omitempty"`        // 50057
	PasswordExpired bool      `json:"passwordExpired,omitempty"` // 50055
	PasswordChanged time.Time `json:"passwordChanged,omitzero"`
	// PreviousPassword is what regions take that have not heard of the change (knob); kept only as long as there can
	// be one.
	PreviousPassword string `json:"previousPassword,omitempty"`
	// SessionsRevoked ends every refresh token issued before it.
	SessionsRevoked time.Time `json:"sessionsRevoked,omitzero"`
	Deleted         time.Time `json:"deleted,omitzero"`
}

// App is an app registration with its service principal.
type App struct {
	ID                   string                 `json:"id"`       // application object id
	ClientID             string                 `json:"clientId"` // appId
	TenantID             string                 `json:"tenantId"`
	Name                 string                 `json:"displayName"`
	ServicePrincipalID   string                 `json:"servicePrincipalId"`     // object id that roles are assigned to; "": the app cannot sign in
	ClientSecret         string                 `json:"clientSecret,omitempty"` // convenience: the value of the first of Secrets
	PublicClient         bool                   `json:"publicClient,omitempty"` // "Allow public client flows"
	RedirectURIs         []string               `json:"redirectUris,omitempty"`
	Secrets              []*PasswordCredential  `json:"secrets,omitempty"`
	Certificates         []*KeyCredential       `json:"certificates,omitempty"`
	FederatedCredentials []*FederatedCredential `json:"federatedCredentials,omitempty"`
	// ApplicationPermissions are Graph app roles granted with admin consent ("Application.ReadWrite.All").
	ApplicationPermissions []string `json:"applicationPermissions,omitempty"`
	// DelegatedPermissions are consented delegated scopes by resource app id or URI; "user_impersonation" is full access.
	DelegatedPermissions map[string][]string `json:"delegatedPermissions,omitempty"`
	Disabled             bool                `json:"disabled,omitempty"`

	Created        time.Time `json:"created,omitzero"`
	SignInAudience string    `json:"signInAudience,omitempty"` // "": AzureADMyOrg
	Owners         []string  `json:"owners,omitempty"`         // object ids of users and service principals
	// The service principal is an object of its own: it has other owners, and credentials that the application does
	// not show, which sign in as well.
	ServicePrincipalOwners       []string              `json:"servicePrincipalOwners,omitempty"`
	ServicePrincipalSecrets      []*PasswordCredential `json:"servicePrincipalSecrets,omitempty"`
	ServicePrincipalCertificates []*KeyCredential      `json:"servicePrincipalCertificates,omitempty"`
	// RemovedSecrets and RemovedCertificates were taken from either object, and go on signing in where that is not
	// known yet (knob). No one else sees them.
	RemovedSecrets      []*PasswordCredential `json:"removedSecrets,omitempty"`
	RemovedCertificates []*KeyCredential      `json:"removedCertificates,omitempty"`
	Deleted             time.Time             `json:"deleted,omitzero"`

	// AppRoles are roles of the app's own, which the ID tokens of those who have one name.
	AppRoles []*AppRole `json:"appRoles,omitempty"`
	// GroupClaims makes ID tokens name their users' groups: "SecurityGroup" or "All"; "" makes them name none.
	GroupClaims string `json:"groupMembershipClaims,omitempty"`
}

// AppRole is a role that an app declares, with who was assigned it: users and groups, by their object ids.
type AppRole struct {
	Name     string   `json:"name"`
	Assigned []string `json:"assigned,omitempty"`
}

// PasswordCredential is one client secret of an app.
type PasswordCredential struct {
	KeyID   string    `json:"keyId"`
	Name    string    `json:"displayName,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	Start   time.Time `json:"startDateTime"`
	End     time.Time `json:"endDateTime"`
	Created time.Time `json:"created,omitzero"` // new ones are refused for a while (knob)
	Value   string    `json:"value,omitempty"`
	Removed time.Time `json:"removed,omitzero"`
}

// KeyCredential is one certificate of an app: the public half, DER in base64.
type KeyCredential struct {
	KeyID   string    `json:"keyId"`
	Name    string    `json:"displayName,omitempty"`
	Start   time.Time `json:"startDateTime"`
	End     time.Time `json:"endDateTime"`
	Created time.Time `json:"created,omitzero"` // new ones are refused for a while (knob)
	Removed time.Time `json:"removed,omitzero"`
	DER     []byte    `json:"certificate"`
}

// FederatedCredential trusts an external issuer's tokens.
type FederatedCredential struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
	// JWKS is the issuer's key set (RFC 7517 JSON), for issuers that the simulator does not host itself.
	JWKS string `json:"jwks,omitempty"`
}

// ManagedIdentity is a system- or user-assigned identity.
type ManagedIdentity struct {
	ID         string `json:"id"` // object id (principal id)
	ClientID   string `json:"clientId"`
	TenantID   string `json:"tenantId"`
	Name       string `json:"displayName"`
	ResourceID string `json:"resourceId,omitempty"`     // user-assigned only
	Secret     string `json:"identityHeader,omitempty"` // what IDENTITY_HEADER must say
	// ApplicationPermissions are Graph app roles granted to its service principal.
	ApplicationPermissions []string `json:"applicationPermissions,omitempty"`
}

// Subscription is an Azure subscription with its resource groups.
type Subscription struct {
	ID             string   `json:"id"`
	TenantID       string   `json:"tenantId"`
	Name           string   `json:"displayName"`
	ResourceGroups []string `json:"resourceGroups"`
}

// Vault is a Key Vault with its secrets.
type Vault struct {
	Name            string    `json:"name"`
	SubscriptionID  string    `json:"subscriptionId"`
	ResourceGroup   string    `json:"resourceGroup"`
	Location        string    `json:"location"`
	TenantID        string    `json:"tenantId"`
	SoftDeleteDays  int       `json:"softDeleteDays"`
	PurgeProtection bool      `json:"purgeProtection,omitempty"`
	Secrets         []*Secret `json:"secrets,omitempty"`
}

// ResourceID is the vault's ARM id.
func (v *Vault) ResourceID() string {
	return "/subscriptions/" + v.SubscriptionID + "/resourceGroups/" + v.ResourceGroup + "/providers/Microsoft.KeyVault/vaults/" + v.Name
}

// Secret is a named secret of a vault. The newest version is the last of Versions.
type Secret struct {
	Name     string           `json:"name"`
	Versions []*SecretVersion `json:"versions"`
	// Deleted is when it was soft-deleted, zero if it is not.
	Deleted time.Time `json:"deleted,omitzero"`
	// Recovered is when it was last recovered (for ObjectIsBeingRecovered).
	Recovered time.Time `json:"recovered,omitzero"`
}

// SecretVersion is one version of a secret.
type SecretVersion struct {
	ID          string            `json:"id"` // 32 hex
	Value       string            `json:"value,omitempty"`
	ContentType *string           `json:"contentType,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	NotBefore   *int64            `json:"nbf,omitempty"`
	Expires     *int64            `json:"exp,omitempty"`
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
	Tags        map[string]string `json:"tags,omitempty"` // nil: never set
}

// RoleAssignment gives a principal a role at a scope and below.
type RoleAssignment struct {
	Name          string    `json:"name"` // GUID
	Scope         string    `json:"scope"`
	RoleID        string    `json:"roleDefinitionId"` // GUID of the role definition
	PrincipalID   string    `json:"principalId"`
	PrincipalType string    `json:"principalType"`
	Description   *string   `json:"description,omitempty"`
	Condition     *string   `json:"condition,omitempty"`
	ConditionVer  *string   `json:"conditionVersion,omitempty"`
	CreatedBy     string    `json:"createdBy,omitempty"`
	UpdatedBy     string    `json:"updatedBy,omitempty"`
	Created       time.Time `json:"createdOn,omitzero"`
	Updated       time.Time `json:"updatedOn,omitzero"`
	// Removed keeps a deleted assignment effective on the data plane until the propagation delay has passed. It is
	// not listed any more.
	Removed time.Time `json:"removed,omitzero"`
	// Schedule is the schedule of PIM that it comes from, "" for one that is in the list of the world.
	Schedule string `json:"-"`
}

// Organization is an Azure DevOps organisation.
type Organization struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	TenantID string     `json:"tenantId"`
	Members  []string   `json:"members"` // object ids of users and service principals with access
	Projects []*Project `json:"projects"`
	PATs     []*PAT     `json:"pats,omitempty"`
	Stopped  bool       `json:"stopped,omitempty"` // answers 503 TF24668
	// Administrators are the object ids of the organisation's own.
	Administrators   []string           `json:"administrators,omitempty"`
	ServiceEndpoints []*ServiceEndpoint `json:"serviceEndpoints,omitempty"`
	VariableGroups   []*VariableGroup   `json:"variableGroups,omitempty"`
}

// Project is a team project.
type Project struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Administrators are object ids.
	Administrators []string `json:"administrators,omitempty"`
}

// PAT is a personal access token.
type PAT struct {
	AuthorizationID string    `json:"authorizationId"`
	OwnerID         string    `json:"ownerId"` // user object id
	Name            string    `json:"displayName"`
	Scope           string    `json:"scope"`
	ValidFrom       time.Time `json:"validFrom"`
	ValidTo         time.Time `json:"validTo"`
	AllOrgs         bool      `json:"allOrgs,omitempty"`
	Token           string    `json:"token,omitempty"`
	Revoked         time.Time `json:"revoked,omitzero"`
	// LastUsed is kept only while the inactivity knob is on: a read must not change the world otherwise.
	LastUsed time.Time `json:"lastUsed,omitzero"`
}

func (w *World) rememberState() {
	for _, u := range slices.Concat(w.Users, w.DeletedUsers) {
		w.Remember(u.Password)
		w.Remember(u.PreviousPassword)
	}
	for _, a := range slices.Concat(w.Apps, w.DeletedApps) {
		for _, v := range a.values() {
			w.Remember(v)
		}
	}
	for _, m := range w.ManagedIdentities {
		w.Remember(m.Secret)
	}
	for _, v := range w.Vaults {
		for _, s := range v.Secrets {
			for _, x := range s.Versions {
				w.Remember(x.Value)
			}
		}
	}
	for _, o := range w.Organizations {
		for _, p := range o.PATs {
			w.Remember(p.Token)
		}
	}
	w.rememberConsumers()
}
