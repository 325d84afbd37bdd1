package cli_test

import (
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
