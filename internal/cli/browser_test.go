package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

func TestOnlyAnHTTPSAddressIsShownAndOpened(t *testing.T) {
	for address, good := range map[string]bool{
		"https://login.microsoftonline.com/t/oauth2/v2.0/authorize?a=b%20c": true,
		"http://login.microsoftonline.com/t":                                false,
		"file:///tmp/program":                                               false,
		"--version":                                                         false,
		"":                                                                  false,
		"https:///path":                                                     false,
		"https://a.test/\u202eexe":                                          false,
		"https://a.test/\x1b]0;x\x07":                                       false,
		"calculator:":                                                       false,
	} {
		var stderr bytes.Buffer
		o := &options{env: Env{Stderr: &stderr, Getenv: func(string) string { return "" }}}
		err := o.browse(&manifest.Manifest{}, address)
		if (err == nil) != good || good != strings.Contains(stderr.String(), address) && address != "" {
			t.Errorf("%q: %v, %q", address, err, stderr.String())
		}
	}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		if args := opener(goos, "https://a.test").Args; args[len(args)-1] != "https://a.test" {
			t.Errorf("%s: %q", goos, args)
		}
	}
}

func TestABrowserInheritsNoSecret(t *testing.T) {
	all := []string{"HOME=h", "REKEY_CLIENT_SECRET=s", "SYSTEM_ACCESSTOKEN=s", "identity_header=s", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=s", "DISPLAY=:0", "odd"}
	m := &manifest.Manifest{Identity: manifest.Identity{ClientSecret: &manifest.ClientSecret{Env: "REKEY_CLIENT_SECRET"}}}
	if got := withoutSecrets(all, m); !slices.Equal(got, []string{"HOME=h", "DISPLAY=:0", "odd"}) {
		t.Errorf("%q", got)
	}
	if got := withoutSecrets(all, &manifest.Manifest{}); len(got) != 4 || len(all) != 7 {
		t.Errorf("%q of %q", got, all)
	}
}
