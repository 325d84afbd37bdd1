package oidc_test

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/oidc"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func azClient(rt http.RoundTripper) *azhttp.Client { return azhttp.NewClient(rt, nil) }

func azure(t *testing.T) (*sim.Server, *oidc.Client) {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s, oidc.NewClient(azClient(s.Transport()), nil)
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

const organization = "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11"

func TestAJobAsksItsCIForATokenThatItsKeysVerify(t *testing.T) {
	s, c := azure(t)
	github := env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com/_sim/token?run=1",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN", s.Entra().MintRunnerToken(map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main"}))
	if !oidc.InGitHub(github) || oidc.InPipelines(github) {
		t.Error("it is not seen to be a job of GitHub")
	}
	raw, err := c.GitHubToken(t.Context(), github, audience)
	if err != nil {
		t.Fatal(err)
	}
	claims, _, err := c.Verify(t.Context(), raw, oidc.Expect{At: oidc.GitHub, Issuer: oidc.GitHub, Audience: audience})
	if err != nil || claims["sub"] != "repo:contoso/platform:ref:refs/heads/main" {
		t.Errorf("%v %v", claims, err)
	}
	// The token for Entra ID does not count here, nor the other way round.
	raw, err = c.GitHubToken(t.Context(), github, "api://AzureADTokenExchange")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Verify(t.Context(), raw, oidc.Expect{At: oidc.GitHub, Issuer: oidc.GitHub, Audience: audience})
	refusedFor(t, err, oidc.Audience)

	pipelines := env("SYSTEM_OIDCREQUESTURI", "https://vstoken.dev.azure.com/_sim/oidctoken", "SYSTEM_ACCESSTOKEN", s.Entra().MintJobToken(map[string]any{"org_id": organization, "sub": "p://contoso/platform/rekey"}))
	if !oidc.InPipelines(pipelines) || oidc.InGitHub(pipelines) {
		t.Error("it is not seen to be a job of Azure Pipelines")
	}
	if raw, err = c.PipelinesToken(t.Context(), pipelines); err != nil {
		t.Fatal(err)
	}
	want := oidc.Expect{At: oidc.Pipelines + organization, Issuer: oidc.Pipelines + organization, Audience: oidc.PipelinesAudience}
	if claims, _, err = c.Verify(t.Context(), raw, want); err != nil || claims["sub"] != "p://contoso/platform/rekey" {
		t.Errorf("%v %v", claims, err)
	}
	want.At, want.Issuer = oidc.Pipelines+strings.Replace(organization, "11", "12", 1), ""
	_, _, err = c.Verify(t.Context(), raw, want)
	refusedFor(t, err, oidc.Issuer)
}

func TestAJobThatGetsNoTokenIsTold(t *testing.T) {
	_, c := azure(t)
	for name, getenv := range map[string]func(string) string{
		"a wrong bearer":    env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com/_sim/token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong"),
		"no TLS":            env("ACTIONS_ID_TOKEN_REQUEST_URL", "http://token.actions.githubusercontent.com/_sim/token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong"),
		"no address at all": env("ACTIONS_ID_TOKEN_REQUEST_URL", ":", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong"),
	} {
		if raw, err := c.GitHubToken(t.Context(), getenv, audience); driver.KindOf(err) != driver.Denied || raw != "" || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.PipelinesToken(t.Context(), env("SYSTEM_OIDCREQUESTURI", "https://vstoken.dev.azure.com/_sim/oidctoken", "SYSTEM_ACCESSTOKEN", "wrong")); driver.KindOf(err) != driver.Denied {
		t.Errorf("%v", err)
	}
}

// person signs in as a browser does that is sent to an address, and comes back to this machine.
func person(t *testing.T, s *sim.Server, name string, change func(form url.Values)) func(string) error {
	return func(address string) error {
		w := s.World()
		w.Lock()
		var upn, password string
		for _, u := range w.Users {
			if strings.HasPrefix(u.UPN, name+"@") {
				upn, password = u.UPN, u.Password
			}
		}
		w.Unlock()
		azure := http.Client{Transport: s.Transport()}
		resp, err := azure.PostForm(address, url.Values{"username": {upn}, "password": {password}})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		action := regexp.MustCompile(`<form method="post" action="(http://localhost:\d+)">`).FindSubmatch(b)
		if err != nil || action == nil {
			return errors.New("no way back: " + string(b))
		}
		form := url.Values{}
		for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`).FindAllSubmatch(b, -1) {
			form.Set(string(m[1]), html.UnescapeString(string(m[2])))
		}
		here := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		// What does not know the state is turned away, and does not end the wait.
		for _, wrong := range []url.Values{{}, {"code": {"x"}, "state": {"guessed"}}} {
			if done, err := here.PostForm(string(action[1]), wrong); err != nil || done.StatusCode != http.StatusBadRequest {
				t.Errorf("an answer without the state: %v %v", done, err)
			}
		}
		if change != nil {
			change(form)
		}
		done, err := here.PostForm(string(action[1]), form)
		if err == nil {
			done.Body.Close()
		}
		return err
	}
}

const platform = "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0"

func TestAPersonSignsInForATokenWithANonce(t *testing.T) {
	s, c := azure(t)
	const app = "2bfcc342-eb74-4427-832c-db82f28995f4"
	raw, err := c.SignIn(t.Context(), oidc.SignIn{At: platform, ClientID: app, Nonce: "n-0S6_WzA2Mj", Open: person(t, s, "dana", nil)})
	if err != nil {
		t.Fatal(err)
	}
	claims, from, err := c.Verify(t.Context(), raw, oidc.Expect{At: platform, Audience: app, Kept: true})
	if err != nil || claims["nonce"] != "n-0S6_WzA2Mj" || from != "https://login.microsoftonline.com/"+world.TenantID+"/v2.0" || claims["tid"] != world.TenantID || claims["roles"] == nil {
		t.Errorf("%v %s %v", claims, from, err)
	}
}

func TestASignInThatFailsSaysSo(t *testing.T) {
	s, c := azure(t)
	for name, open := range map[string]func(string) error{
		"declined": person(t, s, "dana", func(f url.Values) {
			f.Del("code")
			f.Set("error", "access_denied")
			f.Set("error_description", "AADSTS65004: s3cr3t value")
		}),
		"another code": person(t, s, "dana", func(f url.Values) { f.Set("code", "x") }),
		"no browser":   func(string) error { return driver.Errorf(driver.Denied, "open", "", "no browser") },
	} {
		raw, err := c.SignIn(t.Context(), oidc.SignIn{At: platform, ClientID: "2bfcc342-eb74-4427-832c-db82f28995f4", Nonce: "n", Open: open})
		if raw != "" || driver.KindOf(err) != driver.Denied || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
