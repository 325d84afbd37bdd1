// Package roles takes a role of Azure for a time and gives it back: by a role assignment of its own (Timed), by an active
// assignment of Privileged Identity Management (PIM), or by a person's activation.
//
// It decides nothing about when, and waits for nothing; internal/elevation does. It assigns nothing that is to stay.
// What always holds (facts/keyvault-graph-arm.md 2): a role assignment that is made here has a name that follows from
// principal, role and scope, and says in its description which runs have it until when, so that any other process can
// find it and end it; of PIM nothing is asked that has no end; what has no mark of ours is not changed.
package roles

import (
	"context"
	"crypto/sha1" //nolint:gosec // what RFC 9562 makes names of, and no proof of anything
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

const (
	assignmentsVersion = "2022-04-01"
	provider           = "/providers/Microsoft.Authorization/"
	// maxPages bounds a list that does not end.
	maxPages = 1000
)

// Principal is who gets a role.
type Principal struct {
	ID string // the object id
	// Type is "User", "ServicePrincipal" or "Group". Without it, one that is new is not found for a while (facts 2.1).
	Type string
}

// Settings are one right, as the manifest has it.
type Settings struct {
	Role, Scope string
	// Who says who gets it. It is asked once.
	Who func(context.Context) (Principal, error)
	// Hint is what a person can do where the broker may not.
	Hint string
}

// place is one role of one principal at one scope, as far as it is known.
type place struct {
	arm *azhttp.Resources
	Settings

	mu        sync.Mutex
	principal Principal
	roleID    string // GUID
}

const hint = "give the broker a role that may assign this one to Rekey's identity there, such as Key Vault Data Access Administrator with a condition"

func newPlace(arm *azhttp.Resources, s Settings) *place {
	if s.Hint == "" {
		s.Hint = hint
	}
	s.Scope = strings.TrimRight(s.Scope, "/")
	return &place{arm: arm, Settings: s}
}

// right names it for people and within a run.
func (p *place) right(how string) driver.Right {
	return driver.Right{Key: strings.ToLower(how + " " + p.Role + " " + p.Scope), Role: p.Role, Place: Place(p.Scope), How: how}
}

// Place is a scope in a few words: "vault kv-pat-prod", "secret x of vault kv-pat-prod", else its last parts.
func Place(scope string) string {
	parts := strings.Split(strings.Trim(scope, "/"), "/")
	n := len(parts)
	is := func(i int, word string) bool { return n+i >= 0 && strings.EqualFold(parts[n+i], word) }
	switch {
	case n >= 4 && is(-2, "secrets") && is(-4, "vaults"):
		return "secret " + parts[n-1] + " of vault " + parts[n-3]
	case n >= 2 && is(-2, "vaults"):
		return "vault " + parts[n-1]
	case n >= 2 && is(-2, "resourceGroups"):
		return "resource group " + parts[n-1]
	case n == 2 && is(-2, "subscriptions"):
		return "subscription " + parts[1]
	case n >= 2:
		return parts[n-2] + " " + parts[n-1]
	}
	return scope
}

var isGUID = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// known finds out who gets which role, once.
func (p *place) known(ctx context.Context) (Principal, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.principal.ID == "" {
		who, err := p.Who(ctx)
		if err != nil {
			return Principal{}, "", err
		}
		if !isGUID.MatchString(who.ID) {
			return Principal{}, "", driver.Errorf(driver.Rejected, "find out who gets "+p.Role, "", "the sign-in does not say its object id")
		}
		p.principal = who
	}
	if p.roleID == "" {
		id, err := p.definition(ctx)
		if err != nil {
			return Principal{}, "", err
		}
		p.roleID = id
	}
	return p.principal, p.roleID, nil
}

// builtIn are the roles that vaults are worked with under (facts 1.1): their ids are the same everywhere. Who may only
// activate a role may not look it up by its name.
var builtIn = map[string]string{
	"key vault administrator":             "00482a5a-887f-4fb3-b363-3b7fe8e74483",
	"key vault reader":                    "21090545-7ca7-4776-b22c-e363652d74d2",
	"key vault secrets officer":           "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
	"key vault secrets user":              "4633458b-17de-408a-b874-0445c86b69e6",
	"key vault data access administrator": "8b54135c-b56d-4d72-a534-26097cfdc8d8",
}

// definition is the id of the role, by its name where the manifest has that.
func (p *place) definition(ctx context.Context) (string, error) {
	if isGUID.MatchString(p.Role) {
		return strings.ToLower(p.Role), nil
	}
	if id := builtIn[strings.ToLower(p.Role)]; id != "" {
		return id, nil
	}
	op := "look role " + p.Role + " up"
	var page struct {
		Value []struct {
			Name       string `json:"name"`
			Properties struct {
				RoleName string `json:"roleName"`
			} `json:"properties"`
		} `json:"value"`
	}
	filter := "roleName eq '" + strings.ReplaceAll(p.Role, "'", "''") + "'"
	_, err := p.arm.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodGet, Path: p.Scope + provider + "roleDefinitions", Version: assignmentsVersion, Query: url.Values{"$filter": {filter}}, Hint: p.Hint}, &page)
	var denied *driver.Error
	if errors.As(err, &denied) && denied.Kind == driver.Denied {
		denied.Hint = "name the role by its id in the manifest, or let it be looked up: " + denied.Hint
	}
	if err != nil {
		return "", err
	}
	for _, d := range page.Value {
		if strings.EqualFold(d.Properties.RoleName, p.Role) && isGUID.MatchString(d.Name) {
			return strings.ToLower(d.Name), nil
		}
	}
	return "", &driver.Error{Kind: driver.Missing, Op: op, Detail: "there is no role of that name at " + Place(p.Scope), Person: true,
		Hint: "name it as the portal does, or by its id"}
}

// roleDefinitionID is a role's full id, which requests want.
func (p *place) roleDefinitionID(roleID string) string {
	parts := strings.Split(strings.Trim(p.Scope, "/"), "/")
	return "/" + strings.Join(parts[:min(2, len(parts))], "/") + provider + "roleDefinitions/" + roleID
}

// nameOf is the name of the one assignment that this product makes of a role to a principal at a scope: a UUID of version
// 5, so that whoever knows the three knows it.
func nameOf(principal, roleID, scope string) string {
	space := [16]byte{0x52, 0x65, 0x6b, 0x65, 0x79, 0x2d, 0x4a, 0x49, 0x54, 0x2d, 0x72, 0x6f, 0x6c, 0x65, 0x73, 0x31}
	h := sha1.New() //nolint:gosec // see the import
	h.Write(space[:])
	h.Write([]byte(strings.ToLower(principal + "\n" + roleID + "\n" + strings.TrimRight(scope, "/"))))
	return guid(h.Sum(nil)[:16], 5)
}

func guid(b []byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// sameID compares what Azure does not tell apart by case.
func sameID(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// pages reads a list to its end. visit is handed each page's decoder target by next.
func (p *place) pages(ctx context.Context, call azhttp.ResourceCall, page func() (body any, next func() string)) (time.Time, error) {
	var date time.Time
	last := ""
	for range maxPages {
		body, next := page()
		at, err := p.arm.Call(ctx, call, body)
		if err != nil {
			return date, err
		}
		date = at
		link := next()
		if link == "" {
			return date, nil
		}
		var ok bool
		if call.Path, call.Query, ok = p.arm.Next(link); !ok || link == last {
			return date, driver.Errorf(driver.Unavailable, call.Op, "", "the answer leads elsewhere for the next page")
		}
		last = link
	}
	return date, driver.Errorf(driver.Unavailable, call.Op, "", "the list does not end")
}

// isoDuration is a duration as PIM takes it: whole minutes, rounded up.
func isoDuration(d time.Duration) string {
	return fmt.Sprintf("PT%dM", int64((d+time.Minute-1)/time.Minute))
}
