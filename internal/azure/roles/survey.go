package roles

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// vaultsVersion is the api-version of vaults; all older ones retire on 2027-02-27 (facts 1.1).
const vaultsVersion = "2026-02-01"

// Survey looks at one place and at who has what there. It changes nothing.
type Survey struct {
	arm   *azhttp.Resources
	scope string
	roles map[string]Held
}

// NewSurvey makes a survey of a vault, by its resource id. Nothing is sent.
func NewSurvey(arm *azhttp.Resources, scope string) *Survey { return &Survey{arm: arm, scope: scope} }

// Vault is what the vault's owner has set.
type Vault struct {
	RBAC            bool
	PurgeProtection bool
	Public          bool
}

// Held is a role that a principal has, or may activate, at the place or above it.
type Held struct {
	ID, Principal, Kind string
	Role, Scope         string
	Condition           string
	Ours                bool // it bears this product's mark
	// Actions and DataActions are what the role allows.
	Actions, NotActions, DataActions, NotDataActions []string
}

// May says whether a role allows an action of the control plane.
func (h Held) May(action string) bool {
	return azhttp.Allows(h.Actions, h.NotActions, action)
}

// MayData says whether it allows an action on data.
func (h Held) MayData(action string) bool {
	return azhttp.Allows(h.DataActions, h.NotDataActions, action)
}

// Vault reads the vault itself.
func (s *Survey) Vault(ctx context.Context) (Vault, error) {
	var body struct {
		Properties struct {
			RBAC   *bool  `json:"enableRbacAuthorization"`
			Purge  bool   `json:"enablePurgeProtection"`
			Public string `json:"publicNetworkAccess"`
			ACLs   struct {
				Default string `json:"defaultAction"`
			} `json:"networkAcls"`
		} `json:"properties"`
	}
	_, err := s.arm.Call(ctx, azhttp.ResourceCall{Op: "look at " + Place(s.scope), Method: http.MethodGet, Path: s.scope, Version: vaultsVersion, Hint: readHint}, &body)
	p := body.Properties
	return Vault{RBAC: p.RBAC == nil || *p.RBAC, PurgeProtection: p.Purge, Public: !strings.EqualFold(p.Public, "Disabled") && !strings.EqualFold(p.ACLs.Default, "Deny")}, err
}

const readHint = "give Rekey's identity Key Vault Reader there"

// Holders lists who has which role at the place or above it.
func (s *Survey) Holders(ctx context.Context) ([]Held, error) {
	roles, err := s.definitions(ctx)
	if err != nil {
		return nil, err
	}
	var out []Held
	call := azhttp.ResourceCall{Op: "list who has a role at " + Place(s.scope), Method: http.MethodGet, Path: s.scope + provider + "roleAssignments", Version: assignmentsVersion, Query: url.Values{"$filter": {"atScope()"}}, Hint: readHint}
	err = s.pages(ctx, call, func(v surveyed) {
		_, ours := parseMark(v.Properties.Description)
		out = append(out, v.held(roles, ours))
	})
	return out, err
}

// Eligible lists who may activate which role there or above it. A tenant without Privileged Identity Management has none.
func (s *Survey) Eligible(ctx context.Context) ([]Held, error) {
	roles, err := s.definitions(ctx)
	if err != nil {
		return nil, err
	}
	var out []Held
	call := azhttp.ResourceCall{Op: "list who may activate a role at " + Place(s.scope), Method: http.MethodGet, Path: s.scope + eligibleOf, Version: pimVersion, Query: url.Values{"$filter": {"atScope()"}}, Hint: readHint}
	err = s.pages(ctx, call, func(v surveyed) { out = append(out, v.held(roles, false)) })
	if codeOf(err) == "AadPremiumLicenseRequired" {
		return nil, nil
	}
	return out, err
}

// surveyed is a role assignment, an eligibility, or a role's definition.
type surveyed struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Role        string `json:"roleDefinitionId"`
		Principal   string `json:"principalId"`
		Kind        string `json:"principalType"`
		Scope       string `json:"scope"`
		Condition   string `json:"condition"`
		Description string `json:"description"`
		RoleName    string `json:"roleName"`
		Permissions []struct {
			Actions        []string `json:"actions"`
			NotActions     []string `json:"notActions"`
			DataActions    []string `json:"dataActions"`
			NotDataActions []string `json:"notDataActions"`
		} `json:"permissions"`
	} `json:"properties"`
}

func (v surveyed) held(roles map[string]Held, ours bool) Held {
	p := v.Properties
	h := roles[strings.ToLower(p.Role[strings.LastIndex(p.Role, "/")+1:])]
	if h.Role == "" {
		h.Role = "role " + p.Role[strings.LastIndex(p.Role, "/")+1:]
	}
	h.ID, h.Principal, h.Kind, h.Scope, h.Condition, h.Ours = v.ID, p.Principal, p.Kind, p.Scope, p.Condition, ours
	return h
}

// RoleID is the id of a role by its name, "" if there is none.
func (s *Survey) RoleID(ctx context.Context, name string) (string, error) {
	if isGUID.MatchString(name) {
		return strings.ToLower(name), nil
	}
	roles, err := s.definitions(ctx)
	for id, h := range roles {
		if strings.EqualFold(h.Role, name) {
			return id, nil
		}
	}
	return "", err
}

// definitions are the roles that can be had at the place, by their ids.
func (s *Survey) definitions(ctx context.Context) (map[string]Held, error) {
	if s.roles != nil {
		return s.roles, nil
	}
	out := map[string]Held{}
	call := azhttp.ResourceCall{Op: "list the roles at " + Place(s.scope), Method: http.MethodGet, Path: s.scope + provider + "roleDefinitions", Version: assignmentsVersion, Hint: readHint}
	err := s.pages(ctx, call, func(v surveyed) {
		h := Held{Role: v.Properties.RoleName}
		for _, p := range v.Properties.Permissions {
			h.Actions, h.NotActions = slices.Concat(h.Actions, p.Actions), slices.Concat(h.NotActions, p.NotActions)
			h.DataActions, h.NotDataActions = slices.Concat(h.DataActions, p.DataActions), slices.Concat(h.NotDataActions, p.NotDataActions)
		}
		out[strings.ToLower(v.Name)] = h
	})
	if err == nil {
		s.roles = out
	}
	return out, err
}

func (s *Survey) pages(ctx context.Context, call azhttp.ResourceCall, visit func(surveyed)) error {
	last := ""
	for range maxPages {
		var page struct {
			Value []surveyed `json:"value"`
			Next  string     `json:"nextLink"`
		}
		if _, err := s.arm.Call(ctx, call, &page); err != nil {
			return err
		}
		for _, v := range page.Value {
			visit(v)
		}
		if page.Next == "" {
			return nil
		}
		var ok bool
		if call.Path, call.Query, ok = s.arm.Next(page.Next); !ok || page.Next == last {
			break
		}
		last = page.Next
	}
	return driver.Errorf(driver.Unavailable, call.Op, "", "the list does not end, or leads elsewhere")
}
