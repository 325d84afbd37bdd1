package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// inARow is how many sign-ins must agree, and apart how long lies between two. Regions learn of a new secret, and of
	// a removal, one after the other, so that neither one success nor one refusal proves anything.
	inARow = 3
	apart  = time.Second
	// signIns bounds the sign-ins of one probe whose answers alternate.
	signIns = 9
	// sends bounds how often one sign-in is sent: it changes nothing.
	sends = 4
)

// verdict is what the identity platform says of a secret or a certificate.
type verdict int

const (
	refused verdict = iota
	accepted
	expired
	alternating
)

// Check implements driver.Issuer: the application signs in with it, as its user would.
func (s *Secrets) Check(ctx context.Context, value secret.Value) (driver.Checked, error) {
	return s.probe(ctx, func(string) (map[string]secret.Value, error) {
		return map[string]secret.Value{"client_secret": value}, nil
	})
}

// shown makes what an application shows at a sign-in, for its client id. Each sign-in may need another one.
type shown func(id string) (map[string]secret.Value, error)

// probe has the application sign in until several answers in a row agree.
func (s *registration) probe(ctx context.Context, show shown) (driver.Checked, error) {
	op := "sign in as application " + s.app.String()
	id, err := s.clientID(ctx, op)
	if err != nil {
		return driver.Checked{}, err
	}
	v, date, err := agreed(ctx, op, func() (*http.Response, error) { return s.send(ctx, id, show) }, judge)
	out := driver.Checked{Date: date}
	switch {
	case err != nil:
		return driver.Checked{}, err
	case v == accepted:
		out.Check = rotation.Check{Works: true, Identity: id}
	case v == expired:
		out.Why = "Entra ID says that it has expired"
	case v == refused:
		out.Why = "Entra ID refuses it: it was removed, or is not known there yet"
	default:
		out.Why = divided
	}
	return out, nil
}

// divided is what is said of what some regions take and others refuse.
const divided = "Entra ID takes it in one place and refuses it in another"

// agreed signs in until several answers in a row agree. A sign-in that had to be sent again begins a new row: the region
// that was asked in vain may be the one that would have said something else.
func agreed(ctx context.Context, op string, send func() (*http.Response, error), judge func(string, *http.Response) (verdict, error)) (verdict, time.Time, error) {
	row, last := 0, alternating
	for n := 1; ; n++ {
		resp, again, err := answered(ctx, send)
		if err != nil {
			return refused, time.Time{}, azhttp.Failure(op, false, nil, err)
		}
		v, err := judge(op, resp)
		date := azhttp.Date(resp)
		if err != nil {
			return refused, date, err
		}
		if v != last || again {
			row, last = 0, v
		}
		row++
		switch {
		case v == expired || row == inARow:
			return v, date, nil
		case n == signIns:
			return alternating, date, nil
		}
		if sleep(ctx, apart) != nil {
			return refused, date, driver.Errorf(driver.Unavailable, op, "", "interrupted, or no answer in time")
		}
	}
}

// answered sends one sign-in, and again only if nothing was said of what it shows.
func answered(ctx context.Context, send func() (*http.Response, error)) (resp *http.Response, again bool, err error) {
	for try := 1; ; try++ {
		resp, err = send()
		if err == nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout || ctx.Err() != nil || try == sends {
			return resp, try > 1, err
		}
		if pause(ctx, try) != nil {
			return resp, try > 1, err
		}
		if resp != nil {
			resp.Body.Close()
		}
	}
}

// clientID is what the application signs in as; a manifest may name it by its object id alone.
func (s *registration) clientID(ctx context.Context, op string) (string, error) {
	if s.app.appID != "" {
		return s.app.appID, nil
	}
	if id := s.client.known(s.app.objectID); id != "" {
		return id, nil
	}
	a, _, err := s.readWith(ctx, op, "displayName")
	return a.AppID, err
}

// send asks for a token for Microsoft Graph: an application needs no permission for one.
func (s *registration) send(ctx context.Context, id string, show shown) (*http.Response, error) {
	what, err := show(id)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "scope": {s.client.host + "/.default"}}
	for name, v := range what {
		_ = v.Use(func(b []byte) error { form.Set(name, string(b)); return nil })
	}
	req, err := runtime.NewRequest(ctx, http.MethodPost, s.token)
	if err != nil {
		return nil, err
	}
	if err := req.SetBody(streaming.NopCloser(bytes.NewReader([]byte(form.Encode()))), "application/x-www-form-urlencoded"); err != nil {
		return nil, err
	}
	req.Raw().Header.Set("Accept", "application/json")
	return s.client.bare.Do(req)
}

// judge reads an answer of the token endpoint.
func judge(op string, resp *http.Response) (verdict, error) {
	var body struct {
		Access secret.Value `json:"access_token"`
		Codes  []int        `json:"error_codes"`
	}
	switch {
	case azhttp.SignInPage(resp):
		resp.Body.Close()
		return refused, &driver.Error{Kind: driver.Denied, Op: op, Code: "sign-in page", Date: azhttp.Date(resp), Detail: "the answer is a page for people, which says nothing of the secret"}
	case resp.StatusCode < 300:
		if err := azhttp.Decode(resp, &body); err != nil {
			return refused, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: err.Error(), Date: azhttp.Date(resp)}
		}
		if body.Access.Empty() {
			return refused, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer holds no token", Date: azhttp.Date(resp)}
		}
		body.Access.Wipe()
		return accepted, nil
	}
	err := azhttp.Failure(op, false, resp, nil)
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	e, ok := err.(*driver.Error)
	if !ok || json.Unmarshal(b, &body) != nil || len(body.Codes) == 0 || resp.StatusCode >= 500 {
		return refused, err
	}
	switch code := body.Codes[0]; code {
	case 7000215, 700027: // a secret, a certificate
		return refused, nil
	case 7000222:
		return expired, nil
	default:
		if code < 0 || code > 999999999 {
			return refused, err
		}
		e.Code = "AADSTS" + strconv.Itoa(code)
		e.Kind, e.Detail = driver.Denied, "Entra ID refused the sign-in for another reason than the secret"
		e.Hint = "look the code up at https://login.microsoftonline.com/error?code=" + strconv.Itoa(code)
		if do := obstacles[code]; do != "" {
			e.Hint = do
		}
		return refused, e
	}
}

// obstacles are why an application cannot sign in whatever its secret (facts/azure-devops-entra.md 8.3).
var obstacles = map[int]string{
	700016:  "the application is not in the manifest's tenant: correct the tenant, or make a service principal for it there",
	7000229: "the application has no service principal in the tenant, so it can sign in nowhere: make one (az ad sp create)",
	7000112: "the application is disabled: enable its service principal, or take the credential out of the manifest",
	700024:  "Entra ID finds the assertion outside its time: set this machine's clock right",
	53003:   "a Conditional Access policy for workload identities refuses the application from here: have the policy allow where Rekey runs",
}
