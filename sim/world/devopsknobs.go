package world

// DevOpsKnobs are the knobs of Azure DevOps.
type DevOpsKnobs struct {
	// MaxLifespan is the tenant's maximum PAT lifespan: a longer validTo is clamped without an error. 0: none.
	MaxLifespan Duration `json:"maxLifespan"`
}
