package main_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// get is one request by something that knows nothing of Rekey: a POST if there is a form.
type get func(t *testing.T, address, authorization string, form url.Values) (status int, body []byte)

func TestAPATIsReplacedAndRevokedAndUsedAllAlongByAStranger(t *testing.T) {
	needLinux(t)
	t.Run("curl, through the proxy", func(t *testing.T) {
		t.Parallel()
		needCurl(t)
		a := startAzure(t)
		life(t, a, a.curl())
	})
	t.Run("curl, by name", func(t *testing.T) {
		t.Parallel()
		needCurl(t)
		a := startAzure(t, "--tls", "127.0.0.1:0")
		life(t, a, a.curl("--noproxy", "*", "--connect-to", "::"+a.TLS))
	})
	t.Run("net/http, through the proxy", func(t *testing.T) {
		t.Parallel()
		a := startAzure(t)
		life(t, a, a.netHTTP())
	})
}

func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not on this machine; net/http does the same below")
	}
}

// life is the main job, from an absent secret to the end of the first token.
func life(t *testing.T, a *azure, get get) {
	s := stranger{t: t, get: get, tenant: a.variable("SIM_TENANT_ID"), id: a.variable("SIM_CLIENT_ID"), secret: a.variable("SIM_CLIENT_SECRET"),
		vault: a.variable("SIM_VAULT"), organization: a.variable("SIM_ORG")}

	if pat := s.read(); pat != "" {
		t.Fatal("the secret is there before anything was done")
	}
	a.rekey("apply")
	first := s.read()
	s.works("the first token", first, true)

	a.ask("DELETE", "/requests", "")
	a.rekey("apply")
	if w := a.writes(); len(w) > 0 {
		t.Errorf("a run with nothing to do wrote: %v", w)
	}
	if s.read() != first {
		t.Error("a run with nothing to do changed the secret")
	}

	a.advance("600h") // 30 days less 5
	a.rekey("apply")
	second := s.read()
	if second == first || second == "" {
		t.Fatal("at the threshold the token was not replaced")
	}
	s.works("the first token, in its overlap", first, true)
	s.works("the second token", second, true)

	a.advance("24h")
	a.rekey("apply")
	if s.read() != second {
		t.Error("the end of the first token changed the secret")
	}
	s.works("the first token, past its overlap", first, false)
	s.works("the second token, after that", second, true)

	a.ask("DELETE", "/requests", "")
	a.rekey("apply")
	if w := a.writes(); len(w) > 0 {
		t.Errorf("a converged run wrote: %v", w)
	}
}

// stranger is a consumer that has no help from Rekey.
type stranger struct {
	t                                       *testing.T
	get                                     get
	tenant, id, secret, vault, organization string
}

// read signs in and reads the token; "" if there is none.
func (s stranger) read() string {
	s.t.Helper()
	status, body := s.get(s.t, "https://login.microsoftonline.com/"+s.tenant+"/oauth2/v2.0/token", "", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {s.secret}, "scope": {"https://vault.azure.net/.default"},
	})
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &token); err != nil || status != 200 || token.AccessToken == "" {
		s.t.Fatalf("sign in: %d %v", status, err)
	}
	status, body = s.get(s.t, "https://"+s.vault+".vault.azure.net/secrets/devops-pat-token?api-version=7.4", "Bearer "+token.AccessToken, nil)
	if status == 404 {
		return ""
	}
	var secret struct{ Value string }
	if err := json.Unmarshal(body, &secret); err != nil || status != 200 || secret.Value == "" {
		s.t.Fatalf("read the secret: %d %v", status, err)
	}
	return secret.Value
}

// works uses a token at Azure DevOps, and wants it to be taken or refused.
func (s stranger) works(which, pat string, want bool) {
	s.t.Helper()
	status, body := s.get(s.t, "https://dev.azure.com/"+s.organization+"/_apis/connectionData", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+pat)), nil)
	taken := status == 200 && bytes.Contains(body, []byte("svc-devops-pat@"))
	if taken != want || !want && status != 401 {
		s.t.Errorf("%s: status %d, taken: %v", which, status, taken)
	}
}

// curl is the real one, in a shell that has read the env file. What is secret goes to it by its standard input.
func (a *azure) curl(args ...string) get {
	return func(t *testing.T, address, authorization string, form url.Values) (int, []byte) {
		t.Helper()
		var config strings.Builder
		fmt.Fprintf(&config, "url = %q\n", address)
		if authorization != "" {
			fmt.Fprintf(&config, "header = %q\n", "Authorization: "+authorization)
		}
		if form != nil {
			fmt.Fprintf(&config, "data = %q\n", form.Encode())
		}
		cmd := a.command("curl", append([]string{"--disable", "-sS", "-w", `\n%{http_code}`, "-K", "-"}, args...)...)
		cmd.Stdin = strings.NewReader(config.String())
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		m := regexp.MustCompile(`(?s)^(.*)\n(\d{3})$`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("curl: %v: %s", err, stderr.String())
		}
		status, _ := strconv.Atoi(string(m[2]))
		return status, m[1]
	}
}

// netHTTP is Go's own client, told of the proxy and the authority.
func (a *azure) netHTTP() get {
	pem, err := os.ReadFile(a.CA)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		a.t.Fatalf("ca.pem: %v", err)
	}
	proxy, err := url.Parse(a.Proxy)
	if err != nil {
		a.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	return func(t *testing.T, address, authorization string, form url.Values) (int, []byte) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, address, nil)
		if form != nil {
			req, err = http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
		}
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b
	}
}
