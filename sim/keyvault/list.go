package keyvault

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// maxPage is both the default and the most that a page holds.
const maxPage = 25

// page is the answer of every list. nextLink is always there, null at the end (recorded).
type page struct {
	Value    []bundle `json:"value"`
	NextLink *string  `json:"nextLink"`
}

// asOf is the instant that lists show.
func (c *call) asOf() time.Time { return c.now.Add(-time.Duration(c.w.Knobs.KeyVault.ListLag)) }

func (c *call) list() (any, *fault) {
	at := c.asOf()
	return c.listEntries("/secrets", func(e *entry) (bundle, bool) {
		if !c.liveAt(e.secret, at) {
			return bundle{}, false
		}
		for _, v := range slices.Backward(e.secret.Versions) {
			if !v.Created.After(at) {
				return c.bundleOf(e.secret, c.versionAt(v, at), false), true
			}
		}
		return bundle{}, false
	})
}

func (c *call) listDeleted() (any, *fault) {
	at := c.asOf()
	takes := time.Duration(c.w.Knobs.KeyVault.DeleteTakes)
	return c.listEntries("/deletedsecrets", func(e *entry) (bundle, bool) {
		s := e.secret
		if s.Deleted.IsZero() || at.Before(s.Deleted.Add(takes)) || c.over(s) {
			return bundle{}, false
		}
		return c.deletedBundleOf(s, e.version(""), false), true
	})
}

func (c *call) listEntries(path string, show func(*entry) (bundle, bool)) (any, *fault) {
	return c.paged(path, func(after string, yield func(string, bundle) bool) {
		for _, e := range c.index.sorted[c.index.after(after):] {
			if b, ok := show(e); ok && !yield(e.key, b) {
				return
			}
		}
	})
}

// listVersions is empty, not 404, for a secret that is not there (recorded).
func (c *call) listVersions() (any, *fault) {
	at := c.asOf()
	return c.paged("/secrets/"+c.route.name+"/versions", func(after string, yield func(string, bundle) bool) {
		e := c.find(c.route.name)
		if e == nil || !c.liveAt(e.secret, at) {
			return
		}
		for _, v := range e.byID() {
			if v.ID <= after || v.Created.After(at) {
				continue
			}
			if !yield(v.ID, c.bundleOf(e.secret, c.versionAt(v, at), true)) {
				return
			}
		}
	})
}

// liveAt says whether a list as of that instant has the secret. A secret that was recovered since counts as deleted
// then.
func (c *call) liveAt(s *world.Secret, at time.Time) bool {
	if !s.Deleted.IsZero() && !s.Deleted.After(at) {
		return false
	}
	return s.Recovered.IsZero() || !at.Before(s.Recovered.Add(time.Duration(c.w.Knobs.KeyVault.RecoverTakes)))
}

// keepForLists keeps what a version was before a PATCH, as long as lists may still show it.
func (c *call) keepForLists(v *world.SecretVersion) {
	if c.w.Knobs.KeyVault.ListLag == 0 {
		delete(c.patched, v)
		return
	}
	c.patched[v] = append(c.patched[v], *v)
}

func (c *call) versionAt(v *world.SecretVersion, at time.Time) *world.SecretVersion {
	if !v.Updated.After(at) {
		return v
	}
	for _, old := range slices.Backward(c.patched[v]) {
		if !old.Updated.After(at) {
			return &old
		}
	}
	return v
}

// paged gives one page of what walk yields behind a key. The skip token holds the last key of the page before, so
// that nothing is shown twice or missed when secrets come and go between two pages.
func (c *call) paged(path string, walk func(after string, yield func(key string, b bundle) bool)) (any, *fault) {
	q := c.r.URL.Query()
	size := maxPage
	if s := q.Get("maxresults"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			return nil, badParameter(fmt.Sprintf("The maxresults query parameter must be between 1 and %d.", maxPage))
		}
		size = n
	}
	after, ok := readSkipToken(q.Get("$skiptoken"))
	if !ok {
		return nil, badParameter("The $skiptoken query parameter is not valid.")
	}
	p := page{Value: []bundle{}}
	more := false
	walk(after, func(key string, b bundle) bool {
		if len(p.Value) == size {
			more = true
			return false
		}
		p.Value = append(p.Value, b)
		after = key
		return true
	})
	if more || c.w.Knobs.KeyVault.EmptyLastPage && len(p.Value) > 0 {
		host := strings.ToLower(c.vault.Name) + ".vault.azure.net:443"
		link := fmt.Sprintf("https://%s%s?api-version=%s&$skiptoken=%s&maxresults=%d", host, path, url.QueryEscape(q.Get("api-version")), skipToken(after), size)
		p.NextLink = &link
	}
	return p, nil
}

type marker struct {
	NextMarker     string
	TargetLocation int
}

func skipToken(after string) string {
	b, err := json.Marshal(marker{NextMarker: after})
	if err != nil {
		panic(err) // a struct of a string and a number
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func readSkipToken(s string) (after string, ok bool) {
	if s == "" {
		return "", true
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return "", false
	}
	var m marker
	if json.Unmarshal(b, &m) != nil || m.NextMarker == "" {
		return "", false
	}
	return m.NextMarker, true
}
