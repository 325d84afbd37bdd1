package keyvault

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func (c *call) delete() (any, *fault) {
	e := c.find(c.route.name)
	if e == nil {
		return nil, notFound(c.route.name)
	}
	switch c.stateOf(e.secret) {
	case recovering:
		return nil, beingRecovered(e.secret.Name)
	case deleting, deleted:
		return nil, notFound(c.route.name)
	}
	e.secret.Deleted, e.secret.Recovered = c.now, time.Time{}
	return c.deletedBundleOf(e.secret, e.version(""), true), nil
}

func (c *call) getDeleted() (any, *fault) {
	e := c.find(c.route.name)
	if e == nil || c.stateOf(e.secret) != deleted {
		return nil, deletedNotFound(c.route.name)
	}
	return c.deletedBundleOf(e.secret, e.version(""), true), nil
}

func (c *call) recover() (any, *fault) {
	e, f := c.findDeleted("recover")
	if f != nil {
		return nil, f
	}
	e.secret.Deleted, e.secret.Recovered = time.Time{}, c.now
	return c.bundleOf(e.secret, e.version(""), true), nil
}

func (c *call) purge() (any, *fault) {
	e, f := c.findDeleted("purge")
	if f != nil {
		return nil, f
	}
	if c.vault.PurgeProtection {
		return nil, &fault{status: http.StatusForbidden, code: "Forbidden",
			message: `Operation "purge" is not allowed because purge protection is enabled for this vault. ` +
				"Key Vault service will automatically purge it after the retention period has passed.\r\n" +
				fmt.Sprintf("Vault: %s;location=%s", c.vault.Name, c.vault.Location)}
	}
	c.index.remove(e)
	return nil, nil
}

// findDeleted is for the two operations that need a deleted secret. For a live one the refusal of recover is
// recorded; that of purge is taken to be the same.
func (c *call) findDeleted(operation string) (*entry, *fault) {
	e := c.find(c.route.name)
	if e == nil {
		return nil, deletedNotFound(c.route.name)
	}
	switch c.stateOf(e.secret) {
	case deleting:
		return nil, beingDeleted()
	case recovering:
		return nil, beingRecovered(e.secret.Name)
	case live:
		return nil, methodNotAllowed(operation)
	}
	return e, nil
}

// maxBackupVersions is the documented limit of a backup. The documents say that more "may result in an error"; here
// it always does.
const maxBackupVersions = 500

// backupMark is what the blobs of the real service begin with.
const backupMark = ")AzureKeyVaultSecretBackupV1.microsoft.com"

// backup is what a blob stands for. The real blob is encrypted; this one is a name for what is kept here.
type backup struct {
	subscription string
	secret       world.Secret
}

func (c *call) backup() (any, *fault) {
	e := c.findLive(c.route.name)
	if e == nil {
		return nil, notFound(c.route.name)
	}
	if n := len(e.secret.Versions); n > maxBackupVersions {
		return nil, badParameter(fmt.Sprintf("The secret has %d versions; a backup can hold at most %d.", n, maxBackupVersions))
	}
	blob := base64.RawURLEncoding.EncodeToString([]byte(backupMark + c.w.MintOpaque("")))
	c.w.Remember(blob)
	c.backups[blob] = &backup{subscription: c.vault.SubscriptionID, secret: world.Secret{Name: e.secret.Name, Versions: cloneVersions(e.secret.Versions)}}
	return map[string]string{"value": blob}, nil
}

// restore brings a backup back under its own name, with all versions, into a vault of the same subscription.
func (c *call) restore() (any, *fault) {
	var in struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(c.body, &in) != nil || in.Value == "" {
		return nil, badParameter("The property value is required.")
	}
	b := c.backups[strings.TrimRight(in.Value, "=")]
	if b == nil || b.subscription != c.vault.SubscriptionID {
		return nil, badParameter("The backup blob is not valid for this vault.")
	}
	if e := c.find(b.secret.Name); e != nil {
		switch c.stateOf(e.secret) {
		case deleting:
			return nil, beingDeleted()
		case deleted:
			return nil, deletedButRecoverable(e.secret.Name)
		case recovering:
			return nil, beingRecovered(e.secret.Name)
		}
		return nil, conflict("", "Secret "+e.secret.Name+" already exists in this vault.")
	}
	s := &world.Secret{Name: b.secret.Name, Versions: cloneVersions(b.secret.Versions)}
	c.index.add(s)
	return c.bundleOf(s, s.Versions[len(s.Versions)-1], true), nil
}

// cloneVersions copies versions deeply enough: what their pointers and maps lead to is replaced, never changed.
func cloneVersions(vs []*world.SecretVersion) []*world.SecretVersion {
	out := make([]*world.SecretVersion, len(vs))
	for i, v := range vs {
		x := *v
		out[i] = &x
	}
	return out
}
