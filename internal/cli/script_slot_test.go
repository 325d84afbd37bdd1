package cli_test

import (
	"net/http"
	"net/url"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdSignsIn signs a user in with a version of a secret, counted back from the newest, which is 0, as a job that reads it
// would: signsin USER SECRET VERSION.
func cmdSignsIn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: signsin USER SECRET VERSION")
	}
	s := running(ts)
	form := url.Values{"grant_type": {"password"}, "client_id": {"2bfcc342-eb74-4427-832c-db82f28995f4"}, "scope": {"openid"}, "username": {args[0] + "@contoso.onmicrosoft.com"}}
	w := s.World()
	w.Lock()
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if n := len(x.Versions) - 1 - int(args[2][0]-'0'); x.Name == args[1] && n >= 0 {
				form.Set("password", x.Versions[n].Value)
			}
		}
	}
	w.Unlock()
	client := http.Client{Transport: s.Transport()}
	resp, err := client.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	ts.Check(err)
	defer resp.Body.Close()
	if !form.Has("password") || (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("signed in: %d", resp.StatusCode)
	}
}

// cmdPassword has a person set a user's password in the portal, and tell nobody: password USER.
func cmdPassword(ts *testscript.TestScript, neg bool, args []string) {
	w := running(ts).World()
	w.Lock()
	defer w.Unlock()
	for _, u := range w.Users {
		if len(args) == 1 && u.UPN == args[0]+"@contoso.onmicrosoft.com" {
			u.Password, u.PasswordChanged = "Sim."+world.Canary+".by-hand.2Xc8", w.Now()
			w.Remember(u.Password)
			return
		}
	}
	ts.Fatalf("usage: password USER")
}
