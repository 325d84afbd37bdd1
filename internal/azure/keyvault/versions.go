package keyvault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

var _ driver.Versions = (*Vault)(nil)

// Versions implements driver.Versions.
func (v *Vault) Versions(ctx context.Context, name string) ([]driver.Version, time.Time, error) {
	op := fmt.Sprintf("list the versions of secret %s of vault %s", name, v.host)
	var out []driver.Version
	var raw *http.Response
	var list walk
	pager := v.client.NewListSecretPropertiesVersionsPager(name, nil)
	for pager.More() {
		page, err := pager.NextPage(policy.WithCaptureResponse(ctx, &raw))
		if err != nil {
			return nil, time.Time{}, v.failure(op, false, raw, err)
		}
		if err := list.on(op, page.NextLink); err != nil {
			return nil, time.Time{}, err
		}
		for _, p := range page.Value {
			if p == nil {
				continue
			}
			id := ""
			if p.ID != nil {
				id = p.ID.Version()
			}
			s := describe(id, p.Attributes, p.Tags)
			out = append(out, driver.Version{ID: id, Enabled: s.Enabled, Created: s.Created, Tags: s.Tags})
		}
	}
	return out, azhttp.Date(raw), nil
}

// Tags implements driver.Store.
func (v *Vault) Tags(ctx context.Context, name string) ([]map[string]string, error) {
	all, _, err := v.Versions(ctx, name)
	var out []map[string]string
	for _, x := range all {
		out = append(out, x.Tags)
	}
	return out, err
}

// Disable implements driver.Versions.
func (v *Vault) Disable(ctx context.Context, name, version string) error {
	op := fmt.Sprintf("disable version %s of secret %s of vault %s", version, name, v.host)
	if version == "" {
		return driver.Errorf(driver.Missing, op, "", "no version is named, and the newest one is not meant")
	}
	var raw *http.Response
	params := azsecrets.UpdateSecretPropertiesParameters{SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(false)}}
	if _, err := v.client.UpdateSecretProperties(policy.WithCaptureResponse(ctx, &raw), name, version, params, nil); err != nil {
		return v.failure(op, true, raw, err)
	}
	return nil
}
