package manifest_test

import (
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// login are settings of a user's password.
type login struct {
	User string `yaml:"user,required" is:"username" doc:"Whose it is."`
}

func (*login) Check(func(path, text string), manifest.Context) {}
func (l *login) SignsIn() string                               { return l.User }

func TestWhatHasOneSlot(t *testing.T) {
	with := append(kinds(), manifest.Kind{Name: "login", Doc: "A password.", Password: true, OneSlot: true, New: func() manifest.Settings { return new(login) }})
	one := func(name, secret string, more ...string) string {
		return "  " + name + ":\n    login: {user: batch@contoso.onmicrosoft.com}\n    lifetime: 30d\n    rotateBefore: 5d\n    store: {vault: own, secret: " + secret + "}\n" + strings.Join(more, "")
	}
	account := func(how string) string {
		return "  batch:\n    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4\n    username: Batch@contoso.onmicrosoft.com\n    " + how + "\n"
	}
	for _, c := range []struct{ name, accounts, credentials, concurrency, want string }{
		{"alone", "", one("p", "batch"), "external", ""},
		{"and an account that signs in with it", account("password: {vault: own, secret: batch}"), one("p", "batch"), "external", ""},
		{"without the word that nothing else runs", "", one("p", "batch"), "", "say 'concurrency: external'"},
		{"with another word", "", one("p", "batch"), "maybe", `"maybe" must be external`},
		{"with an overlap", "", one("p", "batch", "    overlap: 24h\n"), "external", "take out the overlap"},
		{"two credentials for one user", "", one("p", "batch") + one("q", "other"), "external", `is that of credential "p" already`},
		{"an account whose sealed sign-in a new password ends", account("tokenCache: {vault: own, secret: seal}"), one("p", "batch"), "external", "ends what 'rekey login' has sealed"},
		{"an account that signs in with another secret", account("password: {vault: own, secret: old}"), one("p", "batch"), "external", `name that one`},
		{"an account that signs in with another user's", strings.Replace(account("password: {vault: own, secret: batch}"), "Batch@", "other@", 1), one("p", "batch"), "external", "the password of another user"},
		{"a secret whose name leaves no room", "", one("p", strings.Repeat("a", 119)), "external", "the name is too long"},
		{"a run that comes too seldom", "", one("p", "batch") + "schedule: 4d\n", "external", "too seldom"},
		{"another kind without an overlap", "", strings.Replace(one("p", "batch"), "login: {user: batch@contoso.onmicrosoft.com}", "random: {}", 1), "external", `"overlap" is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := sound
			if c.accounts != "" {
				src = strings.Replace(src, "vaults:\n", c.accounts+"vaults:\n", 1)
			}
			if c.concurrency != "" {
				src = "concurrency: " + c.concurrency + "\n" + src
			}
			if strings.Contains(c.credentials, "schedule:") {
				src = strings.Replace(src, "schedule:", "# schedule:", 1)
			}
			_, ps := manifest.Parse("rekey.yaml", []byte(src+c.credentials), with)
			if got := ps.String(); c.want == "" && ps.Failed() || !strings.Contains(got, c.want) {
				t.Errorf("%s\nwant %q", got, c.want)
			}
		})
	}
}
