package app

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// Additions are all kinds of things that can be added to a manifest. A new one is a function and its entry here.
func Additions() []Addition {
	return []Addition{addAccount(), addPAT(), addAppSecret(), addAppCertificate(), addRandom(), addConnection(), addGroup(), addRunbook(), addAPIConnections(), addAppService(), addVault(),
		addServiceAccount(), addPATs(), addAutomationVariable(), addAutomationCredential(), addCopy(), addWebhook(), addCommand()}
}

// Listings are what can be listed by itself.
func Listings() []*Listing {
	return []*Listing{organizations, projects, pats, connections, variableGroups, applications, clientSecrets, vaults, vaultSecrets, automationAccounts, runbooks, apiConnections, apps, users, automationVariables, automationCredentials}
}

// fixed is a default that is the same for everybody.
func fixed(value string) func(context.Context, *Asked) (string, error) {
	return func(context.Context, *Asked) (string, error) { return value, nil }
}

var isDuration = regexp.MustCompile(`^([0-9]+[dhm])+$`)

// times are the durations of a credential. They are not asked for: what stands in the manifest is easily changed.
func times(lifetime, before, overlap string) []Question {
	all := []Question{
		{Flag: "lifetime", Usage: "how long a new one is valid; " + lifetime + " unless it is said", Form: isDuration, Default: fixed(lifetime), Silent: true},
		{Flag: "rotate-before", Usage: "how long before its end it is replaced; " + before + " unless it is said", Form: isDuration, Default: fixed(before), Silent: true},
		{Flag: "overlap", Usage: "how long the old one lives on beside the new one; " + overlap + " unless it is said", Form: isDuration, Default: fixed(overlap), Silent: true},
	}
	if overlap == "" { // of what has one place for the value, there is none
		return all[:2]
	}
	return all
}

// credential writes a credential whose issuer's block is given, and its vault if the manifest does not have it yet.
func (q *Asked) credential(block []string) ([]manifest.Addition, error) {
	vault, adds, err := q.vault()
	if err != nil {
		return nil, err
	}
	lines := []string{key(q.Of(Name))}
	for _, l := range block {
		lines = append(lines, "  "+l)
	}
	lines = append(lines,
		"  lifetime: "+q.Of("lifetime"),
		"  rotateBefore: "+q.Of("rotate-before"),
	)
	if overlap := q.Of("overlap"); overlap != "" {
		lines = append(lines, "  overlap: "+overlap)
	}
	lines = append(lines,
		"  store: {vault: "+manifest.Scalar(vault)+", secret: "+manifest.Scalar(q.Of("secret"))+"}",
	)
	return append(adds, manifest.Addition{Path: []string{"credentials"}, Lines: lines}), nil
}

// Notes are what a person should know of the answers, and nothing was asked about.
func (q *Asked) Notes() []string {
	if _, seen := q.known["secret"]; seen || q.Of("adopt") == "" {
		return nil
	}
	return []string{fmt.Sprintf("it is taken over only if its value is in secret %s of vault %s when rekey apply runs; where there is no such secret, a new one is issued", q.Of("secret"), q.Of("vault"))}
}

// consumer writes a consumer of a credential.
func (q *Asked) consumer(kind string, settings ...string) []manifest.Addition {
	lines := []string{key(q.Of(Name)), "  " + kind + ":"}
	for _, s := range settings {
		lines = append(lines, "    "+s)
	}
	if c := q.Of("cache"); c != "" {
		lines = append(lines, "  cache: "+c)
	}
	return []manifest.Addition{{Path: []string{"credentials", q.Of("to"), "consumers"}, Lines: lines}}
}

// key is the line that an entry begins with. A name of digits alone is one all the same.
func key(name string) string { return name + ":" }

// readable is a comment that says what an id stands for. Names come from services: one with anything in it that is not
// plain is left out.
func readable(name string) string {
	if name == "" || !plainName.MatchString(name) {
		return ""
	}
	return "    # " + name
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._()/-]{0,59}$`)

// toCredential asks whose consumer it is.
func toCredential() Question {
	return Question{
		Flag: "to", Ask: "Which credential does it use?", Usage: "the credential that it uses: a name out of the manifest's", Form: isName,
		List: &Listing{Name: "credentials", Short: "the credentials of the manifest", list: func(_ context.Context, q *Asked) (out []Choice, _ error) {
			for _, c := range q.App.cfg.Manifest.Credentials {
				out = append(out, Choice{ID: c.Name, About: []About{{"kind", c.Kind}, {"consumers", fmt.Sprint(len(c.Consumers))}}})
			}
			return out, nil
		}},
		Default: func(_ context.Context, q *Asked) (string, error) {
			return sole(len(q.App.cfg.Manifest.Credentials), func() string { return q.App.cfg.Manifest.Credentials[0].Name }), nil
		},
	}
}

// cached asks how long a job may go on with the old value.
func cached() Question {
	return Question{Flag: "cache", Usage: "how long a job may go on with the old value, such as 6h; an hour unless it is said", Form: isDuration, None: "an hour", Silent: true}
}

// sole is the one that there is, "" if there are more or none.
func sole(n int, one func() string) string {
	if n != 1 {
		return ""
	}
	return one()
}

// use is what the credential that a consumer is for signs in to; empty if nobody can say.
func (q *Asked) use() use {
	m := q.App.cfg.Manifest
	at := slices.IndexFunc(m.Credentials, func(c manifest.Credential) bool { return c.Name == q.Of("to") })
	if at < 0 {
		return use{}
	}
	for _, k := range kinds {
		if k.manifest().Name != m.Credentials[at].Kind {
			continue
		}
		if i, err := k.make(q.App, m.Credentials[at]); err == nil {
			return i.use
		}
	}
	return use{}
}

// noMore keeps a sentence of many names short.
func noMore(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
