package entra

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const jobOrganization = "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11"

// askToken asks for a job's token as an agent's task does.
func (x *sim) askToken(bearer, query string, header ...string) response {
	r := httptest.NewRequest(http.MethodPost, "https://"+Pipelines+"/_sim/oidctoken"+query, strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer "+bearer)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return x.send(r)
}

func TestAJobOfAzurePipelinesGetsATokenThatItsIssuersKeysVerify(t *testing.T) {
	x := newSim(t)
	bearer := x.MintJobToken(map[string]any{"org_id": jobOrganization, "sub": "p://contoso/platform/rekey", "rpo_ref": "refs/heads/main"})
	a := x.askToken(bearer, "?api-version=7.1")
	raw, _ := a.ok(t)["oidcToken"].(string)
	j, ok := parseJWT(raw)
	if !ok {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	base := "https://" + Pipelines + "/" + jobOrganization
	document := x.get(base + "/.well-known/openid-configuration").ok(t)
	if document["issuer"] != base || j.text("iss") != base || j.text("aud") != tokenExchange || j.text("sub") != "p://contoso/platform/rekey" || j.text("rpo_ref") != "refs/heads/main" {
		t.Errorf("%v, %v", document["issuer"], j.claims)
	}
	var set jwks
	if err := json.Unmarshal(x.get(document["jwks_uri"].(string)).Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	keys := publicKeys(set, j.header.Kid)
	if len(keys) != 1 || !j.verifiedBy(keys[0]) {
		t.Errorf("%d keys, and the token is not of any", len(keys))
	}
	if f := j.checkTime(x.w.RealNow().Add(20 * time.Minute)); f == nil {
		t.Error("it lives for longer than ten minutes")
	}
}

func TestAJobOfAzurePipelinesIsRefusedAToken(t *testing.T) {
	x := newSim(t)
	bearer := x.MintJobToken(map[string]any{"org_id": jobOrganization})
	for why, c := range map[string]struct {
		bearer, query string
		header        []string
		status        int
	}{
		"with a bearer that nobody handed out":    {"nothing", "?api-version=7.1", nil, http.StatusFound},
		"the same where no redirect is asked for": {"nothing", "?api-version=7.1", []string{"X-TFS-FedAuthRedirect", "Suppress"}, http.StatusUnauthorized},
		"without a version":                       {bearer, "", nil, http.StatusBadRequest},
		"for a service connection":                {bearer, "?api-version=7.1&serviceConnectionId=" + jobOrganization, nil, http.StatusNotFound},
	} {
		t.Run(why, func(t *testing.T) {
			if a := x.askToken(c.bearer, c.query, c.header...); a.Code != c.status {
				t.Errorf("%d, want %d", a.Code, c.status)
			}
		})
	}
}

func TestATokenOfAGitHubJobHasAllClaims(t *testing.T) {
	x := newSim(t)
	for why, c := range map[string]struct {
		given map[string]any
		sub   string
	}{
		"on a branch":          {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main"}, "repo:contoso/platform:ref:refs/heads/main"},
		"in an environment":    {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main", "environment": "prod:eu"}, "repo:contoso/platform:environment:prod%3Aeu"},
		"of a pull request":    {map[string]any{"repository": "contoso/platform", "ref": "refs/pull/7/merge", "event_name": "pull_request"}, "repo:contoso/platform:pull_request"},
		"of immutable subject": {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main", "sub": "repo:contoso@4711/platform@701234567:ref:refs/heads/main"}, "repo:contoso@4711/platform@701234567:ref:refs/heads/main"},
	} {
		t.Run(why, func(t *testing.T) {
			raw, err := x.GitHubToken(c.given)
			j, ok := parseJWT(raw)
			if err != nil || !ok || j.text("sub") != c.sub {
				t.Fatalf("%v, %v", err, j.claims)
			}
			for _, name := range strings.Fields("jti aud iss repository repository_id repository_owner repository_owner_id actor actor_id run_id run_number run_attempt event_name ref ref_type sha workflow workflow_ref job_workflow_ref job_workflow_sha runner_environment") {
				if j.text(name) == "" {
					t.Errorf("%s is missing", name)
				}
			}
		})
	}
}

// signedIn is the ID token of a person's sign-in in a browser.
func (x *sim) signedIn(upn, nonce string) *jwt {
	x.t.Helper()
	code := x.signInAs(upn, with(authorizeQuery(rekeyPublic), "scope", "openid profile", "nonce", nonce)).Get("code")
	got := x.token(codeForm(rekeyPublic, code)).ok(x.t)
	j, ok := parseJWT(got["id_token"].(string))
	if !ok {
		x.t.Fatal("no ID token")
	}
	return j
}

func TestAnIDTokenSaysTheNonceTheRolesAndTheGroups(t *testing.T) {
	const dana, alex = "dana@contoso.onmicrosoft.com", "alex@contoso.onmicrosoft.com"
	x := newSim(t)
	j := x.signedIn(dana, "n-0S6")
	if j.text("nonce") != "n-0S6" || !only(j, "roles", world.RoleApprover) || !only(j, "groups", world.GroupAdministrators) || j.claims["_claim_names"] != nil {
		t.Errorf("%v", j.claims)
	}
	if j = x.signedIn(alex, "n"); !only(j, "roles", world.RoleApprover) || j.claims["groups"] != nil {
		t.Errorf("%v", j.claims)
	}
	if j = x.signedIn(svcMFA, "n"); j.claims["roles"] != nil || j.claims["groups"] != nil {
		t.Errorf("%v", j.claims)
	}
	for range mostGroups {
		x.w.Groups = append(x.w.Groups, &world.Group{ID: x.w.NewID(), TenantID: world.TenantID, Name: "one more", Members: []string{x.account(dana).ID}})
	}
	j = x.signedIn(dana, "n")
	if names, _ := j.claims["_claim_names"].(map[string]any); j.claims["groups"] != nil || names["groups"] != "src1" || j.claims["_claim_sources"] == nil || !only(j, "roles", world.RoleApprover) {
		t.Errorf("of a user in more than %d groups: %v", mostGroups, j.claims)
	}
	x.app(rekeyPublic).GroupClaims = ""
	if j = x.signedIn(dana, "n"); j.claims["groups"] != nil || j.claims["_claim_names"] != nil {
		t.Errorf("of an app that asks for no groups: %v", j.claims)
	}
}

func only(j *jwt, claim, value string) bool {
	list, _ := j.claims[claim].([]any)
	return len(list) == 1 && list[0] == value
}
