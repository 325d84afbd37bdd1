package graph

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// Both issuers of an application's credentials make those its owners whom the manifest lists.
var (
	_ driver.Owned = (*Secrets)(nil)
	_ driver.Owned = (*Certificates)(nil)
)

// expanded is how many owners Microsoft Graph names at most in the answer that names the application: behind so many
// there may be more.
const expanded = 20

// Owners implements driver.Owned.
func (s *registration) Owners() (of string, ids []string) {
	return "application " + s.app.String(), s.owners
}

// Appoint implements driver.Owned.
func (s *registration) Appoint(ctx context.Context, id string) error {
	op := fmt.Sprintf("make %s an owner of application %s", id, s.app)
	in := map[string]string{"@odata.id": s.client.host + "/v1.0/directoryObjects/" + id}
	_, err := s.client.write(ctx, op, s.app, "owners/$ref", in, nil)
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case driver.Denied:
		e.Hint = "have an administrator add it on the app registration's page Owners; or give Rekey's identity Directory.Read.All of Microsoft Graph beside Application.ReadWrite.OwnedBy, " +
			"which some tenants do not take without Application.ReadWrite.All, with which every application could be changed"
	case driver.Missing:
		e.Hint = "check that it is the object id of a user or a service principal of this tenant"
	case driver.Rejected:
		if e.Code == already {
			return nil
		}
		e.Hint = "check that it is the object id of a user or a service principal: nothing else can own an application"
	}
	return e
}

// listOwners fills in what an answer says of the owners.
func (a application) listOwners(out *driver.Listing) {
	if a.Owners == nil {
		return
	}
	for _, o := range *a.Owners {
		out.Owners = append(out.Owners, strings.ToLower(o.ID))
	}
	out.OwnersWhole = len(out.Owners) < expanded
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// checkOwners reports what in a manifest's list of owners is no object id, and who is in it twice.
func checkOwners(report func(path, text string), owners manifest.Set) {
	seen := map[string]bool{}
	for i, id := range owners {
		path, lower := fmt.Sprintf("owners[%d]", i), strings.ToLower(id)
		switch {
		case !guid.MatchString(id):
			report(path, "must be an object id (a GUID): Microsoft Graph takes no user principal name here, and the id is on the user's page in the portal")
		case seen[lower]:
			report(path, "is listed twice")
		}
		seen[lower] = true
	}
}

func lowered(ids manifest.Set) (out []string) {
	for _, id := range ids {
		out = append(out, strings.ToLower(id))
	}
	return out
}
