package pipelines

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// settleFor is how long a tell waits until the connection is ready, and pollEvery how often it looks.
	settleFor, pollEvery = time.Minute, 10 * time.Second
	// seenFor is how long what a preflight saw serves the tell that follows it. There is no ETag: a change that a person
	// makes in between is lost, as it is between a tell's own read and its write.
	seenFor = time.Minute

	endpoints = "/_apis/serviceendpoint/endpoints/"
)

// Use is what the credential is for, as far as its issuer says; what is "" is not known.
type Use struct {
	ClientID     string // a client secret of this application
	Organization string // a PAT for this organisation
}

// Connection is a service connection as a driver.Consumer. The publication is marked in its description, behind what
// people wrote there: of what the service is known to keep, that alone may hold anything, and it is written in the same
// request as the key.
type Connection struct {
	name     string
	client   *Client
	settings ConnectionSettings
	use      Use

	mu     sync.Mutex
	seen   endpoint // by the last preflight
	seenAt time.Time
}

var _ driver.Consumer = (*Connection)(nil)

// NewConnection makes a consumer of that name in the manifest. Nothing is sent.
func NewConnection(name string, client *Client, s ConnectionSettings, use Use) *Connection {
	return &Connection{name: name, client: client, settings: s, use: use}
}

// ID implements driver.Consumer.
func (c *Connection) ID() string { return c.name }

// Place implements driver.Consumer.
func (c *Connection) Place() string {
	return "service connection " + c.settings.ID + " of " + c.settings.Organization + "/" + c.settings.Project
}

const connectionHint = "check the organisation, project and id in the manifest, and make Rekey's identity an Administrator of the service connection: as a user of it, or of the project alone, it may not change the key"

// Preflight implements driver.Consumer. The connection is asked for as what the caller may manage.
func (c *Connection) Preflight(ctx context.Context) error {
	e, err := c.read(ctx, "prepare "+c.Place(), true)
	if err != nil {
		return err
	}
	if err := e.fits("prepare "+c.Place(), c.use); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.seenAt = e, time.Now().Round(0)
	return nil
}

func (c *Connection) read(ctx context.Context, op string, manage bool) (endpoint, error) {
	q := url.Values{}
	if manage {
		q.Set("actionFilter", "manage")
	}
	var d document
	date, err := c.client.call(ctx, request{op: op, method: http.MethodGet, addr: address(c.settings.Organization, c.settings.Project, endpoints+c.settings.ID, q), denied: connectionHint}, &d)
	if err != nil {
		return endpoint{}, err
	}
	return c.endpoint(op, d, date)
}

// endpoint takes an answer that is the connection, in full.
func (c *Connection) endpoint(op string, d document, date time.Time) (endpoint, error) {
	switch {
	case len(d) == 0:
		return endpoint{}, missing(op, connectionHint)
	case !strings.EqualFold(d.text("id"), c.settings.ID):
		return endpoint{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that service connection", Date: date}
	case d.text("type") == "" || d.object("authorization") == nil:
		return endpoint{}, &driver.Error{Kind: driver.Denied, Op: op, Detail: "it is shown without what it is, as to those who may not use it", Hint: connectionHint, Person: true, Date: date}
	}
	return endpoint{document: d, project: c.settings.Project, date: date}, nil
}

// takeSeen is what the last preflight saw, once and if that is not long ago.
func (c *Connection) takeSeen() (endpoint, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, age := c.seen, time.Now().Round(0).Sub(c.seenAt)
	c.seen = endpoint{}
	if e.document == nil || age < 0 || age > seenFor {
		return endpoint{}, false
	}
	if !e.date.IsZero() {
		e.date = e.date.Add(age)
	}
	return e, true
}

// State implements driver.Consumer.
func (c *Connection) State(ctx context.Context, _ []rotation.Publication) (rotation.ConsumerState, error) {
	op := "look at " + c.Place()
	e, err := c.read(ctx, op, false)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	s := e.state()
	if s.Publication == "" || !s.Works {
		return s, nil
	}
	return c.try(ctx, op, e, s)
}

// Tell implements driver.Consumer.
func (c *Connection) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + c.Place()
	e, ok := c.takeSeen()
	if !ok {
		var err error
		if e, err = c.read(ctx, op, false); err != nil {
			return rotation.ConsumerState{}, err
		}
	}
	if err := e.fits(op, c.use); err != nil {
		return rotation.ConsumerState{}, err
	}
	body, err := e.with(value, driver.Mark{Publication: publication, Told: e.date})
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
	}
	defer wipe(body)
	var d document
	date, err := c.client.call(ctx, request{op: op, method: http.MethodPut, addr: address(c.settings.Organization, "", endpoints+c.settings.ID, nil), body: body, write: true, denied: connectionHint}, &d)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if e, err = c.endpoint(op, d, date); err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer is not the service connection", Date: date}
	}
	return c.settle(ctx, op, e), nil
}

// settle waits until what was written counts, and tries it. What it cannot find out any more is no error: the key was
// taken.
func (c *Connection) settle(ctx context.Context, op string, e endpoint) rotation.ConsumerState {
	for waited := time.Duration(0); ; waited += pollEvery {
		s := e.state()
		if !e.busy() || waited >= settleFor {
			if s.Works {
				tried, err := c.try(ctx, op, e, s)
				if err == nil {
					return tried
				}
				s.Works, s.Why = false, "it was told and could not be tried: "+err.Error()
			}
			return s
		}
		t := time.NewTimer(pollEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return s
		}
		next, err := c.read(ctx, op, false)
		if err != nil {
			s.Works, s.Why = false, "it was told and could not be looked at: "+err.Error()
			return s
		}
		e = next
	}
}

// try has Azure DevOps use what the connection holds. The request carries no key, so that the one that is stored is
// tried and nothing else.
func (c *Connection) try(ctx context.Context, op string, e endpoint, s rotation.ConsumerState) (rotation.ConsumerState, error) {
	if e.untestable() {
		s.Weak = true
		return s, nil
	}
	body, err := json.Marshal(map[string]any{
		"dataSourceDetails":           map[string]string{"dataSourceName": "TestConnection"},
		"resultTransformationDetails": struct{}{},
		"serviceEndpointDetails":      document{"type": e.document["type"], "url": e.document["url"], "data": e.document["data"], "authorization": e.document["authorization"]},
	})
	if err != nil {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the test cannot be asked for"}
	}
	var out struct {
		StatusCode   string `json:"statusCode"`
		ErrorMessage string `json:"errorMessage"`
	}
	addr := address(c.settings.Organization, c.settings.Project, "/_apis/serviceendpoint/endpointproxy",
		url.Values{"endpointId": {c.settings.ID}, "api-version": {"7.1-preview.1"}})
	date, err := c.client.call(ctx, request{op: op, method: http.MethodPost, addr: addr, body: body, denied: connectionHint}, &out)
	switch code := azhttp.Code(out.StatusCode); {
	case err != nil:
		return rotation.ConsumerState{}, err
	case strings.EqualFold(code, "ok"):
	case code == "":
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the test's answer does not say how it ended", Date: date}
	default:
		s.Works, s.Why = false, "Azure DevOps cannot sign in with it (TestConnection: "+code+")"
	}
	return s, nil
}
