// Package logicapps is the API connections of Logic Apps (Microsoft.Web/connections) as consumers: one consumer is any
// number of connections that hold the same credential. They are told as Rekey's own identity, through Azure Resource
// Manager.
//
// It asks nobody for consent and knows no workflow. What always holds (facts/keyvault-graph-arm.md 5): an update
// replaces the whole connection, so all that is shown goes back as it was, members that are not known here included,
// with every parameter value, since none is shown; the publication's mark is a tag in the same request; what a
// connection holds cannot be read back, and a test of it that succeeds is a weak proof.
package logicapps

import (
	"context"
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// apiVersion is the portal's: the one that is described shows neither a connection's kind nor its set of parameters, so
// that an update by it would lose them.
const apiVersion = "2018-07-01-preview"

// Use is what the credential is for, as far as the manifest says; what is "" is not known.
type Use struct{ ClientID, Tenant string }

// Connections are API connections as one driver.Consumer.
type Connections struct {
	name     string
	client   *azhttp.Resources
	settings Settings
	use      Use
}

var (
	_ driver.Consumer = (*Connections)(nil)
	_ driver.Noted    = (*Connections)(nil)
)

// New makes a consumer of that name in the manifest. Nothing is sent.
func New(name string, client *azhttp.Resources, s Settings, use Use) *Connections {
	if s.ClientID != "" {
		use.ClientID = s.ClientID
	}
	if s.Tenant != "" {
		use.Tenant = s.Tenant
	}
	return &Connections{name: name, client: client, settings: s, use: use}
}

// ID implements driver.Consumer.
func (c *Connections) ID() string { return c.name }

// Place implements driver.Consumer.
func (c *Connections) Place() string {
	var names []string
	for _, id := range c.settings.IDs {
		names = append(names, id[strings.LastIndexByte(id, '/')+1:])
	}
	if len(names) == 1 {
		return "API connection " + names[0]
	}
	return "API connections " + strings.Join(names, ", ")
}

// Notes implements driver.Noted.
func (c *Connections) Notes() []string {
	return []string{"what an API connection holds cannot be read back; its status and its test are a weak proof, and the overlap is the guard"}
}

const hint = "check the ids in the manifest, and give Rekey's identity the role Logic App Contributor on the connections' resource group"

// Preflight implements driver.Consumer.
func (c *Connections) Preflight(ctx context.Context) error {
	op := "prepare " + c.Place()
	for _, id := range c.settings.IDs {
		x, err := c.read(ctx, op, id)
		if err != nil {
			return err
		}
		if err := c.fits(op, x); err != nil {
			return err
		}
		if err := c.client.May(ctx, op, id, hint, "Microsoft.Web/connections/Write"); err != nil {
			return err
		}
	}
	return nil
}

// read reads one connection.
func (c *Connections) read(ctx context.Context, op, id string) (connection, error) {
	var d document
	date, err := c.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodGet, Path: id, Version: apiVersion, Hint: hint}, &d)
	if err != nil {
		return connection{}, err
	}
	x := connection{document: d, id: id, date: date}
	if !x.is() {
		return connection{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that API connection", Date: date}
	}
	return x, nil
}

// fits says whether a connection can be told.
func (c *Connections) fits(op string, x connection) error {
	unfit := func(detail, hint string) error {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: x.name() + " " + detail, Hint: hint, Person: true}
	}
	set := x.set()
	switch {
	case strings.EqualFold(x.properties().text("parameterValueType"), "Alternative"), strings.EqualFold(set, "managedIdentityAuth"):
		return unfit("signs in with a managed identity, so there is nothing to tell it", "take it out of the consumer's ids")
	case c.application() && c.use.ClientID == "":
		return unfit("signs in as an application, and nothing says which", "name the application's clientId in the consumer's block, or the connector's own parameter as secretParameter")
	}
	return nil
}

// application says whether the connections sign in as one.
func (c *Connections) application() bool {
	return strings.HasPrefix(strings.ToLower(c.settings.Secret), "token:")
}

// State implements driver.Consumer: it is on the oldest publication that one of the connections is on.
func (c *Connections) State(ctx context.Context, _ []rotation.Publication) (rotation.ConsumerState, error) {
	op := "look at " + c.Place()
	var states []rotation.ConsumerState
	for _, id := range c.settings.IDs {
		x, err := c.read(ctx, op, id)
		if err != nil {
			return rotation.ConsumerState{}, err
		}
		s := x.state()
		if s.Works {
			if s, err = c.try(ctx, op, x, s); err != nil {
				return rotation.ConsumerState{}, err
			}
		}
		states = append(states, s)
	}
	return together(states), nil
}

// together is the state of several.
func together(states []rotation.ConsumerState) rotation.ConsumerState {
	out := states[0]
	for _, s := range states[1:] {
		behind, ill := s.Publication < out.Publication, out.Works && !s.Works
		if behind {
			out.Publication = s.Publication
		}
		if s.Told.After(out.Told) {
			out.Told = s.Told
		}
		if ill || behind && !s.Works {
			out.Works, out.Why = false, s.Why
		}
	}
	return out
}

// Tell implements driver.Consumer. One that cannot be told keeps no other from it.
func (c *Connections) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + c.Place()
	var states []rotation.ConsumerState
	var failed *driver.Error
	for _, id := range c.settings.IDs {
		s, err := c.tell(ctx, op, id, publication, value)
		switch e, ok := err.(*driver.Error); {
		case err == nil:
			states = append(states, s)
		case !ok:
			return rotation.ConsumerState{}, err
		case failed == nil || !driver.NotApplied(e):
			failed = e
		}
	}
	switch {
	case failed == nil:
		return together(states), nil
	case len(states) > 0 && driver.NotApplied(failed):
		// The others were told, so that it is not true that nothing was changed.
		e := *failed
		e.Kind, e.Detail = driver.Ambiguous, strings.TrimSuffix("one of them was not told, "+failed.Kind.String()+": "+failed.Detail, ": ")
		return rotation.ConsumerState{}, &e
	}
	return rotation.ConsumerState{}, failed
}

func (c *Connections) tell(ctx context.Context, op, id string, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	x, err := c.read(ctx, op, id)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if err := c.fits(op, x); err != nil {
		return rotation.ConsumerState{}, err
	}
	body, err := c.with(x, value, driver.Mark{Publication: publication, Told: x.date})
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
	}
	var d document
	date, err := c.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodPut, Path: id, Version: apiVersion, Body: body, Write: true, Hint: hint}, &d)
	clear(body)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	after := connection{document: d, id: id, date: date}
	if !after.is() {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer is not that API connection", Date: date}
	}
	s := after.state()
	if !s.Works {
		return s, nil
	}
	tried, err := c.try(ctx, op, after, s)
	if err != nil {
		s.Works, s.Why = false, "it was told and could not be tried: "+err.Error()
		return s, nil
	}
	return tried, nil
}

// try has the connector use what the connection holds, where it has a test. It is a read, and goes to the connection
// itself and nowhere else, whatever an answer names.
func (c *Connections) try(ctx context.Context, op string, x connection, s rotation.ConsumerState) (rotation.ConsumerState, error) {
	path, version, ok := x.test()
	if !ok {
		return s, nil
	}
	_, err := c.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodGet, Path: path, Version: version, Hint: hint}, nil)
	e, ours := err.(*driver.Error)
	switch {
	case err == nil, ours && e.Kind == driver.Missing: // or the connector has no test after all
	case ours && (e.Kind == driver.Denied && !managers(e.Code) || e.Kind == driver.Rejected):
		s.Works, s.Why = false, x.name()+" cannot sign in with it (test: "+e.Code+")"
	default:
		return rotation.ConsumerState{}, err
	}
	return s, nil
}

// managers says whether a refusal is Resource Manager's own, of the caller, and says nothing of the connection.
func managers(code string) bool {
	for _, prefix := range []string{"Authorization", "Authentication", "InvalidAuthenticationToken", "ExpiredAuthenticationToken", "LinkedAuthorization"} {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}
