package simtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// call sends a request as curl would and reads the JSON of the answer; authorization is a whole header, or a bearer
// token.
func (r *recorder) call(method, u, authorization, body string, want int) map[string]any {
	r.t.Helper()
	req, err := http.NewRequest(method, u, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" && !strings.HasPrefix(authorization, "Basic ") {
		authorization = "Bearer " + authorization
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	req.Header.Set("X-TFS-FedAuthRedirect", "Suppress")
	return r.send(req, want)
}

func (r *recorder) send(req *http.Request, want int) map[string]any {
	r.t.Helper()
	resp, err := r.client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode != want {
		r.t.Fatalf("%s %s: %d %s; want %d", req.Method, req.URL, resp.StatusCode, b, want)
	}
	var out map[string]any
	if len(b) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), &out); err != nil {
			r.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
		}
	}
	return out
}

const tokenURL = "https://login.microsoftonline.com/" + world.TenantID + "/oauth2/v2.0/token"

// grant asks for a token with the pairs of a form.
func (r *recorder) grant(want int, pairs ...string) map[string]any {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest("POST", tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.send(req, want)
}

// token signs an app in with its client secret.
func (r *recorder) token(name, scope string) string {
	r.t.Helper()
	a := app(r.t, world.BuiltIn(), name)
	return r.grant(200, "grant_type", "client_credentials", "client_id", a.ClientID, "client_secret", a.ClientSecret, "scope", scope)["access_token"].(string)
}
