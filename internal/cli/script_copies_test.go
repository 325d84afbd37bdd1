package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdTries has an application read a secret over HTTP, as whoever uses it would, and sign in to an organisation with
// it: tries VAULT/SECRET ORGANISATION.
func cmdTries(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: tries VAULT/SECRET ORGANISATION")
	}
	s := running(ts)
	vault, name, _ := strings.Cut(args[0], "/")
	value, err := readSecret(s, "https://"+vault+".vault.azure.net/secrets/"+name)
	if err == nil {
		err = signsIn(s.Transport(), args[1], value)
	}
	if (err == nil) == neg {
		ts.Fatalf("%s: %v", args[0], err)
	}
}

// readSecret reads the newest version of a secret as the administrator.
func readSecret(s *simulator, id string) (string, error) {
	w := s.World()
	w.Lock()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"https://vault.azure.net/.default"}}
	for _, a := range w.Apps {
		if a.Name == "administrator" {
			form.Set("client_id", a.ClientID)
			form.Set("client_secret", a.ClientSecret)
		}
	}
	w.Unlock()
	client := http.Client{Transport: s.Transport()}
	resp, err := client.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		return "", err
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := answered(resp, &token); err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodGet, id+"?api-version=7.4", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token.Access)
	if resp, err = client.Do(req); err != nil {
		return "", err
	}
	var secret struct {
		Value string `json:"value"`
	}
	err = answered(resp, &secret)
	return secret.Value, err
}

func answered(resp *http.Response, out any) error {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", resp.Request.URL.Host, resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
