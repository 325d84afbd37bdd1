package keyvault

import (
	"context"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Earlier implements driver.Store. Lists of versions are in no order, so the newest is told by when it was made.
func (v *Vault) Earlier(ctx context.Context, name string, wanted func(tags map[string]string) bool) (driver.Reading, error) {
	op := fmt.Sprintf("look for an earlier version of secret %s of vault %s", name, v.host)
	var raw *http.Response
	var list walk
	var found rotation.Secret
	pager := v.client.NewListSecretPropertiesVersionsPager(name, nil)
	for pager.More() {
		page, err := pager.NextPage(policy.WithCaptureResponse(ctx, &raw))
		if err != nil {
			return driver.Reading{}, v.failure(op, false, raw, err)
		}
		if err := list.on(op, page.NextLink); err != nil {
			return driver.Reading{}, err
		}
		for _, p := range page.Value {
			if p == nil || versionIn(p.ID) == "" {
				continue
			}
			s := describe(versionIn(p.ID), p.Attributes, p.Tags)
			if wanted(s.Tags) && (found.Version == "" || s.Created.After(found.Created)) {
				found = s
			}
		}
	}
	switch {
	case found.Version == "":
		return driver.Reading{}, driver.Errorf(driver.Missing, op, "", "no version is the one that is looked for")
	case !found.Enabled:
		return driver.Reading{Secret: found, Date: azhttp.Date(raw)}, nil
	}
	resp, err := v.client.GetSecret(policy.WithCaptureResponse(ctx, &raw), name, found.Version, nil)
	if err != nil {
		if _, inner := codes(err); inner == "SecretDisabled" && answered(err, http.StatusForbidden) {
			found.Enabled = false // since it was listed
			return driver.Reading{Secret: found, Date: azhttp.Date(raw)}, nil
		}
		return driver.Reading{}, v.failure(fmt.Sprintf("read version %s of secret %s of vault %s", found.Version, name, v.host), false, raw, err)
	}
	r := reading(resp.Secret, raw)
	if r.Secret.Version != found.Version || !wanted(r.Secret.Tags) {
		r.Value.Wipe()
		return driver.Reading{}, driver.Errorf(driver.Unavailable, op, "", "the vault answered with another version than was asked for")
	}
	return r, nil
}

// versionIn is the version in a secret's id, "" if it has none; azsecrets' own way of asking does not survive that.
func versionIn(id *azsecrets.ID) string {
	parts := pathOf(id)
	if len(parts) < 4 || parts[1] != "secrets" {
		return ""
	}
	return parts[3]
}
