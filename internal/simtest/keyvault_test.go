package simtest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/rekeyhq/rekey/sim/world"
)

const vaultURL = "https://kv-pat-prod.vault.azure.net"

// signedIn is the built-in app of that name, with its client secret.
func (r *recorder) signedIn(name string) azcore.TokenCredential {
	r.t.Helper()
	a := app(r.t, world.BuiltIn(), name)
	cred, err := azidentity.NewClientSecretCredential(a.TenantID, a.ClientID, a.ClientSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: r.options()})
	if err != nil {
		r.t.Fatal(err)
	}
	return cred
}

func (r *recorder) secrets(cred azcore.TokenCredential) *azsecrets.Client {
	r.t.Helper()
	c, err := azsecrets.NewClient(vaultURL, cred, &azsecrets.ClientOptions{ClientOptions: r.options()})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused wants an official client's error to be this one.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := err.(*azcore.ResponseError)
	if !ok || e.StatusCode != status || e.ErrorCode != code {
		t.Errorf("got %v; want %d %s", err, status, code)
	}
}

// secretsLife has Microsoft's client do all that it can do.
func secretsLife(t *testing.T, r *recorder, c *azsecrets.Client) {
	ctx := context.Background()
	expires := time.Date(2198, 1, 2, 3, 4, 5, 0, time.UTC)
	params := azsecrets.SetSecretParameters{
		Value: new("first value"), ContentType: new("text/plain"), Tags: map[string]*string{"owner": new("platform")},
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: new(true), Expires: &expires, NotBefore: new(expires.AddDate(-9, 0, 0))},
	}
	first := must(c.SetSecret(ctx, "alpha", params, nil))(t)
	if first.ID.Name() != "alpha" || first.Attributes.Expires.Unix() != expires.Unix() {
		t.Errorf("the client reads %+v", first.Secret)
	}
	must(c.SetSecret(ctx, "alpha", azsecrets.SetSecretParameters{Value: new("second value")}, nil))(t)
	if got := must(c.GetSecret(ctx, "alpha", "", nil))(t); *got.Value != "second value" {
		t.Error("the newest version is not the second one")
	}
	must(c.UpdateSecretProperties(ctx, "alpha", "", azsecrets.UpdateSecretPropertiesParameters{Tags: map[string]*string{"a": new("b")}}, nil))(t)
	must(c.UpdateSecretProperties(ctx, "alpha", first.ID.Version(), azsecrets.UpdateSecretPropertiesParameters{
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: new(false)},
	}, nil))(t)
	_, err := c.GetSecret(ctx, "alpha", first.ID.Version(), nil)
	refused(t, err, http.StatusForbidden, "Forbidden")
	_, err = c.GetSecret(ctx, "absent", "", nil)
	refused(t, err, http.StatusNotFound, "SecretNotFound")
	many := map[string]*string{}
	for i := range 16 {
		many[fmt.Sprint(i)] = new("one tag too many")
	}
	_, err = c.SetSecret(ctx, "alpha", azsecrets.SetSecretParameters{Value: new("x"), Tags: many}, nil)
	refused(t, err, http.StatusBadRequest, "BadParameter")

	// More secrets than a page holds.
	for i := range 30 {
		must(c.SetSecret(ctx, fmt.Sprintf("page-%02d", i), azsecrets.SetSecretParameters{Value: new("value")}, nil))(t)
	}
	n, pages := 0, 0
	for p := c.NewListSecretPropertiesPager(nil); p.More(); pages++ {
		n += len(must(p.NextPage(ctx))(t).Value)
	}
	if n != 31 || pages < 2 {
		t.Errorf("%d secrets on %d pages", n, pages)
	}
	n = 0
	for p := c.NewListSecretPropertiesVersionsPager("alpha", nil); p.More(); {
		n += len(must(p.NextPage(ctx))(t).Value)
	}
	if n != 2 {
		t.Errorf("%d versions", n)
	}

	backup := must(c.BackupSecret(ctx, "alpha", nil))(t)
	deleted := must(c.DeleteSecret(ctx, "alpha", nil))(t)
	if deleted.RecoveryID == nil || deleted.ScheduledPurgeDate == nil {
		t.Errorf("the client reads %+v", deleted.DeletedSecret)
	}
	must(c.GetDeletedSecret(ctx, "alpha", nil))(t)
	_, err = c.SetSecret(ctx, "alpha", azsecrets.SetSecretParameters{Value: new("third value")}, nil)
	refused(t, err, http.StatusConflict, "Conflict")
	n = 0
	for p := c.NewListDeletedSecretPropertiesPager(nil); p.More(); {
		n += len(must(p.NextPage(ctx))(t).Value)
	}
	if n != 1 {
		t.Errorf("%d deleted secrets", n)
	}
	must(c.RecoverDeletedSecret(ctx, "alpha", nil))(t)
	must(c.DeleteSecret(ctx, "alpha", nil))(t)
	must(c.PurgeDeletedSecret(ctx, "alpha", nil))(t)
	restored := must(c.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: backup.Value}, nil))(t)
	if restored.ID.Name() != "alpha" {
		t.Errorf("restored as %s", *restored.ID)
	}
	if got := must(c.GetSecret(ctx, "alpha", "", nil))(t); *got.Value != "second value" {
		t.Error("what was restored is not what was backed up")
	}
}

func TestMicrosoftsSecretsClientDoesAllThatItCanDo(t *testing.T) {
	r := record(t, nil)
	secretsLife(t, r, r.secrets(r.signedIn("administrator")))
	r.hold("SetSecret 401", "SetSecret 200", "SetSecret 400", "SetSecret 409", "GetSecret 200", "GetSecret 403", "GetSecret 404",
		"UpdateSecret 200", "GetSecrets 200", "GetSecretVersions 200", "BackupSecret 200", "DeleteSecret 200", "GetDeletedSecret 200",
		"GetDeletedSecrets 200", "RecoverDeletedSecret 200", "PurgeDeletedSecret 204", "RestoreSecret 200")
}

func TestWhatMicrosoftsSecretsClientMayNotDoIsRefused(t *testing.T) {
	r := record(t, nil)
	c := r.secrets(r.signedIn("consumer"))
	ctx := context.Background()
	_, err := c.SetSecret(ctx, "alpha", azsecrets.SetSecretParameters{Value: new("x")}, nil)
	refused(t, err, http.StatusForbidden, "Forbidden")
	_, err = c.GetSecret(ctx, "absent", "", nil)
	refused(t, err, http.StatusNotFound, "SecretNotFound")
	r.hold("SetSecret 403", "GetSecret 404")
}

// Other clients speak older versions, and ask for the newest version of a secret without a slash behind its name.
func TestSecretsOfAnOlderVersionAreThoseOfItsFile(t *testing.T) {
	r := record(t, nil)
	token := r.token("administrator", "https://vault.azure.net/.default")
	for _, call := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/secrets/beta", `{"value":"one","tags":{"file-encoding":"utf-8"},"attributes":{"enabled":true}}`, 200},
		{"GET", "/secrets/beta", "", 200},
		{"GET", "/secrets/beta/", "", 200},
		{"PATCH", "/secrets/beta/", `{"contentType":"text/plain"}`, 200},
		{"PATCH", "/secrets/beta", `{"attributes":{"exp":4070908800}}`, 200},
		{"GET", "/secrets", "", 200},
		{"GET", "/secrets/beta/versions", "", 200},
		{"POST", "/secrets/beta/backup", "", 200},
		{"DELETE", "/secrets/beta", "", 200},
		{"GET", "/secrets/beta", "", 404},
		{"GET", "/deletedsecrets", "", 200},
		{"GET", "/deletedsecrets/beta", "", 200},
		{"POST", "/deletedsecrets/beta/recover", "", 200},
		{"GET", "/secrets/beta/0123456789abcdef0123456789abcdef", "", 404},
	} {
		for _, version := range []string{"7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"} {
			// It can be deleted once, and recovered once.
			if call.method == "DELETE" && version != "7.4" || strings.HasSuffix(call.path, "/recover") && version != "2026-04-01" {
				continue
			}
			r.call(call.method, vaultURL+call.path+"?api-version="+version, token, call.body, call.status)
		}
	}
	r.hold("SetSecret 200", "GetSecret 404", "RecoverDeletedSecret 200")
}
