package simtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/openapi"
)

// recorded runs a short life of everything once, and gives the first exchange of each operation that succeeded.
func recorded(t *testing.T) map[string]exchange {
	t.Helper()
	r := record(t, nil)
	token := r.token("administrator", "https://vault.azure.net/.default")
	r.call("PUT", vaultURL+"/secrets/one?api-version=2026-04-01", token, `{"value":"v","tags":{"a":"b"},"attributes":{"exp":4070908800}}`, 200)
	r.call("GET", vaultURL+"/secrets?api-version=2026-04-01", token, "", 200)
	r.call("GET", vaultURL+"/secrets/one/?api-version=2026-04-01", token, "", 200)
	r.call("GET", vaultURL+"/secrets/two/?api-version=2026-04-01", token, "", 404)
	r.call("DELETE", vaultURL+"/secrets/one?api-version=2026-04-01", token, "", 200)
	r.call("DELETE", vaultURL+"/deletedsecrets/one?api-version=2026-04-01", token, "", 204)
	bearer := r.person()
	made := r.call("POST", patsURL+"?api-version=7.1-preview.1", bearer, `{"displayName":"one","scope":"vso.project","allOrgs":false}`, 200)
	pat := made["patToken"].(map[string]any)
	r.call("GET", "https://dev.azure.com/contoso/_apis/projects?api-version=7.1", basic(pat["token"].(string)), "", 200)
	r.call("DELETE", patsURL+"?api-version=7.1-preview.1&authorizationId="+pat["authorizationId"].(string), bearer, "", 204)
	b := r.hold()
	out := map[string]exchange{}
	for _, x := range r.seen {
		operation, _ := b.judge(x)
		key := fmt.Sprint(operation, " ", x.status)
		if _, ok := out[key]; !ok {
			out[key] = x
		}
	}
	return out
}

// edit changes the JSON of an answer or a request.
func edit(body []byte, change func(map[string]any)) []byte {
	m := map[string]any{}
	if err := json.Unmarshal(body, &m); err != nil {
		panic(err)
	}
	change(m)
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func in(m map[string]any, key string) map[string]any { return m[key].(map[string]any) }

// Each of these was right when it was recorded, and is broken in one way.
func TestWhatIsWrongIsSeenToBeWrong(t *testing.T) {
	b := newBook(t)
	good := recorded(t)
	answer := func(change func(map[string]any)) func(*exchange) {
		return func(x *exchange) { x.answer = edit(x.answer, change) }
	}
	request := func(change func(map[string]any)) func(*exchange) {
		return func(x *exchange) { x.body = edit(x.body, change) }
	}
	query := func(name, value string) func(*exchange) {
		return func(x *exchange) {
			u := *x.url
			q := u.Query()
			if value == "" {
				q.Del(name)
			} else {
				q.Set(name, value)
			}
			u.RawQuery = q.Encode()
			x.url = &u
		}
	}
	for _, c := range []struct {
		why  string
		of   string
		how  func(*exchange)
		want string // the start of a violation
	}{
		{"a member that is misspelt", "SetSecret 200", answer(func(m map[string]any) { m["contenttype"] = "x" }), "answer: unknown at body.contenttype"},
		{"a member deep inside that is misspelt", "SetSecret 200", answer(func(m map[string]any) { in(m, "attributes")["expires"] = 1 }), "answer: unknown at body.attributes.expires"},
		{"text for a number", "SetSecret 200", answer(func(m map[string]any) { in(m, "attributes")["exp"] = "2099-01-01" }), "answer: type at body.attributes.exp"},
		{"a fraction for an integer", "SetSecret 200", answer(func(m map[string]any) { in(m, "attributes")["exp"] = 1.5 }), "answer: type at body.attributes.exp"},
		{"an integer that is too large", "SetSecret 200", answer(func(m map[string]any) { in(m, "attributes")["recoverableDays"] = 1 << 40 }), "answer: format at body.attributes.recoverableDays"},
		{"a number for text", "SetSecret 200", answer(func(m map[string]any) { m["value"] = 1 }), "answer: type at body.value"},
		{"text for a boolean", "SetSecret 200", answer(func(m map[string]any) { in(m, "attributes")["enabled"] = "true" }), "answer: type at body.attributes.enabled"},
		{"null where none is allowed", "SetSecret 200", answer(func(m map[string]any) { m["contentType"] = nil }), "answer: null at body.contentType"},
		{"a tag that is no text", "SetSecret 200", answer(func(m map[string]any) { in(m, "tags")["a"] = 1 }), "answer: type at body.tags.*"},
		{"a list for an object", "SetSecret 200", answer(func(m map[string]any) { m["tags"] = []any{} }), "answer: type at body.tags"},
		{"an object for a list", "GetSecrets 200", answer(func(m map[string]any) { m["value"] = map[string]any{} }), "answer: type at body.value"},
		{"a list of the wrong things", "GetSecrets 200", answer(func(m map[string]any) { m["value"] = []any{"x"} }), "answer: type at body.value[]"},
		{"the value of a secret in a list", "GetSecrets 200", answer(func(m map[string]any) { m["value"] = []any{map[string]any{"value": "x"}} }), "answer: unknown at body.value[].value"},
		{"a body that is cut off", "GetSecret 200", func(x *exchange) { x.answer = x.answer[:len(x.answer)/2] }, "answer: type at body: not JSON"},
		{"a body that is missing", "GetSecret 200", func(x *exchange) { x.answer = nil }, "answer: required at body"},
		{"a sign-in page", "GetSecret 200", func(x *exchange) { x.got = http.Header{"Content-Type": {"text/html; charset=utf-8"}} }, "answer: media at"},
		{"no Content-Type", "GetSecret 200", func(x *exchange) { x.got = http.Header{} }, "answer: media at"},
		{"a success of another kind", "SetSecret 200", func(x *exchange) { x.status = 201 }, "answer: status at status.201"},
		{"a success without its body", "PurgeDeletedSecret 204", func(x *exchange) { x.status = 200 }, "answer: status at status.200"},
		{"a body where there is none", "PurgeDeletedSecret 204", func(x *exchange) { x.answer = []byte("{}") }, "answer: unknown at body"},
		{"an error in another envelope", "GetSecret 404", answer(func(m map[string]any) { m["code"] = "SecretNotFound" }), "answer: unknown at body.code"},
		{"an error that is text", "GetSecret 404", answer(func(m map[string]any) { m["error"] = "SecretNotFound" }), "answer: type at body.error"},
		{"no version of the API", "GetSecret 200", query("api-version", ""), "no file describes it"},
		{"a version of another API", "GetSecret 200", query("api-version", "7.1-preview.1"), "no file describes it"},
		{"a parameter that is misspelt", "GetSecrets 200", query("maxResults", "5"), "request: unknown at query.maxResults"},
		{"a parameter of the wrong type", "GetSecrets 200", query("maxresults", "five"), "request: type at query.maxresults"},
		{"a parameter that is too large", "GetSecrets 200", query("maxresults", "26"), "request: range at query.maxresults"},
		{"a request without its body", "SetSecret 200", func(x *exchange) { x.body = nil }, "request: required at body"},
		{"a request with a body it has no use for", "GetSecret 200", func(x *exchange) { x.body = []byte("{}") }, "request: unknown at body"},
		{"a request that lacks a member", "SetSecret 200", request(func(m map[string]any) { delete(m, "value") }), "request: required at body.value"},
		{"a request that sets what only the service sets", "SetSecret 200", request(func(m map[string]any) { in(m, "attributes")["created"] = 1 }), "request: readOnly at body.attributes.created"},
		{"a name that is none", "SetSecret 200", func(x *exchange) { u := *x.url; u.Path = "/secrets/a_b"; x.url = &u }, "request: pattern at path.secret-name"},
		{"a method that there is not", "SetSecret 200", func(x *exchange) { x.method = "POST" }, "no file describes it"},

		{"an id that is no GUID", "Pats_Create 200", answer(func(m map[string]any) { in(m, "patToken")["authorizationId"] = "1" }), "answer: format at body.patToken.authorizationId"},
		{"a date that is none", "Pats_Create 200", answer(func(m map[string]any) { in(m, "patToken")["validTo"] = "2027-01-01 00:00:00" }), "answer: format at body.patToken.validTo"},
		{"an error of the service's own invention", "Pats_Create 200", answer(func(m map[string]any) { m["patTokenError"] = "tooLong" }), "answer: enum at body.patTokenError"},
		{"a scope as a list", "Pats_Create 200", answer(func(m map[string]any) { in(m, "patToken")["scope"] = []any{"vso.code"} }), "answer: type at body.patToken.scope"},
		{"a revocation that answers with the PAT", "Pats_Revoke 204", func(x *exchange) { x.status, x.answer = 200, []byte(`{"patToken":null}`) }, "answer: unknown at body"},
		{"a revocation that was accepted", "Pats_Revoke 204", func(x *exchange) { x.status = 202 }, "answer: status at status.202"},
		{"an id in the query that is no GUID", "Pats_Revoke 204", query("authorizationId", "one"), "request: format at query.authorizationId"},
		{"a revocation of nothing", "Pats_Revoke 204", query("authorizationId", ""), "request: required at query.authorizationId"},
		{"a refusal in no envelope", "Pats_Create 200", func(x *exchange) { x.status, x.answer = 400, []byte(`{"message":"no"}`) }, "answer: required at body.$id"},
		{"an item of a wrapped list that is wrong", "Projects_List 200", answer(func(m map[string]any) { m["value"].([]any)[0].(map[string]any)["id"] = 7 }), "answer: type at body[].id"},

		{"a grant that there is not", "Token 200", func(x *exchange) {
			x.body = []byte(strings.Replace(string(x.body), "client_credentials", "magic", 1))
		}, "request: enum at formData.grant_type"},
		{"a field that is misspelt", "Token 200", func(x *exchange) { x.body = append(slices.Clone(x.body), "&clientid=x"...) }, "request: unknown at formData.clientid"},
		{"a lifetime as text", "Token 200", answer(func(m map[string]any) { m["expires_in"] = "3599" }), "answer: type at body.expires_in"},
		{"a token answer without a token", "Token 200", answer(func(m map[string]any) { delete(m, "access_token") }), "answer: required at body.access_token"},
	} {
		t.Run(c.why, func(t *testing.T) {
			x, ok := good[c.of]
			if !ok {
				t.Fatalf("%s was not recorded", c.of)
			}
			if _, wrong := b.judge(x); len(wrong) > 0 {
				t.Fatalf("it was wrong before: %q", wrong)
			}
			c.how(&x)
			_, wrong := b.judge(x)
			if !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, c.want) }) {
				t.Errorf("found %q; want %q", wrong, c.want)
			}
		})
	}
}

// Every file that a test may need can be read, and every operation of it understood.
func TestEveryFileIsRead(t *testing.T) {
	b := newBook(t)
	n := 0
	for _, v := range volumes {
		files := b.microsoft
		if v.own {
			files = b.own
		}
		for _, file := range v.files {
			operations, err := files.Operations(file)
			if err != nil {
				t.Error(err)
			}
			for _, o := range operations {
				if o.ID == "" {
					t.Errorf("%s: %s %s has no name", file, o.Method, o.Template)
				}
				for _, v := range o.CheckAnswer(openapi.Answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte("{}")}) {
					if v.Rule == "unsupported" {
						t.Errorf("%s: %s: %v", file, o.ID, v)
					}
				}
				n++
			}
		}
	}
	if n < 40 {
		t.Errorf("the files have %d operations", n)
	}
}
