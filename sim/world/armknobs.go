package world

// ARMKnobs are the knobs of Azure Resource Manager.
type ARMKnobs struct {
	// RBACDelay is how long a role assignment, and its removal, take to reach the data plane (up to 10 min).
	RBACDelay Duration `json:"rbacDelay"`
}
