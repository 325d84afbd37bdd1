// Package keyvault is the store: secrets of one Azure Key Vault, through Microsoft's azsecrets.
//
// It is not for vaults themselves, keys or certificates. What always holds (facts/keyvault-graph-arm.md 1): a PUT is
// sent once, since each accepted one is a new version; the newest version is what GET by name says, since lists of
// versions are in no order; a disabled version is a state and not a lack of permission; a name counts as never used
// only if it is not among the deleted either.
package keyvault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Vault is a driver.Store.
type Vault struct {
	host   string
	client *azsecrets.Client
	pace   pace
}

var _ driver.Store = (*Vault)(nil)

// New makes a store of the vault with the given host ("kv-pat-prod.vault.azure.net"). Nothing is sent.
func New(host string, cred azcore.TokenCredential, opts policy.ClientOptions) (*Vault, error) {
	host = strings.ToLower(host)
	opts.PerCallPolicies = slices.Concat([]policy.Policy{sameVault{host}}, opts.PerCallPolicies)
	opts.PerRetryPolicies = slices.Concat([]policy.Policy{wellFormed{host}}, opts.PerRetryPolicies)
	c, err := azsecrets.NewClient("https://"+host, cred, &azsecrets.ClientOptions{ClientOptions: opts})
	if err != nil {
		return nil, fmt.Errorf("vault %s: %w", host, err)
	}
	return &Vault{host: host, client: c}, nil
}

// Host implements driver.Store.
func (v *Vault) Host() string { return v.host }

// List implements driver.Store.
func (v *Vault) List(ctx context.Context) (driver.Index, error) {
	op := "list the secrets of vault " + v.host
	index := driver.Index{Secrets: map[string]rotation.Secret{}}
	var raw *http.Response
	var list walk
	pager := v.client.NewListSecretPropertiesPager(nil)
	for pager.More() {
		page, err := pager.NextPage(policy.WithCaptureResponse(ctx, &raw))
		if err != nil {
			return driver.Index{}, v.failure(op, false, raw, err)
		}
		if err := list.on(op, page.NextLink); err != nil {
			return driver.Index{}, err
		}
		for _, p := range page.Value {
			if p == nil {
				continue
			}
			if name := nameIn(p.ID); name != "" {
				index.Secrets[strings.ToLower(name)] = describe("", p.Attributes, p.Tags)
			}
		}
		index.Date = azhttp.Date(raw)
	}
	return index, nil
}

// Read implements driver.Store.
func (v *Vault) Read(ctx context.Context, name string) (driver.Reading, error) {
	op := fmt.Sprintf("read secret %s of vault %s", name, v.host)
	var raw *http.Response
	resp, err := v.client.GetSecret(policy.WithCaptureResponse(ctx, &raw), name, "", nil)
	if err == nil {
		return reading(resp.Secret, raw), nil
	}
	code, inner := codes(err)
	switch {
	case inner == "SecretDisabled" && answered(err, http.StatusForbidden):
		return driver.Reading{Secret: rotation.Secret{State: rotation.Present}, Date: azhttp.Date(raw)}, nil
	case code == "SecretNotFound" && answered(err, http.StatusNotFound):
		return v.absent(ctx, name)
	}
	return driver.Reading{}, v.failure(op, false, raw, err)
}

// absent tells a name that never existed from one that was deleted.
func (v *Vault) absent(ctx context.Context, name string) (driver.Reading, error) {
	var raw *http.Response
	_, err := v.client.GetDeletedSecret(policy.WithCaptureResponse(ctx, &raw), name, nil)
	if err == nil {
		return driver.Reading{Secret: rotation.Secret{State: rotation.SoftDeleted}, Date: azhttp.Date(raw)}, nil
	}
	if code, _ := codes(err); code == "SecretNotFound" && answered(err, http.StatusNotFound) {
		return driver.Reading{Secret: rotation.Secret{State: rotation.Absent}, Date: azhttp.Date(raw)}, nil
	}
	return driver.Reading{}, v.failure(fmt.Sprintf("look for secret %s among the deleted of vault %s", name, v.host), false, raw, err)
}

// Vacant implements driver.Store. Key Vault judges permission before existence, so an update of a name that does not
// exist answers 403 to a caller that may not write, and 404 to one that may.
func (v *Vault) Vacant(ctx context.Context, name string) (driver.Reading, error) {
	r, err := v.absent(ctx, name)
	if err != nil || r.Secret.State != rotation.Absent {
		return r, err
	}
	err = v.Prove(ctx, name, "")
	if driver.KindOf(err) == driver.Missing {
		return r, nil
	}
	if err != nil {
		return driver.Reading{}, err
	}
	return v.Read(ctx, name) // there after all: the list lagged
}

// Prove implements driver.Store.
func (v *Vault) Prove(ctx context.Context, name, version string) error {
	var raw *http.Response
	// Empty, because what is absent stays as it is: naming even the state that was read would undo what a person has
	// done since.
	_, err := v.client.UpdateSecretProperties(policy.WithCaptureResponse(ctx, &raw), name, version, azsecrets.UpdateSecretPropertiesParameters{}, nil)
	if err != nil {
		return v.failure(fmt.Sprintf("prove that secret %s of vault %s can be written", name, v.host), true, raw, err)
	}
	return nil
}

// Put implements driver.Store.
func (v *Vault) Put(ctx context.Context, put driver.Put) (driver.Reading, error) {
	op := fmt.Sprintf("write secret %s of vault %s", put.Name, v.host)
	params := azsecrets.SetSecretParameters{Tags: pointers(put.Tags), SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(true)}}
	if put.ContentType != "" {
		params.ContentType = &put.ContentType
	}
	if !put.Expires.IsZero() {
		params.SecretAttributes.Expires = &put.Expires
	}
	if err := v.pace.turn(ctx, op, put.Within); err != nil {
		return driver.Reading{}, err
	}
	var raw *http.Response
	var resp azsecrets.SetSecretResponse
	err := put.Value.Use(func(b []byte) error {
		params.Value = to.Ptr(string(b))
		var err error
		resp, err = v.client.SetSecret(policy.WithCaptureResponse(ctx, &raw), put.Name, params, nil)
		return err
	})
	if err != nil {
		err = v.failure(op, true, raw, err)
		var e *driver.Error
		if errors.As(err, &e) && raw != nil && azhttp.SignInPage(raw) {
			// Nothing says that it came from the vault.
			e.Kind = driver.Ambiguous
		}
		return driver.Reading{}, err
	}
	if resp.ID == nil || resp.ID.Version() == "" {
		return driver.Reading{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer names no version"}
	}
	return reading(resp.Secret, raw), nil
}

// Amend implements driver.Store.
func (v *Vault) Amend(ctx context.Context, name, version string, tags map[string]string, expires time.Time) error {
	params := azsecrets.UpdateSecretPropertiesParameters{Tags: pointers(tags)}
	if !expires.IsZero() {
		params.SecretAttributes = &azsecrets.SecretAttributes{Expires: &expires}
	}
	var raw *http.Response
	if _, err := v.client.UpdateSecretProperties(policy.WithCaptureResponse(ctx, &raw), name, version, params, nil); err != nil {
		return v.failure(fmt.Sprintf("write the record of secret %s of vault %s", name, v.host), true, raw, err)
	}
	return nil
}

func reading(s azsecrets.Secret, raw *http.Response) driver.Reading {
	r := driver.Reading{Date: azhttp.Date(raw)}
	version := ""
	if s.ID != nil {
		version = s.ID.Version()
	}
	r.Secret = describe(version, s.Attributes, s.Tags)
	if s.Value != nil {
		r.Value = secret.New([]byte(*s.Value))
	}
	return r
}

func describe(version string, a *azsecrets.SecretAttributes, tags map[string]*string) rotation.Secret {
	s := rotation.Secret{State: rotation.Present, Version: version, Enabled: true, Tags: plainTags(tags)}
	if a != nil {
		if a.Enabled != nil {
			s.Enabled = *a.Enabled
		}
		s.Created, s.Expires = date(a.Created), date(a.Expires)
	}
	return s
}

func plainTags(tags map[string]*string) map[string]string {
	out := make(map[string]string, len(tags))
	for k, v := range tags {
		if v != nil {
			out[k] = *v
		}
	}
	return out
}

func pointers(tags map[string]string) map[string]*string {
	out := make(map[string]*string, len(tags))
	for k, v := range tags {
		out[k] = &v
	}
	return out
}

// answered says whether a failed call was answered with a status: a name counts as absent only if status and code
// both say so.
func answered(err error, status int) bool {
	var re *azcore.ResponseError
	return errors.As(err, &re) && re.StatusCode == status
}

// codes reads Key Vault's code and inner code; azcore fills only the outer one.
func codes(err error) (code, inner string) {
	var re *azcore.ResponseError
	if !errors.As(err, &re) || re.RawResponse == nil || re.RawResponse.Body == nil {
		return "", ""
	}
	var body struct {
		Error struct {
			Code  string `json:"code"`
			Inner struct {
				Code string `json:"code"`
			} `json:"innererror"`
		} `json:"error"`
	}
	if b, err := io.ReadAll(re.RawResponse.Body); err == nil {
		_ = json.Unmarshal(b, &body)
		re.RawResponse.Body = io.NopCloser(strings.NewReader(string(b)))
	}
	return body.Error.Code, body.Error.Inner.Code
}

func (v *Vault) failure(op string, write bool, raw *http.Response, err error) error {
	code, inner := codes(err)
	out := azhttp.Failure(op, write, nil, err)
	var e *driver.Error
	if !errors.As(out, &e) {
		return out
	}
	for _, c := range []string{code, inner} {
		if c = azhttp.Code(c); c != "" {
			e.Code = c
		}
	}
	switch e.Code {
	case "ForbiddenByRbac", "ForbiddenByPolicy", "AccessDenied":
		e.Hint = "give Rekey's identity the role Key Vault Secrets Officer on the vault; a new assignment takes up to 10 minutes"
	case "ForbiddenByFirewall", "ForbiddenByConnection":
		e.Hint = "let this address through the vault's firewall, or run where the vault can be reached"
	case "ObjectIsDeletedButRecoverable":
		e.Hint = "the name is taken by a deleted secret: recover it, or purge it"
	case "ObjectIsBeingDeleted", "ObjectIsBeingRecovered":
		e.Hint = "the vault is still deleting or recovering the secret; try again in a minute"
	}
	if e.Kind == driver.Denied && e.Code == "Unauthorized" {
		e.Hint = "the vault does not accept Rekey's sign-in: is the identity of the vault's tenant?"
	}
	return e
}
