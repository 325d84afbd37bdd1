package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Check implements driver.Issuer: the user signs in with it. Regions learn of a change one after the other, so that
// several sign-ins must agree; the same wrong password again does not count towards a lock-out.
func (u *User) Check(ctx context.Context, value secret.Value) (driver.Checked, error) {
	op := "sign in as user " + u.user
	v, date, err := agreed(ctx, op, func() (*http.Response, error) { return u.send(ctx, value) }, judgeUser)
	out := driver.Checked{Date: date}
	switch {
	case err != nil:
		return driver.Checked{}, err
	case v == accepted:
		out.Check = rotation.Check{Works: true, Identity: u.user}
	case v == expired:
		out.Why = "Entra ID says that it has expired, or must be changed"
	case v == refused:
		out.Why = "Entra ID says that the password is wrong"
	default:
		out.Why = divided
	}
	return out, nil
}

// send signs the user in for nothing but its own name: no consent is needed for that.
func (u *User) send(ctx context.Context, value secret.Value) (resp *http.Response, err error) {
	err = value.Use(func(b []byte) error {
		form := url.Values{"grant_type": {"password"}, "client_id": {u.clientID}, "username": {u.user}, "password": {string(b)}, "scope": {"openid"}}
		req, err := runtime.NewRequest(ctx, http.MethodPost, u.token)
		if err != nil {
			return err
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader([]byte(form.Encode()))), "application/x-www-form-urlencoded"); err != nil {
			return err
		}
		req.Raw().Header.Set("Accept", "application/json")
		resp, err = u.client.bare.Do(req)
		return err
	})
	return resp, err
}

// judgeUser reads an answer of the token endpoint to a user's password (facts/azure-devops-entra.md 8.3).
func judgeUser(op string, resp *http.Response) (verdict, error) {
	var body struct {
		Access secret.Value `json:"access_token"`
		ID     secret.Value `json:"id_token"`
		Codes  []int        `json:"error_codes"`
	}
	switch {
	case azhttp.SignInPage(resp):
		resp.Body.Close()
		return refused, &driver.Error{Kind: driver.Denied, Op: op, Code: "sign-in page", Date: azhttp.Date(resp), Detail: "the answer is a page for people, which says nothing of the password"}
	case resp.StatusCode < 300:
		if err := azhttp.Decode(resp, &body); err != nil {
			return refused, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: err.Error(), Date: azhttp.Date(resp)}
		}
		some := !body.Access.Empty() || !body.ID.Empty()
		body.Access.Wipe()
		body.ID.Wipe()
		if !some {
			return refused, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer holds no token", Date: azhttp.Date(resp)}
		}
		return accepted, nil
	}
	err := azhttp.Failure(op, false, resp, nil)
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	e, ok := err.(*driver.Error)
	if !ok || json.Unmarshal(b, &body) != nil || len(body.Codes) == 0 || resp.StatusCode >= 500 {
		return refused, err
	}
	code := body.Codes[0]
	switch {
	case code < 0 || code > 999999999:
		return refused, err
	case passwordWas[code] != 0:
		return passwordWas[code] - 1, nil
	}
	e.Code, e.Kind, e.Detail = "AADSTS"+strconv.Itoa(code), driver.Denied, "Entra ID says nothing of the password"
	e.Hint = "look the code up at https://login.microsoftonline.com/error?code=" + strconv.Itoa(code)
	if o, ok := userObstacles[code]; ok {
		e.Detail, e.Hint, e.Person, e.Kind = o.detail, o.do, o.person, o.kind
	}
	return refused, e
}

// passwordWas is what a code says of the password, plus one. What is asked for after the password, a second factor, a
// consent or what Conditional Access wants, is asked only of who has given the right one.
var passwordWas = map[int]verdict{
	50126: refused + 1, 50056: refused + 1,
	50055: expired + 1, 50144: expired + 1,
	50072: accepted + 1, 50074: accepted + 1, 50076: accepted + 1, 50078: accepted + 1, 50079: accepted + 1, 50158: accepted + 1,
	65001: accepted + 1, 90094: accepted + 1, 50105: accepted + 1,
	50097: accepted + 1, 50131: accepted + 1, 53000: accepted + 1, 53001: accepted + 1, 53002: accepted + 1, 53003: accepted + 1,
	530032: accepted + 1, 530034: accepted + 1, 530035: accepted + 1,
}

// userObstacles are why nobody can say whether a password is right.
var userObstacles = map[int]struct {
	kind       driver.Kind
	detail, do string
	person     bool
}{
	50053:   {driver.Throttled, "the account is locked for a while, after too many wrong passwords, or the address is blocked", "find out who signs in with a wrong password; the lock ends by itself after a minute or more", false},
	50057:   {driver.Denied, "the account is disabled", "enable it, or set enabled: false in the manifest", true},
	50034:   {driver.Missing, "the user does not exist in this tenant", "correct the user or the tenant in the manifest", true},
	7000218: {driver.Denied, "the application does not allow public client flows", "enable \"Allow public client flows\" on the application that clientId names", true},
	700025:  {driver.Denied, "the application is no public client", "name a public client application as clientId", true},
	700016:  {driver.Denied, "the application does not exist in this tenant", "correct clientId in the manifest", true},
	7000112: {driver.Denied, "the application is disabled", "enable the application that clientId names", true},
	50196:   {driver.Throttled, "Entra ID asks for patience", "", false},
}
