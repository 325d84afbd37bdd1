package world

// GraphKnobs are the knobs of Microsoft Graph. "Facts" stands for section 3 and 8 of facts/keyvault-graph-arm.md.
type GraphKnobs struct {
	// ReplicationLag is how late a replica hears of a write. What reads one object, and what looks an object or a
	// credential up in order to change it, is answered by a replica: 404 right after create, a new secret missing, a
	// removed one still there, "No password credential found" for one that was just added (facts 3.1, 3.2). 0: none.
	ReplicationLag Duration `json:"replicationLag"`
	// Replicas is how many of them answer in turn: the first one is current, the last one has the whole lag. 0 or 1:
	// every read has the whole lag.
	Replicas int `json:"replicas"`
	// ListLag makes lists show what was there that long ago (facts 3.2: removed secrets go on being listed).
	ListLag Duration `json:"listLag"`
	// WriteGap refuses a write to an application, or its service principal, with Directory_ConcurrencyViolation and
	// does not apply it, if the last one was applied less than this ago (facts 3.2: typical when writes come back to
	// back). 0: never.
	WriteGap Duration `json:"writeGap"`
	// MaxCredentials is how many passwords and keys fit into one object: Directory_ResourceSizeExceeded beyond. 0:
	// 600, which is where it was seen (facts 3.1).
	MaxCredentials int `json:"maxCredentials"`
	// SecretLife is the life of a secret that is added without an endDateTime. 0: two years (facts 3.1).
	SecretLife Duration `json:"secretLife"`
	// MaxDisplayName is the longest display name of a credential. 0: 120. The real limit is unverified.
	MaxDisplayName int `json:"maxDisplayName"`
	// PasswordNeedsRole wants the User Administrator role, or one above it, of an application that sets a password
	// with User-PasswordProfile.ReadWrite.All too. That the permission is enough by itself is unverified (facts 3.4).
	// With User.ReadWrite.All the role is always needed.
	PasswordNeedsRole bool `json:"passwordNeedsRole"`
	// OwnKeysNeedPermission refuses addKey and removeKey on an application's own objects without a permission for
	// them. Microsoft documents that none is needed; facts 3.1 calls that unverified.
	OwnKeysNeedPermission bool `json:"ownKeysNeedPermission"`
	// OwnedByReadsOwnedOnly takes from Application.ReadWrite.OwnedBy what Microsoft documents that it has: reading
	// every application.
	OwnedByReadsOwnedOnly bool `json:"ownedByReadsOwnedOnly"`
	// OwnersNeedDirectory wants Directory.Read.All of an application that adds an owner, as Microsoft's page on adding
	// one says; facts 3.1 names the permission to change the application alone.
	OwnersNeedDirectory bool `json:"ownersNeedDirectory"`
	// KeepRemoved keeps every client secret and certificate that was removed in the world, for who wants to know later
	// what became of it. It is served to nobody.
	KeepRemoved bool `json:"keepRemoved,omitempty"`
	// Unthrottled lifts the published limits (facts 3.5). They hold by default, by the world's clock.
	Unthrottled bool `json:"unthrottled"`
	// NoRetryAfter leaves Retry-After out of a 429, as some services behind Graph do (facts 3.5).
	NoRetryAfter bool `json:"noRetryAfter"`
}
