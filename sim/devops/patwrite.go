package devops

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// patRequest is the body of a create or an update. A member that is absent or null is nil; unknown members are
// tolerated, since clients send targetAccounts.
type patRequest struct {
	AuthorizationID *string   `json:"authorizationId"`
	DisplayName     *string   `json:"displayName"`
	Scope           *string   `json:"scope"`
	ValidTo         *jsonDate `json:"validTo"`
	AllOrgs         *bool     `json:"allOrgs"`
}

type jsonDate time.Time

func (d *jsonDate) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	t, ok := parseDate(s)
	if !ok {
		return &json.UnmarshalTypeError{Value: "string"}
	}
	*d = jsonDate(t)
	return nil
}

// body reads the request, or answers the call and returns false.
func (c *call) body() (req patRequest, ok bool) {
	ok = c.read(&req)
	return req, ok
}

// read reads the request's JSON into v, or answers the call and returns false.
func (c *call) read(v any) bool {
	sent := c.r.Header.Get("Content-Type")
	media, _, _ := mime.ParseMediaType(sent)
	if media != "application/json" {
		c.fail(http.StatusUnsupportedMediaType, webAPI("VssRequestContentTypeNotSupportedException"),
			`The request indicated a Content-Type of "`+sent+`" for method type "`+c.r.Method+`" which is not supported. Valid content types for this method are: application/json.`)
		return false
	}
	b := bytes.TrimPrefix(wire.Body(c.r), []byte(bom))
	// A body of null names nothing to create; the reader of the real service does not get past either.
	if err := json.Unmarshal(b, v); err != nil || bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		c.fail(http.StatusBadRequest, kind{name: "Newtonsoft.Json.JsonReaderException, Newtonsoft.Json", key: "JsonReaderException"},
			"TF400898: An Internal Error Occurred. Activity Id: "+c.w.Header().Get("ActivityId")+".")
		return false
	}
	return true
}

func (c *call) createPat() {
	if !c.permitted("pats_manage") {
		return
	}
	req, ok := c.body()
	if !ok {
		return
	}
	switch c.knobs.CreationBlocked {
	case "":
	case "400":
		c.fail(http.StatusBadRequest, framework("SessionTokenCreateException"), "DisablePatCreationPolicyViolation")
		return
	default:
		c.refusePat("disablePatCreationPolicyViolation")
		return
	}
	now := c.s.w.Now()
	if req.DisplayName == nil {
		req.DisplayName = new("")
	}
	if req.Scope == nil {
		req.Scope = new("")
	}
	if req.ValidTo == nil {
		life := time.Duration(c.knobs.DefaultLifespan)
		if life <= 0 {
			life = 30 * 24 * time.Hour
		}
		req.ValidTo = new(jsonDate(now.Add(life)))
	}
	p := &world.PAT{OwnerID: c.who.id, ValidFrom: sqlTime(now)}
	if code := c.change(p, req, now); code != "" {
		c.refusePat(code)
		return
	}
	c.store(p)
	if c.knobs.DuplicateOnCreate {
		twin := *p
		c.store(&twin)
	}
	c.result(p, p.Token)
}

func (c *call) store(p *world.PAT) {
	p.AuthorizationID, p.Token = c.s.w.NewID(), c.s.w.MintPAT()
	c.s.pats.add(c.s.w, c.org, p)
}

func (c *call) updatePat() {
	if !c.permitted("pats_manage") {
		return
	}
	req, ok := c.body()
	if !ok {
		return
	}
	if req.AuthorizationID == nil {
		req.AuthorizationID = new("")
	}
	id, ok := guid(*req.AuthorizationID)
	if !ok {
		c.refusePat("invalidAuthorizationId")
		return
	}
	p, now := c.own(id), c.s.w.Now()
	switch {
	case p == nil:
		c.refusePat("tokenNotFound")
		return
	case !p.Revoked.IsZero():
		c.refusePat("invalidToken")
		return
	case !now.Before(p.ValidTo) && !c.knobs.ExtendExpired:
		c.refusePat("expiredPatCannotBeExtended")
		return
	}
	from := p.ValidFrom
	if k := c.knobs.ClampUpdateToCreation; k != nil && !*k {
		from = now
	}
	changed := *p
	if code := c.change(&changed, req, from); code != "" {
		c.refusePat(code)
		return
	}
	*p = changed
	c.result(p, "")
}

// change applies what the request has to p, within the policies; it returns the error to answer, "" for none. from
// is the day that the tenant's maximum lifespan counts from.
func (c *call) change(p *world.PAT, req patRequest, from time.Time) string {
	if req.DisplayName != nil {
		if code := c.checkName(*req.DisplayName); code != "" {
			return code
		}
		p.Name = *req.DisplayName
	}
	if req.Scope != nil {
		scope, ok := c.scope(*req.Scope)
		switch {
		case !ok:
			return "invalidScope"
		case c.knobs.RestrictFullScope && slices.Contains(strings.Fields(scope), fullScope):
			return "fullScopePatPolicyViolation"
		}
		p.Scope = scope
	}
	if req.ValidTo != nil {
		validTo, code := c.lifespan(time.Time(*req.ValidTo), from)
		if code != "" {
			return code
		}
		p.ValidTo = validTo
	}
	if req.AllOrgs != nil {
		if *req.AllOrgs && !p.AllOrgs {
			switch {
			case c.knobs.GlobalCreationBlocked, !c.s.w.Now().Before(c.globalRetirement()):
				return "globalPATCreationBlocked"
			case c.knobs.RestrictGlobal:
				return "globalPatPolicyViolation"
			}
		}
		p.AllOrgs = *req.AllOrgs
	}
	return ""
}

func (c *call) checkName(name string) string {
	longest := c.knobs.MaxDisplayName
	if longest <= 0 {
		longest = 256
	}
	switch {
	case strings.TrimSpace(name) == "":
		return "displayNameRequired"
	case utf8.RuneCountInString(name) > longest, strings.ContainsFunc(name, unicode.IsControl):
		return "invalidDisplayName"
	}
	return ""
}

// scope checks a scope and returns it as the service keeps it.
func (c *call) scope(s string) (string, bool) {
	scopes := strings.Split(s, " ")
	if c.knobs.NormaliseScope {
		scopes = strings.Fields(s)
		slices.Sort(scopes)
		scopes = slices.Compact(scopes)
	}
	if len(scopes) == 0 {
		return "", false
	}
	for _, one := range scopes {
		if !patScope(one, c.knobs.AllowPatsScope) {
			return "", false
		}
	}
	return strings.Join(scopes, " "), true
}

// lifespan is the validTo that the service grants for the one asked for. The clamp of an update may lie in the past
// where the policy is younger than the PAT: the specification's words allow nothing else.
func (c *call) lifespan(asked, from time.Time) (time.Time, string) {
	now := c.s.w.Now()
	if !asked.After(now) {
		return time.Time{}, "invalidValidTo"
	}
	refuse := c.knobs.Overlong == "refuse"
	if hard := now.AddDate(1, 0, 0); asked.After(hard) {
		if refuse {
			return time.Time{}, "invalidValidTo"
		}
		asked = hard
	}
	if most := time.Duration(c.knobs.MaxLifespan); most > 0 && asked.After(from.Add(most)) {
		if refuse {
			return time.Time{}, "patLifespanPolicyViolation"
		}
		asked = from.Add(most)
	}
	return sqlTime(asked), ""
}

func (c *call) revokePat() {
	if !c.permitted("pats_manage") {
		return
	}
	id, ok := guid(c.query.get("authorizationId"))
	if !ok {
		c.badParameter("authorizationId")
		return
	}
	p := c.own(id)
	if p == nil || !p.Revoked.IsZero() {
		if c.knobs.DeleteGone == "204" {
			c.empty(http.StatusNoContent)
			return
		}
		c.fail(http.StatusNotFound, typed("Microsoft.VisualStudio.Services.DelegatedAuthorization", "SessionTokenNotFoundException"),
			"No valid session token found for authorization id "+id+".")
		return
	}
	p.Revoked = c.s.w.Now()
	c.empty(http.StatusNoContent)
}
