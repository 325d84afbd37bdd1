package bench

import (
	"net/http"

	"github.com/rekeyhq/rekey/sim/wire"
)

// class is how a call in the request log counts.
type class int

const (
	// own is work on one credential.
	own class = iota
	// signIn reads what an account signs in with; all credentials of the account share it in a run.
	signIn
	// list is a page of a bulk list; all credentials of the vault or the account share it in a run. An application is
	// read for the list of its client secrets, and for nothing else.
	list
	// challenge is Key Vault's first answer to a new client: whom it trusts.
	challenge
	// token is a request to a token endpoint, or for its metadata.
	token
)

// signInVault holds what the accounts sign in with and nothing else, in every world here.
const signInVault = "kv-rekey.vault.azure.net"

func classOf(c wire.Call) class {
	switch {
	case c.Service == "entra", c.Service == "identity":
		return token
	case c.Service == "keyvault" && c.Status == http.StatusUnauthorized:
		return challenge
	case c.Operation == "GetSecrets", c.Operation == "GetSecretVersions", c.Operation == "ListPats", c.Operation == "GetApplication":
		return list
	case c.Host == signInVault:
		return signIn
	}
	return own
}

// tally counts calls by class.
func tally(calls []wire.Call) (n [token + 1]int) {
	for _, c := range calls {
		n[classOf(c)]++
	}
	return n
}

// of are the calls of one class, in order.
func of(class class, calls []wire.Call) (out []wire.Call) {
	for _, c := range calls {
		if classOf(c) == class {
			out = append(out, c)
		}
	}
	return out
}

// writes are the calls that could change something.
func writes(calls []wire.Call) (out []wire.Call) {
	for _, c := range calls {
		if c.Method != http.MethodGet && classOf(c) != token {
			out = append(out, c)
		}
	}
	return out
}
