package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	groups = "/_apis/distributedtask/variablegroups"
	// markSuffix ends the name of the plain variable that says which publication a secret one is on.
	markSuffix = ".rekey"
)

// Group is a secret variable of a variable group as a driver.Consumer. The publication is marked in a plain variable
// beside it: the map of variables is what an update replaces, so value and mark cannot come apart, each secret of a
// group has its own, and no description of a person's is touched. What is stored cannot be read back or tried: the
// mark is all that shows it.
type Group struct {
	name     string
	client   *Client
	settings GroupSettings
}

var _ driver.Consumer = (*Group)(nil)

// NewGroup makes a consumer of that name in the manifest. Nothing is sent.
func NewGroup(name string, client *Client, s GroupSettings) *Group {
	return &Group{name: name, client: client, settings: s}
}

// ID implements driver.Consumer.
func (g *Group) ID() string { return g.name }

// Place implements driver.Consumer.
func (g *Group) Place() string {
	return fmt.Sprintf("variable %s of variable group %d of %s/%s", g.settings.Variable, g.settings.ID, g.settings.Organization, g.settings.Project)
}

const groupHint = "check the organisation, project and id in the manifest, and make Rekey's identity an Administrator of the variable group"

// Preflight implements driver.Consumer. The group is looked for among those that the caller may manage.
func (g *Group) Preflight(ctx context.Context) error {
	op := "prepare " + g.Place()
	q := url.Values{"groupIds": {strconv.Itoa(g.settings.ID)}, "actionFilter": {"manage"}}
	var list struct {
		Value []document `json:"value"`
	}
	_, err := g.client.call(ctx, request{op: op, method: http.MethodGet, addr: address(g.settings.Organization, g.settings.Project, groups, q), denied: groupHint}, &list)
	if err != nil {
		return err
	}
	for _, d := range list.Value {
		if g.is(d) {
			return g.fits(op, d)
		}
	}
	return missing(op, groupHint)
}

func (g *Group) is(d document) bool { return string(d["id"]) == strconv.Itoa(g.settings.ID) }

// fits says whether the group has the variable, as a secret that can be told.
func (g *Group) fits(op string, d document) error {
	if strings.EqualFold(d.text("type"), "AzureKeyVault") {
		return unfit(op, "it is linked to a key vault, whose newest version pipelines read by themselves",
			"take it out of the credential's consumers, and have the credential stored in that vault under the name that the group reads")
	}
	variables := d.object("variables")
	key, ok := variables.key(g.settings.Variable)
	if !ok {
		return unfit(op, "the group has no such variable", "correct the name in the manifest, or add a secret variable of that name to the group")
	}
	if string(variables.object(key)["isSecret"]) != "true" {
		return unfit(op, "the variable is not a secret, so everybody could read the value", "change the variable's type to secret")
	}
	return nil
}

func (g *Group) read(ctx context.Context, op string) (document, time.Time, error) {
	var d document
	path := groups + "/" + strconv.Itoa(g.settings.ID)
	date, err := g.client.call(ctx, request{op: op, method: http.MethodGet, addr: address(g.settings.Organization, g.settings.Project, path, nil), denied: groupHint}, &d)
	switch {
	case err != nil:
		return nil, date, err
	case len(d) == 0:
		return nil, date, missing(op, groupHint)
	case !g.is(d) || d.object("variables") == nil:
		return nil, date, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that variable group", Date: date}
	}
	return d, date, nil
}

// State implements driver.Consumer.
func (g *Group) State(ctx context.Context, _ []rotation.Publication) (rotation.ConsumerState, error) {
	op := "look at " + g.Place()
	d, _, err := g.read(ctx, op)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	return g.state(op, d)
}

func (g *Group) state(op string, d document) (rotation.ConsumerState, error) {
	if err := g.fits(op, d); err != nil {
		return rotation.ConsumerState{}, err
	}
	variables := d.object("variables")
	key, _ := variables.key(g.settings.Variable + markSuffix)
	m := driver.ParseMark(variables.object(key).text("value"))
	if m.Publication == "" {
		return rotation.ConsumerState{Why: "no mark says that it was told", Weak: true}, nil
	}
	return rotation.ConsumerState{Publication: m.Publication, Told: m.Told, Works: true, Weak: true}, nil
}

// Tell implements driver.Consumer. There is no ETag: whoever changes another variable between the read and the write
// loses that change, so both follow each other directly, and those of this program wait for one another.
func (g *Group) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + g.Place()
	unlock, err := g.client.lock(ctx, strings.ToLower(fmt.Sprintf("group %s/%d", g.settings.Organization, g.settings.ID)))
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "other variables of the group were being told for too long"}
	}
	defer unlock()
	d, date, err := g.read(ctx, op)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if err := g.fits(op, d); err != nil {
		return rotation.ConsumerState{}, err
	}
	body, err := g.with(d, value, driver.Mark{Publication: publication, Told: date})
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
	}
	defer wipe(body)
	var answer document
	path := groups + "/" + strconv.Itoa(g.settings.ID)
	if _, err = g.client.call(ctx, request{op: op, method: http.MethodPut, addr: address(g.settings.Organization, "", path, nil), body: body, write: true, denied: groupHint}, &answer); err != nil {
		return rotation.ConsumerState{}, err
	}
	// Read after, since nothing can be tried.
	after, date, err := g.read(ctx, op)
	if err == nil {
		var s rotation.ConsumerState
		if s, err = g.state(op, after); err == nil {
			return s, nil
		}
	}
	return rotation.ConsumerState{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "it was told and could not be read after that: " + err.Error(), Date: date}
}

// with is the group with a new value and its mark, to be put back whole.
func (g *Group) with(d document, value secret.Value, m driver.Mark) ([]byte, error) {
	variables := d.object("variables")
	key, _ := variables.key(g.settings.Variable)
	v := variables.object(key)
	if err := v.setSecret("value", value); err != nil {
		return nil, err
	}
	defer wipe(v["value"])
	variables.set(key, v)
	defer wipe(variables[key])
	beside, there := variables.key(g.settings.Variable + markSuffix)
	if !there {
		beside = key + markSuffix
	}
	variables.set(beside, map[string]string{"value": m.String()})
	d.set("variables", variables)
	defer wipe(d["variables"])
	return json.Marshal(d)
}
