package world

// ARMKnobs are the knobs of Azure Resource Manager. Section numbers are those of its facts.
type ARMKnobs struct {
	// RBACDelay is how long a role assignment, and its removal, take to reach the data plane (up to 10 min).
	RBACDelay Duration `json:"rbacDelay"`
	// MaxRoleAssignments is how many role assignments a subscription can have. 0: 4,000, the later of the two
	// numbers that are documented (2.1, 8).
	MaxRoleAssignments int `json:"maxRoleAssignments"`
	// ExistsAfterRemoval is how long after a removal the same assignment is still refused as one that exists.
	ExistsAfterRemoval Duration `json:"existsAfterRemoval"`
	// PrincipalDelay is how long a new application's service principal cannot be found (2.1): roles can be assigned to
	// it meanwhile only where the request says that it is one.
	PrincipalDelay Duration `json:"principalDelay"`
	// AbsentDeletesUnconditioned lets who has a condition on removals remove what is not there (204). No fact says what
	// the real service does; by default the condition has nothing that it could be fulfilled by (403).
	AbsentDeletesUnconditioned bool `json:"absentDeletesUnconditioned"`
	// HideDataOnlySubscriptions leaves a subscription out of a principal's list if every role that it has there is
	// one for data alone. No fact says what the real service does; by default any role makes it visible.
	HideDataOnlySubscriptions bool `json:"hideDataOnlySubscriptions"`
}
