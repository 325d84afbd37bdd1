package world

// ARMKnobs are the knobs of Azure Resource Manager. Section numbers are those of its facts.
type ARMKnobs struct {
	// RBACDelay is how long a role assignment, and its removal, take to reach the data plane (up to 10 min).
	RBACDelay Duration `json:"rbacDelay"`
	// MaxRoleAssignments is how many role assignments a subscription can have. 0: 4,000, the later of the two
	// numbers that are documented (2.1, 8).
	MaxRoleAssignments int `json:"maxRoleAssignments"`
	// HideDataOnlySubscriptions leaves a subscription out of a principal's list if every role that it has there is
	// one for data alone. No fact says what the real service does; by default any role makes it visible.
	HideDataOnlySubscriptions bool `json:"hideDataOnlySubscriptions"`
}
