package world

// KeyVaultKnobs are the knobs of Key Vault's data plane.
type KeyVaultKnobs struct {
}
