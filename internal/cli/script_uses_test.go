package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdUses has a consumer use what it holds, as a pipeline would that was handed it: it signs in to the organisation
// that the value is for. It must hold what is newest in the vault: uses KIND NAME ORGANISATION VAULT/SECRET.
func cmdUses(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: uses KIND NAME ORGANISATION VAULT/SECRET")
	}
	s := running(ts)
	w := s.World()
	w.Lock()
	vault, secret, _ := strings.Cut(args[3], "/")
	_, newest := w.SecretAt("https://"+vault+".vault.azure.net/secrets/"+secret, w.Now())
	var held *world.Holding
	for _, h := range w.Holdings() {
		if h.Kind == args[0] && (h.Name == args[1] || strings.HasSuffix(h.Consumer, "/"+args[1])) {
			held = &h
		}
	}
	w.Unlock()
	if held == nil || newest == nil {
		ts.Fatalf("no consumer %s %s, or no secret %s", args[0], args[1], args[3])
	}
	err := signsIn(s.Transport(), args[2], held.Value)
	switch same := held.Value == newest.Value; {
	case neg && (err == nil || same):
		ts.Fatalf("%s works (%v), and holds the newest value: %v", args[1], err == nil, same)
	case !neg && (err != nil || !same):
		ts.Fatalf("%s: %v; it holds the newest value: %v", args[1], err, same)
	}
}

func signsIn(network http.RoundTripper, organization, value string) error {
	req, err := http.NewRequest(http.MethodGet, "https://dev.azure.com/"+organization+"/_apis/connectionData?api-version=7.1-preview", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("", value)
	resp, err := network.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", organization, resp.StatusCode)
	}
	return nil
}

// cmdWrites has Rekey's own identity, with a token of its managed identity, write a secret as anything on its machine could:
// writes VAULT SECRET STATUS.
func cmdWrites(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: writes VAULT SECRET STATUS")
	}
	network := running(ts).Transport()
	req, err := http.NewRequest(http.MethodGet, ts.Getenv("IDENTITY_ENDPOINT")+"?api-version=2019-08-01&resource=https://vault.azure.net", nil)
	ts.Check(err)
	req.Header.Set("X-Identity-Header", ts.Getenv("IDENTITY_HEADER"))
	var token struct {
		AccessToken string `json:"access_token"`
	}
	_, err = call(network, req, &token)
	ts.Check(err)
	req, err = http.NewRequest(http.MethodPut, "https://"+args[0]+".vault.azure.net/secrets/"+args[1]+"?api-version=7.5", strings.NewReader(`{"value":"by hand"}`))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	status, err := call(network, req, nil)
	ts.Check(err)
	if want := args[2]; fmt.Sprint(status) != want {
		ts.Fatalf("the vault answers %d to who writes, want %s", status, want)
	}
}

func call(network http.RoundTripper, req *http.Request, out any) (status int, err error) {
	resp, err := network.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if out == nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(out)
}
