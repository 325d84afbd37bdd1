package devops_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

type nobody struct{}

func (nobody) Name() string                                        { return "svc" }
func (nobody) Username() string                                    { return "svc@contoso" }
func (nobody) Quiet() bool                                         { return true }
func (nobody) Token(context.Context, string, bool) (string, error) { return "token", nil }

func over(s *badinput.Service, probe string) *devops.PATs {
	return devops.New(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), nobody{}, devops.Settings{Organization: "contoso", Scopes: []string{"vso.code"}, Probe: probe})
}

// mark is what the fuzzed bodies quote; no error may repeat it.
const mark = badinput.Secret

// words wants an error to be ours, and to quote nothing of the answer.
func words(t *testing.T, err error) { t.Helper(); hostile.Own(t, err, 500) }

const (
	honestPAT = `{"displayName":"rekey/c/00000000/0","validTo":"2026-12-01T00:00:00Z","validFrom":"2026-11-01T00:00:00.1234567Z","scope":"vso.code vso.build",` +
		`"targetAccounts":["00000000-0000-4000-8000-000000000001"],"authorizationId":"00000000-0000-4000-8000-000000000002","token":"` + mark + `"}`
	honestResult  = `{"patToken":` + honestPAT + `,"patTokenError":"none"}`
	honestList    = `{"continuationToken":"","patTokens":[` + honestPAT + `]}`
	honestUser    = `{"authenticatedUser":{"id":"00000000-0000-4000-8000-000000000003","properties":{"Account":{"$type":"System.String","$value":"svc@contoso"}}},"instanceId":"x","count":1}`
	honestRefusal = `{"$id":"1","message":"` + mark + `","typeName":"X, Y","typeKey":"InvalidAccessException","errorCode":0,"eventId":3000}`
)

func FuzzPATList(f *testing.F) {
	for _, b := range badinput.Broken(honestList) {
		f.Add(b)
	}
	for _, s := range []string{`{"continuationToken":"x","patTokens":[{"authorizationId":"a"}]}`, `{"patTokens":[null]}`, `{"patTokens":[{"authorizationId":"a"},{"authorizationId":"a"}]}`, `{"patTokens":[{"validTo":"` + mark + `"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		var l driver.Listing
		var err error
		badinput.Bounded(t, 2*len(body), func() { l, err = over(s, "").List(t.Context()) })
		s.Within(t)
		hostile.Listing(t, l, err, words)
	})
}

// FuzzPATResult: what is answered to the creation of a PAT.
func FuzzPATResult(f *testing.F) {
	for _, b := range badinput.Broken(honestResult) {
		f.Add(b)
	}
	for _, s := range []string{`{"patToken":null,"patTokenError":"invalidScope"}`, `{"patTokenError":"` + mark + `"}`, `{"patToken":{"token":5}}`, `{"patToken":{"token":"` + mark + `"}}`, `"` + mark} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, len(body), func() {
			i, err := over(s, "").Issue(t.Context(), driver.IssueRequest{Stamp: rotation.Stamp{Credential: "c"}, Until: time.Unix(1e9, 0)})
			switch {
			case s.Calls != 1:
				t.Errorf("%d calls", s.Calls)
			case err != nil:
				words(t, err)
				if k := driver.KindOf(err); k != driver.Ambiguous && k != driver.Rejected {
					t.Errorf("a 200 that may be a PAT is %v", err)
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

// FuzzPATUpdate: what is answered to a change of a PAT's date.
func FuzzPATUpdate(f *testing.F) {
	for _, b := range badinput.Broken(honestResult) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, len(body), func() {
			i, err := over(s, "").Extend(t.Context(), "id", time.Unix(1e9, 0))
			switch {
			case s.Calls != 1:
				t.Errorf("%d calls", s.Calls)
			case err != nil:
				words(t, err)
			case i.To.IsZero():
				t.Errorf("a success without a date: %+v", i)
			default:
				hostile.Writable(t, i.From, i.To)
			}
		})
		s.Within(t)
	})
}

// FuzzConnectionData: what is answered to a probe.
func FuzzConnectionData(f *testing.F) {
	for _, b := range badinput.Broken(honestUser) {
		f.Add(b, 200, "", false)
		f.Add(b, 200, "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:anonymous", true)
	}
	f.Add([]byte(`{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}`), 200, "", false)
	f.Add([]byte(mark), 403, mark, true)
	f.Fuzz(func(t *testing.T, body []byte, status int, user string, projects bool) {
		if status < 200 || status > 499 || status == 429 || status == 408 {
			return // waited for and sent again
		}
		probe := "connectionData"
		if projects {
			probe = "projects"
		}
		s := &badinput.Service{Status: status, Body: body, Header: http.Header{"X-Vss-Userdata": {user}}}
		badinput.Bounded(t, 2*len(body), func() {
			c, err := over(s, probe).Check(t.Context(), secret.New([]byte("pat")))
			if err != nil {
				words(t, err)
			}
			anonymous := bytes.Contains(body, []byte("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa")) && !bytes.Contains(body, []byte(",")) && !projects
			if c.Works && (err != nil || status != 200 || anonymous || strings.Contains(c.Why, mark)) {
				t.Errorf("status %d works as %q, %v", status, c.Identity, err)
			}
		})
		s.Within(t)
	})
}

// FuzzRefusal: what is answered in place of success, to every call.
func FuzzRefusal(f *testing.F) {
	for _, b := range badinput.Broken(honestRefusal) {
		f.Add(b, 403, "application/json")
	}
	for _, s := range []string{`{"typeKey":"` + mark + `"}`, "VS403463 " + mark, "TF24668", `{"typeKey":"SessionTokenNotFoundException"}`} {
		f.Add([]byte(s), 403, "text/html")
		f.Add([]byte(s), 503, mark)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int, media string) {
		if status < 300 || status > 599 || status == 429 {
			return
		}
		s := &badinput.Service{Status: status, Body: body, Header: http.Header{"Content-Type": {media}}}
		badinput.Bounded(t, 4*len(body), func() {
			_, err := over(s, "").Issue(t.Context(), driver.IssueRequest{})
			words(t, err)
			_, err = over(s, "").Extend(t.Context(), "id", time.Unix(1e9, 0))
			words(t, err)
			err = over(s, "").Revoke(t.Context(), permit(t), time.Unix(1e9, 0))
			if err != nil {
				words(t, err)
			} else if status != 404 && status != 410 && !bytes.Contains(body, []byte("SessionTokenNotFoundException")) {
				t.Errorf("a revocation that was answered with %d counts as done", status)
			}
		})
		s.Within(t)
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

func TestAnEndlessAnswerOfAzureDevOpsIsNotReadToItsEnd(t *testing.T) {
	for _, status := range []int{200, 403} {
		s := &badinput.Service{Status: status, Endless: true, Body: []byte(honestList)}
		badinput.Bounded(t, 2*badinput.MostRead, func() {
			_, err := over(s, "").List(t.Context())
			words(t, err)
			_, err = over(s, "").Issue(t.Context(), driver.IssueRequest{})
			words(t, err)
			if status == 200 && driver.KindOf(err) != driver.Ambiguous {
				t.Errorf("%v", err)
			}
		})
		s.Within(t)
	}
}

func TestAListThatLeadsBackToItselfEnds(t *testing.T) {
	s := &badinput.Service{Body: []byte(`{"continuationToken":"100","patTokens":[{"authorizationId":"a"}]}`)}
	if l, err := over(s, "").List(t.Context()); driver.KindOf(err) != driver.Unavailable || len(l.Issued) > 0 || s.Calls != 2 {
		t.Errorf("%v after %d calls", err, s.Calls)
	}
}
