package devops

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// book is what is known of an account's PATs in one organisation: their scopes, which no record can hold. The members
// of a block share it.
type book struct {
	pats PATs
	mu   sync.Mutex
	id   string // the organisation's
	all  []pat  // of the last complete list
	read bool
	gone []pat // expired ones, read once if something is missing
	old  bool
}

func newBook(opts policy.ClientOptions, account Account, organization, probe string) *book {
	return &book{pats: *New(opts, account, Settings{Organization: organization, Probe: probe})}
}

// own are the PATs of this organisation among those that it lists: the service may list those of others too, which only
// their own can change (facts 1.4).
func (b *book) own() (out []pat, everywhere []pat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.all {
		switch {
		case len(t.TargetAccounts) == 0:
			everywhere = append(everywhere, t)
		case b.here(t):
			out = append(out, t)
		}
	}
	return out, everywhere
}

// here says whether a PAT is of this organisation alone.
func (b *book) here(t pat) bool {
	return len(t.TargetAccounts) == 1 && strings.EqualFold(t.TargetAccounts[0], b.id)
}

func (b *book) list(ctx context.Context) (driver.Listing, error) {
	if err := b.learnID(ctx); err != nil {
		return driver.Listing{}, err
	}
	all, date, err := b.pats.list(ctx, "active")
	if err != nil {
		return driver.Listing{}, err
	}
	b.mu.Lock()
	b.all, b.read = all, true
	b.mu.Unlock()
	out := driver.Listing{Date: date}
	mine, everywhere := b.own()
	for _, t := range append(mine, everywhere...) {
		i := b.pats.issued(t)
		i.Shape = "" // a member is asked to keep what it has, so no scope is the wrong one
		out.Issued = append(out.Issued, i)
	}
	return out, nil
}

// learnID asks for the organisation's id once, which is how a PAT says whose it is.
func (b *book) learnID(ctx context.Context) error {
	b.mu.Lock()
	known := b.id != ""
	b.mu.Unlock()
	if known {
		return nil
	}
	op := "ask organisation " + b.pats.organization + " for its id"
	var body struct {
		InstanceID string `json:"instanceId"`
	}
	addr := orgURL(apiHost, b.pats.organization, "/_apis/connectionData", url.Values{"api-version": {"7.1-preview"}})
	if _, err := b.pats.client.call(ctx, op, http.MethodGet, addr, nil, &body); err != nil {
		return err
	}
	if body.InstanceID == "" {
		return driver.Errorf(driver.Unavailable, op, "", "the answer names none")
	}
	b.mu.Lock()
	b.id = body.InstanceID
	b.mu.Unlock()
	return nil
}

// member is a driver.Issuer for one PAT of a block.
type member struct {
	*PATs
	book *book
	name rotation.CredentialID
	hash string   // of its secret
	ids  []string // of what its successor is to be like, best first
}

var _ driver.Issuer = (*member)(nil)

// ListKey implements driver.Issuer. It differs from that of single PATs, whose lists tell no scopes.
func (m *member) ListKey() string { return "pats/" + strings.TrimPrefix(m.PATs.ListKey(), "devops/") }

// List implements driver.Issuer.
func (m *member) List(ctx context.Context) (driver.Listing, error) { return m.book.list(ctx) }

// Issue implements driver.Issuer: with the scopes of the one that it follows.
func (m *member) Issue(ctx context.Context, req driver.IssueRequest) (driver.Issue, error) {
	scopes, err := m.scopes(ctx)
	if err != nil {
		return driver.Issue{}, err
	}
	as := *m.PATs
	as.scopes = scopes
	out, err := as.Issue(ctx, req)
	if err == nil && out.Issued.Shape == as.Shape() {
		out.Issued.Shape = ""
	}
	return out, err
}

// Extend implements driver.Issuer.
func (m *member) Extend(ctx context.Context, id string, until time.Time) (rotation.Issued, error) {
	out, err := m.PATs.Extend(ctx, id, until)
	out.Shape = ""
	return out, err
}

// scopes are those of the PAT that the next one follows. What has expired unnoticed still has them; what somebody
// revoked was meant to go.
func (m *member) scopes(ctx context.Context) ([]string, error) {
	m.book.mu.Lock()
	if !m.book.read {
		m.book.mu.Unlock()
		if _, err := m.book.list(ctx); err != nil {
			return nil, err
		}
		m.book.mu.Lock()
	}
	defer m.book.mu.Unlock()
	if t, ok := m.pick(m.book.all); ok {
		return scopeSet(t.Scope), nil
	}
	if !m.book.old {
		gone, _, err := m.book.pats.list(ctx, "expired")
		if err != nil {
			return nil, err
		}
		m.book.gone, m.book.old = gone, true
	}
	if t, ok := m.pick(m.book.gone); ok {
		return scopeSet(t.Scope), nil
	}
	return nil, &driver.Error{Kind: driver.Missing, Op: "issue a successor of " + string(m.name), Person: true,
		Detail: "its PAT is no longer there, and nothing else says what it was allowed to do",
		Hint:   "if it was revoked on purpose, delete its secret; if not, make a PAT of the same display name again, or give it a credential of its own (pat)"}
}

// pick finds the one to follow: by id, else the newest that is stamped for the member.
func (m *member) pick(all []pat) (found pat, ok bool) {
	for _, id := range m.ids {
		for _, t := range all {
			if t.AuthorizationID == id && m.book.here(t) {
				return t, true
			}
		}
	}
	var newest rotation.Generation
	for _, t := range all {
		if s, stamped := rotation.ParseStamp(t.DisplayName); stamped && s.Hash == m.hash && s.Credential == m.name && m.book.here(t) && s.Generation > newest {
			newest, found, ok = s.Generation, t, true
		}
	}
	return found, ok
}
