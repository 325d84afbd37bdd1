package keyvault

import (
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// bundle is SecretBundle, DeletedSecretBundle, SecretItem and DeletedSecretItem in one: what an answer does not have
// is left out. Tags and content type are absent, never null, if they were not set.
type bundle struct {
	Value              *string           `json:"value,omitempty"`
	ContentType        *string           `json:"contentType,omitempty"`
	ID                 string            `json:"id"`
	RecoveryID         string            `json:"recoveryId,omitempty"`
	DeletedDate        int64             `json:"deletedDate,omitempty"`
	ScheduledPurgeDate int64             `json:"scheduledPurgeDate,omitempty"`
	Attributes         attributes        `json:"attributes"`
	Tags               map[string]string `json:"tags,omitzero"`
}

type attributes struct {
	Enabled         bool   `json:"enabled"`
	NotBefore       *int64 `json:"nbf,omitempty"`
	Expires         *int64 `json:"exp,omitempty"`
	Created         int64  `json:"created"`
	Updated         int64  `json:"updated"`
	RecoveryLevel   string `json:"recoveryLevel"`
	RecoverableDays int    `json:"recoverableDays"`
}

// bundleOf shows a version without its value; withVersion says whether the id names the version.
func (c *call) bundleOf(s *world.Secret, v *world.SecretVersion, withVersion bool) bundle {
	id := c.url("/secrets/" + s.Name)
	if withVersion {
		id += "/" + v.ID
	}
	return bundle{
		ContentType: v.ContentType,
		ID:          id,
		Attributes: attributes{
			Enabled:         !v.Disabled,
			NotBefore:       v.NotBefore,
			Expires:         v.Expires,
			Created:         v.Created.Unix(),
			Updated:         v.Updated.Unix(),
			RecoveryLevel:   recoveryLevel(c.vault),
			RecoverableDays: retention(c.vault),
		},
		Tags: v.Tags,
	}
}

func (c *call) deletedBundleOf(s *world.Secret, v *world.SecretVersion, withVersion bool) bundle {
	b := c.bundleOf(s, v, withVersion)
	b.RecoveryID = c.url("/deletedsecrets/" + s.Name)
	b.DeletedDate = s.Deleted.Unix()
	b.ScheduledPurgeDate = purgeDate(c.vault, s).Unix()
	return b
}

func (c *call) url(path string) string {
	return "https://" + strings.ToLower(c.vault.Name) + ".vault.azure.net" + path
}

// retention is how long a deleted secret can be recovered. Soft delete cannot be off; 90 days if the world says
// nothing.
func retention(v *world.Vault) int {
	if v.SoftDeleteDays == 0 {
		return 90
	}
	return v.SoftDeleteDays
}

func recoveryLevel(v *world.Vault) string {
	s := "Recoverable"
	if retention(v) < 90 {
		s = "CustomizedRecoverable"
	}
	if !v.PurgeProtection {
		s += "+Purgeable"
	}
	return s
}

func purgeDate(v *world.Vault, s *world.Secret) time.Time {
	return s.Deleted.Add(time.Duration(retention(v)) * 24 * time.Hour)
}
