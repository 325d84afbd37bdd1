package approval_test

import (
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/approval"
)

const jobs = `  rules:
    - {name: production, when: environment == 'production' && branch == 'main', then: allow}
    - {name: pipeline, when: ci == 'pipelines' && branch == 'main', then: allow}
    - {name: people, when: "true", then: ask}
  jobs:
    githubOIDC: {repository: contoso/platform}
    azurePipelines: {organizationId: 7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11, subject: p://contoso/platform/rekey}
`

func inJob(b *bed, claims map[string]any) {
	b.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com/_sim/token")
	b.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", b.s.Entra().MintRunnerToken(claims))
	b.reopen(replaced(`  rules: [{name: people, when: "true", then: ask}]`+"\n", jobs))
}

func TestWhatAJobsTokenSaysIsBelievedAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		claims map[string]any
		given  bool
		code   string
		want   string
	}{
		"in the protected environment":   {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main", "environment": "production"}, true, "approval", "allowed by rule production"},
		"outside of it":                  {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main"}, false, "approval", "rule people says that a person must approve"},
		"on a branch of the environment": {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/topic", "environment": "production"}, false, "approval", "rule people"},
		"of another repository":          {map[string]any{"repository": "evil/platform", "ref": "refs/heads/main", "environment": "production"}, false, "refused", "the manifest expects"},
		"of another issuer":              {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main", "environment": "production", "iss": "https://token.actions.githubusercontent.com/evil"}, false, "refused", "the job's token does not count: it is of another issuer"},
		"with a token that has expired":  {map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main", "environment": "production", "exp": 1}, false, "refused", "does not count"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			// The environment says something else, and is not heard.
			b.Setenv("GITHUB_REF", "refs/heads/main")
			b.Setenv("GITHUB_REPOSITORY", "contoso/platform")
			b.Setenv("BUILD_SOURCEBRANCH", "refs/heads/main")
			inJob(b, c.claims)
			got := b.asks(b.wanted())
			if got.Given != c.given || got.Code != c.code || !strings.Contains(got.Why, c.want) {
				t.Errorf("%+v", got)
			}
		})
	}
	b := newBed(t, nil)
	b.Setenv("SYSTEM_OIDCREQUESTURI", "https://vstoken.dev.azure.com/_sim/oidctoken")
	b.Setenv("SYSTEM_ACCESSTOKEN", b.s.Entra().MintJobToken(map[string]any{"org_id": "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11", "sub": "p://contoso/platform/rekey", "rpo_ref": "refs/heads/main"}))
	b.reopen(replaced(`  rules: [{name: people, when: "true", then: ask}]`+"\n", jobs))
	if got := b.asks(b.wanted()); !got.Given || !strings.Contains(got.Why, "rule pipeline") {
		t.Errorf("%+v", got)
	}
}

func TestWhoeverStartedAJobCannotApproveIt(t *testing.T) {
	b := newBed(t, nil)
	w := b.s.World()
	dana := userID(w, "dana")
	b.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com/_sim/token")
	b.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", b.s.Entra().MintRunnerToken(map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main", "actor": "octo-dana"}))
	b.reopen(func(s string) string {
		s = strings.Replace(s, `  rules: [{name: people, when: "true", then: ask}]`+"\n", jobs, 1)
		return strings.Replace(s, "    roles: [Rekey.Approver]\n", "    roles: [Rekey.Approver]\n    actors: [{name: octo-dana, object: "+dana+"}]\n", 1)
	})
	if c := b.asks(b.wanted()); c.Given || strings.Contains(c.Do, "does not say who") {
		t.Errorf("%+v", c)
	}
	err := b.decides("dana", approval.Approve)
	if r := approval.RefusalOf(err); r == nil || r.Code != "requester" {
		t.Errorf("%v", err)
	}
	if err := b.decides("alex", approval.Approve); err != nil {
		t.Error(err)
	}
	if c := b.asks(b.wanted()); !c.Given || !strings.Contains(c.Why, "approved by alex@contoso.onmicrosoft.com") {
		t.Errorf("%+v", c)
	}
}
