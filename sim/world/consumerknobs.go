package world

// EndpointKnobs are the knobs of Azure DevOps service connections. "Section" is one of
// facts/azure-devops-entra.md.
type EndpointKnobs struct {
	// BusyFor is how long a connection is not ready (isReady false, operationStatus InProgress) after it was created
	// or changed. Section 3.2; clients poll every 10 s. 0: it is ready at once.
	BusyFor Duration `json:"busyFor,omitempty"`
	// Fails is the statusMessage with which the operation ends as Failed; the change itself was applied. "": it ends
	// well.
	Fails string `json:"fails,omitempty"`
	// AutomaticKey is what a key for a connection with creationMode Automatic gets, if the same PUT does not make it
	// Manual: "" a 400; "ignore" a 200 that changes nothing. Section 3.3 has both, unverified.
	AutomaticKey string `json:"automaticKey,omitempty"`
	// KeepEmpty keeps the stored secret when "" is sent. By default that wipes it; section 3.3, unverified.
	KeepEmpty bool `json:"keepEmpty,omitempty"`
	// KeepAbsent keeps the stored secret when its key is not sent at all. By default a full replace loses it;
	// section 3.3 only knows of null.
	KeepAbsent bool `json:"keepAbsent,omitempty"`
	// ProjectAdministrators lets administrators of the project change credentials, as people expect. By default it
	// takes the endpoint's or the organisation's. Section 3.3.
	ProjectAdministrators bool `json:"projectAdministrators,omitempty"`
	// Missing is what GET answers for an id that is unknown: "" is 200 with null, "404" that. Section 3.1, unverified.
	Missing string `json:"missing,omitempty"`
	// Ignore answers updates with 200 and the connection as sent, and changes nothing.
	Ignore bool `json:"ignore,omitempty"`
	// TestAlwaysOK makes TestConnection answer ok whatever is stored: a test that proves nothing.
	TestAlwaysOK bool `json:"testAlwaysOk,omitempty"`
}

// VariableGroupKnobs are the knobs of variable groups. "Section" is one of facts/azure-devops-entra.md.
type VariableGroupKnobs struct {
	// Missing is what GET answers for an id that is unknown: "" is 200 with null, "404" that. Section 4, unverified.
	Missing string `json:"missing,omitempty"`
	// LoseNull loses the value of a secret for which null was sent. By default it stays, which is the documented
	// intent of Microsoft's sample and cannot be seen on the wire. Section 4.
	LoseNull bool `json:"loseNull,omitempty"`
	// TakeWithoutReferences takes a PUT without variableGroupProjectReferences at the organisation's address. By
	// default that is a 401. Section 4.
	TakeWithoutReferences bool `json:"takeWithoutReferences,omitempty"`
	// Ignore answers updates with 200 and the group as sent, and changes nothing.
	Ignore bool `json:"ignore,omitempty"`
}

// AutomationKnobs are the knobs of Azure Automation. "Section" is one of facts/keyvault-graph-arm.md.
type AutomationKnobs struct {
	// JobStartsAfter is how long a job is New or Activating, JobTakes how long it is Running then. 0: at once.
	JobStartsAfter Duration `json:"jobStartsAfter,omitempty"`
	JobTakes       Duration `json:"jobTakes,omitempty"`
	// JobOutcome is how every job ends, as Script.Outcome. "": as its script says.
	JobOutcome string `json:"jobOutcome,omitempty"`
	// RepeatedJob is what a PUT of a job that exists answers if it asks for the same: "" is 201 with that job, as the
	// id is the client's key; "conflict" is 409. Another runbook or other parameters are a 409 in any case. Section 4
	// has no status for either.
	RepeatedJob string `json:"repeatedJob,omitempty"`
	// DeadWorkers are hybrid worker groups whose machines are off, by name; "*" is all.
	DeadWorkers []string `json:"deadWorkers,omitempty"`
	// UnfetchedSuspends is how long a job waits for a dead worker before it is Suspended. 0: for ever. No fact has it.
	UnfetchedSuspends Duration `json:"unfetchedSuspends,omitempty"`
	// Unthrottled lifts the limits of 100 new jobs in 30 s and of 200 at a time for each account. Section 4.
	Unthrottled bool `json:"unthrottled,omitempty"`
	// Ignore answers writes of variables and credentials well and changes nothing.
	Ignore bool `json:"ignore,omitempty"`
}

// ConnectionKnobs are the knobs of API connections. "Section" is one of facts/keyvault-graph-arm.md.
type ConnectionKnobs struct {
	// KeepValues keeps the stored parameter values when a PUT has none. By default it is a full replace and they are
	// gone, the status being Error. Section 5, unverified.
	KeepValues bool `json:"keepValues,omitempty"`
	// TestAlwaysOK makes test links answer 200 whatever is stored. Section 5: that they prove anything is inferred.
	TestAlwaysOK bool `json:"testAlwaysOk,omitempty"`
	// NoTestLinks leaves testLinks and testRequests out, as connectors without a test do.
	NoTestLinks bool `json:"noTestLinks,omitempty"`
	// TestTells makes the status Error after a test link was refused, until one is answered well or values are put.
	// By default the status says what was put and nothing more: the token is fetched lazily. Section 5.
	TestTells bool `json:"testTells,omitempty"`
	// Ignore answers PUT and PATCH with 200 and the connection as it is, and changes nothing.
	Ignore bool `json:"ignore,omitempty"`
}

// AppServiceKnobs are the knobs of Key Vault references in App Service and Functions.
type AppServiceKnobs struct {
	// KeptFor is how long an app goes on with what it fetched, unless a refresh is asked for. 0: SitesKept, as documented.
	KeptFor Duration `json:"keptFor,omitempty"`
	// RefreshTakes is how long a refresh goes on after it was answered; until then references are Initialized and the
	// app goes on with what it had. No page has a number, and that status of a refresh is a guess. 0: it is done at once.
	RefreshTakes Duration `json:"refreshTakes,omitempty"`
	// SaysVersion gives activeVersion, the version that a reference came to. It is in Microsoft's description; in the one
	// answer of the real service that is on record it is null, and so it is by default.
	SaysVersion bool `json:"saysVersion,omitempty"`
	// SaysNothing leaves the body of a refresh's answer out: no description has the operation, so neither has it a form.
	SaysNothing bool `json:"saysNothing,omitempty"`
	// Ignore answers a refresh well and fetches nothing.
	Ignore bool `json:"ignore,omitempty"`
}
