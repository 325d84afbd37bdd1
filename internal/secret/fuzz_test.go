package secret_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// FuzzUnmarshal: a value is read as encoding/json reads a string, and an error says nothing of it.
func FuzzUnmarshal(f *testing.F) {
	for _, b := range badinput.Broken(`{"v":"a value"}`) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			var got struct{ V secret.Value }
			var want struct{ V *string }
			gotErr, wantErr := json.Unmarshal(b, &got), json.Unmarshal(b, &want)
			if (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("%v, and as a string %v", gotErr, wantErr)
			}
			if gotErr != nil {
				return
			}
			text := ""
			if want.V != nil {
				text = *want.V
			}
			if !got.V.Equal(secret.New([]byte(text))) {
				t.Error("another value than encoding/json reads")
			}
			if shown := fmt.Sprintf("%v %+v %#v %s %q %x", got, got, got.V, got.V, got.V, got.V); len(text) > 8 && len(shown) > 200 {
				t.Errorf("it shows itself in %d bytes", len(shown))
			}
		})
	})
}
