package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekeyhq/rekey/internal/secret"
)

type holder struct {
	Shown  secret.Value
	hidden secret.Value
	ptr    *secret.Value
}

func TestValueIsNotPrintedByAnything(t *testing.T) {
	const plain = "hunter2-REKEYCANARY-value"
	v := secret.New([]byte(plain))
	h := holder{v, v, &v}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		for _, x := range []any{v, &v, h, &h, []secret.Value{v}, map[string]secret.Value{"k": v}} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped %v %+v: %w", v, h, errors.New("x")))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Error("m", "v", v, "h", h, slog.Group("g", "p", &v))
	}
	fmt.Fprintln(&out, cmp.Diff(fmt.Sprint(h), fmt.Sprintf("%+v", v)))
	for _, enc := range []func() error{
		func() error { return json.NewEncoder(&out).Encode(h) },
		func() error { return gob.NewEncoder(&out).Encode(v) },
		func() error { return xml.NewEncoder(&out).Encode(v) },
	} {
		if err := enc(); err == nil {
			t.Error("an encoder took a secret value")
		} else {
			fmt.Fprintln(&out, err)
		}
	}
	for _, leak := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprint([]byte(plain))} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the value leaks as %q", leak)
		}
	}
}

func TestValueIsMovedReadAndWiped(t *testing.T) {
	b := []byte("abc")
	v := secret.New(b)
	if string(b) != "\x00\x00\x00" {
		t.Error("New leaves a copy with the caller")
	}
	read := func(v secret.Value) (s string) {
		_ = v.Use(func(b []byte) error { s = string(b); return nil })
		return s
	}
	if read(v) != "abc" || v.Empty() {
		t.Errorf("read %q", read(v))
	}
	if !v.Equal(secret.New([]byte("abc"))) || v.Equal(secret.New([]byte("abd"))) || v.Equal(secret.Value{}) {
		t.Error("Equal is wrong")
	}
	other := v
	v.Wipe()
	if !other.Empty() {
		t.Error("a copy of the handle survives Wipe")
	}
}

func TestValueDecodesStringsOnlyAndNeverQuotesWhatItRefuses(t *testing.T) {
	var x struct{ Token secret.Value }
	if err := json.Unmarshal([]byte(`{"Token":"pat"}`), &x); err != nil || x.Token.Empty() {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"Token":null}`), &x); err != nil || !x.Token.Empty() {
		t.Fatal(err)
	}
	err := json.Unmarshal([]byte(`{"Token":["leaky"]}`), &x)
	if err == nil || strings.Contains(err.Error(), "leaky") {
		t.Fatalf("got %v", err)
	}
}
