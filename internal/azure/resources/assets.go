package resources

import (
	"context"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
)

// Asset is a variable or a credential of an Automation account: never its value.
type Asset struct {
	Name, Description string
	UserName          string // of a credential
	Encrypted         bool   // of a variable
}

// Variables lists the variables of an Automation account, which its resource id names.
func (c *Client) Variables(ctx context.Context, account string, heard func(int)) ([]Asset, error) {
	return c.assets(ctx, "list the variables of an Automation account", account+"/variables", heard)
}

// Credentials lists the credentials of an Automation account.
func (c *Client) Credentials(ctx context.Context, account string, heard func(int)) ([]Asset, error) {
	return c.assets(ctx, "list the credentials of an Automation account", account+"/credentials", heard)
}

func (c *Client) assets(ctx context.Context, op, path string, heard func(int)) (out []Asset, err error) {
	err = c.pages(ctx, azhttp.ResourceCall{Op: op, Path: path, Version: runbooksVersion}, func(r resource) {
		if r.Name != "" {
			p := r.Properties
			out = append(out, Asset{Name: r.Name, Description: p.Description, UserName: p.UserName, Encrypted: p.Encrypted})
			heard(len(out))
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
