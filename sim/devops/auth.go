package devops

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// caller is who a credential stands for, and how far it reaches.
type caller struct {
	id     string // object id in Entra
	tenant string
	name   string     // user principal name, or the display name of an app
	shown  string     // display name
	user   bool       // a person or service account, not an app
	pat    *world.PAT // nil for an Entra token
	scopes grant
}

// authenticate finds out who calls, or answers the call and returns false.
func (c *call) authenticate() (*caller, bool) {
	scheme, credential, _ := strings.Cut(strings.TrimSpace(c.r.Header.Get("Authorization")), " ")
	credential = strings.TrimSpace(credential)
	switch strings.ToLower(scheme) {
	case "bearer":
		return c.bearer(credential)
	case "basic":
		password, ok := basicPassword(credential)
		if !ok {
			break
		}
		// Microsoft's own command line sends its Entra token as the password of Basic.
		if _, issued := c.s.w.TokenOf(password); issued || strings.Count(password, ".") == 2 {
			return c.bearer(password)
		}
		return c.personal(password)
	}
	c.signIn()
	return nil, false
}

// basicPassword is the password of Basic credentials; the user name may be anything.
func basicPassword(credential string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(credential)
	if err != nil {
		return "", false
	}
	_, password, ok := strings.Cut(string(b), ":")
	return password, ok && password != ""
}

func (c *call) bearer(raw string) (*caller, bool) {
	c.s.w.Remember(raw)
	t, ok := c.s.w.TokenOf(raw)
	if !ok || !forDevOps(t.Audience) || !c.s.w.Now().Before(t.Expires) {
		// Reports disagree by method: a PATCH is refused in JSON where everything else is sent to sign in.
		if ok && c.r.Method == http.MethodPatch {
			c.unauthorized("UnauthorizedRequestException", t.ObjectID)
		} else {
			c.signIn()
		}
		return nil, false
	}
	who := &caller{id: t.ObjectID, tenant: t.Tenant, name: t.Name, shown: t.Name, user: t.User}
	if !t.User {
		who.scopes = everything
		return who, true
	}
	who.scopes = grantOf(t.Scopes)
	u := c.s.user(t.ObjectID)
	if u == nil || u.Disabled {
		c.unauthorized("InvalidIdentityException", t.ObjectID)
		return nil, false
	}
	who.name, who.shown = u.UPN, u.Name
	return who, true
}

// forDevOps says whether a token was issued for Azure DevOps: by its app id, or its URI.
func forDevOps(audience string) bool {
	return strings.EqualFold(audience, world.AzureDevOps) ||
		strings.EqualFold(strings.TrimSuffix(audience, "/"), "https://app.vssps.visualstudio.com")
}

// personal signs in with a PAT.
func (c *call) personal(raw string) (*caller, bool) {
	c.s.w.Remember(raw)
	home, pat := c.s.pats.byValue(c.s.w, raw)
	if pat == nil {
		c.signIn()
		return nil, false
	}
	u := c.s.user(pat.OwnerID)
	switch {
	case !c.alive(pat), u == nil, u.Disabled, c.org == nil && !pat.AllOrgs:
		c.badPat()
		return nil, false
	case c.org != nil && home != c.org && !pat.AllOrgs:
		if c.knobs.ForeignPat == "signIn" {
			c.signIn()
		} else {
			c.badPat()
		}
		return nil, false
	case c.org != nil && !member(c.org, u.ID, u.TenantID):
		c.badPat()
		return nil, false
	}
	if c.knobs.Inactivity > 0 {
		pat.LastUsed = c.s.w.Now()
	}
	return &caller{
		id: u.ID, tenant: u.TenantID, name: u.UPN, shown: u.Name, user: true, pat: pat,
		scopes: grantOf(strings.Fields(pat.Scope)),
	}, true
}

// alive says whether a PAT still authenticates.
func (c *call) alive(p *world.PAT) bool { return c.s.w.Alive(p) }

func (c *call) globalRetirement() time.Time { return c.knobs.Retirement() }

// admitted says whether the identity may be here at all, or answers the call and returns false.
func (c *call) admitted() bool {
	switch {
	case c.knobs.ConditionalAccess:
		c.conditionalAccess()
	case c.who.pat == nil && c.knobs.SuppressRefuses && c.suppressed():
		c.unauthorized("UnauthorizedRequestException", c.who.id)
	case !c.who.user && c.toPats():
		// Membership of the organisation makes no difference that any source shows: the PAT API has no apps.
		c.refuseServicePrincipal()
	case c.who.pat != nil && c.toPats():
		c.refusePatCaller()
	case c.org != nil && !member(c.org, c.who.id, c.who.tenant):
		c.unauthorized("InvalidIdentityException", c.who.id)
	default:
		return true
	}
	return false
}

func (c *call) refuseServicePrincipal() {
	if c.knobs.ServicePrincipalCaller == "signIn" {
		c.signIn()
		return
	}
	c.fail(http.StatusForbidden, framework("InvalidAccessException"), "Service principals are not allowed to perform this action.")
}

// refusePatCaller keeps a PAT from minting its own successor.
func (c *call) refusePatCaller() {
	if c.knobs.PatCaller == "invalidAccess" {
		c.fail(http.StatusForbidden, framework("InvalidAccessException"), "The requested operation is not allowed.")
		return
	}
	c.patEmpty()
}

func (c *call) toPats() bool { return c.route.host.kind == hostSPS && c.route.patsAddress() }

func member(o *world.Organization, id, tenant string) bool {
	return strings.EqualFold(o.TenantID, tenant) &&
		slices.ContainsFunc(o.Members, func(m string) bool { return strings.EqualFold(m, id) })
}

func (s *Service) user(id string) *world.User {
	for _, u := range s.w.Users {
		if strings.EqualFold(u.ID, id) {
			return u
		}
	}
	return nil
}
