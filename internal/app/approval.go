package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/approval"
	"github.com/rekeyhq/rekey/internal/azure/blob"
	"github.com/rekeyhq/rekey/internal/azure/oidc"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// Rules are the rules of a manifest that its own package cannot know.
func Rules() []manifest.Rule { return []manifest.Rule{conditions} }

// conditions holds the conditions of approval rules to what they can say.
func conditions(m *manifest.Manifest, report func(path string, line, column int, text string)) {
	if m.Approval == nil {
		return
	}
	_, faults := approval.Compile(policyRules(m.Approval))
	for _, f := range faults {
		if f.Rule < len(m.Approval.Rules) && m.Approval.Rules[f.Rule].When == "" {
			continue // it was reported that it is missing
		}
		path := fmt.Sprintf("approval.rules[%d].when", f.Rule)
		if f.Rule >= len(m.Approval.Rules) {
			path = "approval.rules"
		}
		report(path, f.Line, f.Column, f.Text)
	}
}

func policyRules(a *manifest.Approval) []approval.Rule {
	var out []approval.Rule
	for _, r := range a.Rules {
		rule := approval.Rule{Name: r.Name, When: r.When, Then: r.Then}
		if r.Approvers != nil {
			rule.Approvers = &approval.Approvers{Roles: r.Approvers.Roles, Groups: r.Approvers.Groups}
		}
		out = append(out, rule)
	}
	return out
}

// Policy is the manifest's policy, nil if it has none.
func (a *App) Policy() (*approval.Policy, error) { return PolicyOf(a.cfg.Manifest) }

// PolicyOf is a manifest's policy, nil if it has none.
func PolicyOf(m *manifest.Manifest) (*approval.Policy, error) {
	if m.Approval == nil {
		return nil, nil
	}
	p, faults := approval.Compile(policyRules(m.Approval))
	if len(faults) > 0 {
		return nil, fmt.Errorf("rule %d of the manifest's approval: %s", faults[0].Rule+1, faults[0].Text)
	}
	return p, nil
}

// gate is the manifest's desk with who asks at it, both made when they are first needed.
type gate struct {
	mu        sync.Mutex
	desk      *approval.Desk
	oidc      *oidc.Client
	requester *approval.Requester
	approved  []string
}

// ErrNoApproval says that the manifest has no approval block.
var ErrNoApproval = errors.New("the manifest has no approval block, so nothing is asked for")

// Desk is where approvals are asked for and given. It is an error if the manifest has none.
func (a *App) Desk() (*approval.Desk, error) {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	if a.gate.desk != nil {
		return a.gate.desk, nil
	}
	m := a.cfg.Manifest.Approval
	if m == nil {
		return nil, ErrNoApproval
	}
	p, err := a.Policy()
	if err != nil {
		return nil, err
	}
	cfg := approval.Config{Policy: p, Life: m.Expires, Verifier: verifier{a}}
	if m.Approvers != nil {
		cfg.ClientID = strings.ToLower(m.Approvers.ClientID) // as tokens have it
		cfg.Approvers = approval.Approvers{Roles: m.Approvers.Roles, Groups: m.Approvers.Groups}
		cfg.Actors = map[string]string{}
		for _, x := range m.Approvers.Actors {
			cfg.Actors[x.Name] = x.Object
		}
	}
	if r := m.Requests; r != nil && r.Folder != "" {
		cfg.Box = approval.Folder(a.Path(r.Folder))
	} else if r != nil {
		c, err := blob.New(r.Blob, a.cred, a.client.Renewing(a.options(), a.cred))
		if err != nil {
			return nil, err
		}
		cfg.Box = blobs{c}
	}
	a.gate.desk = approval.NewDesk(cfg)
	return a.gate.desk, nil
}

// issuers verify tokens. It is held by nobody, for the client locks itself.
func (a *App) issuers() *oidc.Client {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	if a.gate.oidc == nil {
		a.gate.oidc = oidc.NewClient(a.client, nil)
	}
	return a.gate.oidc
}

// verifier holds decisions to the tenant's own keys.
type verifier struct{ a *App }

func (v verifier) Verify(ctx context.Context, token string) (map[string]any, string, error) {
	claims, issuer, err := v.a.issuers().Verify(ctx, token, oidc.Expect{At: v.a.authority() + "/v2.0", Audience: strings.ToLower(v.a.cfg.Manifest.Approval.Approvers.ClientID), Kept: true})
	if err != nil {
		return nil, "", refusal(err)
	}
	// The issuer is https://login.microsoftonline.com/TENANT/v2.0, whatever the manifest calls the tenant.
	tenant := strings.TrimSuffix(issuer, "/v2.0")
	return claims, tenant[strings.LastIndexByte(tenant, '/')+1:], nil
}

// refusal makes one of a token that does not count; other errors stay what they are.
func refusal(err error) error {
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Rejected {
		return &approval.Refusal{Code: strings.ToLower(e.Code), Text: "its token does not count: " + e.Detail}
	}
	return err
}

// blobs are a box of blobs.
type blobs struct{ c *blob.Container }

func (b blobs) Place() string { return b.c.Place() }

func (b blobs) Create(ctx context.Context, name string, body []byte) error {
	err := b.c.Create(ctx, name, body)
	if driver.KindOf(err) == driver.Conflict {
		return approval.ErrThere
	}
	return err
}

func (b blobs) Read(ctx context.Context, name string) ([]byte, error) {
	body, _, err := b.c.Read(ctx, name)
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Missing && e.Code == "BlobNotFound" {
		return nil, approval.ErrNotThere
	}
	return body, err
}

func (b blobs) List(ctx context.Context, prefix string) ([]string, error) {
	return b.c.List(ctx, prefix)
}

// Requester is who asks: what the token of the CI job says that this runs in, if the manifest names such jobs, and who
// Rekey is signed in as. A job whose token is not as the manifest expects is an *approval.Refusal.
func (a *App) Requester(ctx context.Context) (approval.Requester, error) {
	a.gate.mu.Lock()
	known := a.gate.requester
	a.gate.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	r, err := a.job(ctx)
	if err != nil {
		return approval.Requester{}, err
	}
	// Only to refuse the same person as an approver, so a failure to get it takes nothing away.
	if t, err := a.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}}); err == nil {
		r.Object = oidc.ObjectOf(t.Token)
	}
	a.gate.mu.Lock()
	a.gate.requester = &r
	a.gate.mu.Unlock()
	return r, nil
}

func (a *App) job(ctx context.Context) (approval.Requester, error) {
	jobs := a.cfg.Manifest.Approval.Jobs
	getenv := a.cfg.Getenv
	switch {
	case jobs == nil:
	case jobs.GitHub != nil && oidc.InGitHub(getenv):
		raw, err := a.issuers().GitHubToken(ctx, getenv, jobs.Audience)
		if err != nil {
			return approval.Requester{}, err
		}
		claims, _, err := a.issuers().Verify(ctx, raw, oidc.Expect{At: oidc.GitHub, Issuer: oidc.GitHub, Audience: jobs.Audience})
		if err != nil {
			return approval.Requester{}, jobRefusal(err)
		}
		g := jobs.GitHub
		return approval.GitHubJob(claims, approval.Expect{Repository: g.Repository, OwnerID: g.OwnerID, RepositoryID: g.RepositoryID, Ref: g.Ref, Environment: g.Environment, Workflow: g.Workflow, Subject: g.Subject})
	case jobs.Pipelines != nil && oidc.InPipelines(getenv):
		raw, err := a.issuers().PipelinesToken(ctx, getenv)
		if err != nil {
			return approval.Requester{}, err
		}
		p := jobs.Pipelines
		at := oidc.Pipelines + strings.ToLower(p.OrganizationID)
		if p.Tenant != "" {
			at = strings.TrimSuffix(a.cloud.ActiveDirectoryAuthorityHost, "/") + "/" + p.Tenant + "/v2.0"
		}
		claims, _, err := a.issuers().Verify(ctx, raw, oidc.Expect{At: at, Issuer: at, Audience: oidc.PipelinesAudience})
		if err != nil {
			return approval.Requester{}, jobRefusal(err)
		}
		return approval.PipelinesJob(claims, approval.Expect{Subject: p.Subject, Repository: p.Repository, Ref: p.Ref, Organization: p.OrganizationID})
	}
	return approval.Requester{}, nil
}

func jobRefusal(err error) error {
	if r := approval.RefusalOf(refusal(err)); r != nil {
		return &approval.Refusal{Code: r.Code, Text: "the job's token does not count" + strings.TrimPrefix(r.Text, "its token does not count")}
	}
	return err
}

// gatekeeper is the desk with what this process knows of who asks: callers fill in what they want to do, its reason and its
// ticket. Where the manifest has no approval block, everything is allowed. For a plan no request is written.
func (a *App) gatekeeper(plan bool) gatekeeper {
	if plan {
		return gatekeeper{a, (*approval.Desk).Look}
	}
	return gatekeeper{a, (*approval.Desk).Ask}
}

type gatekeeper struct {
	a   *App
	ask func(*approval.Desk, context.Context, approval.Request) (approval.Verdict, error)
}

func (g gatekeeper) Ask(ctx context.Context, r approval.Request) (approval.Verdict, error) {
	if g.a.cfg.Manifest.Approval == nil {
		return approval.Verdict{Outcome: approval.Allow}, nil
	}
	desk, err := g.a.Desk()
	if err != nil {
		return approval.Verdict{}, err
	}
	r.Requester, err = g.a.Requester(ctx)
	if refusal := approval.RefusalOf(err); refusal != nil {
		return approval.Verdict{Outcome: approval.Deny, Why: refusal.Text, Do: "run it from the job that the manifest's approval.jobs names, or correct that"}, nil
	}
	if err != nil {
		return approval.Verdict{}, fmt.Errorf("find out who asks: %w", err)
	}
	r.Manifest = g.a.cfg.Digest
	v, err := g.ask(desk, ctx, r)
	if err == nil && v.Outcome == approval.Allow && v.ID != "" {
		g.a.gate.actedOn(v.ID)
	}
	return v, err
}

func (g *gate) actedOn(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.approved, id) {
		g.approved = append(g.approved, id)
	}
}

// Approved are the ids of the requests that this process was allowed something by, in the order in which it asked.
func (a *App) Approved() []string {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	return slices.Clone(a.gate.approved)
}

// Approve is the engine's question, answered by the gate; nil if the manifest has no approval block. reason and ticket
// are the person's own words.
func (a *App) Approve(reason, ticket string) func(context.Context, engine.Wanted) (engine.Consent, error) {
	if a.cfg.Manifest.Approval == nil {
		return nil
	}
	return func(ctx context.Context, w engine.Wanted) (engine.Consent, error) {
		v, err := a.gatekeeper(w.Plan).Ask(ctx, approval.Request{Intent: intent(w), Reason: reason, Ticket: ticket, Compromised: w.Compromised})
		if err != nil {
			return engine.Consent{}, err
		}
		return engine.Consent{Given: v.Outcome == approval.Allow, Code: code(v), Why: v.Why, Do: v.Do}, nil
	}
}

// allowRight asks the gate for a right that is about to be taken; nil if the manifest has no approval block.
func (a *App) allowRight() func(ctx context.Context, r driver.Right, length time.Duration, plan bool) error {
	if a.cfg.Manifest.Approval == nil {
		return nil
	}
	return func(ctx context.Context, r driver.Right, length time.Duration, plan bool) error {
		v, err := a.gatekeeper(plan).Ask(ctx, approval.Request{Reason: a.cfg.Reason, Ticket: a.cfg.Ticket,
			Intent: approval.Intent{Kinds: []string{approval.Elevate}, Role: r.Role, Scope: r.Place, Duration: length}})
		if err != nil || v.Outcome == approval.Allow {
			return err
		}
		return &driver.Error{Kind: driver.Denied, Op: "take " + r.String(), Code: code(v), Detail: v.Why, Hint: v.Do, Person: true}
	}
}

// code is what a decision that was not given is called in a result.
func code(v approval.Verdict) string {
	if v.Outcome == approval.Deny {
		return "refused"
	}
	return "approval"
}

// intent is what a pass is about to do, by the manifest alone.
func intent(w engine.Wanted) approval.Intent {
	i := approval.Intent{Credentials: []string{string(w.Spec.Name)}, Kinds: w.Kinds, Scope: w.Spec.Target.String()}
	for _, k := range w.Kinds {
		switch k {
		case "issue", "extend":
			i.Duration = w.Spec.Lifetime.Round(time.Second)
		case "tell":
			for _, c := range w.Spec.Consumers {
				i.Consumers = append(i.Consumers, c.ID)
			}
		}
	}
	return i
}

// DecideOn has a person sign in with their word on a request, and keeps it. open gets the address to open.
func (a *App) DecideOn(ctx context.Context, on approval.Asked, word, reason string, open func(address string) error) (approval.Decided, error) {
	desk, err := a.Desk()
	if err != nil {
		return approval.Decided{}, err
	}
	return desk.Decide(ctx, on, word, reason, func(ctx context.Context, nonce string) (string, error) {
		return a.issuers().SignIn(ctx, oidc.SignIn{At: a.authority() + "/v2.0", ClientID: a.cfg.Manifest.Approval.Approvers.ClientID, Nonce: nonce, Open: open})
	})
}
