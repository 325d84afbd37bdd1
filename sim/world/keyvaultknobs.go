package world

// KeyVaultKnobs are the knobs of Key Vault's data plane. Section numbers are those of the Key Vault facts.
type KeyVaultKnobs struct {
	// DeleteTakes is how long a delete goes on after it was answered with 200: the secret is in neither list, GET
	// deletedsecrets says 404, and a PUT, recover or purge says 409 ObjectIsBeingDeleted (1.2, 1.4, 1.7). The real
	// service takes seconds; 0: it is done at once.
	DeleteTakes Duration `json:"deleteTakes"`
	// RecoverTakes is how long a recover goes on after it was answered with 200: GET says 404, and a PUT or DELETE
	// says 409 ObjectIsBeingRecovered (1.4). 0: it is done at once.
	RecoverTakes Duration `json:"recoverTakes"`
	// ListLag makes lists (secrets, versions, deleted secrets) show what was there that long ago; a GET by name is
	// always of now. No public number exists for the real service: lists are not promised to be current.
	ListLag Duration `json:"listLag"`
	// EmptyLastPage gives the last page that holds something a nextLink, which leads to an empty page (recorded: "a
	// page may be empty").
	EmptyLastPage bool `json:"emptyLastPage"`
	// LongTags allows 512 characters in a tag's name and value (1.2, from the page about secrets). Without it the
	// older limit of 256 holds, which a careful client stays under.
	LongTags bool `json:"longTags"`
	// Unthrottled lifts the two limits of 1.5 (300 creates and 4,000 other requests in 10 s for each vault). They
	// hold by default, as they do for every vault, by the world's clock.
	Unthrottled bool `json:"unthrottled"`
}
