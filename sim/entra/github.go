package entra

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// githubOps are the paths of GitHub's issuer. The last one is the simulator's own: what ACTIONS_ID_TOKEN_REQUEST_URL
// names.
var githubOps = map[string]string{
	".well-known/openid-configuration": opDiscovery,
	".well-known/jwks":                 opKeys,
	"_sim/token":                       opGitHub,
}

func githubDiscovery() answer {
	return jsonAnswer(http.StatusOK, struct {
		Issuer        string   `json:"issuer"`
		JWKS          string   `json:"jwks_uri"`
		SubjectTypes  []string `json:"subject_types_supported"`
		ResponseTypes []string `json:"response_types_supported"`
		Claims        []string `json:"claims_supported"`
		Algs          []string `json:"id_token_signing_alg_values_supported"`
		Scopes        []string `json:"scopes_supported"`
	}{
		"https://" + GitHub,
		"https://" + GitHub + "/.well-known/jwks",
		[]string{"public", "pairwise"},
		[]string{"id_token"},
		[]string{
			"sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "sha", "repository", "repository_id", "repository_owner",
			"repository_owner_id", "enterprise", "enterprise_id", "run_id", "run_number", "run_attempt", "actor", "actor_id",
			"workflow", "workflow_ref", "workflow_sha", "head_ref", "base_ref", "event_name", "ref_type", "ref_protected",
			"environment", "job_workflow_ref", "job_workflow_sha", "repository_visibility", "runner_environment", "check_run_id",
		},
		[]string{"RS256"},
		[]string{"openid"},
	})
}

// GitHubToken makes an assertion of the simulated GitHub issuer. Claims that are not given are filled in: five minutes
// of life on real time, GitHub's default audience, and a subject from repository with environment or ref. Unlocked.
func (s *Service) GitHubToken(claims map[string]any) (string, error) {
	s.w.Lock()
	defer s.w.Unlock()
	return s.githubToken(claims)
}

func (s *Service) githubToken(given map[string]any) (string, error) {
	now := s.w.RealNow()
	text := func(k string) string { v, _ := given[k].(string); return v }
	owner, _, _ := strings.Cut(text("repository"), "/")
	claims := map[string]any{
		"iss": "https://" + GitHub,
		"aud": "https://github.com/" + owner,
		"jti": s.w.NewID(),
		"iat": now.Unix(),
		"nbf": now.Add(-5 * time.Minute).Unix(),
		"exp": now.Add(5 * time.Minute).Unix(),
	}
	if repo := text("repository"); repo != "" {
		claims["repository_owner"] = owner
		switch env, ref := text("environment"), text("ref"); {
		case env == "" && text("event_name") == "pull_request":
			claims["sub"] = "repo:" + repo + ":pull_request"
		case env != "":
			claims["sub"] = "repo:" + repo + ":environment:" + strings.ReplaceAll(env, ":", "%3A")
		case ref != "":
			claims["sub"] = "repo:" + repo + ":ref:" + ref
		}
	}
	maps.Copy(claims, s.githubFacts(text))
	maps.Copy(claims, given)
	raw, err := githubKey().sign(claims)
	if err == nil {
		s.w.Remember(raw)
	}
	return raw, err
}

// githubFacts are the claims of a run that nobody named: of the first run of a workflow rekey.yml by a person.
func (s *Service) githubFacts(given func(string) string) map[string]any {
	repo, ref := given("repository"), given("ref")
	if repo == "" {
		return nil
	}
	kind := "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		kind = "tag"
	}
	workflow := repo + "/.github/workflows/rekey.yml@" + ref
	const commit = "2f6d1c0b9a8e7d6c5b4a39281706f5e4d3c2b1a0"
	return map[string]any{
		"repository_id": "701234567", "repository_owner_id": "4711", "repository_visibility": "private", "runner_environment": "github-hosted",
		"actor": "octocat", "actor_id": "583231", "event_name": "workflow_dispatch", "ref_type": kind, "ref_protected": "true", "sha": commit,
		"run_id": "9001", "run_number": "1", "run_attempt": "1", "check_run_id": "31337", "head_ref": "", "base_ref": "",
		"workflow": "rekey", "workflow_ref": workflow, "workflow_sha": commit, "job_workflow_ref": workflow, "job_workflow_sha": commit,
	}
}

// MintRunnerToken returns a bearer for https://token.actions.githubusercontent.com/_sim/token, what a workflow finds in
// ACTIONS_ID_TOKEN_REQUEST_TOKEN: it gets assertions with these claims. Unlocked.
func (s *Service) MintRunnerToken(claims map[string]any) string {
	s.w.Lock()
	defer s.w.Unlock()
	raw := s.w.MintOpaque("runner.")
	s.runners[raw] = maps.Clone(claims)
	return raw
}

func (s *Service) runnerToken(q *request) answer {
	bearer, _ := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	given, ok := s.runners[bearer]
	if !ok {
		return jsonAnswer(http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
	}
	claims := map[string]any{}
	maps.Copy(claims, given)
	if aud := q.URL.Query().Get("audience"); aud != "" {
		claims["aud"] = aud
	}
	raw, err := s.githubToken(claims)
	if err != nil {
		return jsonAnswer(http.StatusInternalServerError, map[string]string{"message": err.Error()})
	}
	q.call.Principal, _ = claims["sub"].(string)
	return jsonAnswer(http.StatusOK, struct {
		Count int    `json:"count"`
		Value string `json:"value"`
	}{1, raw})
}
