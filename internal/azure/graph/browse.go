package graph

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Listed is an app registration, for a person to choose from.
type Listed struct {
	ObjectID, AppID, Name string
	Secrets               []ListedSecret
	// Owners is how many the service named, 20 at most; -1 if it named none of them, not even that there are none.
	Owners int
}

// ListedSecret is a client secret: never its value.
type ListedSecret struct {
	ID, Name string
	From, To time.Time
	// Stamped says that Rekey issued it, for this manifest or another one.
	Stamped bool
}

// maxPages bounds a list that does not end.
const maxPages = 1000

// Applications lists the app registrations that Rekey's identity may read. heard is told how many were read so far.
func (c *Client) Applications(ctx context.Context, heard func(int)) (out []Listed, err error) {
	type listed struct {
		application
		Name string `json:"displayName"`
	}
	err = pages(ctx, c, "list the applications", "/v1.0/applications?$select=id,appId,displayName,passwordCredentials&$expand=owners($select=id)&$top=100", func(all []listed) {
		for _, a := range all {
			if a.ID == "" || a.AppID == "" {
				continue
			}
			x := Listed{ObjectID: a.ID, AppID: a.AppID, Name: a.Name, Owners: -1}
			if a.Owners != nil {
				x.Owners = len(*a.Owners)
			}
			x.Secrets = a.secrets()
			out = append(out, x)
		}
		heard(len(out))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListedUser is a user, for a person to choose from.
type ListedUser struct {
	ID, User, Name string // the object's id, how it signs in, and what it is called
	Disabled       bool
	// Elsewhere is why its password cannot be set here; "" if it can.
	Elsewhere string
}

// Users lists the users that Rekey's identity may read. heard is told how many were read so far.
func (c *Client) Users(ctx context.Context, heard func(int)) (out []ListedUser, err error) {
	type listed struct {
		ID      string `json:"id"`
		Name    string `json:"displayName"`
		User    string `json:"userPrincipalName"`
		Enabled *bool  `json:"accountEnabled"`
		Synced  *bool  `json:"onPremisesSyncEnabled"`
	}
	err = pages(ctx, c, "list the users", "/v1.0/users?$select=id,displayName,userPrincipalName,accountEnabled,onPremisesSyncEnabled&$top=999", func(all []listed) {
		for _, u := range all {
			if u.User == "" {
				continue
			}
			x := ListedUser{ID: u.ID, User: u.User, Name: u.Name, Disabled: u.Enabled != nil && !*u.Enabled}
			switch {
			case u.Synced != nil && *u.Synced:
				x.Elsewhere = "it comes from a directory on premises, where its password is set"
			case strings.Contains(strings.ToUpper(u.User), "#EXT#"):
				x.Elsewhere = "it is a guest, whose password is set at home"
			}
			out = append(out, x)
		}
		heard(len(out))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pages walks a list.
func pages[T any](ctx context.Context, c *Client, op, path string, visit func([]T)) error {
	for range maxPages {
		var body struct {
			Next  string `json:"@odata.nextLink"`
			Value []T    `json:"value"`
		}
		if _, err := c.call(ctx, op, http.MethodGet, path, nil, &body); err != nil {
			return err
		}
		visit(body.Value)
		if body.Next == "" {
			return nil
		}
		next, ok := c.sameHost(body.Next)
		if !ok || next == path {
			return driver.Errorf(driver.Unavailable, op, "", "the answer leads elsewhere for the next page")
		}
		path = next
	}
	return driver.Errorf(driver.Unavailable, op, "", "the list does not end")
}

// ClientSecrets lists the client secrets of one application, which is named as in a manifest.
func (c *Client) ClientSecrets(ctx context.Context, s Settings) ([]ListedSecret, error) {
	app := New(c, "", s)
	a, _, err := app.read(ctx, "list the client secrets of application "+app.app.String())
	if err != nil {
		return nil, err
	}
	return a.secrets(), nil
}

func (a application) secrets() (out []ListedSecret) {
	if a.Passwords == nil {
		return nil
	}
	for _, p := range *a.Passwords {
		p.SecretText.Wipe()
		if p.KeyID != "" {
			out = append(out, ListedSecret{p.KeyID, p.DisplayName, p.Start.UTC(), p.End.UTC(), rotation.LooksStamped(p.DisplayName)})
		}
	}
	return out
}

// sameHost is the path of an address at Microsoft Graph: a token is sent nowhere else.
func (c *Client) sameHost(address string) (path string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || !strings.EqualFold(u.Scheme+"://"+u.Host, c.host) {
		return "", false
	}
	return u.RequestURI(), true
}
