package keyvault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// said is a vault that asks for a token and then answers every call alike.
type said struct {
	status int
	body   []byte
}

func (s said) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") == "" {
		return &http.Response{StatusCode: 401, Body: http.NoBody, Request: r,
			Header: http.Header{"Www-Authenticate": {`Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"`}}}, nil
	}
	return &http.Response{StatusCode: s.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(s.body)), Request: r}, nil
}

type anybody struct{}

func (anybody) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func FuzzVaultAnswer(f *testing.F) {
	for _, s := range []string{
		`{"error":{"code":"Forbidden","message":"s3cr3t value","innererror":{"code":"ForbiddenByRbac"}}}`, `{"error":{"code":"Forbidden","innererror":{"code":"SecretDisabled"}}}`,
		`{"error":{"code":"SecretNotFound"}}`, `{"error":null}`, `{"error":{"code":7}}`, `{"error":{"innererror":[]}}`, `{}`, `null`, ``, `s3cr3t value`,
		`{"value":"v","id":"https://kv.vault.azure.net/secrets/n/0123456789abcdef0123456789abcdef","attributes":{"enabled":true,"created":1},"tags":{"a":null}}`,
		`{"value":[{"id":"https://kv.vault.azure.net/secrets/n","attributes":null}],"nextLink":null}`, `{"value":[null]}`, `{"id":""}`, `{"id":"secrets"}`,
	} {
		for _, status := range []int{200, 400, 403, 404, 409} {
			f.Add([]byte(s), status)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 499 || status == 429 || status == 408 || status == 401 || bytes.Contains(bytes.ToLower(body), []byte("nextlink")) && status == 200 {
			return // waited for, or led elsewhere
		}
		client := azhttp.NewClient(said{status, body}, nil)
		v, err := keyvault.New("kv.vault.azure.net", anybody{}, client.Options(cloud.AzurePublic))
		if err != nil {
			t.Fatal(err)
		}
		words := func(what string, err error) {
			var e *driver.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("%s: %v is no driver.Error", what, err)
			}
			if e != nil && bytes.Contains(body, []byte("s3cr3t value")) && strings.Contains(e.Error()+e.Hint, "s3cr3t value") {
				t.Errorf("%s: the error quotes the answer: %v", what, err)
			}
		}
		r, err := v.Read(t.Context(), "n")
		words("Read", err)
		if (err != nil) != (r.Secret.State == 0) || r.Secret.State == rotation.Absent && status != 404 {
			t.Errorf("Read: state %v with status %d, %v", r.Secret.State, status, err)
		}
		_, err = v.List(t.Context())
		words("List", err)
		_, err = v.Tags(t.Context(), "n")
		words("Tags", err)
		p, err := v.Put(t.Context(), driver.Put{Name: "n", Value: secret.New([]byte("the value"))})
		words("Put", err)
		if err == nil && p.Secret.Version == "" {
			t.Error("Put: a success without a version")
		}
		words("Amend", v.Amend(t.Context(), "n", "v", nil, time.Time{}))
	})
}
