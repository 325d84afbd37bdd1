package automation

import (
	"encoding/json"
	"net/http"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

func (c *call) listVariables() (answer, *fault) {
	var out []any
	for _, v := range c.account.Variables {
		out = append(out, c.variableBody(v))
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) getVariable() (answer, *fault) {
	v := c.account.Variable(c.name)
	if v == nil {
		return notFound("variable", c.name)
	}
	return gateway.OK(c.variableBody(v))
}

// variableBody leaves the value of an encrypted variable out. No source shows an answer with one; leaving it out is what
// encryption promises (facts 4).
func (c *call) variableBody(v *world.AutomationVariable) map[string]any {
	p := map[string]any{
		"isEncrypted": v.Encrypted, "description": v.Description, "creationTime": date(v.Created), "lastModifiedTime": date(v.Modified),
	}
	if !v.Encrypted {
		p["value"] = v.Value
	}
	return map[string]any{"id": c.id("variables", v.Name), "name": v.Name, "type": "Microsoft.Automation/AutomationAccounts/Variables", "properties": p}
}

type variableInput struct {
	Name       string `json:"name"`
	Properties *struct {
		Value       *string `json:"value"`
		Description *string `json:"description"`
		Encrypted   *bool   `json:"isEncrypted"`
	} `json:"properties"`
}

// variableInput reads a variable that is written. Its value is JSON in a string.
func (c *call) variableInput() (in variableInput, f *fault) {
	if f = c.decode(&in); f != nil {
		return in, f
	}
	switch {
	case in.Properties == nil, in.Name != "" && !same(in.Name, c.name):
		_, f = refuse(http.StatusBadRequest, "BadRequest", "The name of the variable and its properties are required.")
	case in.Properties.Value != nil && !json.Valid([]byte(*in.Properties.Value)):
		_, f = refuse(http.StatusBadRequest, "BadRequest", "Invalid JSON - Kindly check the value of the variable.")
	}
	return in, f
}

func (c *call) putVariable() (answer, *fault) {
	in, f := c.variableInput()
	if f != nil {
		return answer{}, f
	}
	status := http.StatusOK
	v := c.account.Variable(c.name)
	switch {
	case c.W.Knobs.Automation.Ignore && v != nil:
		return gateway.OK(c.variableBody(v))
	case v == nil:
		status = http.StatusCreated
		v = &world.AutomationVariable{Name: c.name, Created: c.Now, Encrypted: in.Properties.Encrypted != nil && *in.Properties.Encrypted}
		c.account.Variables = append(c.account.Variables, v)
	case in.Properties.Encrypted != nil && *in.Properties.Encrypted != v.Encrypted:
		return refuse(http.StatusBadRequest, "BadRequest", "The encryption of the variable '%s' cannot be changed.", v.Name)
	}
	v.Value, v.Description = "", "" // a full replace
	c.setVariable(v, in)
	return answer{Status: status, JSON: c.variableBody(v)}, nil
}

func (c *call) patchVariable() (answer, *fault) {
	in, f := c.variableInput()
	if f != nil {
		return answer{}, f
	}
	v := c.account.Variable(c.name)
	if v == nil {
		return notFound("variable", c.name)
	}
	if !c.W.Knobs.Automation.Ignore {
		c.setVariable(v, in)
	}
	return gateway.OK(c.variableBody(v))
}

func (c *call) setVariable(v *world.AutomationVariable, in variableInput) {
	v.Modified = c.Now
	if in.Properties.Value != nil {
		v.Value = *in.Properties.Value
		var text string
		if v.Encrypted && json.Unmarshal([]byte(v.Value), &text) == nil {
			c.W.Remember(text)
		}
	}
	if in.Properties.Description != nil {
		v.Description = *in.Properties.Description
	}
}

func (c *call) listCredentials() (answer, *fault) {
	var out []any
	for _, x := range c.account.Credentials {
		out = append(out, c.credentialBody(x))
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) getCredential() (answer, *fault) {
	x := c.account.Credential(c.name)
	if x == nil {
		return notFound("credential", c.name)
	}
	return gateway.OK(c.credentialBody(x))
}

func (c *call) credentialBody(x *world.AutomationCredential) map[string]any {
	return map[string]any{
		"id": c.id("credentials", x.Name), "name": x.Name, "type": "Microsoft.Automation/AutomationAccounts/Credentials",
		"properties": map[string]any{"userName": x.UserName, "description": x.Description, "creationTime": date(x.Created), "lastModifiedTime": date(x.Modified)},
	}
}

type credentialInput struct {
	Name       string `json:"name"`
	Properties *struct {
		UserName    *string `json:"userName"`
		Password    *string `json:"password"`
		Description *string `json:"description"`
	} `json:"properties"`
}

func (c *call) credentialInput(whole bool) (in credentialInput, f *fault) {
	if f = c.decode(&in); f != nil {
		return in, f
	}
	p := in.Properties
	if p == nil || in.Name != "" && !same(in.Name, c.name) || whole && (p.UserName == nil || p.Password == nil || *p.UserName == "" || *p.Password == "") {
		_, f = refuse(http.StatusBadRequest, "BadRequest", "The name of the credential, a user name and a password are required.")
	}
	return in, f
}

func (c *call) putCredential() (answer, *fault) {
	in, f := c.credentialInput(true)
	if f != nil {
		return answer{}, f
	}
	status := http.StatusOK
	x := c.account.Credential(c.name)
	switch {
	case c.W.Knobs.Automation.Ignore && x != nil:
		return gateway.OK(c.credentialBody(x))
	case x == nil:
		status = http.StatusCreated
		x = &world.AutomationCredential{Name: c.name, Created: c.Now}
		c.account.Credentials = append(c.account.Credentials, x)
	}
	x.Description = "" // a full replace
	c.setCredential(x, in)
	return answer{Status: status, JSON: c.credentialBody(x)}, nil
}

func (c *call) patchCredential() (answer, *fault) {
	in, f := c.credentialInput(false)
	if f != nil {
		return answer{}, f
	}
	x := c.account.Credential(c.name)
	if x == nil {
		return notFound("credential", c.name)
	}
	if !c.W.Knobs.Automation.Ignore {
		c.setCredential(x, in)
	}
	return gateway.OK(c.credentialBody(x))
}

func (c *call) setCredential(x *world.AutomationCredential, in credentialInput) {
	x.Modified = c.Now
	for _, m := range []struct {
		to   *string
		sent *string
	}{{&x.UserName, in.Properties.UserName}, {&x.Password, in.Properties.Password}, {&x.Description, in.Properties.Description}} {
		if m.sent != nil {
			*m.to = *m.sent
		}
	}
	c.W.Remember(x.Password)
}
