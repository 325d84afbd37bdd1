// Package resources lists what Rekey's identity sees behind Azure Resource Manager: vaults, Automation accounts with
// their runbooks, API connections, apps. It is for a person who writes a manifest and has to find names.
//
// It changes nothing and rotates nothing: what is done with an account or a connection is other packages' work. What
// always holds: only GET is sent, and only to Resource Manager, wherever a page's address leads; no value of a secret
// is in any answer that is asked for, and that of a plain variable is not looked at; what the identity may not see is not there, which is no error.
package resources

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// Types of resources that are listed.
const (
	Vaults             = "Microsoft.KeyVault/vaults"
	AutomationAccounts = "Microsoft.Automation/automationAccounts"
	APIConnections     = "Microsoft.Web/connections"
	Apps               = "Microsoft.Web/sites"
)

// Client asks Resource Manager.
type Client struct{ arm *azhttp.Resources }

// New makes a client. Nothing is sent.
func New(arm *azhttp.Resources) *Client { return &Client{arm} }

// Resource is one that the identity may read.
type Resource struct {
	ID, Name, Group, Subscription, Location string
}

const hint = "give Rekey's identity a role with read access there, such as Reader"

// List lists the resources of one type in every subscription that the identity sees. heard is told how many so far.
func (c *Client) List(ctx context.Context, kind string, heard func(int)) (out []Resource, err error) {
	op := "list the resources of type " + kind
	subscriptions := map[string]string{}
	var ids []string
	err = c.pages(ctx, azhttp.ResourceCall{Op: op, Path: "/subscriptions", Version: "2022-12-01"}, func(r resource) {
		if r.SubscriptionID != "" && subscriptions[r.SubscriptionID] == "" {
			subscriptions[r.SubscriptionID] = r.DisplayName + " "
			ids = append(ids, r.SubscriptionID)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		r := azhttp.ResourceCall{Op: op, Path: "/subscriptions/" + id + "/resources", Version: "2021-04-01", Query: url.Values{"$filter": {"resourceType eq '" + kind + "'"}}}
		err := c.pages(ctx, r, func(r resource) {
			if r.ID == "" || r.Name == "" || r.Type != "" && !strings.EqualFold(r.Type, kind) {
				return
			}
			out = append(out, Resource{ID: r.ID, Name: r.Name, Group: groupIn(r.ID), Subscription: strings.TrimSpace(subscriptions[id]), Location: r.Location})
			heard(len(out))
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Runbook is a runbook of an Automation account.
type Runbook struct {
	Name, Type, Description, State string
	// Parameters are there only after Parameters was asked; a list leaves them out.
	Parameters []Parameter
}

// Parameter is a runbook's.
type Parameter struct {
	Name, Type string
	Mandatory  bool
}

// runbooksVersion is the api-version of runbooks.
const runbooksVersion = "2023-11-01"

// Runbooks lists the runbooks of an Automation account, which its resource id names.
func (c *Client) Runbooks(ctx context.Context, account string, heard func(int)) (out []Runbook, err error) {
	r := azhttp.ResourceCall{Op: "list the runbooks of an Automation account", Path: account + "/runbooks", Version: runbooksVersion}
	err = c.pages(ctx, r, func(r resource) {
		if r.Name != "" {
			out = append(out, r.runbook())
			heard(len(out))
		}
	})
	return out, err
}

// Runbook reads one runbook, with its parameters.
func (c *Client) Runbook(ctx context.Context, account, name string) (Runbook, error) {
	var r resource
	_, err := c.arm.Call(ctx, azhttp.ResourceCall{Op: "read a runbook of an Automation account", Method: http.MethodGet, Path: account + "/runbooks/" + name, Version: runbooksVersion, Hint: hint}, &r)
	return r.runbook(), err
}

// Groups lists the names of an Automation account's hybrid worker groups.
func (c *Client) Groups(ctx context.Context, account string, heard func(int)) (out []string, err error) {
	r := azhttp.ResourceCall{Op: "list the hybrid worker groups of an Automation account", Path: account + "/hybridRunbookWorkerGroups", Version: runbooksVersion}
	err = c.pages(ctx, r, func(r resource) {
		if r.Name != "" {
			out = append(out, r.Name)
			heard(len(out))
		}
	})
	return out, err
}

// resource is what is read of any resource, and of a subscription.
type resource struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Type           string `json:"type"`
	Location       string `json:"location"`
	SubscriptionID string `json:"subscriptionId"`
	DisplayName    string `json:"displayName"`
	Properties     struct {
		Description string `json:"description"`
		RunbookType string `json:"runbookType"`
		State       string `json:"state"`
		UserName    string `json:"userName"`
		Encrypted   bool   `json:"isEncrypted"`
		Parameters  map[string]struct {
			Type      string `json:"type"`
			Mandatory bool   `json:"isMandatory"`
			Position  int    `json:"position"`
		} `json:"parameters"`
	} `json:"properties"`
}

func (r resource) runbook() Runbook {
	p := r.Properties
	out := Runbook{Name: r.Name, Type: p.RunbookType, Description: p.Description, State: p.State}
	for name, x := range p.Parameters {
		out.Parameters = append(out.Parameters, Parameter{name, x.Type, x.Mandatory})
	}
	// In the order that it declares them in; by name where that says nothing.
	slices.SortFunc(out.Parameters, func(a, b Parameter) int {
		return cmp.Or(cmp.Compare(p.Parameters[a.Name].Position, p.Parameters[b.Name].Position), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// maxPages bounds a list that does not end.
const maxPages = 1000

// pages walks a list.
func (c *Client) pages(ctx context.Context, r azhttp.ResourceCall, visit func(resource)) error {
	r.Method, r.Hint = http.MethodGet, hint
	last := ""
	for range maxPages {
		var body struct {
			Next  string     `json:"nextLink"`
			Value []resource `json:"value"`
		}
		if _, err := c.arm.Call(ctx, r, &body); err != nil {
			return err
		}
		for _, x := range body.Value {
			visit(x)
		}
		if body.Next == "" {
			return nil
		}
		var ok bool
		if r.Path, r.Query, ok = c.arm.Next(body.Next); !ok || body.Next == last {
			return driver.Errorf(driver.Unavailable, r.Op, "", "the answer leads elsewhere for the next page")
		}
		last = body.Next
	}
	return driver.Errorf(driver.Unavailable, r.Op, "", "the list does not end")
}

// groupIn is the resource group that an id names.
func groupIn(id string) string {
	parts := strings.Split(id, "/")
	for i := 0; i+1 < len(parts); i++ {
		if strings.EqualFold(parts[i], "resourceGroups") {
			return parts[i+1]
		}
	}
	return ""
}
