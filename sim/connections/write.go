package connections

import (
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

type input struct {
	Location   string            `json:"location"`
	Kind       string            `json:"kind"`
	Tags       map[string]string `json:"tags"`
	Properties *properties       `json:"properties"`
}

type properties struct {
	DisplayName *string `json:"displayName"`
	API         *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"api"`
	Values       map[string]string `json:"parameterValues"`
	NonSecret    map[string]string `json:"nonSecretParameterValues"`
	CustomValues map[string]string `json:"customParameterValues"`
	Set          *struct {
		Name   string                     `json:"name"`
		Values map[string]json.RawMessage `json:"values"`
	} `json:"parameterValueSet"`
}

func (p *properties) api() string {
	if p.API == nil {
		return ""
	}
	if p.API.ID != "" {
		return strings.ToLower(path.Base(p.API.ID))
	}
	return strings.ToLower(p.API.Name)
}

// multiple are connectors with several ways to sign in: each is a set of parameters, and flat ones are refused
// (facts 5).
var multiple = []string{"sql", "commondataservice", "azuretables", "azurequeues"}

// values reads the parameters that were sent: flat, or as a set. A set whose values are not objects is taken, and
// breaks the connection without a word (facts 5).
func (p *properties) values(api string) (values map[string]string, set string, broken bool, f *fault) {
	if p.Set == nil {
		for _, n := range needed {
			for k := range p.Values {
				if strings.EqualFold(k, n) && slices.Contains(multiple, api) {
					_, f = refuse(http.StatusBadRequest, "ParameterNotDefined", "Parameter '%s' is not allowed on the connection", k)
					return nil, "", false, f
				}
			}
		}
		return p.Values, "", false, nil
	}
	values = map[string]string{}
	for k, raw := range p.Set.Values {
		var v struct {
			Value *string `json:"value"`
		}
		if json.Unmarshal(raw, &v) != nil || v.Value == nil {
			return nil, p.Set.Name, true, nil
		}
		values[k] = *v.Value
	}
	return values, p.Set.Name, false, nil
}

// put makes a connection or replaces all of it: parameters that were not sent are gone.
func (c *call) put() (answer, *fault) {
	var in input
	if f := c.Decode(&in); f != nil {
		return answer{}, f
	}
	before := c.conn
	switch {
	case in.Location == "":
		return refuse(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	case in.Properties == nil || in.Properties.api() == "":
		return refuse(http.StatusBadRequest, "InvalidRequestContent", "The property 'api' of the connection is required.")
	case before != nil && !strings.EqualFold(place(in.Location), place(before.Location)):
		return refuse(http.StatusConflict, "InvalidResourceLocation", "The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.", c.name, before.Location, c.Path.Group, in.Location)
	}
	values, set, broken, f := in.Properties.values(in.Properties.api())
	if f != nil {
		return answer{}, f
	}
	if before != nil && c.W.Knobs.Connections.Ignore {
		return gateway.OK(c.body(before))
	}
	x := &world.Connection{
		Name: c.name, SubscriptionID: c.Sub.ID, ResourceGroup: c.Path.Group, Location: place(in.Location), Kind: in.Kind, Tags: in.Tags, API: in.Properties.api(),
		Set: set, Values: values, Broken: broken, NonSecret: in.Properties.NonSecret, CustomValues: in.Properties.CustomValues, Created: c.Now, Changed: c.Now,
	}
	if in.Properties.DisplayName != nil {
		x.DisplayName = *in.Properties.DisplayName
	}
	c.remember(values)
	if before == nil {
		c.W.Connections = append(c.W.Connections, x)
		return answer{Status: http.StatusCreated, JSON: c.body(x)}, nil
	}
	x.Name, x.Created = before.Name, before.Created
	if len(values) == 0 && in.Properties.Set == nil && c.W.Knobs.Connections.KeepValues {
		x.Values, x.Set, x.Broken, x.Refused = before.Values, before.Set, before.Broken, before.Refused
	}
	*before = *x
	return gateway.OK(c.body(before))
}

// patch changes what was sent and nothing else.
func (c *call) patch() (answer, *fault) {
	var in input
	if f := c.Decode(&in); f != nil {
		return answer{}, f
	}
	x := *c.conn
	if in.Tags != nil {
		x.Tags = in.Tags
	}
	if p := in.Properties; p != nil {
		if p.DisplayName != nil {
			x.DisplayName = *p.DisplayName
		}
		if p.NonSecret != nil {
			x.NonSecret = p.NonSecret
		}
		if p.CustomValues != nil {
			x.CustomValues = p.CustomValues
		}
		if p.Values != nil || p.Set != nil {
			values, set, broken, f := p.values(x.API)
			if f != nil {
				return answer{}, f
			}
			x.Values, x.Set, x.Broken, x.Refused = values, set, broken, false
			c.remember(values)
		}
	}
	if !c.W.Knobs.Connections.Ignore {
		x.Changed = c.Now
		*c.conn = x
	}
	return gateway.OK(c.body(c.conn))
}

func (c *call) remember(values map[string]string) {
	for k, v := range values {
		if world.SecretConnectionValue(k) {
			c.W.Remember(v)
		}
	}
}

// place is a location by its name: "West Europe" is westeurope.
func place(location string) string { return strings.ToLower(strings.ReplaceAll(location, " ", "")) }
