package cli

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// browse opens an address in the person's browser, and prints it for when that does not work. The address came from
// the identity platform's answer, and what opens addresses would run a program that one names: only https is opened.
func (o *options) browse(m *manifest.Manifest, address string) error {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" || safe(address) != address {
		return fmt.Errorf("the sign-in page that the identity platform names is not an https address: %s", safe(address))
	}
	fmt.Fprintf(o.env.Stderr, "Sign in here, if no browser opens by itself:\n\n  %s\n\n", address)
	if o.env.Getenv("REKEY_BROWSER") == "none" || !terminal(o.env.Stderr) {
		return nil
	}
	open := opener(runtime.GOOS, address)
	open.Env = withoutSecrets(os.Environ(), m)
	if open.Start() == nil {
		go func() { _ = open.Wait() }()
	}
	return nil
}

func opener(goos, address string) *exec.Cmd {
	switch goos {
	case "darwin":
		return exec.Command("open", address)
	case "windows":
		return exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	}
	return exec.Command("xdg-open", address)
}

// secretVariables are the environment variables that hold what Rekey signs itself in with, besides the one that the
// manifest names.
var secretVariables = []string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "IDENTITY_HEADER", "SYSTEM_ACCESSTOKEN"}

// withoutSecrets is an environment for a child, which has no use for what Rekey signs in with.
func withoutSecrets(environ []string, m *manifest.Manifest) []string {
	secret := secretVariables
	if c := m.Identity.ClientSecret; c != nil && c.Env != "" {
		secret = append(slices.Clone(secret), c.Env)
	}
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.ContainsFunc(secret, func(s string) bool { return strings.EqualFold(s, name) })
	})
}
