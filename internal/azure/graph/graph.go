// Package graph is the issuer of client secrets and certificates of app registrations, and of users' passwords, through
// Microsoft Graph; and the sign-ins that prove them.
//
// It is not for the credentials of a service principal, which are other ones and which an application does not show. What
// always holds (facts/keyvault-graph-arm.md 3): a secret's value is in one answer and nowhere else, and a certificate's
// key never leaves but for the store; a credential's end is always asked for, because the default breaks under a tenant's
// policy; a new one counts as working only after several sign-ins in a row, for it is not known everywhere at once; that
// one is not found is believed only after the application was read; writes to one application take turns; and no
// certificate but the one that is meant is taken out of a list.
package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Secrets is a driver.Issuer for one client secret of an application.
type Secrets struct{ registration }

var _ driver.Issuer = (*Secrets)(nil)

// New makes an issuer. Nothing is sent. authority is the tenant's address at the identity platform.
func New(client *Client, authority string, s Settings) *Secrets {
	return &Secrets{newRegistration(client, authority, s.ObjectID, s.AppID, s.Owners)}
}

// password is a passwordCredential on the wire.
type password struct {
	KeyID       string       `json:"keyId"`
	DisplayName string       `json:"displayName"`
	Start       time.Time    `json:"startDateTime"`
	End         time.Time    `json:"endDateTime"`
	SecretText  secret.Value `json:"secretText"`
}

// application is what is read of one.
type application struct {
	ID        string             `json:"id"`
	AppID     string             `json:"appId"`
	Passwords *[]password        `json:"passwordCredentials"`
	Keys      *[]json.RawMessage `json:"keyCredentials"`
	Owners    *[]struct {
		ID string `json:"id"`
	} `json:"owners"`
}

// ListKey implements driver.Issuer: an application is its own account.
func (s *Secrets) ListKey() string { return "graph/" + s.app.String() }

// Quiet implements driver.Issuer: Rekey's own identity has nothing that is used up.
func (s *Secrets) Quiet() bool { return true }

// Shape hashes what a client secret of these settings is: its application, and nothing else.
func (s *Secrets) Shape() string {
	place := sha256.Sum256([]byte("appSecret\n" + s.app.String()))
	return hex.EncodeToString(place[:5])
}

// read reads the application.
func (s *Secrets) read(ctx context.Context, op string) (application, *http.Response, error) {
	a, resp, err := s.readWith(ctx, op, "passwordCredentials")
	if err == nil && a.Passwords == nil {
		err = &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is no whole application", Date: azhttp.Date(resp)}
	}
	if err != nil {
		return application{}, resp, err
	}
	return a, resp, nil
}

// List implements driver.Issuer. Microsoft Graph goes on listing what has expired, and counts it: what is stamped is
// listed here too, so that it is cleared away.
func (s *Secrets) List(ctx context.Context) (driver.Listing, error) {
	a, resp, err := s.read(ctx, "list the client secrets of application "+s.app.String())
	if err != nil {
		return driver.Listing{}, err
	}
	out := driver.Listing{Date: azhttp.Date(resp), Notes: s.notes(a)}
	a.listOwners(&out)
	seen := map[string]bool{}
	for _, p := range *a.Passwords {
		p.SecretText.Wipe()
		if p.KeyID == "" || seen[p.KeyID] || !p.End.After(out.Date) && !rotation.LooksStamped(p.DisplayName) {
			continue
		}
		seen[p.KeyID] = true
		out.Issued = append(out.Issued, s.issued(p))
	}
	return out, nil
}

func (s *Secrets) issued(p password) rotation.Issued {
	return rotation.Issued{ID: p.KeyID, Name: p.DisplayName, From: p.Start.UTC(), To: p.End.UTC(), Shape: s.Shape()}
}

// Issue implements driver.Issuer.
func (s *Secrets) Issue(ctx context.Context, req driver.IssueRequest) (driver.Issue, error) {
	op := "add a client secret to application " + s.app.String()
	in := map[string]any{"passwordCredential": map[string]string{
		"displayName": req.Stamp.String(),
		"endDateTime": req.Until.UTC().Format(time.RFC3339),
	}}
	var p password
	resp, err := s.client.write(ctx, op, s.app, "addPassword", in, &p)
	if err != nil {
		return driver.Issue{}, err
	}
	if p.KeyID == "" || p.SecretText.Empty() || p.End.IsZero() {
		p.SecretText.Wipe()
		return driver.Issue{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer holds no whole client secret", Date: azhttp.Date(resp)}
	}
	return driver.Issue{Issued: s.issued(p), Value: p.SecretText, Date: azhttp.Date(resp)}, nil
}

// Extend implements driver.Issuer: Microsoft Graph moves no date of a client secret.
func (s *Secrets) Extend(_ context.Context, id string, _ time.Time) (rotation.Issued, error) {
	return rotation.Issued{}, driver.Errorf(driver.Rejected, "extend client secret "+id+" of application "+s.app.String(), "", "the date of a client secret cannot be moved")
}

// Revoke implements driver.Issuer. "No password credential found" may mean that it is gone already.
func (s *Secrets) Revoke(ctx context.Context, permit rotation.Permit, now time.Time) error {
	if err := permit.Valid(now); err != nil {
		return err
	}
	op := "remove client secret " + permit.IssuerID() + " of application " + s.app.String()
	return s.gone(ctx, op, func() error {
		_, err := s.client.write(ctx, op, s.app, "removePassword", map[string]string{"keyId": permit.IssuerID()}, nil)
		return err
	}, func() (bool, error) { return s.lists(ctx, op, permit.IssuerID()) })
}

// lists says whether the application has a client secret of that id.
func (s *Secrets) lists(ctx context.Context, op, id string) (bool, error) {
	a, _, err := s.read(ctx, op)
	if err != nil {
		return false, err
	}
	for _, p := range *a.Passwords {
		if strings.EqualFold(p.KeyID, id) {
			return true, nil
		}
	}
	return false, nil
}
