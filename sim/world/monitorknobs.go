package world

// MonitorKnobs are the knobs of the Logs Ingestion API. Section numbers are those of the facts on Azure Resource
// Manager.
type MonitorKnobs struct {
	// RoleDelay is how long a role takes to reach the service, where that is longer than it takes to reach data planes
	// (up to 30 minutes, 7).
	RoleDelay Duration `json:"roleDelay"`
	// VisibleAfter is how long after the 204 a record can be queried (minutes, 7).
	VisibleAfter Duration `json:"visibleAfter"`
	// Unthrottled takes the limits away.
	Unthrottled bool `json:"unthrottled"`
}
