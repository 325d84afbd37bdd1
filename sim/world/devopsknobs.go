package world

import "time"

// DevOpsKnobs are the knobs of Azure DevOps. Where sources disagree about the real service, the zero value is the
// most credible of them and the comment names the others; "section" is one of facts/azure-devops-entra.md.
type DevOpsKnobs struct {
	// MaxLifespan is the tenant's maximum PAT lifespan: a longer validTo is clamped without an error. 0: none.
	MaxLifespan Duration `json:"maxLifespan"`
	// ClampUpdateToCreation says from when an update is clamped: nil or true, from the PAT's own creation, as the
	// specification says; false, from now. Section 1.5.
	ClampUpdateToCreation *bool `json:"clampUpdateToCreation,omitempty"`
	// Overlong is what a validTo beyond the maximum gets: "" clamps; "refuse" answers patLifespanPolicyViolation
	// (before March 2024), and invalidValidTo beyond one year. How the service treats more than one year is
	// unverified. Section 1.5.
	Overlong string `json:"overlong,omitempty"`
	// DefaultLifespan is the life of a PAT created without validTo: 0 is 30 days, as in the web page; the API's own
	// default is unverified. Section 1.4.
	DefaultLifespan Duration `json:"defaultLifespan,omitempty"`
	// MaxDisplayName is the longest display name; a longer one is invalidDisplayName. 0: 256. The real limit is
	// unverified. Section 1.4.
	MaxDisplayName int `json:"maxDisplayName,omitempty"`

	// RestrictGlobal is the tenant policy against PATs for all organisations: globalPatPolicyViolation.
	RestrictGlobal bool `json:"restrictGlobal,omitempty"`
	// RestrictFullScope is the tenant policy against full-scoped PATs: fullScopePatPolicyViolation.
	RestrictFullScope bool `json:"restrictFullScope,omitempty"`
	// CreationBlocked is the organisation's policy against new PATs: "enum" answers 200 with
	// disablePatCreationPolicyViolation, "400" answers HTTP 400 as the legacy API did. Sections 1.5 and 1.6.
	CreationBlocked string `json:"creationBlocked,omitempty"`
	// GlobalRetirement is when PATs for all organisations stop and can no longer be created
	// (globalPATCreationBlocked). Zero: 2026-12-01, the announced date. Section 1.5.
	GlobalRetirement time.Time `json:"globalRetirement,omitzero"`
	// GlobalCreationBlocked refuses new PATs for all organisations before the retirement. The block was announced
	// for March 2026 and reported withdrawn. Section 1.5.
	GlobalCreationBlocked bool `json:"globalCreationBlocked,omitempty"`
	// Inactivity ends a PAT that was not used for so long. Documented are 90 days ("2160h"). 0: off. Section 1.5.
	Inactivity Duration `json:"inactivity,omitempty"`
	// RevokeLatency is how long a revoked PAT still authenticates. Undocumented for an owner's own revocation; an
	// administrator's takes up to one hour. Section 1.7.
	RevokeLatency Duration `json:"revokeLatency,omitempty"`
	// ExtendExpired lets an update revive an expired PAT, as it could before March 2026; otherwise
	// expiredPatCannotBeExtended. Section 1.5.
	ExtendExpired bool `json:"extendExpired,omitempty"`

	// NormaliseScope makes the service take extra spaces in a scope and return the scopes sorted. Otherwise extra
	// spaces are invalidScope and the scope comes back as sent. Unverified, section 10.
	NormaliseScope bool `json:"normaliseScope,omitempty"`
	// AllowPatsScope takes vso.pats and vso.pats_manage as scopes of a PAT. Unverified, section 1.8.
	AllowPatsScope bool `json:"allowPatsScope,omitempty"`
	// AcceptPlainVersion takes api-version=7.1 without -preview for PATs, as a page of the documentation shows.
	// Unverified, section 1.1.
	AcceptPlainVersion bool `json:"acceptPlainVersion,omitempty"`
	// DeleteGone is what revoking an unknown or already revoked PAT answers: "" is 404 with
	// SessionTokenNotFoundException, which Microsoft's own client catches; "204" is a quiet success. Section 1.6.
	DeleteGone string `json:"deleteGone,omitempty"`

	// DefaultPageSize is the page size of the PAT list without $top. 0: 20. Section 1.4.
	DefaultPageSize int `json:"defaultPageSize,omitempty"`
	// ListLag is how long a new PAT is missing from the list, and a revoked one still shown as active.
	ListLag Duration `json:"listLag,omitempty"`
	// ListAcrossOrgs lists a user's PATs of all organisations of the tenant in each of them, as the documentation
	// says; otherwise those created in this organisation, as the specification says. Section 1.4.
	ListAcrossOrgs bool `json:"listAcrossOrgs,omitempty"`
	// DuplicateOnCreate stores each create twice, as a retry inside the service would; the answer shows one.
	DuplicateOnCreate bool `json:"duplicateOnCreate,omitempty"`

	// SignInAs is how a credential that is none is shown the door: "" is a 302 to /_signin, which answers 203 with a
	// page; "203" is that page at once. Section 5.4, row a.
	SignInAs string `json:"signInAs,omitempty"`
	// BadPat is what an expired, revoked or foreign PAT gets: "" (or "empty401") a 401 with no body,
	// "accessCheckJSON" a 401 with an AccessCheckException, "html" a 401 with a page. Section 5.4, rows b1 and b2.
	BadPat string `json:"badPat,omitempty"`
	// ForeignPat is what a PAT of another organisation gets: "" as BadPat, "signIn" as SignInAs. Section 10.
	ForeignPat string `json:"foreignPat,omitempty"`
	// PatCaller is what the PAT API answers a PAT: "" a 401, as seen in 2026; "invalidAccess" the exception seen in
	// 2022, whose status is unverified (403 here). Section 1.6.
	PatCaller string `json:"patCaller,omitempty"`
	// ServicePrincipalCaller is what the PAT API answers an app-only token: "" a 403 with InvalidAccessException,
	// "signIn" as SignInAs, as reported in 2023. Section 1.2.
	ServicePrincipalCaller string `json:"servicePrincipalCaller,omitempty"`
	// SuppressRefuses answers 401 TF400813 to a good bearer token that comes with X-TFS-FedAuthRedirect: Suppress.
	// One report, from a tenant with Conditional Access. Section 5.4.
	SuppressRefuses bool `json:"suppressRefuses,omitempty"`
	// ConditionalAccess answers every credential 403 VS403463, as an IP fence does. Section 5.4, row f.
	ConditionalAccess bool `json:"conditionalAccess,omitempty"`
	// BOM starts every JSON answer with a UTF-8 byte order mark; some real answers do. Section 5.5.
	BOM bool `json:"bom,omitempty"`
}
