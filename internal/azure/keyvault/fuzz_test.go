package keyvault_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const (
	honestChallenge = `Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"`
	// mark is what the fuzzed bodies quote; no error may repeat it.
	mark = badinput.Secret
)

// vault is a service that asks for a token, and then answers every call alike. It refuses to be another host.
type vault struct {
	*badinput.Service
	t         *testing.T
	challenge string
	unsigned  int
}

func (v *vault) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || !strings.EqualFold(r.URL.Hostname(), "kv.vault.azure.net") {
		v.t.Errorf("a request to %s", r.URL.Redacted())
	}
	if r.Header.Get("Authorization") == "" {
		v.unsigned++
		return &http.Response{StatusCode: 401, Body: http.NoBody, Request: r, Header: http.Header{"Www-Authenticate": {v.challenge}}}, nil
	}
	return v.Service.RoundTrip(r)
}

// over is the adapter over such a service, and the service for a look at what was asked of it.
func over(t *testing.T, s *badinput.Service, challenge string) *keyvault.Vault {
	t.Helper()
	client := azhttp.NewClient(&vault{Service: s, t: t, challenge: challenge}, nil)
	v, err := keyvault.New("kv.vault.azure.net", hostile.Nobody{}, client.Options(cloud.AzurePublic))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// words wants an error to be ours, and to quote nothing of the answer.
func words(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		hostile.Own(t, fmt.Errorf("%s: %w", what, err), 500)
	}
}

// writable says whether a date can be written down again.
func writable(t *testing.T, what string, dates ...time.Time) {
	t.Helper()
	for _, d := range dates {
		if _, err := d.Add(1000 * 24 * time.Hour).MarshalJSON(); err != nil {
			t.Errorf("%s: the date %v: %v", what, d, err)
		}
	}
}

// waits says whether the adapter waits for an answer with this status, or asks again.
func waits(status int) bool {
	return status < 200 || status > 499 || status == 401 || status == 408 || status == 429
}

const (
	honestSecret = `{"value":"` + mark + `","id":"https://kv.vault.azure.net/secrets/n/0123456789abcdef0123456789abcdef","contentType":"text/plain",` +
		`"attributes":{"enabled":true,"created":1767225600,"updated":1767225600,"exp":1796083200,"recoveryLevel":"Recoverable","recoverableDays":90},"tags":{"rekey":"1;g=x","a":"b"}}`
	honestList    = `{"value":[{"id":"https://kv.vault.azure.net/secrets/n","attributes":{"enabled":true,"created":1,"exp":1796083200},"tags":{"a":"` + mark + `"}}],"nextLink":null}`
	honestDeleted = `{"recoveryId":"https://kv.vault.azure.net/deletedsecrets/n","deletedDate":1767225600,"scheduledPurgeDate":1775001600,"id":"https://kv.vault.azure.net/secrets/n/0","attributes":{"enabled":true}}`
	honestError   = `{"error":{"code":"Forbidden","message":"` + mark + `","innererror":{"code":"ForbiddenByRbac"}}}`
)

// FuzzSecret: what GET and PUT of a secret answer.
func FuzzSecret(f *testing.F) {
	for _, b := range badinput.Broken(honestSecret) {
		f.Add(b)
	}
	for _, id := range []string{"", "secrets", "/", "://", "https://kv.vault.azure.net/secrets/n", "https://kv.vault.azure.net//n//v", "%zz", "https://kv.vault.azure.net/secrets/../../x/y"} {
		f.Add([]byte(fmt.Sprintf(`{"id":%q}`, id)))
	}
	for _, at := range []string{"253402300800", "-62135596801", "9223372036854775807", "-9223372036854775808", "1e18", "0"} {
		f.Add([]byte(`{"value":"v","attributes":{"created":` + at + `,"exp":` + at + `}}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		v := over(t, s, honestChallenge)
		badinput.Bounded(t, 4*len(body), func() {
			r, err := v.Read(t.Context(), "n")
			words(t, "Read", err)
			if (err != nil) != (r.Secret.State == 0) || r.Secret.State == rotation.Absent {
				t.Errorf("Read: state %v, %v", r.Secret.State, err)
			}
			writable(t, "Read", r.Secret.Created, r.Secret.Expires)
			p, err := v.Put(t.Context(), driver.Put{Name: "n", Value: secret.New([]byte("the value"))})
			words(t, "Put", err)
			if err == nil && p.Secret.Version == "" {
				t.Error("Put: a success without a version")
			}
			if err != nil && driver.NotApplied(err) {
				t.Errorf("Put: a 200 that cannot be read counts as not applied: %v", err)
			}
			words(t, "Amend", v.Amend(t.Context(), "n", "v", nil, time.Time{}))
			words(t, "Prove", v.Prove(t.Context(), "n", "v"))
		})
		s.Within(t)
	})
}

// FuzzSecretList: pages of secrets and of versions, and where they say that the next page is.
func FuzzSecretList(f *testing.F) {
	for _, b := range badinput.Broken(honestList) {
		f.Add(b)
	}
	for _, id := range []string{"", "%", "x", "/", "https://kv.vault.azure.net", "https://kv.vault.azure.net/secrets", "https://kv.vault.azure.net/secrets/", "https://kv.vault.azure.net/keys/n", "https://[", "\x00"} {
		f.Add([]byte(fmt.Sprintf(`{"value":[{"id":%q}]}`, id)))
	}
	f.Add([]byte(`{"id":"https://kv.vault.azure.net/secrets/n/1","value":[{"id":"https://kv.vault.azure.net/secrets/n/1"},{"id":"https://kv.vault.azure.net/secrets/n/1/2"}]}`))
	for _, next := range []string{
		"https://kv.vault.azure.net/secrets?$skiptoken=x", "https://kv.vault.azure.net:443/secrets?$skiptoken=x", "https://evil.example/secrets", "http://kv.vault.azure.net/secrets", "//evil.example/",
		"https://kv.vault.azure.net@evil.example/", "https://kv.vault.azure.net.evil.example/", "https://kv.vault.azure.net:8443/", "/secrets?x", "x", " ", "\x00", "https://[::1", "file:///etc/passwd", "%", strings.Repeat("a", 70_000),
	} {
		f.Add([]byte(fmt.Sprintf(`{"value":[null,{"id":null},{"attributes":null}],"nextLink":%q}`, next)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		v := over(t, s, honestChallenge)
		badinput.Bounded(t, 4*len(body), func() {
			index, err := v.List(t.Context())
			words(t, "List", err)
			if err != nil && len(index.Secrets) > 0 {
				t.Error("List: a list and an error")
			}
			for name, x := range index.Secrets {
				writable(t, name, x.Created, x.Expires)
			}
			_, err = v.Tags(t.Context(), "n")
			words(t, "Tags", err)
			r, err := v.Earlier(t.Context(), "n", func(map[string]string) bool { return true })
			words(t, "Earlier", err)
			if (err != nil) != (r.Secret.Version == "") {
				t.Errorf("Earlier: version %q, %v", r.Secret.Version, err)
			}
		})
		s.Within(t)
	})
}

// FuzzDeletedSecret: with the answer of the deleted, after the one that the secret is not there.
func FuzzDeletedSecret(f *testing.F) {
	for _, b := range badinput.Broken(honestDeleted) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		v := over(t, s, honestChallenge)
		badinput.Bounded(t, 4*len(body), func() {
			r, err := v.Vacant(t.Context(), "n")
			words(t, "Vacant", err)
			if err == nil && r.Secret.State != rotation.SoftDeleted {
				t.Errorf("Vacant: state %v of a name that is among the deleted", r.Secret.State)
			}
		})
		s.Within(t)
	})
}

// FuzzVaultError: what is answered in place of success, to every call.
func FuzzVaultError(f *testing.F) {
	for _, b := range badinput.Broken(honestError) {
		f.Add(b, 403)
		f.Add(b, 404)
	}
	for _, s := range []string{`{"error":{"code":"Forbidden","innererror":{"code":"SecretDisabled"}}}`, `{"error":{"code":"SecretNotFound"}}`, `{"error":{"code":"` + mark + `"}}`, `{"error":{"code":"x","innererror":{"code":"` + mark + `"}}}`} {
		for _, status := range []int{200, 204, 301, 400, 403, 404, 409} {
			f.Add([]byte(s), status)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if waits(status) || status == 200 {
			return
		}
		s := &badinput.Service{Status: status, Body: body}
		v := over(t, s, honestChallenge)
		badinput.Bounded(t, 8*len(body), func() {
			r, err := v.Read(t.Context(), "n")
			words(t, "Read", err)
			if (err != nil) != (r.Secret.State == 0) || r.Secret.State == rotation.Absent && (status != 404 || !bytes.Contains(body, []byte("SecretNotFound"))) {
				t.Errorf("Read: state %v with status %d, %v", r.Secret.State, status, err)
			}
			_, err = v.List(t.Context())
			words(t, "List", err)
			_, err = v.Tags(t.Context(), "n")
			words(t, "Tags", err)
			_, err = v.Earlier(t.Context(), "n", func(map[string]string) bool { return true })
			words(t, "Earlier", err)
			_, err = v.Put(t.Context(), driver.Put{Name: "n", Value: secret.New([]byte("the value"))})
			if words(t, "Put", err); err == nil {
				t.Errorf("Put: a success with status %d", status)
			}
			words(t, "Amend", v.Amend(t.Context(), "n", "v", nil, time.Time{}))
		})
		s.Within(t)
	})
}

// FuzzChallenge: what the vault says of where to sign in, which azsecrets reads by cutting it up.
func FuzzChallenge(f *testing.F) {
	for _, c := range []string{
		honestChallenge, "", "Bearer", "Bearer ", `Bearer authorization="x", resource="https://vault.azure.net"`, `Bearer authorization=x resource=https://vault.azure.net`, `authorization="https://login", resource="https://vault.azure.net"`,
		`Bearer authorization="", resource=""`, `Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example"`, `Bearer authorization="https://login.microsoftonline.com/t", resource="%"`, `Bearer resource="https://vault.azure.net"`,
		`BearerBearer authorization="x",,,"`, `Bearer authorization="////", resource="https://vault.azure.net"`, "Bearer error=\"insufficient_claims\", claims=\"x\", authorization=\"y\"", strings.Repeat("authorization=a ", 2000), "authorization=\u00a0x resource=https://vault.azure.net",
		`Bearer Bearer authorization=x resource=https://vault.azure.net`, `authoriBearer zation=x resource=https://vault.azure.net`,
	} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, challenge string) {
		s := &badinput.Service{Body: []byte(honestSecret)}
		v := over(t, s, challenge)
		badinput.Bounded(t, len(challenge), func() {
			_, err := v.Read(t.Context(), "n")
			words(t, "Read", err)
		})
		s.Within(t)
	})
}

func TestAnEndlessAnswerOfAVaultIsNotReadToItsEnd(t *testing.T) {
	for _, status := range []int{200, 403, 404} {
		s := &badinput.Service{Status: status, Endless: true, Body: []byte(honestList)}
		v := over(t, s, honestChallenge)
		badinput.Bounded(t, badinput.MostRead, func() {
			if _, err := v.List(t.Context()); err == nil {
				t.Errorf("status %d: it was taken", status)
			}
		})
		s.Within(t)
	}
}

func TestAListThatLeadsElsewhereIsNotFollowed(t *testing.T) {
	for next, calls := range map[string]int{
		"https://evil.example/secrets?$skiptoken=x":      1,
		"http://kv.vault.azure.net/secrets?$skiptoken=x": 1,
		"https://kv.vault.azure.net:8443/secrets":        1,
		"https://KV.vault.azure.net:443/secrets?x":       2, // leads back to itself
	} {
		s := &badinput.Service{Body: []byte(`{"value":[],"nextLink":"` + next + `"}`)}
		if _, err := over(t, s, honestChallenge).List(t.Context()); driver.KindOf(err) != driver.Unavailable || s.Calls != calls {
			t.Errorf("%s: %v after %d calls", next, err, s.Calls)
		}
	}
}
