package graph_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func from(s *badinput.Service) *graph.Secrets {
	opts := azhttp.NewClient(s, nil).Options(cloud.AzurePublic)
	return graph.New(graph.NewClient(opts, opts, hostile.Nobody{}), "https://login.microsoftonline.com/contoso", graph.Settings{AppID: "00000000-0000-4000-8000-000000000009"})
}

// mark is what the fuzzed bodies quote; no error may repeat it.
const mark = badinput.Secret

// words wants an error to be ours, and to quote nothing of the answer.
func words(t *testing.T, err error) { t.Helper(); hostile.Own(t, err, 800) }

// bubble runs what waits between its calls.
func bubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, f)
}

const (
	honestPassword = `{"customKeyIdentifier":null,"displayName":"rekey/c/00000000/0","endDateTime":"2026-12-01T00:00:00Z","hint":"abc","keyId":"00000000-0000-4000-8000-000000000002",` +
		`"secretText":"` + mark + `","startDateTime":"2026-11-01T00:00:00.1234567Z"}`
	honestApplication = `{"@odata.context":"x","id":"00000000-0000-4000-8000-000000000001","appId":"00000000-0000-4000-8000-000000000009","passwordCredentials":[` + honestPassword + `],"owners":[{"id":"x"}]}`
	honestRefusal     = `{"error":{"code":"Request_BadRequest","message":"` + mark + `","innerError":{"date":"2026-12-01T00:00:00","request-id":"x"}}}`
	honestToken       = `{"token_type":"Bearer","expires_in":3599,"access_token":"` + mark + `"}`
	honestDenial      = `{"error":"invalid_client","error_description":"AADSTS7000215: ` + mark + `","error_codes":[7000215],"timestamp":"2026-12-01 00:00:00Z"}`
)

// FuzzApplication: what is answered to who reads an application.
func FuzzApplication(f *testing.F) {
	for _, b := range badinput.Broken(honestApplication) {
		f.Add(b)
	}
	for _, s := range []string{`{"id":"a","appId":"b","passwordCredentials":[null]}`, `{"id":"a","appId":"b","passwordCredentials":null}`, `{"id":"a","appId":"b","passwordCredentials":[],"owners":[]}`,
		`{"id":"a","appId":"b","passwordCredentials":[{"keyId":"k","displayName":"rekey/"},{"keyId":"k","displayName":"rekey/"}]}`, `{"id":"a","appId":"b","passwordCredentials":[],"owners":[null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body, Header: http.Header{"Date": {"Sun, 01 Nov 2026 12:00:00 GMT"}}}
		var l driver.Listing
		var err error
		badinput.Bounded(t, 2*len(body), func() { l, err = from(s).List(t.Context()) })
		s.Within(t)
		hostile.Listing(t, l, err, words)
	})
}

// FuzzPassword: what is answered to who adds a client secret.
func FuzzPassword(f *testing.F) {
	for _, b := range badinput.Broken(honestPassword) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, len(body), func() {
			i, err := from(s).Issue(t.Context(), driver.IssueRequest{Stamp: rotation.Stamp{Credential: "c"}, Until: time.Unix(1e9, 0)})
			switch {
			case s.Calls != 1:
				t.Errorf("%d calls", s.Calls)
			case err != nil:
				words(t, err)
				if driver.KindOf(err) != driver.Ambiguous || !i.Value.Empty() {
					t.Errorf("a 200 that may be a secret is %v", err)
				}
			case i.Value.Empty() || i.Issued.ID == "" || i.Issued.To.IsZero():
				t.Errorf("a success without all that makes one: %+v", i.Issued)
			default:
				hostile.Writable(t, i.Issued.From, i.Issued.To)
			}
		})
		s.Within(t)
	})
}

// FuzzGraphRefusal: what is answered in place of success, to every call.
func FuzzGraphRefusal(f *testing.F) {
	for _, b := range badinput.Broken(honestRefusal) {
		f.Add(b, 400, "application/json")
	}
	for _, s := range []string{`{"error":{"code":"` + mark + `"}}`, `{"error":{"code":"Directory_ConcurrencyViolation"}}`, `{"error":{"message":"No password credential found with keyId '` + mark + `'."}}`,
		`{"error":{"message":"You can only add a maximum of 2 encrypted credentials. ` + mark + `"}}`, `{"error":{"code":"CredentialInvalidLifetimeAsPerAppPolicy","message":"` + mark + `"}}`} {
		for _, status := range []int{400, 401, 403, 404, 409, 503} {
			f.Add([]byte(s), status, "application/json")
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, status int, media string) {
		if status < 300 || status > 599 || status == 429 {
			return
		}
		bubble(t, func(t *testing.T) {
			for _, send := range []func(*graph.Secrets) error{
				func(x *graph.Secrets) error {
					_, err := x.Issue(t.Context(), driver.IssueRequest{})
					return err
				},
				func(x *graph.Secrets) error { return x.Revoke(t.Context(), permit(t), time.Unix(1e9, 0)) },
				func(x *graph.Secrets) error {
					_, err := x.List(t.Context())
					return err
				},
			} {
				s := &badinput.Service{Status: status, Body: body, Header: http.Header{"Content-Type": {media}}}
				badinput.Bounded(t, badinput.MostCalls*len(body), func() {
					if err := send(from(s)); err != nil {
						words(t, err)
					} else {
						t.Errorf("a call that was answered with %d counts as done", status)
					}
				})
				s.Within(t)
			}
		})
	})
}

// FuzzSignIn: what is answered to who signs in with a secret.
func FuzzSignIn(f *testing.F) {
	for _, b := range badinput.Broken(honestToken) {
		f.Add(b, 200, "application/json")
	}
	for _, b := range badinput.Broken(honestDenial) {
		f.Add(b, 401, "application/json")
	}
	for _, s := range []string{`{"error_codes":[7000222]}`, `{"error_codes":[-1]}`, `{"error_codes":[53003],"error":"` + mark + `"}`, mark} {
		f.Add([]byte(s), 400, "text/html")
		f.Add([]byte(s), 503, mark)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int, media string) {
		if status < 200 || status > 599 || status == 429 {
			return
		}
		bubble(t, func(t *testing.T) {
			s := &badinput.Service{Status: status, Body: body, Header: http.Header{"Content-Type": {media}}}
			badinput.Bounded(t, badinput.MostCalls*len(body), func() {
				c, err := from(s).Check(t.Context(), secret.New([]byte("value")))
				if err != nil {
					words(t, err)
				}
				if c.Works && (err != nil || status >= 300 || !bytes.Contains(bytes.ToLower(body), []byte("access_token"))) || strings.Contains(c.Why+c.Identity, mark) {
					t.Errorf("status %d works: %v (%s), %v", status, c.Works, c.Why, err)
				}
			})
			s.Within(t)
		})
	})
}

// permit has the core allow the revocation of what a run issued and did not publish.
func permit(t *testing.T) rotation.Permit {
	t.Helper()
	now := time.Unix(1e9, 0)
	d := rotation.Decide(rotation.Spec{Name: "c", Target: rotation.Target{Vault: "v", Name: "n"}, Enabled: true},
		rotation.Observation{Attempt: &rotation.Attempt{Generation: rotation.NewGeneration(now, [5]byte{}), IssuerID: "id"}}, now)
	r, ok := d.Action.(rotation.Revoke)
	if !ok {
		t.Fatalf("the core gives no permit: %v %s", d.Kind, d.Why)
	}
	return r.Permit
}

func TestAnEndlessAnswerOfMicrosoftGraphIsNotReadToItsEnd(t *testing.T) {
	for _, status := range []int{200, 403} {
		s := &badinput.Service{Status: status, Endless: true, Body: []byte(honestApplication)}
		badinput.Bounded(t, 2*badinput.MostRead, func() {
			_, err := from(s).List(t.Context())
			words(t, err)
			_, err = from(s).Issue(t.Context(), driver.IssueRequest{})
			words(t, err)
			if status == 200 && driver.KindOf(err) != driver.Ambiguous {
				t.Errorf("%v", err)
			}
		})
		s.Within(t)
	}
}
