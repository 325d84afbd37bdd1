package logicapps

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// markTag is the connection's tag with the mark.
	markTag        = "rekey"
	grantParameter = "token:grantType"
	grant          = "client_credentials"
)

// shown are members that the service alone sets: they are shown and not sent.
var shown = []string{"statuses", "connectionState", "overallStatus", "createdTime", "changedTime", "testLinks", "testRequests", "authenticatedUser", "parameterValues", "parameterValueSet", "api"}

// document is an object of the service, of which every member that is not changed goes back byte for byte.
type document map[string]json.RawMessage

// text is a member that is a text; "" if it is not there or something else.
func (d document) text(member string) string {
	var s string
	if json.Unmarshal(d[member], &s) != nil {
		return ""
	}
	return s
}

// object is a member that is an object; nil if it is not.
func (d document) object(member string) document {
	var o document
	if json.Unmarshal(d[member], &o) != nil {
		return nil
	}
	return o
}

// set puts a value of ours in. It cannot fail: texts and objects of them are all that is put.
func (d document) set(member string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("logicapps: %T cannot be encoded", v))
	}
	d[member] = b
}

// connection is an API connection as the service showed it.
type connection struct {
	document
	id   string
	date time.Time
}

// is says whether an answer is that connection, in full.
func (x connection) is() bool {
	return strings.EqualFold(x.text("id"), x.id) && x.text("location") != "" && x.properties().object("api").text("id") != ""
}

func (x connection) name() string { return x.id[strings.LastIndexByte(x.id, '/')+1:] }

func (x connection) properties() document { return x.object("properties") }

// set is the set of parameters that the connection shows; "" if its values are flat.
func (x connection) set() string { return x.properties().object("parameterValueSet").text("name") }

// tag finds the mark's tag: names are the same in any case.
func (x connection) tag() (tags document, name string) {
	tags = x.object("tags")
	for k := range tags {
		if strings.EqualFold(k, markTag) {
			return tags, k
		}
	}
	return tags, markTag
}

// state is which publication it is on, and what the service says of it. Nothing but a test knows more.
func (x connection) state() rotation.ConsumerState {
	tags, name := x.tag()
	m := driver.ParseMark(tags.text(name))
	s := rotation.ConsumerState{Publication: m.Publication, Told: m.Told, Weak: true}
	if m.Publication == "" {
		s.Why = "no mark says that " + x.name() + " was told"
		return s
	}
	var statuses []struct {
		Status string `json:"status"`
		Error  struct {
			Code       string `json:"code"`
			Properties struct {
				Code string `json:"code"`
			} `json:"properties"`
		} `json:"error"`
	}
	_ = json.Unmarshal(x.properties()["statuses"], &statuses)
	for _, st := range statuses {
		if strings.EqualFold(st.Status, "Error") {
			code := azhttp.Code(st.Error.Code + st.Error.Properties.Code)
			s.Why = strings.TrimSuffix("the status of "+x.name()+" is Error: "+code, ": ")
			return s
		}
	}
	s.Works = true
	return s
}

// test is the connection's own address of a test; ok is false where it has none, or names another place.
func (x connection) test() (path, version string, ok bool) {
	var links []struct {
		URI    string `json:"requestUri"`
		Method string `json:"method"`
	}
	if json.Unmarshal(x.properties()["testLinks"], &links) != nil {
		return "", "", false
	}
	for _, l := range links {
		u, err := url.Parse(l.URI)
		if err != nil || !strings.EqualFold(l.Method, "get") {
			continue
		}
		below := len(x.id) + 1
		version := u.Query().Get("api-version")
		if len(u.Path) > below && strings.EqualFold(u.Path[:below], x.id+"/") && len(u.Path) < 1000 && len(version) < 40 {
			return u.Path, version, true
		}
	}
	return "", "", false
}

// with is the connection with a new value and its mark, to be put back whole. Whoever calls it wipes it.
func (c *Connections) with(x connection, value secret.Value, m driver.Mark) ([]byte, error) {
	p := document{}
	for k, v := range x.properties() {
		if !slices.Contains(shown, k) {
			p[k] = v
		}
	}
	p.set("api", map[string]string{"id": x.properties().object("api").text("id")})
	held, err := c.values(value)
	if err != nil {
		return nil, err
	}
	defer clear(held[c.settings.Secret])
	set := c.settings.ParameterSet
	if set == "" {
		set = x.set()
	}
	if set == "" {
		p.set("parameterValues", held)
		defer clear(p["parameterValues"])
	} else {
		values := map[string]map[string]json.RawMessage{}
		for k, v := range held {
			values[k] = map[string]json.RawMessage{"value": v}
		}
		p.set("parameterValueSet", map[string]any{"name": set, "values": values})
		defer clear(p["parameterValueSet"])
	}
	d := document{}
	for k, v := range x.document {
		if !slices.Contains([]string{"id", "name", "type", "etag", "systemData", "properties"}, k) {
			d[k] = v
		}
	}
	tags, name := x.tag()
	if tags == nil {
		tags = document{}
	}
	tags.set(name, m.String())
	d.set("tags", tags)
	d.set("properties", p)
	defer clear(d["properties"])
	return json.Marshal(d)
}

// values are all parameters of a connection: none that is left out would be kept.
func (c *Connections) values(value secret.Value) (document, error) {
	out := document{}
	for k, v := range c.settings.Values {
		out.set(k, v)
	}
	if c.application() {
		out.set(c.settings.Client, c.use.ClientID)
		out.set(c.settings.TenantName, c.use.Tenant)
		out.set(grantParameter, grant)
	}
	err := value.Use(func(b []byte) error {
		quoted, err := json.Marshal(string(b))
		out[c.settings.Secret] = quoted
		return err
	})
	return out, err
}
