package world

// PIMKnobs are the knobs of Privileged Identity Management. Section numbers are those of the facts on Azure Resource
// Manager.
type PIMKnobs struct {
	// NoLicence is a tenant without Entra ID P2 or ID Governance: every operation is refused.
	NoLicence bool `json:"noLicence"`
	// ProvisioningTakes is how long after its 201 a request is not provisioned, and what it asks for not in force.
	ProvisioningTakes Duration `json:"provisioningTakes"`
	// ListLag is how late lists show what was made or taken away. Over a minute was measured (2.2).
	ListLag Duration `json:"listLag"`
	// NotRemovableFor is how long a new assignment is said not to exist when it is to be taken away. Between 44 and 92
	// seconds were measured.
	NotRemovableFor Duration `json:"notRemovableFor"`
	// ExistsAfterRemoval is how long what was taken away is said to exist when it is asked for again. About 210 seconds
	// were measured.
	ExistsAfterRemoval Duration `json:"existsAfterRemoval"`
	// AdminRemovesAtOnce lets administrators take away what is younger than five minutes. That the five minutes bind a
	// person's own deactivation was measured; of administrators nothing is known, and by default they bind them too.
	AdminRemovesAtOnce bool `json:"adminRemovesAtOnce"`
	// FullAdministratorsOnly refuses requests by who may write role assignments and not schedules: Role Based Access
	// Control Administrator and Key Vault Data Access Administrator. Stated is that writing role assignments is what it
	// takes; that these two roles are enough was not seen.
	FullAdministratorsOnly bool `json:"fullAdministratorsOnly"`
	// OldPolicyWords lists failed rules as a JSON array, as older answers do, and not each with its reason.
	OldPolicyWords bool `json:"oldPolicyWords"`
	// EmptyDecisions answers a decision of an approver with no body, as the how-to page has it (2.5).
	EmptyDecisions bool `json:"emptyDecisions"`
	// ApprovalAfter has the first approver of the policy decide by itself, so much later. 0: nobody does.
	ApprovalAfter Duration `json:"approvalAfter"`
	// ApprovalDenies has that approver deny.
	ApprovalDenies bool `json:"approvalDenies"`
	// PrincipalsMayBeEligible takes eligibilities of service principals. That they cannot be is a rule of the product;
	// that the API enforces it was not seen.
	PrincipalsMayBeEligible bool `json:"principalsMayBeEligible"`
}
