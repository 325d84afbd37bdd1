package keyvault

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/rekeyhq/rekey/internal/driver"
)

// maxPages is more than any vault has, at 25 secrets a page.
const maxPages = 4000

// sameVault refuses to send anything to another host, before a token is put to it: the address of a list's next page
// is the answer's own word.
type sameVault struct{ host string }

func (p sameVault) Do(req *policy.Request) (*http.Response, error) {
	u := req.Raw().URL
	if u.Scheme != "https" || !strings.EqualFold(u.Hostname(), p.host) || u.Port() != "" && u.Port() != "443" {
		return nil, driver.Errorf(driver.Unavailable, "go on with a list of vault "+p.host, "", "the answer leads to another host, which is not asked")
	}
	return req.Next()
}

// wellFormed refuses a challenge that azsecrets' own policy would not survive: it takes the fourth part of the
// authority's address for the tenant, however many there are.
type wellFormed struct{ host string }

func (p wellFormed) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// Cut up as azsecrets does it, so that both see the same.
	for field := range strings.SplitSeq(strings.ReplaceAll(resp.Header.Get("WWW-Authenticate"), "Bearer ", ""), " ") {
		authority, ok := strings.CutPrefix(field, "authorization=")
		if authority = strings.Trim(authority, `",`); ok && authority != "" && strings.Count(authority, "/") < 3 {
			return nil, &driver.Error{Kind: driver.Denied, Op: "sign in at vault " + p.host, Detail: "the vault does not say where to sign in",
				Hint: "check that no proxy answers in the vault's place"}
		}
	}
	return resp, nil
}

// walk follows the pages of one list, which may not lead back to itself.
type walk struct {
	pages int
	last  string
}

func (w *walk) on(op string, next *string) error {
	if next == nil || *next == "" {
		return nil
	}
	if w.pages++; w.pages >= maxPages || *next == w.last {
		return driver.Errorf(driver.Unavailable, op, "", "the list does not end")
	}
	w.last = *next
	return nil
}

// nameIn is the name in a secret's id, "" if it has none; azsecrets' own way of asking does not survive that.
func nameIn(id *azsecrets.ID) string {
	parts := pathOf(id)
	if len(parts) < 3 || parts[1] != "secrets" {
		return ""
	}
	return parts[2]
}

func pathOf(id *azsecrets.ID) []string {
	if id == nil {
		return nil
	}
	u, err := url.Parse(string(*id))
	if err != nil {
		return nil
	}
	return strings.Split(u.Path, "/")
}

// date is a date that can be reckoned with and written down; zero for one that is missing or none at all.
func date(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	if year := t.UTC().Year(); year < 1970 || year > 9000 {
		return time.Time{}
	}
	return t.UTC()
}
