// Package hostile is what the tests of adapters say of answers that no service meant: what an error may say, what a list
// may hold, and what is asked of a consumer.
//
// It is for tests alone, knows the ports and no adapter, and makes no answer: package badinput does. What always holds:
// what is judged here is fit to be shown to a person on a terminal, and repeats no secret.
package hostile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// Nobody signs in at once, with a token that every badinput.Service takes.
type Nobody struct{}

// GetToken implements azcore.TokenCredential.
func (Nobody) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// Invalidate is for who asks for another token when one is refused.
func (Nobody) Invalidate() {}

// Own fails the test unless err is a driver.Error in words of our own: ASCII, and at most so many bytes with its hint. What
// an answer says is in none of them.
func Own(t testing.TB, err error, most int) {
	t.Helper()
	text := textOf(t, err)
	Shown(t, text, most)
	if strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
		t.Errorf("the error quotes the answer: %q", text)
	}
}

// Fit fails the test unless err is a driver.Error that is fit to be shown. It may name things as a service does.
func Fit(t testing.TB, err error, most int) {
	t.Helper()
	Shown(t, textOf(t, err), most)
}

func textOf(t testing.TB, err error) string {
	t.Helper()
	var e *driver.Error
	if !errors.As(err, &e) {
		t.Errorf("%v is no driver.Error", err)
		return ""
	}
	return e.Error() + e.Hint
}

// Shown fails the test unless text can be printed on a line of a terminal, has at most so many bytes, and no secret in it.
func Shown(t testing.TB, text string, most int) {
	t.Helper()
	if strings.Contains(text, badinput.Secret) || len(text) > most || strings.ContainsFunc(text, func(r rune) bool { return r != unicode.ReplacementChar && !unicode.IsPrint(r) }) {
		t.Errorf("not fit to be shown: %q", text)
	}
}

// Writable fails the test unless dates can be written down again.
func Writable(t testing.TB, dates ...time.Time) {
	t.Helper()
	for _, d := range dates {
		if _, err := d.MarshalJSON(); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// Listing fails the test unless a list is whole or an error, each of it under an id of its own. words judges an error.
func Listing(t *testing.T, l driver.Listing, err error, words func(*testing.T, error)) {
	t.Helper()
	if err != nil {
		if words(t, err); len(l.Issued) > 0 {
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
		Writable(t, i.From, i.To)
	}
}

// AskConsumer asks a consumer everything that there is to ask, of a service that answers all of it alike, and says whether
// it believes that it was told. It takes virtual time: call it in a bubble. words judges an error.
func AskConsumer(t *testing.T, s *badinput.Service, c driver.Consumer, words func(*testing.T, error)) (believed bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	fresh := func() { s.Within(t); s.Calls, s.Read = 0, 0 }
	if err := c.Preflight(ctx); err != nil {
		words(t, err)
	}
	fresh()
	state := func(x rotation.ConsumerState, err error) {
		t.Helper()
		switch {
		case err != nil:
			words(t, err)
		case strings.Contains(x.Why+x.Said, badinput.Secret), x.Works == (x.Why != ""), x.Works && x.Publication == "":
			t.Errorf("%+v", x)
		}
		Writable(t, x.Told)
	}
	p := rotation.NewPublication(time.Unix(1e9, 0), [5]byte{1})
	state(c.State(ctx, []rotation.Publication{p}))
	fresh()
	x, err := c.Tell(ctx, p, secret.New([]byte(badinput.Secret)))
	state(x, err)
	fresh()
	return err == nil && x.Publication == p
}
