package graph

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// refuseSecret says what a policy has against a new client secret (facts 3.1).
func refuseSecret(p *world.AppManagementPolicy, s *world.PasswordCredential) *fault {
	switch {
	case p.NoSecrets:
		m := fmt.Sprintf("Credential type not allowed as per assigned policy '%s'.", p.ID)
		return &fault{status: http.StatusBadRequest, code: "CredentialTypeNotAllowedAsPerAppPolicy", message: m}
	case p.MaxSecretLife > 0 && s.End.Sub(s.Start) > time.Duration(p.MaxSecretLife):
		return tooLong(p)
	}
	return nil
}

func tooLong(p *world.AppManagementPolicy) *fault {
	m := fmt.Sprintf("Credential lifetime exceeds the max value allowed as per assigned policy '%s'.", p.ID)
	return &fault{status: http.StatusBadRequest, code: "CredentialInvalidLifetimeAsPerAppPolicy", message: m,
		details: []detail{{"InvalidKeyEndDate", m, "EndDate"}}}
}

func (c *call) getDefaultPolicy() (int, any, *fault) {
	if f := c.authorize(policyRead...); f != nil {
		return 0, nil, f
	}
	p := &world.AppManagementPolicy{ID: "00000000-0000-0000-0000-000000000000", Name: "Default app management tenant policy", Disabled: true}
	for _, x := range c.w.AppManagementPolicies {
		if x.Default && strings.EqualFold(x.TenantID, c.token.Tenant) {
			p = x
			break
		}
	}
	e := policyBody(p)
	e["@odata.context"] = Root + "/$metadata#policies/defaultAppManagementPolicy/$entity"
	e["applicationRestrictions"], e["servicePrincipalRestrictions"] = e["restrictions"], e["restrictions"]
	delete(e, "restrictions")
	return http.StatusOK, e, nil
}

var policySet = set{
	path: "policies/appManagementPolicies", context: "policies/appManagementPolicies", kind: "AppManagementPolicy",
	filters: []string{"id", "displayName"},
	known:   func(p string) bool { return hasProperty(policyBody(&world.AppManagementPolicy{}), p) },
}

func (c *call) listPolicies() (int, any, *fault) {
	if f := c.authorize(policyRead...); f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, p := range c.w.AppManagementPolicies {
		if !p.Default && strings.EqualFold(p.TenantID, c.token.Tenant) {
			all = append(all, policyBody(p))
		}
	}
	return c.page(policySet, all)
}

// listApplicationPolicies are those that name the application; the tenant's default is not among them.
func (c *call) listApplicationPolicies() (int, any, *fault) {
	if f := c.authorize(append([]string{appWrite, "Application.Read.All"}, policyRead...)...); f != nil {
		return 0, nil, f
	}
	h, f := c.find()
	if f != nil {
		return 0, nil, f
	}
	var all []entity
	if p := c.w.PolicyFor(h.app); p != nil && !p.Default {
		all = append(all, policyBody(p))
	}
	s := policySet
	s.path = "applications/" + h.app.ID + "/appManagementPolicies"
	return c.page(s, all)
}

func policyBody(p *world.AppManagementPolicy) entity {
	passwords, keys := []entity{}, []entity{}
	restriction := func(kind string, life world.Duration) entity {
		e := entity{"restrictionType": kind, "maxLifetime": nil, "restrictForAppsCreatedAfterDateTime": moment(p.CreatedAfter), "state": "enabled"}
		if life > 0 {
			e["maxLifetime"] = isoDays(life)
		}
		return e
	}
	if p.NoSecrets {
		passwords = append(passwords, restriction("passwordAddition", 0))
	}
	if p.MaxSecretLife > 0 {
		passwords = append(passwords, restriction("passwordLifetime", p.MaxSecretLife))
	}
	if p.MaxCertificateLife > 0 {
		keys = append(keys, restriction("asymmetricKeyLifetime", p.MaxCertificateLife))
	}
	return entity{
		"id": p.ID, "displayName": p.Name, "description": nil, "isEnabled": !p.Disabled,
		"restrictions": entity{"passwordCredentials": passwords, "keyCredentials": keys},
	}
}

// isoDays is a duration in the form of ISO 8601.
func isoDays(d world.Duration) string {
	t := time.Duration(d)
	out := "P"
	if days := t / (24 * time.Hour); days > 0 {
		out += fmt.Sprintf("%dD", days)
		t -= days * 24 * time.Hour
	}
	if t > 0 {
		out += "T" + strings.ToUpper(t.Truncate(time.Second).String())
	}
	return out
}
