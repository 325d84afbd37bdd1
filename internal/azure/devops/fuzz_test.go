package devops_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// said is a service that answers every call alike.
type said struct {
	status int
	body   []byte
	calls  int
}

func (s *said) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls++
	return &http.Response{StatusCode: s.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(s.body)), Request: r}, nil
}

type nobody struct{}

func (nobody) Name() string                                        { return "svc" }
func (nobody) Username() string                                    { return "svc@contoso" }
func (nobody) Quiet() bool                                         { return true }
func (nobody) Token(context.Context, string, bool) (string, error) { return "token", nil }

func over(s *said, probe string) *devops.PATs {
	return devops.New(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), nobody{}, devops.Settings{Organization: "contoso", Scopes: []string{"vso.code"}, Probe: probe})
}

// words wants an error to be ours, and to quote nothing of an answer that has a mark in it.
func words(t *testing.T, err error, body []byte) {
	t.Helper()
	var e *driver.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no driver.Error", err)
	}
	if bytes.Contains(body, []byte("s3cr3t value")) && strings.Contains(e.Error()+e.Hint, "s3cr3t value") {
		t.Errorf("the error quotes the answer: %v", err)
	}
}

func FuzzPATList(f *testing.F) {
	for _, s := range []string{
		`{"continuationToken":"","patTokens":[]}`, `{"continuationToken":"x","patTokens":[{"authorizationId":"a"}]}`, `{"patTokens":[null]}`, `{"patTokens":null}`,
		"\xef\xbb\xbf" + `{"patTokens":[{"displayName":"d","validTo":"2026-12-01T00:00:00Z","scope":"b a","authorizationId":"i","token":null}]}`,
		`{"patTokens":[{"authorizationId":"a"},{"authorizationId":"a"}]}`, `{"patTokens":[{"validTo":"s3cr3t value"}]}`, `[]`, `s3cr3t value`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := over(&said{status: 200, body: body}, "").List(t.Context())
		if err != nil {
			words(t, err, body)
			if len(l.Issued) > 0 {
				t.Error("a list and an error")
			}
			return
		}
		seen := map[string]bool{}
		for _, i := range l.Issued {
			if i.ID == "" || seen[i.ID] {
				t.Errorf("id %q is empty or there twice", i.ID)
			}
			seen[i.ID] = true
		}
	})
}

func FuzzPATResult(f *testing.F) {
	for _, s := range []string{
		`{"patToken":{"authorizationId":"i","displayName":"d","validTo":"2026-12-01T00:00:00Z","scope":"vso.code","token":"s3cr3t value"},"patTokenError":"none"}`,
		`{"patToken":null,"patTokenError":"invalidScope"}`, `{"patTokenError":"s3cr3t value"}`, `{"patToken":{"token":5}}`, `{"patToken":{"token":"s3cr3t value"}}`, `{}`, `null`, `"s3cr3t value`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &said{status: 200, body: body}
		i, err := over(s, "").Issue(t.Context(), driver.IssueRequest{Stamp: rotation.Stamp{Credential: "c"}, Until: time.Unix(1e9, 0)})
		if s.calls != 1 {
			t.Errorf("%d calls", s.calls)
		}
		if err != nil {
			words(t, err, body)
			return
		}
		if i.Value.Empty() || i.Issued.ID == "" || i.Issued.To.IsZero() {
			t.Errorf("a success without all that makes one: %+v", i.Issued)
		}
	})
}

func FuzzConnectionData(f *testing.F) {
	for _, s := range []string{
		`{"authenticatedUser":{"id":"u","properties":{"Account":{"$value":"svc@contoso"}}}}`, `{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}`,
		`{"authenticatedUser":null}`, `{"count":1,"value":[]}`, `{}`, `s3cr3t value`,
	} {
		f.Add([]byte(s), 200, false)
		f.Add([]byte(s), 403, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int, projects bool) {
		if status < 200 || status > 499 || status == 429 || status == 408 {
			return // waited for and sent again
		}
		probe := "connectionData"
		if projects {
			probe = "projects"
		}
		c, err := over(&said{status: status, body: body}, probe).Check(t.Context(), secret.New([]byte("pat")))
		if err != nil {
			words(t, err, body)
		}
		if c.Works && (err != nil || status != 200 || c.Identity == "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa") {
			t.Errorf("status %d works as %q, %v", status, c.Identity, err)
		}
	})
}

func FuzzRefusal(f *testing.F) {
	for _, s := range []string{`{"typeKey":"InvalidAccessException","message":"s3cr3t value"}`, `{"typeKey":"s3cr3t value"}`, "VS403463 s3cr3t value", "", "null"} {
		f.Add([]byte(s), 403)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 300 || status > 599 || status == 429 {
			return
		}
		_, err := over(&said{status: status, body: body}, "").Issue(t.Context(), driver.IssueRequest{})
		words(t, err, body)
	})
}
