package world

// EntraKnobs are the knobs of Entra ID.
type EntraKnobs struct {
	// NewSecretDelay refuses a new client secret with AADSTS7000215 until it is this old (4 to 18 s were seen, up
	// to 2 min allowed for).
	NewSecretDelay Duration `json:"newSecretDelay"`
}
