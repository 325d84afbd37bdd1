package app

import (
	"context"
	"regexp"

	"github.com/rekeyhq/rekey/internal/manifest"
)

var isMade = regexp.MustCompile(`^(password|passphrase|keyPair)$`)

// addRandom adds a value of Rekey's own making. How long it is and of which characters is for the manifest: a picker has
// nothing to list there.
func addRandom() Addition {
	questions := []Question{
		{
			Flag: "form", Ask: "What is it?", Usage: "password, passphrase or keyPair", Form: isMade,
			List: &Listing{Name: "forms", list: func(context.Context, *Asked) ([]Choice, error) {
				return []Choice{
					{ID: "password", About: []About{{"a random text", "of 32 letters and digits"}}},
					{ID: "passphrase", About: []About{{"random words", "that can be spoken"}}},
					{ID: "keyPair", About: []About{{"a private key", "in PEM"}}},
				}, nil
			}},
		},
		named("the name for the credential", func(q *Asked) string { return q.Of("form") }),
	}
	return Addition{
		Command: "random", Short: "add a value of Rekey's own making: a password, a passphrase or a key pair",
		Long: `Add random writes a value of Rekey's own making into the manifest. What it is made of (length, characters, the key's
type) is written into its block by hand, where the usual is not what you need.`,
		Examples:  []string{"rekey add random", "rekey add random session-key --form password --vault prod --secret session-key"},
		Questions: append(append(questions, places()...), times("90d", "20d", "7d")...),
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			return q.credential([]string{"random:", "  " + q.Of("form") + ": {}"})
		},
	}
}

// addAppCertificate adds a certificate of an application: a new one. One that is there is named by hand, since its key
// has to be in the vault in a form of its own.
func addAppCertificate() Addition {
	questions := []Question{askApplication(), named("the name for the credential", func(q *Asked) string {
		if c, ok := q.known["application"]; ok {
			return c.Name + "-certificate"
		}
		return "certificate"
	})}
	return Addition{
		Command: "app-certificate", Short: "add a certificate of an app registration",
		Long:      "Add app-certificate writes a certificate of an app registration into the manifest: a new one, whose key the next apply makes.",
		Examples:  []string{"rekey add app-certificate", "rekey add app-certificate web-certificate --application web --vault prod --secret web-certificate"},
		Questions: append(append(append(questions, places()...), times("90d", "20d", "7d")...), askOwners()),
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			block := []string{"appCertificate:", "  appId: " + manifest.Scalar(q.Of("application")) + readable(q.known["application"].Name)}
			return q.credential(append(block, q.owners()...))
		},
	}
}
