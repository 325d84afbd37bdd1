package graph

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entity is an object as it is answered.
type entity map[string]any

func (e entity) text(property string) string {
	s, _ := e[property].(string)
	return s
}

// set is a collection that can be listed.
type set struct {
	path    string   // below Root
	context string   // after "$metadata#"
	kind    string   // of its entities, as errors call it
	filters []string // properties that $filter takes
	// defaults are the properties without $select; nil: all.
	defaults []string
	// known are all properties, for $select.
	known func(string) bool
}

const (
	defaultPage = 100
	maxPage     = 999
)

// page answers a list: filtered, in a stable order, cut to a page, and of each entity what was selected.
func (c *call) page(s set, all []entity) (int, any, *fault) {
	return c.pageOf(s, all, func(e entity) entity { return e })
}

// pageOf is page for a list whose entities have at first what they are filtered and sorted by; whole gives the rest
// of those on the page.
func (c *call) pageOf(s set, all []entity, whole func(entity) entity) (int, any, *fault) {
	keep, f := c.filter(s)
	if f != nil {
		return 0, nil, f
	}
	fields, f := c.selected(s)
	if f != nil {
		return 0, nil, f
	}
	order, f := c.order()
	if f != nil {
		return 0, nil, f
	}
	size := defaultPage
	if v := c.query.Get("$top"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxPage {
			return 0, nil, badRequest("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", v, maxPage)
		}
		size = n
	}
	if c.query.Has("$skip") || c.query.Has("$search") {
		return 0, nil, unsupportedQuery("$skip and $search are not supported on resource '%s' by the simulator.", s.kind)
	}
	after, ok := readSkip(c.query.Get("$skiptoken"))
	if !ok {
		return 0, nil, badRequest("The specified page token value is invalid.")
	}
	all = slices.DeleteFunc(all, func(e entity) bool { return !keep(e) })
	slices.SortFunc(all, func(a, b entity) int { return strings.Compare(order(a), order(b)) })
	out := map[string]any{"@odata.context": Root + "/$metadata#" + s.context}
	if c.advanced() {
		out["@odata.count"] = len(all)
	}
	value := []entity{}
	for _, e := range all {
		if order(e) <= after {
			continue
		}
		if len(value) == size {
			out["@odata.nextLink"] = c.nextLink(s, value[size-1], order)
			break
		}
		value = append(value, e)
	}
	for i, e := range value {
		value[i] = pick(whole(e), fields)
	}
	out["value"] = value
	return http.StatusOK, out, nil
}

// one answers a single entity.
func (c *call) one(s set, e entity) (int, any, *fault) {
	fields, f := c.selected(s)
	if f != nil {
		return 0, nil, f
	}
	e = pick(e, fields)
	e["@odata.context"] = Root + "/$metadata#" + s.context + "/$entity"
	return http.StatusOK, e, nil
}

// nextLink repeats the query: the token holds the place of the last entity, so that nothing is shown twice or missed
// when others come and go.
func (c *call) nextLink(s set, last entity, order func(entity) string) string {
	q := url.Values{}
	maps.Copy(q, c.query)
	b, err := json.Marshal(order(last))
	if err != nil {
		panic(err) // a string
	}
	q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString(b))
	return Root + "/" + s.path + "?" + strings.ReplaceAll(q.Encode(), "%24", "$")
}

func readSkip(token string) (after string, ok bool) {
	if token == "" {
		return "", true
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(b, &after) != nil || after == "" {
		return "", false
	}
	return after, true
}

// advanced says whether the request asks for what only the index can answer.
func (c *call) advanced() bool {
	return strings.EqualFold(c.r.Header.Get("ConsistencyLevel"), "eventual") && strings.EqualFold(c.query.Get("$count"), "true")
}

func (c *call) order() (func(entity) string, *fault) {
	id := func(e entity) string { return strings.ToLower(e.text("id")) }
	switch strings.ToLower(strings.TrimSpace(c.query.Get("$orderby"))) {
	case "":
		return id, nil
	case "displayname", "displayname asc":
		if c.query.Has("$filter") && !c.advanced() {
			return nil, unsupportedQuery("Sorting not supported for current query.")
		}
		return func(e entity) string { return strings.ToLower(e.text("displayName")) + "\x00" + id(e) }, nil
	}
	return nil, unsupportedQuery("Unsupported sort property '%s'.", c.query.Get("$orderby"))
}

// selected are the properties that the answer has; nil is all of them.
func (c *call) selected(s set) ([]string, *fault) {
	if !c.query.Has("$select") {
		return s.defaults, nil
	}
	var out []string
	for name := range strings.SplitSeq(c.query.Get("$select"), ",") {
		name = strings.TrimSpace(name)
		if !s.known(name) {
			return nil, &fault{status: http.StatusBadRequest, code: "BadRequest",
				message: "Parsing OData Select and Expand failed: Could not find a property named '" + name + "' on type 'microsoft.graph." + strings.ToLower(s.kind[:1]) + s.kind[1:] + "'."}
		}
		out = append(out, name)
	}
	return out, nil
}

func pick(e entity, fields []string) entity {
	if fields == nil {
		return maps.Clone(e)
	}
	out := entity{}
	for k, v := range e {
		if strings.HasPrefix(k, "@odata.") || k == "owners" || slices.ContainsFunc(fields, func(f string) bool { return strings.EqualFold(f, k) }) {
			out[k] = v
		}
	}
	return out
}

// selects says whether $select names a property.
func (c *call) selects(property string) bool {
	return slices.ContainsFunc(strings.Split(c.query.Get("$select"), ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), property) })
}

// decode reads the body's members; what is not among them is refused.
func (c *call) decode(kind string, members map[string]any) (given map[string]bool, f *fault) {
	var raw map[string]json.RawMessage
	if json.Unmarshal(c.body, &raw) != nil || raw == nil {
		return nil, unreadable()
	}
	given = map[string]bool{}
	for name, value := range raw {
		into, ok := members[name]
		switch {
		case strings.HasPrefix(name, "@odata."):
			continue
		case !ok:
			return nil, badRequest("Invalid property '%s' specified for resource '%s'.", name, kind)
		case into != nil && json.Unmarshal(value, into) != nil:
			return nil, badRequest("Invalid value specified for property '%s' of resource '%s'.", name, kind)
		}
		given[name] = true
	}
	return given, nil
}

// unmarshal reads the whole body.
func (c *call) unmarshal(into any) *fault {
	if json.Unmarshal(c.body, into) != nil {
		return unreadable()
	}
	return nil
}

// moment is a time in Graph's form: UTC, up to seven digits of a second.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.9999999Z")
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
