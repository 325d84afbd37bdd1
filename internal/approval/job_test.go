package approval_test

import (
	"maps"
	"testing"

	"github.com/rekeyhq/rekey/internal/approval"
)

func TestAGitHubJobIsWhatItsTokenSays(t *testing.T) {
	claims := map[string]any{
		"sub": "repo:contoso/platform:ref:refs/heads/main", "repository": "contoso/platform", "repository_owner_id": "4711", "repository_id": "701234567", "ref": "refs/heads/main",
		"actor": "octocat", "event_name": "push", "job_workflow_ref": "contoso/platform/.github/workflows/rekey.yml@refs/heads/main",
	}
	with := func(pairs ...string) map[string]any {
		out := maps.Clone(claims)
		for i := 0; i < len(pairs); i += 2 {
			if out[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(out, pairs[i])
			}
		}
		return out
	}
	want := approval.Expect{Repository: "contoso/platform"}
	for name, c := range map[string]struct {
		claims map[string]any
		want   approval.Expect
		code   string // of the refusal
		branch string
		pull   string
	}{
		"on a branch":                      {claims, want, "", "main", ""},
		"with everything as expected":      {claims, approval.Expect{Repository: "Contoso/Platform", OwnerID: "4711", RepositoryID: "701234567", Ref: "refs/heads/main", Workflow: "contoso/platform/.github/workflows/rekey.yml@refs/heads/main"}, "", "main", ""},
		"by ids":                           {with("sub", "repo:contoso@4711/platform@701234567:ref:refs/heads/main"), want, "", "main", ""},
		"by somebody else's ids":           {with("sub", "repo:contoso@4712/platform@701234567:ref:refs/heads/main"), want, "subject", "", ""},
		"by ids that it has not":           {with("sub", "repo:contoso@/platform@:ref:refs/heads/main", "repository_owner_id", "", "repository_id", ""), want, "subject", "", ""},
		"in an environment":                {with("sub", "repo:contoso/platform:environment:prod%3Aeu", "environment", "prod:eu"), approval.Expect{Repository: "contoso/platform", Environment: "prod:eu"}, "", "main", ""},
		"with an environment beside it":    {with("environment", "production"), want, "subject", "", ""},
		"of a pull request":                {with("sub", "repo:contoso/platform:pull_request", "event_name", "pull_request", "ref", "refs/pull/7/merge", "head_ref", "main"), want, "", "", "7"},
		"a tag":                            {with("sub", "repo:contoso/platform:ref:refs/tags/v1", "ref", "refs/tags/v1"), want, "", "", ""},
		"of another repository":            {with("repository", "evil/platform", "sub", "repo:evil/platform:ref:refs/heads/main"), want, "job", "", ""},
		"of a repository of the same name": {claims, approval.Expect{Repository: "contoso/platform", RepositoryID: "1"}, "job", "", ""},
		"of another owner of that name":    {claims, approval.Expect{Repository: "contoso/platform", OwnerID: "1"}, "job", "", ""},
		"on another ref":                   {claims, approval.Expect{Repository: "contoso/platform", Ref: "refs/heads/release"}, "job", "", ""},
		"outside of the environment":       {claims, approval.Expect{Repository: "contoso/platform", Environment: "production"}, "job", "", ""},
		"of another workflow":              {claims, approval.Expect{Repository: "contoso/platform", Workflow: "contoso/platform/.github/workflows/other.yml@refs/heads/main"}, "job", "", ""},
		"of a template that nobody named":  {with("sub", "repository_owner:contoso"), want, "subject", "", ""},
		"of a template":                    {with("sub", "repository_owner:contoso"), approval.Expect{Repository: "contoso/platform", Subject: "repository_owner:contoso"}, "", "main", ""},
		"of another template":              {claims, approval.Expect{Repository: "contoso/platform", Subject: "repository_owner:contoso"}, "subject", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := approval.GitHubJob(c.claims, c.want)
			refusal := approval.RefusalOf(err)
			switch {
			case c.code != "" && (refusal == nil || refusal.Code != c.code):
				t.Errorf("want %s, got %v", c.code, err)
			case c.code == "" && (err != nil || r.CI != "github" || r.Branch != c.branch || r.PullRequest != c.pull || r.Actor != "octocat" || r.Who != c.claims["sub"]):
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

func TestAJobOfAzurePipelinesIsWhatItsTokenSays(t *testing.T) {
	const organization = "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11"
	claims := map[string]any{"sub": "p://contoso/platform/rekey", "org_id": organization, "rpo_uri": "https://dev.azure.com/contoso/platform/_git/platform", "rpo_ref": "refs/heads/main"}
	want := approval.Expect{Subject: "p://contoso/platform/rekey", Organization: organization}
	r, err := approval.PipelinesJob(claims, want)
	if err != nil || r.CI != "pipelines" || r.Branch != "main" || r.Who != "p://contoso/platform/rekey" || r.Actor != "" {
		t.Errorf("%+v %v", r, err)
	}
	for name, c := range map[string]struct {
		claim, value string
		want         approval.Expect
	}{
		"another pipeline":     {"sub", "p://contoso/platform/other", want},
		"a service connection": {"sub", "sc://contoso/platform/azure", approval.Expect{Subject: "sc://contoso/platform/azure", Organization: organization}},
		"another organisation": {"org_id", "7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e12", want},
		"another repository":   {"rpo_uri", "https://dev.azure.com/contoso/platform/_git/fork", approval.Expect{Subject: want.Subject, Organization: organization, Repository: "https://dev.azure.com/contoso/platform/_git/platform"}},
		"another ref":          {"rpo_ref", "refs/pull/7/merge", approval.Expect{Subject: want.Subject, Organization: organization, Ref: "refs/heads/main"}},
	} {
		wrong := maps.Clone(claims)
		wrong[c.claim] = c.value
		if r, err := approval.PipelinesJob(wrong, c.want); approval.RefusalOf(err) == nil {
			t.Errorf("%s is taken: %+v %v", name, r, err)
		}
	}
}
