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

// verdict is what the identity platform says of a secret.
type verdict int

const (
	refused verdict = iota
	accepted
	expired
)

// Check implements driver.Issuer: the application signs in with it, as its user would.
func (s *Secrets) Check(ctx context.Context, value secret.Value) (driver.Checked, error) {
	op := "sign in as application " + s.app.String()
	id, err := s.clientID(ctx, op)
	if err != nil {
		return driver.Checked{}, err
	}
	var out driver.Checked
	row, last := 0, refused
	for n := 1; ; n++ {
		v, date, err := s.signIn(ctx, op, id, value)
		if err != nil {
			return driver.Checked{}, err
		}
		out.Date = date
		if v != last {
			row, last = 0, v
		}
		row++
		switch {
		case v == expired:
			out.Why = "Entra ID says that it has expired"
			return out, nil
		case row == inARow && v == accepted:
			out.Check = rotation.Check{Works: true, Identity: id}
			return out, nil
		case row == inARow:
			out.Why = "Entra ID refuses it: it was removed, or is not known there yet"
			return out, nil
		case n == signIns:
			out.Why = "Entra ID takes it in one place and refuses it in another"
			return out, nil
		}
		if sleep(ctx, apart) != nil {
			return driver.Checked{}, driver.Errorf(driver.Unavailable, op, "", "interrupted, or no answer in time")
		}
	}
}

// clientID is what the application signs in as; a manifest may name it by its object id alone.
func (s *Secrets) clientID(ctx context.Context, op string) (string, error) {
	if s.app.appID != "" {
		return s.app.appID, nil
	}
	if id := s.client.known(s.app.objectID); id != "" {
		return id, nil
	}
	a, _, err := s.read(ctx, op)
	return a.AppID, err
}

// signIn asks for a token once, and again only if nothing was said of the secret.
func (s *Secrets) signIn(ctx context.Context, op, id string, value secret.Value) (verdict, time.Time, error) {
	for try := 1; ; try++ {
		resp, err := s.send(ctx, id, value)
		if ctx.Err() == nil && try < sends && (err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout) {
			if resp != nil {
				resp.Body.Close()
			}
			if pause(ctx, try) == nil {
				continue
			}
		}
		if err != nil {
			return refused, time.Time{}, azhttp.Failure(op, false, nil, err)
		}
		v, err := judge(op, resp)
		return v, azhttp.Date(resp), err
	}
}

// send asks for a token for Microsoft Graph: an application needs no permission for one.
func (s *Secrets) send(ctx context.Context, id string, value secret.Value) (resp *http.Response, err error) {
	err = value.Use(func(b []byte) error {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {string(b)}, "scope": {s.client.host + "/.default"}}
		req, err := runtime.NewRequest(ctx, http.MethodPost, s.token)
		if err != nil {
			return err
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader([]byte(form.Encode()))), "application/x-www-form-urlencoded"); err != nil {
			return err
		}
		req.Raw().Header.Set("Accept", "application/json")
		resp, err = s.client.bare.Do(req)
		return err
	})
	return resp, err
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
	case 7000215:
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
	53003:   "a Conditional Access policy for workload identities refuses the application from here: have the policy allow where Rekey runs",
}
