package devops

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// patToken is a PAT as answers show it. Only the answer of the create has a token.
type patToken struct {
	DisplayName     string    `json:"displayName"`
	ValidTo         time.Time `json:"validTo"`
	Scope           string    `json:"scope"`
	TargetAccounts  []string  `json:"targetAccounts"` // null: all organisations
	ValidFrom       time.Time `json:"validFrom"`
	AuthorizationID string    `json:"authorizationId"`
	Token           *string   `json:"token"`
}

// patTokenResult is what get, create and update answer, with status 200 even where they refuse.
type patTokenResult struct {
	PatToken *patToken `json:"patToken"`
	Error    string    `json:"patTokenError"`
}

// patTokenResult72 has the message that only 7.2 has.
type patTokenResult72 struct {
	patTokenResult
	Message *string `json:"patTokenErrorMessage"`
}

// pagedPatTokens is not the {count, value} of other lists.
type pagedPatTokens struct {
	ContinuationToken string     `json:"continuationToken"` // "" on the last page
	PatTokens         []patToken `json:"patTokens"`
}

func shown(o *world.Organization, p *world.PAT) patToken {
	t := patToken{
		DisplayName: p.Name, ValidTo: sqlTime(p.ValidTo), Scope: p.Scope,
		ValidFrom: sqlTime(p.ValidFrom), AuthorizationID: p.AuthorizationID,
	}
	if !p.AllOrgs {
		t.TargetAccounts = []string{o.ID}
	}
	return t
}

// result answers with a PAT; token is its value for the create, "" otherwise.
func (c *call) result(p *world.PAT, token string) {
	t := shown(c.org, p)
	if token != "" {
		t.Token = &token
	}
	c.patResult(patTokenResult{PatToken: &t, Error: "none"}, nil)
}

// refusePat answers 200 with one of the service's own error names.
func (c *call) refusePat(code string) {
	message := patErrors[code]
	c.patResult(patTokenResult{Error: code}, &message)
}

func (c *call) patResult(r patTokenResult, message *string) {
	if c.version.atLeast(7, 2) {
		c.ok(patTokenResult72{r, message})
		return
	}
	c.ok(r)
}

// patErrors are the refusals that are made here. The names are Microsoft's, the sentences ours: none is on record.
var patErrors = map[string]string{
	"displayNameRequired":               "The display name is required.",
	"invalidDisplayName":                "The display name is not valid.",
	"invalidScope":                      "The scope is not valid.",
	"invalidValidTo":                    "The expiration date is not valid.",
	"invalidToken":                      "The token has been revoked.",
	"tokenNotFound":                     "The token was not found.",
	"invalidAuthorizationId":            "The authorization id is not valid.",
	"globalPatPolicyViolation":          "A policy of the tenant restricts global personal access tokens.",
	"fullScopePatPolicyViolation":       "A policy of the tenant restricts full-scoped personal access tokens.",
	"patLifespanPolicyViolation":        "A policy of the tenant restricts the lifespan of personal access tokens.",
	"disablePatCreationPolicyViolation": "A policy of the organization restricts the creation of personal access tokens.",
	"globalPATCreationBlocked":          "Global personal access tokens can no longer be created.",
	"expiredPatCannotBeExtended":        "An expired personal access token cannot be extended.",
}

// permitted says whether the caller's token has a scope of the PAT API, or answers the call and returns false.
func (c *call) permitted(scope string) bool {
	if c.who.scopes.has(scope) {
		return true
	}
	c.lacksScope()
	return false
}

// own finds one of the caller's PATs of this organisation; somebody else's is as absent as none.
func (c *call) own(id string) *world.PAT {
	p := c.s.pats.byID(c.s.w, c.org, id)
	if p == nil || !strings.EqualFold(p.OwnerID, c.who.id) {
		return nil
	}
	return p
}

var guidForm = regexp.MustCompile(`^\{?[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\}?$`)

// guid reads an id in any of the forms that .NET takes.
func guid(s string) (string, bool) {
	if !guidForm.MatchString(s) {
		return "", false
	}
	h := strings.ToLower(strings.NewReplacer("-", "", "{", "", "}", "").Replace(s))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
}

func (c *call) getPat() {
	if !c.permitted("pats") {
		return
	}
	id, ok := guid(c.query.get("authorizationId"))
	if !ok {
		c.refusePat("invalidAuthorizationId")
		return
	}
	p := c.own(id)
	if p == nil {
		c.refusePat("tokenNotFound")
		return
	}
	c.result(p, "")
}

const (
	maxPageSize     = 100
	defaultPageSize = 20
)

// entry is a PAT with the organisation that it was made in.
type entry struct {
	org *world.Organization
	pat *world.PAT
}

func (c *call) listPats() {
	if !c.permitted("pats") {
		return
	}
	filter, ok := c.oneOf("displayFilterOption", "active", "revoked", "expired", "all")
	if !ok {
		return
	}
	by, ok := c.oneOf("sortByOption", "displayName", "displayDate", "status")
	if !ok {
		return
	}
	ascending, ok := c.oneOf("isSortAscending", "true", "false")
	if !ok {
		return
	}
	size, ok := c.pageSize()
	if !ok {
		return
	}
	offset, ok := rowOffset(c.query.get("continuationToken"))
	if !ok {
		c.badParameter("continuationToken")
		return
	}
	all := c.visible(filter)
	c.sortPats(all, by, ascending == "false")
	page := pagedPatTokens{PatTokens: []patToken{}}
	end := min(offset+size, len(all))
	for i := offset; i < end; i++ {
		page.PatTokens = append(page.PatTokens, shown(all[i].org, all[i].pat))
	}
	if end < len(all) && offset < end {
		page.ContinuationToken = rowToken(end)
	}
	c.ok(page)
}

// rowToken is the continuation token: where the next page starts, counted in rows. Nothing holds the list still
// meanwhile: what is created or revoked between two pages makes the next one repeat or skip.
func rowToken(offset int) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"rowOffset":` + strconv.Itoa(offset) + `}`))
}

func rowOffset(token string) (int, bool) {
	if token == "" {
		return 0, true
	}
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	s, ok := strings.CutPrefix(string(b), `{"rowOffset":`)
	n, err := strconv.Atoi(strings.TrimSuffix(s, "}"))
	return n, ok && err == nil && n >= 0
}

// oneOf reads a query member that has few values; the first is the default.
func (c *call) oneOf(name string, values ...string) (string, bool) {
	v := c.query.get(name)
	if v == "" {
		return values[0], true
	}
	i := slices.IndexFunc(values, func(x string) bool { return strings.EqualFold(x, v) })
	if i < 0 {
		c.badParameter(name)
		return "", false
	}
	return values[i], true
}

func (c *call) badParameter(name string) {
	c.fail(http.StatusBadRequest, kind{name: "System.ArgumentException, mscorlib", key: "ArgumentException"},
		"The value of parameter "+name+" is not valid.")
}

func (c *call) pageSize() (int, bool) {
	size := c.knobs.DefaultPageSize
	if size <= 0 {
		size = defaultPageSize
	}
	if v := c.query.get("$top"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			c.badParameter("$top")
			return 0, false
		}
		if n > 0 {
			size = n
		}
	}
	return min(size, maxPageSize), true
}

// visible are the caller's PATs that the list shows, each with its place in the world's order.
func (c *call) visible(filter string) []entry {
	var all []entry
	for _, o := range c.s.w.Organizations {
		if o != c.org && !(c.knobs.ListAcrossOrgs && strings.EqualFold(o.TenantID, c.org.TenantID)) {
			continue
		}
		for _, p := range o.PATs {
			if strings.EqualFold(p.OwnerID, c.who.id) && !c.lagging(p.ValidFrom) && (filter == "all" || filter == c.listedStatus(p)) {
				all = append(all, entry{o, p})
			}
		}
	}
	return all
}

// lagging says whether a change made at t has not reached the list yet.
func (c *call) lagging(t time.Time) bool {
	lag := time.Duration(c.knobs.ListLag)
	return lag > 0 && c.s.w.Now().Before(t.Add(lag))
}

func (c *call) listedStatus(p *world.PAT) string {
	switch {
	case !p.Revoked.IsZero() && !c.lagging(p.Revoked):
		return "revoked"
	case !c.s.w.Now().Before(p.ValidTo):
		return "expired"
	}
	return "active"
}

// sortPats sorts as asked. Equal rows stay in the order in which they were made, so that a page is the same each
// time while nothing changes.
func (c *call) sortPats(all []entry, by string, descending bool) {
	compare := func(a, b entry) int { return a.pat.ValidTo.Compare(b.pat.ValidTo) }
	switch by {
	case "displayName":
		lower := make(map[*world.PAT]string, len(all))
		for _, e := range all {
			lower[e.pat] = strings.ToLower(e.pat.Name)
		}
		compare = func(a, b entry) int { return strings.Compare(lower[a.pat], lower[b.pat]) }
	case "status":
		status := make(map[*world.PAT]string, len(all))
		for _, e := range all {
			status[e.pat] = c.listedStatus(e.pat)
		}
		compare = func(a, b entry) int { return cmp.Compare(status[a.pat], status[b.pat]) }
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		if descending {
			a, b = b, a
		}
		return compare(a, b)
	})
}
