package wire

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLookingAtABodyDoesNotConsumeIt(t *testing.T) {
	const body = "grant_type=password&username=a%40b.test"
	r := httptest.NewRequest("POST", "/x", strings.NewReader(body))
	for range 2 {
		if got := FormBody(r).Get("username"); got != "a@b.test" {
			t.Fatalf("username = %q", got)
		}
	}
	b, err := io.ReadAll(r.Body)
	if err != nil || string(b) != body {
		t.Fatalf("the handler reads %q, %v; want the whole body", b, err)
	}
	if got := FormBody(r).Get("grant_type"); got != "password" {
		t.Fatalf("after the handler read it, grant_type = %q", got)
	}
}

func TestARequestWithoutABodyHasAnEmptyForm(t *testing.T) {
	r := httptest.NewRequest("GET", "/x", nil)
	if v := FormBody(r); len(v) != 0 {
		t.Fatalf("form = %v", v)
	}
}
