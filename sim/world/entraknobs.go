package world

// EntraKnobs are the knobs of Entra ID. "Facts" stands for facts/azure-devops-entra.md.
type EntraKnobs struct {
	// NewSecretDelay refuses a new client secret with AADSTS7000215 until it is this old (4 to 18 s were seen, up
	// to 2 min allowed for).
	NewSecretDelay Duration `json:"newSecretDelay"`

	// NewSecretFlaps lets every second use of a new secret through while NewSecretDelay lasts, the second one first:
	// regions learn of it at different times, so success once proves nothing (facts 8.2).
	NewSecretFlaps bool `json:"newSecretFlaps"`

	// Regions is how many of them answer sign-ins in turn. Each hears of a change a share of its delay later than the
	// one before, the last one after all of it, so that successes and refusals alternate until it is everywhere. 0 or
	// 1: all hear of it after the whole delay.
	Regions int `json:"regions"`

	// NewCertificateDelay refuses a new certificate with AADSTS700027 until it is this old. No number is published.
	NewCertificateDelay Duration `json:"newCertificateDelay"`

	// RemovalDelay is how long a removed secret or certificate goes on signing in (a while, unverified:
	// facts/keyvault-graph-arm.md 3.2).
	RemovalDelay Duration `json:"removalDelay"`

	// NewPasswordDelay is how long a user's old password signs in, and the new one does not, after a change. No
	// number is published.
	NewPasswordDelay Duration `json:"newPasswordDelay"`

	// TokenLife is how long an access token lives. 0: 3599 s. The real service takes 60 to 90 min at random, or 10
	// min to a day by policy (facts 8.2).
	TokenLife Duration `json:"tokenLife"`

	// RefreshSingleUse ends a refresh token when it is redeemed: its next use is AADSTS70000. Microsoft documents
	// that the old one stays valid; one live report says that it does not (facts 8.5).
	RefreshSingleUse bool `json:"refreshSingleUse"`

	// RefreshIdle is how long a refresh token lives unused. 0: 90 days (facts 8.5).
	RefreshIdle Duration `json:"refreshIdle"`

	// DeviceLife is how long a device code can be approved and redeemed. 0: 900 s (facts 8.6).
	DeviceLife Duration `json:"deviceLife"`

	// DeviceInterval is the pause between polls that clients are told to keep, in whole seconds. 0: 5 s (facts 8.6).
	DeviceInterval Duration `json:"deviceInterval"`

	// DeviceAutoApprove is the user principal name that approves every device code by itself. "": nobody does.
	DeviceAutoApprove string `json:"deviceAutoApprove"`

	// DeviceAutoApproveAfter is how many polls are answered "pending" before DeviceAutoApprove approves.
	DeviceAutoApproveAfter int `json:"deviceAutoApproveAfter"`

	// AutoSignIn signs a user in on the authorize page without the form, if login_hint names one: a browser with a
	// live session.
	AutoSignIn bool `json:"autoSignIn"`

	// ShortKeys signs tokens with a key of 1,024 bits, in a quarter of the time: for those who live years. A client
	// that verifies them may refuse it. The real keys have 2,048.
	ShortKeys bool `json:"shortKeys"`

	// OldFederationErrors answers AADSTS70021 for any mismatch with a federated credential, as before 700211
	// (issuer), 700212 (audience, unverified) and 700213 (subject) existed (facts 8.3).
	OldFederationErrors bool `json:"oldFederationErrors"`
}
