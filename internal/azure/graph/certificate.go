package graph

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Certificates is a driver.Issuer for one certificate of an application. Key and certificate are made here.
//
// A certificate is added and removed with a proof that the one in the store signs, because such a change is of one
// certificate alone. Where that one proves nothing (there is none yet, or it has expired) the whole list is replaced by
// one that was read right before: who changes the list in that instant loses his change, as there is no ETag.
type Certificates struct {
	registration
	store    driver.Store
	name     string // of the secret
	settings CertificateSettings

	mu      sync.Mutex
	patched map[string]time.Time // by the certificate's hash: what came by a list that replaced another, and when
}

var _ driver.Issuer = (*Certificates)(nil)

// NewCertificates makes an issuer. Nothing is sent. What the store holds under the name is the current certificate.
func NewCertificates(client *Client, authority string, store driver.Store, name string, s CertificateSettings) *Certificates {
	return &Certificates{registration: newRegistration(client, authority, s.ObjectID, s.AppID, s.Owners), store: store, name: name, settings: s, patched: map[string]time.Time{}}
}

// keyCredential is one on the wire, as far as it is looked at.
type keyCredential struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName"`
	Start       time.Time `json:"startDateTime"`
	End         time.Time `json:"endDateTime"`
	Type        string    `json:"type"`
	Usage       string    `json:"usage"`
}

// ListKey implements driver.Issuer: an application is its own account, and its certificates have a list of their own.
func (s *Certificates) ListKey() string { return "graph-certificates/" + s.app.String() }

// Quiet implements driver.Issuer.
func (s *Certificates) Quiet() bool { return true }

// Shape hashes what a certificate of these settings is: its application and its key.
func (s *Certificates) Shape() string {
	place := sha256.Sum256([]byte("appCertificate\n" + s.app.String()))
	kind := sha256.Sum256([]byte(s.settings.Key + s.settings.form()))
	return hex.EncodeToString(place[:2]) + hex.EncodeToString(kind[:3])
}

// readKeys reads the application with its certificates, each as it is on the wire.
func (s *Certificates) readKeys(ctx context.Context, op string) ([]json.RawMessage, application, *http.Response, error) {
	a, resp, err := s.readWith(ctx, op, "keyCredentials")
	if err == nil && a.Keys == nil {
		err = &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is no whole application", Date: azhttp.Date(resp)}
	}
	if err != nil {
		return nil, application{}, resp, err
	}
	return *a.Keys, a, resp, nil
}

// List implements driver.Issuer. What has expired goes on being listed, as client secrets do.
func (s *Certificates) List(ctx context.Context) (driver.Listing, error) {
	op := "list the certificates of application " + s.app.String()
	raw, a, resp, err := s.readKeys(ctx, op)
	if err != nil {
		return driver.Listing{}, err
	}
	out := driver.Listing{Date: azhttp.Date(resp), Notes: s.notes(a)}
	a.listOwners(&out)
	seen := map[string]bool{}
	for _, r := range raw {
		var k keyCredential
		if json.Unmarshal(r, &k) != nil {
			return driver.Listing{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer holds a certificate that cannot be read", Date: azhttp.Date(resp)}
		}
		if k.KeyID == "" || seen[k.KeyID] || !k.End.After(out.Date) && !rotation.LooksStamped(k.DisplayName) {
			continue
		}
		seen[k.KeyID] = true
		out.Issued = append(out.Issued, s.issued(k))
	}
	return out, nil
}

// issued says nothing of the key's size, which the list does not show; the record does.
func (s *Certificates) issued(k keyCredential) rotation.Issued {
	return rotation.Issued{ID: k.KeyID, Name: k.DisplayName, From: k.Start.UTC(), To: k.End.UTC()}
}

// Issue implements driver.Issuer.
func (s *Certificates) Issue(ctx context.Context, req driver.IssueRequest) (driver.Issue, error) {
	op := "add a certificate to application " + s.app.String()
	made, err := newPair(s.settings.bits(), string(req.Stamp.Credential), req.Stamp.Generation.Time(), req.Until)
	if err != nil {
		return driver.Issue{}, driver.Errorf(driver.Unavailable, op, "", "%v", err)
	}
	id := newGUID()
	in := map[string]any{
		"keyId": id, "displayName": req.Stamp.String(), "type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.StdEncoding.EncodeToString(made.cert.Raw),
		"startDateTime": made.cert.NotBefore.Format(time.RFC3339), "endDateTime": made.cert.NotAfter.Format(time.RFC3339),
	}
	out := keyCredential{KeyID: id, DisplayName: req.Stamp.String(), Start: made.cert.NotBefore, End: made.cert.NotAfter}
	current, date, err := s.current(ctx)
	if err != nil {
		return driver.Issue{}, err
	}
	resp, err := s.proved(ctx, op, "addKey", current, date, map[string]any{"keyCredential": in, "passwordCredential": nil}, &out)
	if errors.Is(err, errUnproved) {
		resp, err = s.replace(ctx, op, current, date, func(all []json.RawMessage) ([]any, bool) { return append(kept(all, ""), in), true })
		s.mu.Lock()
		s.patched[hashOf(made)] = time.Now()
		s.mu.Unlock()
	}
	if err != nil {
		return driver.Issue{}, err
	}
	if out.KeyID == "" || out.End.IsZero() {
		return driver.Issue{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer holds no whole certificate", Date: azhttp.Date(resp)}
	}
	value, err := s.settings.encode(made)
	if err != nil {
		return driver.Issue{}, driver.Errorf(driver.Ambiguous, op, "", "%v", err)
	}
	return driver.Issue{Issued: s.issued(out), Value: value, Date: azhttp.Date(resp)}, nil
}

func hashOf(p pair) string {
	sum := sha256.Sum256(p.cert.Raw)
	return string(sum[:])
}

// errUnproved says that no certificate is in our hands that the application has: nothing was changed.
var errUnproved = errors.New("no certificate of the application is at hand")

// current is the certificate that the store holds now, with the store's date; none if what is there is none.
func (s *Certificates) current(ctx context.Context) (pair, time.Time, error) {
	r, err := s.store.Read(ctx, s.name)
	if err != nil {
		return pair{}, time.Time{}, err
	}
	defer r.Value.Wipe()
	p, err := readPair(r.Value)
	if err != nil || !r.Date.Before(p.cert.NotAfter) {
		return pair{}, r.Date, nil
	}
	return p, r.Date, nil
}

// replicated is the age from which a certificate is known to every replica.
const replicated = 5 * time.Minute

// young says whether a replica may not have heard of a certificate yet.
func (p pair) young(now time.Time) bool {
	return p.cert != nil && now.Sub(p.cert.NotBefore.Add(early)) < replicated
}

// proved sends a change with a proof by the current certificate. One that is refused changes nothing: the certificate is
// none of the application's, or a young one is not known yet where it was asked.
func (s *Certificates) proved(ctx context.Context, op, action string, current pair, date time.Time, in map[string]any, out any) (*http.Response, error) {
	if current.cert == nil {
		return nil, errUnproved
	}
	id, err := s.objectID(ctx, op)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		resp, err := s.provedOnce(ctx, op, action, current, id, in, out)
		switch {
		case driver.KindOf(err) != driver.Denied || codeOf(err) != badProof:
			return resp, err
		case !current.young(date) || try == removals:
			return resp, errUnproved
		case pause(ctx, try) != nil:
			return resp, driver.Errorf(driver.Unavailable, op, "", "interrupted, or no answer in time")
		}
	}
}

func (s *Certificates) provedOnce(ctx context.Context, op, action string, current pair, objectID string, in map[string]any, out any) (resp *http.Response, err error) {
	proof, err := current.proof(objectID, time.Now())
	if err != nil {
		return nil, driver.Errorf(driver.Unavailable, op, "", "%v", err)
	}
	defer proof.Wipe()
	err = proof.Use(func(b []byte) error {
		in["proof"] = string(b)
		var err error
		resp, err = s.client.write(ctx, op, s.app, action, in, out)
		return err
	})
	return resp, err
}

// objectID is what proofs name the application by.
func (s *Certificates) objectID(ctx context.Context, op string) (string, error) {
	if s.app.objectID != "" {
		return s.app.objectID, nil
	}
	if id := s.client.objectOf(s.app.appID); id != "" {
		return id, nil
	}
	a, _, err := s.readWith(ctx, op, "displayName")
	return a.ID, err
}

// replaceWithin bounds the time from when a list is read to when the one that replaces it was answered, and settled is
// when who read the list before that has written his.
const (
	replaceWithin = 10 * time.Second
	// agreeWithin bounds how long the readings of the list may disagree.
	agreeWithin = time.Minute
	settled     = 15 * time.Second
)

// replace reads the whole list and replaces it by what change makes of it, unless that is nothing. A clash was not
// applied, and is begun anew with a list that is read anew. A list that lacks the current certificate although that one
// is young is a replica's that has not heard of it, and would take it away.
func (s *Certificates) replace(ctx context.Context, op string, current pair, date time.Time, change func([]json.RawMessage) (list []any, changed bool)) (*http.Response, error) {
	done, err := s.client.takeTurn(ctx, op, s.app)
	if err != nil {
		return nil, err
	}
	defer done()
	for try := 1; ; try++ {
		resp, err := s.replaceOnce(ctx, op, current, date, change)
		if codeOf(err) != clash || try == writes || pause(ctx, try) != nil {
			return resp, err
		}
	}
}

func (s *Certificates) replaceOnce(ctx context.Context, op string, current pair, date time.Time, change func([]json.RawMessage) ([]any, bool)) (*http.Response, error) {
	all, began, resp, err := s.agreedKeys(ctx, op)
	if err != nil {
		return resp, err
	}
	bounded, cancel := context.WithDeadline(ctx, began.Add(replaceWithin))
	defer cancel()
	if current.young(date) && !slices.ContainsFunc(all, func(r json.RawMessage) bool { return holds(r, current) }) {
		return resp, driver.Errorf(driver.Unavailable, op, "", "Microsoft Graph does not list the current certificate yet, which is minutes old, so its list is not replaced")
	}
	list, changed := change(all)
	if !changed {
		return resp, nil
	}
	if age := time.Now().Round(0).Sub(began); age > replaceWithin {
		return resp, driver.Errorf(driver.Unavailable, op, "", "the list of certificates that was read is %s old, and may be another one by now", age.Round(time.Second))
	}
	return s.client.call(bounded, op, http.MethodPatch, s.app.path(), map[string]any{"keyCredentials": list}, nil)
}

// agreedKeys reads the list until several readings in a row agree, and says when the last one began. One replica that has
// not heard of what another run added would have the list take it away.
func (s *Certificates) agreedKeys(ctx context.Context, op string) (all []json.RawMessage, began time.Time, resp *http.Response, err error) {
	ctx, cancel := context.WithTimeout(ctx, agreeWithin)
	defer cancel()
	var last []string
	for row := 0; row < inARow; {
		if row > 0 && sleep(ctx, apart) != nil {
			return nil, began, resp, driver.Errorf(driver.Unavailable, op, "", "Microsoft Graph lists other certificates each time it is asked, so its list is not replaced")
		}
		// By the wall clock too: on a machine that slept since, a timer may not have noticed.
		before := began
		if began = time.Now().Round(0); began.Sub(before) > replaceWithin {
			last = nil
		}
		if all, _, resp, err = s.readKeys(ctx, op); err != nil {
			return nil, began, resp, err
		}
		ids := keyIDsOf(all)
		if last == nil || !slices.Equal(ids, last) {
			row, last = 0, ids
		}
		row++
	}
	return all, began, resp, nil
}

func keyIDsOf(all []json.RawMessage) []string {
	ids := []string{}
	for _, raw := range all {
		var k keyCredential
		_ = json.Unmarshal(raw, &k)
		ids = append(ids, strings.ToLower(k.KeyID))
	}
	slices.Sort(ids)
	return ids
}

// kept are the credentials of a list as they were read, but for one. An entry without its key keeps the key.
func kept(all []json.RawMessage, but string) []any {
	out := []any{}
	for _, raw := range all {
		var k keyCredential
		if json.Unmarshal(raw, &k) == nil && but != "" && strings.EqualFold(k.KeyID, but) {
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			continue
		}
		members["key"] = json.RawMessage("null")
		out = append(out, members)
	}
	return out
}

// Check implements driver.Issuer: the application signs in with an assertion that the certificate signs.
func (s *Certificates) Check(ctx context.Context, value secret.Value) (driver.Checked, error) {
	p, err := readPair(value)
	if err != nil {
		return s.unreadable(ctx, err.Error())
	}
	s.mu.Lock()
	at, came := s.patched[hashOf(p)]
	s.mu.Unlock()
	out, err := s.probe(ctx, func(id string) (map[string]secret.Value, error) {
		a, err := p.assertion(s.token, id, time.Now())
		return map[string]secret.Value{"client_assertion": a, "client_assertion_type": secret.New([]byte("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))}, err
	})
	if err != nil || !out.Works || !came {
		return out, err
	}
	// Who had read the list before it was replaced may have replaced it in turn.
	op := "look whether the new certificate has stayed on application " + s.app.String()
	if left := settled - time.Since(at); left > 0 && sleep(ctx, left) != nil {
		return driver.Checked{}, driver.Errorf(driver.Unavailable, op, "", "interrupted, or no answer in time")
	}
	raw, _, resp, err := s.readKeys(ctx, op)
	if err != nil {
		return driver.Checked{}, err
	}
	out.Date = azhttp.Date(resp)
	if !slices.ContainsFunc(raw, func(r json.RawMessage) bool { return holds(r, p) }) {
		out.Check = rotation.Check{Why: "the application does not list it any more: somebody else changed its certificates at the same time"}
	}
	return out, nil
}

// holds says whether a credential of a list is a certificate; where the list does not show keys, by its dates.
func holds(raw json.RawMessage, p pair) bool {
	var k struct {
		keyCredential
		Key *string `json:"key"`
	}
	if json.Unmarshal(raw, &k) != nil {
		return false
	}
	if k.Key != nil {
		return *k.Key == base64.StdEncoding.EncodeToString(p.cert.Raw)
	}
	return k.Start.Equal(p.cert.NotBefore) && k.End.Equal(p.cert.NotAfter)
}

// unreadable is the verdict on what is no certificate; it says so with the service's date, like any other.
func (s *Certificates) unreadable(ctx context.Context, why string) (driver.Checked, error) {
	_, resp, err := s.readWith(ctx, "look at application "+s.app.String(), "keyCredentials")
	if err != nil {
		return driver.Checked{}, err
	}
	return driver.Checked{Check: rotation.Check{Why: why}, Date: azhttp.Date(resp)}, nil
}

// Extend implements driver.Issuer: a certificate's date is signed.
func (s *Certificates) Extend(_ context.Context, id string, _ time.Time) (rotation.Issued, error) {
	return rotation.Issued{}, driver.Errorf(driver.Rejected, "extend certificate "+id+" of application "+s.app.String(), "", "the date of a certificate cannot be moved")
}

// Revoke implements driver.Issuer, with the same care as for a client secret.
func (s *Certificates) Revoke(ctx context.Context, permit rotation.Permit, now time.Time) error {
	if err := permit.Valid(now); err != nil {
		return err
	}
	op := fmt.Sprintf("remove certificate %s of application %s", permit.IssuerID(), s.app)
	return s.gone(ctx, op, func() error {
		current, date, err := s.current(ctx)
		if err != nil {
			return err
		}
		_, err = s.proved(ctx, op, "removeKey", current, date, map[string]any{"keyId": permit.IssuerID()}, nil)
		if !errors.Is(err, errUnproved) {
			return err
		}
		_, err = s.replace(ctx, op, current, date, func(all []json.RawMessage) ([]any, bool) {
			left := kept(all, permit.IssuerID())
			return left, len(left) < len(all)
		})
		return err
	}, func() (bool, error) {
		raw, _, _, err := s.readKeys(ctx, op)
		return slices.ContainsFunc(raw, func(r json.RawMessage) bool {
			var k keyCredential
			return json.Unmarshal(r, &k) == nil && strings.EqualFold(k.KeyID, permit.IssuerID())
		}), err
	})
}
