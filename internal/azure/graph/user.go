package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// User is a driver.Slot: the password of a user, which only an update of its passwordProfile can set without the user
// (facts/keyvault-graph-arm.md 3.4). Setting it ends every session that the user has.
type User struct {
	client   *Client
	user     string // name or object id
	clientID string // of the public client application that it signs in through
	token    string // address of the token endpoint
	length   int
}

var _ driver.Slot = (*User)(nil)

// NewUser makes one. Nothing is sent. authority is the tenant's address at the identity platform.
func NewUser(client *Client, authority string, s UserSettings) *User {
	return &User{client: client, user: s.User, clientID: s.ClientID, length: s.Length, token: strings.TrimSuffix(authority, "/") + "/oauth2/v2.0/token"}
}

// ListKey implements driver.Issuer.
func (u *User) ListKey() string { return "user/" + strings.ToLower(u.user) }

// Quiet implements driver.Issuer: Rekey's own identity has nothing that is used up.
func (u *User) Quiet() bool { return true }

// Shape hashes whose password it is, and nothing else.
func (u *User) Shape() string {
	sum := sha256.Sum256([]byte("serviceAccount\n" + strings.ToLower(u.user)))
	return hex.EncodeToString(sum[:5])
}

func (u *User) path() string { return "/v1.0/users/" + url.PathEscape(u.user) }

// List implements driver.Slot: the user itself.
func (u *User) List(ctx context.Context) (driver.Listing, error) {
	op := "read user " + u.user
	var body struct {
		ID      string     `json:"id"`
		Name    string     `json:"userPrincipalName"`
		Enabled *bool      `json:"accountEnabled"`
		Synced  *bool      `json:"onPremisesSyncEnabled"`
		Changed *time.Time `json:"lastPasswordChangeDateTime"`
	}
	resp, err := u.client.call(ctx, op, http.MethodGet, u.path()+"?$select=id,userPrincipalName,accountEnabled,onPremisesSyncEnabled,lastPasswordChangeDateTime", nil, &body)
	if err != nil {
		return driver.Listing{}, u.hint(err)
	}
	switch {
	case body.ID == "":
		return driver.Listing{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is no user", Date: azhttp.Date(resp)}
	case body.Synced != nil && *body.Synced:
		return driver.Listing{}, &driver.Error{Kind: driver.Rejected, Op: op, Person: true, Detail: "the user comes from a directory on premises, where its password is set",
			Hint: "name an account of the cloud alone"}
	}
	i := rotation.Issued{ID: body.ID, Name: body.Name, Shape: u.Shape()}
	if body.Changed != nil {
		i.From = body.Changed.UTC()
	}
	out := driver.Listing{Issued: []rotation.Issued{i}, Date: azhttp.Date(resp)}
	if body.Enabled != nil && !*body.Enabled {
		out.Notes = []string{"user " + u.user + " is disabled, so that nobody can sign in as it and no password can be proved: enable it, or set enabled: false in the manifest"}
	}
	return out, nil
}

// Set implements driver.Slot.
func (u *User) Set(ctx context.Context, value secret.Value) (time.Time, error) {
	op := "set the password of user " + u.user
	var resp *http.Response
	err := value.Use(func(b []byte) error {
		in := map[string]any{"passwordProfile": map[string]any{"password": string(b), "forceChangePasswordNextSignIn": false, "forceChangePasswordNextSignInWithMfa": false}}
		var err error
		resp, err = u.client.call(ctx, op, http.MethodPatch, u.path(), in, nil)
		return err
	})
	if err != nil {
		return time.Time{}, u.hint(err)
	}
	return azhttp.Date(resp), nil
}

// hint says what helps a user, where what helps an application was said.
func (u *User) hint(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case "Authorization_RequestDenied":
		e.Hint = "give Rekey's identity the application permissions User.Read.All and User-PasswordProfile.ReadWrite.All of Microsoft Graph, with an administrator's consent; if that is not enough in your tenant, the directory role User Administrator too. The password of an administrator takes the role Privileged Authentication Administrator"
	case "Request_ResourceNotFound":
		e.Hint = "correct the user in the manifest: there is none of that name or object id in the tenant"
	case "Request_BadRequest":
		if e.Kind == driver.Rejected {
			e.Hint = "Entra ID does not take the password: lengthen it in the manifest, or look at the tenant's list of banned words"
		}
	}
	return e
}

// Issue implements driver.Issuer: a user has one password.
func (u *User) Issue(context.Context, driver.IssueRequest) (driver.Issue, error) {
	return driver.Issue{}, u.never("issue a second password of")
}

// Extend implements driver.Issuer.
func (u *User) Extend(context.Context, string, time.Time) (rotation.Issued, error) {
	return rotation.Issued{}, u.never("extend the password of")
}

// Revoke implements driver.Issuer.
func (u *User) Revoke(context.Context, rotation.Permit, time.Time) error {
	return u.never("revoke the password of")
}

func (u *User) never(what string) error {
	return driver.Errorf(driver.Rejected, what+" user "+u.user, "", "a user has one password, which another one replaces")
}

// classes are the characters of a password: Entra ID wants three of four classes. None of them needs quotes in a shell
// or in JSON, and none looks like another one.
var classes = []string{"ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "-_.!~"}

// Make implements driver.Slot: each character alike from all classes, until all of them are there.
func (u *User) Make(random func([]byte)) (secret.Value, error) {
	all := strings.Join(classes, "")
	for range 1000 {
		out := make([]byte, 0, u.length)
		for n := 0; n < u.length && len(out) < u.length; n++ {
			var b [64]byte
			random(b[:])
			for _, x := range b {
				// What is left over at the end of a byte's range would make some more likely than others.
				if int(x) < 256-256%len(all) && len(out) < u.length {
					out = append(out, all[int(x)%len(all)])
				}
			}
			clear(b[:])
		}
		if len(out) == u.length && strong(out) {
			return secret.New(out), nil
		}
		clear(out)
	}
	return secret.Value{}, driver.Errorf(driver.Rejected, "make a password for user "+u.user, "", "the source of randomness gives none")
}

// strong says whether all classes are there, and a letter is first and last: some tools cut what is not.
func strong(b []byte) bool {
	for _, c := range classes {
		if !strings.ContainsAny(string(b), c) {
			return false
		}
	}
	letters := classes[0] + classes[1]
	return strings.IndexByte(letters, b[0]) >= 0 && strings.IndexByte(letters, b[len(b)-1]) >= 0
}
