package automation

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Asset is an encrypted variable or a credential of an account as a driver.Consumer. The publication is marked at the
// end of its description, in the request that changes its value. The value is in no answer, so that nothing can be
// tried.
type Asset struct {
	name    string
	account account
	kind    assetKind
	asset   string
}

// assetKind is what differs between the two.
type assetKind struct {
	called, path string // "variable", "variables"
	// holds is the member with the value, and quoted says that the value is JSON in a string.
	holds  string
	quoted bool
}

var _ driver.Consumer = (*Asset)(nil)

// NewVariable makes a consumer of that name in the manifest. Nothing is sent.
func NewVariable(name string, client *azhttp.Resources, s VariableSettings) *Asset {
	return &Asset{name, account{client, s.Account}, assetKind{"variable", "variables", "value", true}, s.Name}
}

// NewCredential makes a consumer of that name in the manifest. Nothing is sent.
func NewCredential(name string, client *azhttp.Resources, s CredentialSettings) *Asset {
	return &Asset{name, account{client, s.Account}, assetKind{"credential", "credentials", "password", false}, s.Name}
}

// ID implements driver.Consumer.
func (a *Asset) ID() string { return a.name }

// Place implements driver.Consumer.
func (a *Asset) Place() string {
	return a.kind.called + " " + a.asset + " of Automation account " + a.account.name()
}

const assetHint = "check the account and the name in the manifest, and give Rekey's identity the role Automation Contributor on the account: no built-in role that is narrower lets variables and credentials be written"

// assetShown is what an answer says of an asset.
type assetShown struct {
	Name       string `json:"name"`
	Properties struct {
		Description string `json:"description"`
		Encrypted   bool   `json:"isEncrypted"`
	} `json:"properties"`
}

func (a *Asset) read(ctx context.Context, op string) (assetShown, time.Time, error) {
	var s assetShown
	date, err := a.account.get(ctx, op, a.account.item(a.kind.path, a.asset), assetHint, &s)
	switch {
	case err != nil:
		return s, date, err
	case !strings.EqualFold(s.Name, a.asset):
		return s, date, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that " + a.kind.called, Date: date}
	case a.kind.quoted && !s.Properties.Encrypted:
		return s, date, unfit(op, "the variable is not encrypted, so that whoever may read the account could read the value",
			"delete it and make it again as an encrypted one: what a variable is cannot be changed")
	}
	return s, date, nil
}

// Preflight implements driver.Consumer.
func (a *Asset) Preflight(ctx context.Context) error {
	op := "prepare " + a.Place()
	if _, _, err := a.read(ctx, op); err != nil {
		return err
	}
	return a.account.client.May(ctx, op, a.account.id, assetHint, action(a.kind.path+"/write"))
}

// State implements driver.Consumer.
func (a *Asset) State(ctx context.Context, _ []rotation.Publication) (rotation.ConsumerState, error) {
	s, _, err := a.read(ctx, "look at "+a.Place())
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	return s.state(), nil
}

func (s assetShown) state() rotation.ConsumerState {
	m := driver.MarkIn(s.Properties.Description)
	if m.Publication == "" {
		return rotation.ConsumerState{Why: "no mark says that it was told", Weak: true}
	}
	return rotation.ConsumerState{Publication: m.Publication, Told: m.Told, Works: true, Weak: true}
}

// Tell implements driver.Consumer. An update changes what it names and nothing else.
func (a *Asset) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + a.Place()
	s, date, err := a.read(ctx, op)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	body, err := a.body(s.Properties.Description, driver.Mark{Publication: publication, Told: date}, value)
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
	}
	var answer assetShown
	_, err = a.account.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodPatch, Path: a.account.item(a.kind.path, a.asset), Version: apiVersion, Body: body, Write: true, Hint: assetHint}, &answer)
	clear(body)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	// Read after, since nothing can be tried.
	after, date, err := a.read(ctx, op)
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "it was told and could not be read after that: " + err.Error(), Date: date}
	}
	return after.state(), nil
}

// body is an update of the value and the mark. Whoever calls it wipes it.
func (a *Asset) body(description string, m driver.Mark, value secret.Value) (body []byte, err error) {
	var held json.RawMessage
	err = value.Use(func(b []byte) error {
		held, err = json.Marshal(string(b))
		if err == nil && a.kind.quoted {
			once := held
			defer clear(once)
			held, err = json.Marshal(string(once))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer clear(held)
	return json.Marshal(map[string]any{"name": a.asset, "properties": map[string]any{
		a.kind.holds: held, "description": driver.Marked(description, m),
	}})
}
