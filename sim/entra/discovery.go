package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// placeholder stands in the metadata of realms that leave the tenant to the user, as it does in the real one's.
const placeholder = "{tenantid}"

// loginHost is the host that metadata names: the one that was asked, but sts.windows.net serves no sign-in.
func (q *request) loginHost() string {
	if q.host == "login.windows.net" || q.host == "login.microsoft.com" {
		return q.host
	}
	return Login
}

func (m realm) issuerTenant() string {
	switch {
	case m.tenant != nil:
		return m.tenant.ID
	case m.alias == "consumers":
		return consumersID
	}
	return placeholder
}

// issuers of tokens never follow the host that was asked (facts/azure-devops-entra.md section 8.1).
func issuerV1(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }
func issuerV2(tenant string) string { return "https://" + Login + "/" + tenant + "/v2.0" }

// discovery is OpenID Connect's document. Members are those of facts section 8.1, in the real one's order.
func (s *Service) discovery(q *request) (answer, *failure) {
	switch q.host {
	case GitHub:
		return githubDiscovery(), nil
	case Pipelines:
		return pipelinesDiscovery(q.tenant), nil
	}
	m, f := s.realm(q.tenant)
	if f != nil {
		return answer{}, f
	}
	base := "https://" + q.loginHost() + "/" + m.segment()
	v, keys, issuer := "", "/discovery/keys", issuerV1(m.issuerTenant())
	userInfo := "https://" + q.loginHost() + "/" + m.segment() + "/openid/userinfo"
	if q.v2 {
		v, keys, issuer = "/v2.0", "/discovery/v2.0/keys", issuerV2(m.issuerTenant())
		userInfo = "https://graph.microsoft.com/oidc/userinfo"
	}
	var region *string
	if m.tenant != nil {
		eu := "EU"
		region = &eu
	}
	return jsonAnswer(http.StatusOK, struct {
		Token         string   `json:"token_endpoint"`
		AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
		JWKS          string   `json:"jwks_uri"`
		ResponseModes []string `json:"response_modes_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		IDTokenAlgs   []string `json:"id_token_signing_alg_values_supported"`
		ResponseTypes []string `json:"response_types_supported"`
		Scopes        []string `json:"scopes_supported"`
		Issuer        string   `json:"issuer"`
		RequestURI    bool     `json:"request_uri_parameter_supported"`
		UserInfo      string   `json:"userinfo_endpoint"`
		Authorization string   `json:"authorization_endpoint"`
		Device        string   `json:"device_authorization_endpoint"`
		HTTPLogout    bool     `json:"http_logout_supported"`
		FrontLogout   bool     `json:"frontchannel_logout_supported"`
		EndSession    string   `json:"end_session_endpoint"`
		Claims        []string `json:"claims_supported"`
		Kerberos      string   `json:"kerberos_endpoint"`
		Region        *string  `json:"tenant_region_scope"`
		CloudInstance string   `json:"cloud_instance_name"`
		CloudGraph    string   `json:"cloud_graph_host_name"`
		MSGraph       string   `json:"msgraph_host"`
		RBAC          string   `json:"rbac_url"`
	}{
		Token:         base + "/oauth2" + v + "/token",
		AuthMethods:   []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		JWKS:          base + keys,
		ResponseModes: []string{"query", "fragment", "form_post"},
		SubjectTypes:  []string{"pairwise"},
		IDTokenAlgs:   []string{"RS256"},
		ResponseTypes: []string{"code", "id_token", "code id_token", "id_token token"},
		Scopes:        []string{"openid", "profile", "email", "offline_access"},
		Issuer:        issuer,
		UserInfo:      userInfo,
		Authorization: base + "/oauth2" + v + "/authorize",
		Device:        base + "/oauth2" + v + "/devicecode",
		HTTPLogout:    true,
		FrontLogout:   true,
		EndSession:    base + "/oauth2" + v + "/logout",
		Claims: []string{
			"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp",
			"iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email",
		},
		Kerberos:      base + "/kerberos",
		Region:        region,
		CloudInstance: "microsoftonline.com",
		CloudGraph:    "graph.windows.net",
		MSGraph:       "graph.microsoft.com",
		RBAC:          "https://pas.windows.net",
	}), nil
}

// cloud is one cloud of instance discovery.
type cloud struct {
	Network string   `json:"preferred_network"`
	Cache   string   `json:"preferred_cache"`
	Aliases []string `json:"aliases"`
}

var clouds = []cloud{
	{Login, "login.windows.net", []string{Login, "login.windows.net", "login.microsoft.com", "sts.windows.net"}},
	{"login.partner.microsoftonline.cn", "login.partner.microsoftonline.cn", []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}},
	{"login.microsoftonline.us", "login.microsoftonline.us", []string{"login.microsoftonline.us", "login.usgovcloudapi.net"}},
}

// instance says whether an authority is Microsoft's, and what else it is called.
func (s *Service) instance(q *request) (answer, *failure) {
	endpoint, err := url.Parse(q.URL.Query().Get("authorization_endpoint"))
	known := err == nil && slices.ContainsFunc(clouds, func(c cloud) bool { return slices.Contains(c.Aliases, strings.ToLower(endpoint.Host)) })
	if !known {
		return answer{}, refuse("invalid_instance", 50049, "Unknown or invalid instance.")
	}
	tenant, rest, _ := strings.Cut(strings.Trim(endpoint.Path, "/"), "/")
	v := ""
	if strings.Contains(rest, "v2.0") {
		v = "/v2.0"
	}
	return jsonAnswer(http.StatusOK, struct {
		Discovery string  `json:"tenant_discovery_endpoint"`
		Version   string  `json:"api-version"`
		Metadata  []cloud `json:"metadata"`
	}{
		"https://" + endpoint.Host + "/" + tenant + v + "/.well-known/openid-configuration",
		q.URL.Query().Get("api-version"),
		clouds,
	}), nil
}

func (s *Service) keys(q *request) (answer, *failure) {
	if q.host == GitHub || q.host == Pipelines {
		key := githubKey
		if q.host == Pipelines {
			key = pipelinesKey
		}
		k := key().jwk("")
		k.Alg = "RS256"
		return jsonAnswer(http.StatusOK, jwks{[]jwk{k}}), nil
	}
	m, f := s.realm(q.tenant)
	if f != nil {
		return answer{}, f
	}
	issuer := ""
	if q.v2 {
		issuer = issuerV2(m.issuerTenant())
	}
	return jsonAnswer(http.StatusOK, jwks{[]jwk{s.key().jwk(issuer)}}), nil
}

// userRealm says where a user's password is checked: here, for the domains of our tenants.
func (s *Service) userRealm(q *request) answer {
	_, domain, _ := strings.Cut(q.rest, "@")
	kind := "Unknown"
	for _, t := range s.w.Tenants {
		if strings.EqualFold(t.Domain, domain) {
			kind, domain = "Managed", t.Domain
		}
	}
	if _, f := s.user(realm{alias: "common"}, q.rest); f == nil {
		kind = "Managed"
	}
	if kind == "Unknown" {
		domain = ""
	}
	return jsonAnswer(http.StatusOK, struct {
		Version string `json:"ver"`
		Kind    string `json:"account_type"`
		Domain  string `json:"domain_name,omitempty"`
		Cloud   string `json:"cloud_instance_name"`
		URN     string `json:"cloud_audience_urn"`
	}{"1.0", kind, domain, "microsoftonline.com", "urn:federation:MicrosoftOnline"})
}
