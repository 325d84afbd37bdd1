package graph

import (
	"context"
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// registration is an application, as the issuers of its credentials see it.
type registration struct {
	client *Client
	app    key
	token  string // address of the token endpoint
	owners []string
}

func newRegistration(client *Client, authority, objectID, appID string, owners manifest.Set) registration {
	return registration{client: client, app: key{objectID, appID}, token: strings.TrimSuffix(authority, "/") + "/oauth2/v2.0/token", owners: lowered(owners)}
}

// readWith reads the application with one of its lists of credentials.
func (s *registration) readWith(ctx context.Context, op, list string) (application, *http.Response, error) {
	var a application
	resp, err := s.client.call(ctx, op, http.MethodGet, s.app.path()+"?$select=id,appId,"+list+"&$expand=owners($select=id)", nil, &a)
	if err != nil {
		return application{}, resp, err
	}
	if a.ID == "" || a.AppID == "" {
		return application{}, resp, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is no whole application", Date: azhttp.Date(resp)}
	}
	s.client.same(a.ID, a.AppID)
	return a, resp, nil
}

func (s *registration) notes(a application) []string {
	if a.Owners == nil || len(*a.Owners) > 0 || len(s.owners) > 0 {
		return nil
	}
	return []string{"application " + s.app.String() + " has no owner: nobody answers for it, and Rekey can change it only while it may change every application. Make the people who use it, and Rekey's service principal, its owners"}
}

const (
	// removals is how often the removal of one is sent that is not found: 15 s with the pauses between.
	removals = 5
)

// gone removes a credential. That it is not found is also what a replica says that has not heard of a new one, and how
// new one is does not show: whoever slept before adding it gave it an old name. The permit is for one that was listed a
// moment ago, so it is asked for again and again before that is believed.
func (s *registration) gone(ctx context.Context, op string, remove func() error, lists func() (bool, error)) error {
	for try := 1; ; try++ {
		if err := remove(); codeOf(err) != unfound {
			return err
		}
		listed, err := lists()
		switch {
		case err != nil:
			return err
		case !listed && try == removals:
			return nil
		case try == removals:
			return driver.Errorf(driver.Conflict, op, unfound, "Microsoft Graph lists it, and does not find it to remove")
		}
		if err := pause(ctx, try); err != nil {
			return driver.Errorf(driver.Unavailable, op, "", "interrupted, or no answer in time")
		}
	}
}
