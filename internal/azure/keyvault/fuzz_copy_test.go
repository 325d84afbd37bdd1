package keyvault_test

import (
	"testing"

	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const honestCopy = `{"value":"` + mark + `","id":"https://kv.vault.azure.net/secrets/n/0123456789abcdef0123456789abcdef","attributes":{"enabled":true,"created":1767225600},` +
	`"tags":{"rekey-copy":"01aaaaaaaaaaaaaaaa kv.vault.azure.net/origin"}}`

// FuzzCopy: what a copy is made of and compared with, whatever a vault answers and a mark says.
func FuzzCopy(f *testing.F) {
	for _, b := range badinput.Broken(honestCopy) {
		f.Add(b)
	}
	f.Add([]byte(honestSecret))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		v := over(t, s, honestChallenge)
		c := keyvault.NewCopy("dr", v, keyvault.CopySettings{Vault: "v", Secret: "n"},
			keyvault.Origin{Store: v, Target: rotation.Target{Vault: "kv.vault.azure.net", Name: "origin"}})
		badinput.Bounded(t, 4*len(body), func() {
			state, err := c.State(t.Context(), nil)
			words(t, "State", err)
			if err != nil && (state.Works || state.Publication != "") || state.Works && state.Why != "" {
				t.Errorf("State: %+v, %v", state, err)
			}
			writable(t, "State", state.Told)
			words(t, "Preflight", c.Preflight(t.Context()))
			_, err = c.Tell(t.Context(), "01aaaaaaaaaaaaaaaa", secret.New([]byte("the value")))
			words(t, "Tell", err)
			if err == nil {
				t.Error("Tell: a vault that answers everything alike was told")
			}
			if driver.KindOf(err) == driver.Ambiguous {
				t.Errorf("Tell: %v, and nothing was written", err)
			}
		})
		s.Within(t)
	})
}
