package entra

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// Pipelines is the host of Azure Pipelines' issuer. Each organisation's issuer has the organisation's id in its path,
// and all have one key set.
const Pipelines = "vstoken.dev.azure.com"

// pipelinesRoute reads a path of that host. _sim/oidctoken is the simulator's own: what SYSTEM_OIDCREQUESTURI names.
func pipelinesRoute(rt route, path string) route {
	switch organization, rest, _ := strings.Cut(path, "/"); {
	case path == ".well-known/jwks":
		rt.op = opKeys
	case path == "_sim/oidctoken":
		rt.op = opPipelines
	case rest == ".well-known/openid-configuration" && isGUID(organization):
		rt.op, rt.tenant = opDiscovery, organization
	}
	return rt
}

func pipelinesDiscovery(organization string) answer {
	return jsonAnswer(http.StatusOK, struct {
		Issuer        string   `json:"issuer"`
		JWKS          string   `json:"jwks_uri"`
		SubjectTypes  []string `json:"subject_types_supported"`
		ResponseTypes []string `json:"response_types_supported"`
		Claims        []string `json:"claims_supported"`
		Algs          []string `json:"id_token_signing_alg_values_supported"`
		Scopes        []string `json:"scopes_supported"`
	}{
		"https://" + Pipelines + "/" + organization,
		"https://" + Pipelines + "/.well-known/jwks",
		[]string{"public", "pairwise"},
		[]string{"id_token"},
		[]string{"sub", "aud", "exp", "iat", "iss", "nbf", "jti", "org_id", "prj_id", "def_id", "rpo_id", "rpo_uri", "rpo_ver", "rpo_ref", "run_id"},
		[]string{"RS256"},
		[]string{"openid"},
	})
}

// PipelinesToken makes a job's own token of the simulated Azure Pipelines, the one that no service connection is named
// for: its audience cannot be chosen. Claims that are not given are filled in, the issuer from org_id. Unlocked.
func (s *Service) PipelinesToken(claims map[string]any) (string, error) {
	s.w.Lock()
	defer s.w.Unlock()
	return s.pipelinesToken(claims)
}

func (s *Service) pipelinesToken(given map[string]any) (string, error) {
	now := s.w.RealNow()
	organization, _ := given["org_id"].(string)
	claims := map[string]any{
		"jti": s.w.NewID(),
		"iss": "https://" + Pipelines + "/" + organization,
		"aud": tokenExchange,
		"iat": now.Unix(),
		"nbf": now.Add(-10 * time.Minute).Unix(),
		"exp": now.Add(10 * time.Minute).Unix(),
	}
	maps.Copy(claims, given)
	raw, err := pipelinesKey().sign(claims)
	if err == nil {
		s.w.Remember(raw)
	}
	return raw, err
}

// MintJobToken returns a bearer for https://vstoken.dev.azure.com/_sim/oidctoken, what a job of Azure Pipelines finds in
// SYSTEM_ACCESSTOKEN: it gets tokens with these claims. Unlocked.
func (s *Service) MintJobToken(claims map[string]any) string {
	s.w.Lock()
	defer s.w.Unlock()
	raw := s.w.MintOpaque("job.")
	s.runners[raw] = maps.Clone(claims)
	return raw
}

// jobToken answers a job. For a service connection the real one gives a token of another subject, which the simulator
// knows nothing of.
func (s *Service) jobToken(q *request) answer {
	bearer, _ := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	given, ok := s.runners[bearer]
	switch {
	case !ok && q.Header.Get("X-TFS-FedAuthRedirect") == "Suppress":
		return answer{status: http.StatusUnauthorized, ctype: "text/html; charset=utf-8"}
	case !ok:
		return answer{status: http.StatusFound, ctype: "text/html; charset=utf-8", header: http.Header{"Location": {"https://spsprodweu5.vssps.visualstudio.com/_signin"}}}
	case q.URL.Query().Get("api-version") == "":
		return jsonAnswer(http.StatusBadRequest, map[string]string{"typeKey": "VssVersionNotSpecifiedException", "message": "No api-version was supplied for the \"POST\" request."})
	case q.URL.Query().Get("serviceConnectionId") != "":
		return jsonAnswer(http.StatusNotFound, map[string]string{"typeKey": "ServiceEndpointNotFoundException", "message": "The simulator has no service connection of this job."})
	}
	raw, err := s.pipelinesToken(given)
	if err != nil {
		return jsonAnswer(http.StatusInternalServerError, map[string]string{"message": err.Error()})
	}
	q.call.Principal, _ = given["sub"].(string)
	return jsonAnswer(http.StatusOK, map[string]string{"oidcToken": raw})
}
