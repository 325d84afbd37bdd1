package world

import (
	"encoding/json"
	"fmt"
	"time"
)

// Knobs turn on what the real services are known or said to do. The zero value is the calm world. Each service
// has its own group; PUT /knobs merges a partial object into them.
type Knobs struct {
	Entra    EntraKnobs    `json:"entra"`
	KeyVault KeyVaultKnobs `json:"keyvault"`
	ARM      ARMKnobs      `json:"arm"`
	DevOps   DevOpsKnobs   `json:"devops"`
}

// Duration is a time.Duration that is written "90s" in JSON.
type Duration time.Duration

func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a string like \"90s\" or \"24h\": %w", err)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}
