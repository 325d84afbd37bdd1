package world

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Knobs turn on what the real services are known or said to do. The zero value is the calm world. Each service
// has its own group; PUT /knobs merges a partial object into them.
type Knobs struct {
	Entra    EntraKnobs    `json:"entra"`
	KeyVault KeyVaultKnobs `json:"keyvault"`
	ARM      ARMKnobs      `json:"arm"`
	DevOps   DevOpsKnobs   `json:"devops"`
	PIM      PIMKnobs      `json:"pim"`
	Monitor  MonitorKnobs  `json:"monitor"`

	Endpoints      EndpointKnobs      `json:"endpoints"`
	VariableGroups VariableGroupKnobs `json:"variableGroups"`
	Automation     AutomationKnobs    `json:"automation"`
	Connections    ConnectionKnobs    `json:"connections"`
	AppService     AppServiceKnobs    `json:"appService"`

	Graph GraphKnobs `json:"graph"`
}

// ParseDuration reads a duration as time.ParseDuration does, with days ("30d", "1d12h") as well.
func ParseDuration(s string) (time.Duration, error) {
	head, rest, days := strings.Cut(s, "d")
	if !days {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(head, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration like \"90s\", \"24h\" or \"30d\"", s)
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

// Duration is a time.Duration that is written "90s" in JSON.
type Duration time.Duration

func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a string like \"90s\" or \"24h\": %w", err)
	}
	v, err := ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}
