package app

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// addCopy adds a copy in another vault, or under another name.
func addCopy() Addition {
	own := func(q *Asked) manifest.Store {
		m := q.App.cfg.Manifest
		if at := slices.IndexFunc(m.Credentials, func(c manifest.Credential) bool { return c.Name == q.Of("to") }); at >= 0 {
			return m.Credentials[at].Store
		}
		return manifest.Store{}
	}
	return Addition{
		Command: "copy", Short: "add a copy of a credential's value in another vault, or under another name",
		Long: `Add copy writes a consumer of a credential into the manifest: a secret that each new value is copied to, before the old
one is revoked. One that is there already and that Rekey did not write is left alone, unless --adopt says true. Names and
dates of secrets are read, and no value.`,
		Examples: []string{"rekey add copy", "rekey add copy second-region --to devops-pat --vault kv-apps --secret devops-pat-token"},
		Questions: []Question{
			toCredential(),
			{Flag: "vault", Ask: "Which vault is the copy kept in?", Usage: "the vault that the copy is kept in: a name out of the manifest's, or its name in Azure, which is added", Form: isVault, List: storeVaults},
			{Flag: "secret", Ask: "Which secret of that vault?", Usage: "the secret that the copy is kept in", Form: isSecret, List: vaultSecrets,
				Default: func(_ context.Context, q *Asked) (string, error) {
					if s := own(q); s.Vault != q.manifestVault() && isSecret.MatchString(s.Secret) {
						return s.Secret, nil
					}
					return "", nil
				}},
			{Flag: "adopt", Ask: "If there is such a secret already, is it written over?", Usage: "true: a secret of that name that Rekey did not write is written over", Form: isTrue,
				List: only("true", "yes:", "whoever reads it gets the credential's value"), None: "leave it alone, until a person decided",
				Skip: func(q *Asked) bool {
					all, listed := q.lists["secret"]
					return listed && !slices.ContainsFunc(all, func(c Choice) bool { return strings.EqualFold(c.ID, q.Of("secret")) })
				}},
			named("the consumer's name", func(q *Asked) string { return "copy-" + q.Of("vault") }), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			vault, adds, err := q.vault()
			if err != nil {
				return nil, err
			}
			settings := []string{"vault: " + manifest.Scalar(vault), "secret: " + manifest.Scalar(q.Of("secret"))}
			if q.Of("adopt") != "" {
				settings = append(settings, "adopt: true")
			}
			return append(adds, q.consumer("copy", settings...)...), nil
		},
	}
}

var isAddress = regexp.MustCompile(`^https?://([^\s/?#@]+)\S*$`)

// addWebhook adds an HTTP receiver. That an event carries the value itself is for a person to write, with what it means.
func addWebhook() Addition {
	return Addition{
		Command: "webhook", Short: "add an HTTP receiver that is sent a signed event for each new value",
		Long: `Add webhook writes a consumer of a credential into the manifest: a receiver that is sent the address of the vault's secret,
and never the value. Each event is signed with a key that a secret holds: 24 bytes at least.`,
		Examples: []string{"rekey add webhook", "rekey add webhook deploy-hook --to devops-pat --url https://deploy.contoso.com/rekey --vault rekey --secret webhook-signing-key"},
		Questions: []Question{
			toCredential(),
			{Flag: "url", Ask: "The receiver's address?", Usage: "where events are sent by POST: https, without user name, query or fragment; http is for this very machine alone", Form: isAddress},
			{Flag: "vault", Ask: "Which vault is the signing key kept in?", Usage: "the vault that the signing key is kept in: a name out of the manifest's, or its name in Azure, which is added", Form: isVault, List: passwordVaults},
			{Flag: "secret", Ask: "Which secret is the signing key?", Usage: "the secret that is the signing key, which must be there", Form: isSecret, List: vaultSecrets},
			named("the consumer's name", func(q *Asked) string {
				if m := isAddress.FindStringSubmatch(q.Of("url")); m != nil {
					return m[1]
				}
				return "hook"
			}), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			vault, adds, err := q.vault()
			if err != nil {
				return nil, err
			}
			return append(adds, q.consumer("webhook", "url: "+manifest.Scalar(q.Of("url")),
				"signingKey: {vault: "+manifest.Scalar(vault)+", secret: "+manifest.Scalar(q.Of("secret"))+"}")...), nil
		},
	}
}

// addCommand adds a program of the machine that Rekey runs on.
func addCommand() Addition {
	return Addition{
		Command: "command", Short: "add a program that is handed each new value on its standard input",
		Long: `Add command writes a consumer of a credential into the manifest: a program on the machine that Rekey runs on, with its
arguments, called without a shell. Quotes keep an argument with blanks together. The program that --check names proves
that the value works where it was taken; without one, nothing can be tried.`,
		Examples: []string{"rekey add command", `rekey add command cluster --to devops-pat --run "deploy --stage production" --check "deploy --check"`},
		Questions: []Question{
			toCredential(),
			{Flag: "run", Ask: "Which program is handed the value (with its arguments)?", Usage: "the program that is handed the value, and its arguments; a path with a slash in it is relative to the manifest", Form: isCommand},
			{Flag: "check", Ask: "Which program proves that it works there?", Usage: "the program that proves that the value works where it was taken, and its arguments", Form: isCommand, None: "go without a proof"},
			named("the consumer's name", func(q *Asked) string {
				argv, _ := words(q.Of("run"))
				return path.Base(strings.ReplaceAll(strings.Join(argv[:min(len(argv), 1)], ""), `\`, "/"))
			}), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			var settings []string
			for _, x := range []struct{ flag, key string }{{"run", "run"}, {"check", "check"}} {
				if q.Of(x.flag) == "" {
					continue
				}
				argv, err := words(q.Of(x.flag))
				if err != nil {
					return nil, fmt.Errorf("--%s %w", x.flag, err)
				}
				for i := range argv {
					argv[i] = manifest.Scalar(argv[i])
				}
				settings = append(settings, x.key+": ["+strings.Join(argv, ", ")+"]")
			}
			return q.consumer("command", settings...), nil
		},
	}
}

var isCommand = regexp.MustCompile(`^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$`)

// words splits what a person typed at blanks, but for those in quotes. Nothing else means anything: there is no shell.
func words(s string) (out []string, err error) {
	var word strings.Builder
	in, begun := rune(0), false
	for _, r := range s {
		switch {
		case in != 0 && r == in:
			in = 0
		case in != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			in, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				out = append(out, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if in != 0 {
		return nil, fmt.Errorf("has a quote that does not end")
	}
	if begun {
		out = append(out, word.String())
	}
	return out, nil
}
