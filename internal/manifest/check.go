package manifest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxLifetime    = 365 * day
	minSweepWindow = 30 * time.Minute
	// Key Vault keeps fifteen tags of a secret, and one is Rekey's record.
	maxTags      = 14
	recordTag    = "rekey"
	maxTagLength = 256
	// pending is the end of the name of the second secret that a one-slot credential is prepared in.
	pending = "--pending"
)

var vaultSuffix = map[string]string{
	"public": ".vault.azure.net",
	"usgov":  ".vault.usgovcloudapi.net",
	"china":  ".vault.azure.cn",
}

// checker holds the rules that need more than one field. A zero field is absent or was reported: rules about it are
// silent.
type checker struct {
	c     *collector
	m     *Manifest
	kinds map[string]Kind // of issuers
	// consumers are the kinds of consumers, and told is who tells what.
	consumers map[string]Kind
	told      map[string]owner
	root      *node
	// owners are the secrets that the manifest names, by lower-case host and name.
	owners map[string]owner
	stores map[string]*entry // by host: the first credential that is stored there
	// passwords are the secrets, as owners has them, that are users' passwords.
	passwords map[string]bool
	// templates are those of blocks that stand for many credentials.
	templates []template
	// accounts and vaults are their names, as every kind's Check is told them.
	accounts, vaults []string
}

type owner struct {
	what string
	at   *node
}

// subject is an entry that paths are relative to.
type subject struct {
	at   *place
	node *entry
}

func check(c *collector, m *Manifest, root *node, kinds []Kind, rules []Rule) {
	k := &checker{c: c, m: m, root: root, kinds: map[string]Kind{}, consumers: map[string]Kind{}, told: map[string]owner{}, owners: map[string]owner{}, stores: map[string]*entry{}, passwords: map[string]bool{}}
	for _, kind := range of(false, kinds) {
		k.kinds[kind.Name] = kind
	}
	for _, kind := range of(true, kinds) {
		k.consumers[kind.Name] = kind
	}
	whole := subject{nil, &entry{key: root, value: root}}
	if m.SweepWindow != 0 && m.SweepWindow < minSweepWindow {
		k.fail(whole, "sweepWindow", "%s is shorter than %s", FormatDuration(m.SweepWindow), FormatDuration(minSweepWindow))
	}
	if m.Identity.ClientSecret != nil {
		k.warn(whole, "identity.clientSecret", "a client secret is one more secret that somebody has to rotate: a managed or federated identity has none")
	}
	for _, a := range m.Accounts {
		k.accounts = append(k.accounts, a.Name)
	}
	for _, v := range m.Vaults {
		k.vaults = append(k.vaults, v.Name)
	}
	// Where aliases made too much, the lists are not there.
	for i, s := range k.section("vaults")[:len(m.Vaults)] {
		k.vault(s, &m.Vaults[i])
		k.underElevation(s, &m.Vaults[i])
	}
	for i, s := range k.section("elevations")[:len(m.Elevations)] {
		k.elevation(s, &m.Elevations[i])
	}
	credentials := k.section("credentials")[:len(m.Credentials)]
	for i, s := range credentials {
		k.credential(s, &m.Credentials[i])
	}
	for i, s := range k.section("accounts")[:len(m.Accounts)] {
		k.account(s, &m.Accounts[i])
	}
	k.events()
	k.allTemplates()
	k.dependencies(credentials)
	k.signIns(credentials)
	k.approval(whole, m.Approval)
	for _, rule := range rules {
		rule(m, func(path string, line, column int, text string) { k.within(whole, path, line, column, text) })
	}
}

// section returns the entries of a section, in step with the decoded list.
func (k *checker) section(name string) []subject {
	e := k.root.get(name)
	if e == nil || e.value.real() == nil || e.value.real().shape != mapping {
		return nil
	}
	at := &place{key: name}
	var out []subject
	entries := e.value.real().entries
	for i := range entries {
		out = append(out, subject{&place{up: at, key: entries[i].key.text}, &entries[i]})
	}
	return out
}

func (k *checker) fail(s subject, path, format string, args ...any) {
	k.report(Error, s, path, fmt.Sprintf(format, args...))
}

func (k *checker) warn(s subject, path, format string, args ...any) {
	k.report(Warning, s, path, fmt.Sprintf(format, args...))
}

// report finds where a path is, or the last part of it that is there.
func (k *checker) report(sev Severity, s subject, path, message string) {
	n, at := s.find(path)
	k.c.add(Problem{Severity: sev, Line: int(n.line), Column: int(n.col), Path: at.String(), Message: message})
}

func (s subject) find(path string) (*node, *place) {
	at, n, value := s.at, s.node.key, s.node.value
	for path != "" {
		var part string
		part, path, _ = strings.Cut(path, ".")
		name, index, isItem := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		if name != "" {
			at = &place{up: at, key: name}
			if e := value.get(name); e != nil {
				n, value = e.value, e.value
				if e.value.shape == mapping || e.value.shape == null {
					n = e.key
				}
			} else {
				value = nil
			}
		}
		if i, err := strconv.Atoi(index); isItem && err == nil && i >= 0 {
			at = &place{up: at, index: i + 1}
			if r := value.real(); r != nil && i < len(r.items) {
				n, value = r.items[i], r.items[i]
			} else {
				value = nil
			}
		}
	}
	return n, at
}

func (k *checker) vault(s subject, v *Vault) {
	suffix := vaultSuffix[k.m.Cloud]
	switch {
	case suffix == "":
	case v.VaultName != "":
		v.Host = strings.ToLower(v.VaultName) + suffix
	case v.URL != "":
		u, err := url.Parse(v.URL)
		if err == nil && u.Scheme == "https" && strings.Trim(u.Path, "/") == "" && *u == (url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}) {
			host := strings.ToLower(u.Host)
			name, ours := strings.CutSuffix(host, suffix)
			if f := formats["vault-name"]; ours && f.matches(name) {
				v.Host = host
				v.URL = "https://" + host
				return
			}
		}
		shown := quote(v.URL)
		if strings.ContainsAny(v.URL, "@?#") {
			shown = hidden // there may be a password or a signature in it
		}
		k.fail(s, "url", "%s must be the address of a vault in the %s cloud, like https://NAME%s", shown, k.m.Cloud, suffix)
	}
}

// host is the host that a reference leads to, or "".
func (k *checker) host(r SecretRef) string {
	v, _ := k.m.Vault(r.Vault)
	return v.Host
}

// claim takes a secret for one purpose.
func (k *checker) claim(s subject, path string, r SecretRef) {
	host := k.host(r)
	if host == "" || r.Secret == "" {
		return
	}
	at, _ := s.find(path)
	// Key Vault's names are case-insensitive.
	id := host + "/" + strings.ToLower(r.Secret)
	if first, taken := k.owners[id]; taken {
		k.fail(s, path, "secret %s of %s is already that of %s on line %d, column %d",
			quote(r.Secret), host, first.what, first.at.line, first.at.col)
		return
	}
	k.owners[id] = owner{s.at.String(), at}
}

// notPending keeps names free for what Rekey prepares.
func (k *checker) notPending(s subject, path string, r SecretRef) {
	if strings.HasSuffix(strings.ToLower(r.Secret), pending) {
		k.fail(s, path, "the ending %s is kept for what Rekey prepares", quote(pending))
	}
}

func (k *checker) account(s subject, a *Account) {
	path := "password"
	if a.TokenCache != nil {
		path = "tokenCache"
	}
	ref := a.Secret()
	rotated := a.Password != nil && k.passwords[k.secretID(ref)]
	switch {
	case rotated:
		k.warn(s, "password", "a password works only without MFA: 'rekey login' and tokenCache do without one")
	case a.Password != nil:
		k.warn(s, "password", "a password works only without MFA and is itself not rotated: 'rekey login' and tokenCache do without one")
	}
	if !rotated {
		k.claim(s, path+".secret", ref)
	}
	host := k.host(ref)
	if first := k.stores[host]; host != "" && first != nil && a.SharedVault == "" {
		k.fail(s, path+".vault", "vault %s is also the store of credential %s on line %d: whoever reads that could sign in as %s; use another vault, or say 'sharedVault: accepted'",
			quote(ref.Vault), quote(first.key.text), first.key.line, quote(a.Name))
	}
}

func (k *checker) credential(s subject, c *Credential) {
	k.times(s, c)
	k.claim(s, "store.secret", SecretRef(c.Store))
	kind, ok := k.kinds[c.Kind]
	switch h := k.host(SecretRef(c.Store)); {
	case h == "":
	case kind.Password:
		k.passwords[k.secretID(SecretRef(c.Store))] = true // nobody but its accounts need read it
	case k.stores[h] == nil:
		k.stores[h] = s.node
	}
	k.notPending(s, "store.secret", SecretRef(c.Store))
	k.tags(s, c)
	if c.Strategy == Extend && c.Enabled {
		k.warn(s, "strategy", "'extend' moves the date and keeps the value: whoever has read it once goes on having it")
	}
	k.allConsumers(s, c)
	k.oneSlot(s, c, kind)
	k.trials(s, c)
	if !ok {
		return
	}
	k.template(s, c, kind)
	switch {
	case c.Check.Probe == "":
		if len(kind.Probes) > 0 {
			c.Check.Probe = kind.Probes[0]
		}
	case len(kind.Probes) == 0:
		k.fail(s, "check.probe", "%s has no settings for its check", quote(c.Kind))
	case !slices.Contains(kind.Probes, c.Check.Probe):
		k.fail(s, "check.probe", "%s must be %s%s", quote(c.Check.Probe), strings.Join(kind.Probes, " or "), DidYouMean(c.Check.Probe, kind.Probes))
	}
	k.settings(s, c.Kind, c.Settings, k.context(c))
}

func (k *checker) context(c *Credential) Context {
	return Context{Credential: c.Name, Lifetime: c.Lifetime, RotateBefore: c.RotateBefore, Overlap: c.Overlap, Strategy: c.Strategy,
		Accounts: k.accounts, Vaults: k.vaults}
}

// settings has a kind say what is wrong with its block.
func (k *checker) settings(s subject, kind string, block Settings, in Context) {
	if k.c.full() && k.c.failed {
		return // nobody would see what it says
	}
	report := func(sev Severity) func(path, text string) {
		return func(path, text string) { k.report(sev, s, strings.TrimSuffix(kind+"."+path, "."), text) }
	}
	in.Warn = report(Warning)
	block.Check(report(Error), in)
}

func (k *checker) times(s subject, c *Credential) {
	life, before, overlap := c.Lifetime, c.RotateBefore, c.Overlap
	if life > maxLifetime {
		k.fail(s, "lifetime", "%s is longer than a year (%s)", FormatDuration(life), FormatDuration(maxLifetime))
	}
	if life != 0 && before >= life {
		k.fail(s, "rotateBefore", "%s is not shorter than the lifetime %s: it would be due as soon as it is issued", FormatDuration(before), FormatDuration(life))
	}
	if before != 0 && overlap > before {
		k.fail(s, "overlap", "%s is longer than rotateBefore %s: the old one would expire inside its overlap", FormatDuration(overlap), FormatDuration(before))
	}
	if !c.Enabled || life == 0 || before == 0 || overlap == 0 {
		return
	}
	if len(c.Consumers)+len(c.Checks) > 0 && c.RollbackAfter+overlap >= before {
		k.warn(s, "rollbackAfter", "what was there before ends within the overlap of %s by the time that it is rolled back to, %s after a publication, so it never is: lengthen rotateBefore, or shorten either",
			FormatDuration(overlap), FormatDuration(c.RollbackAfter))
	}
	if life/3 < overlap {
		k.warn(s, "overlap", "%s is longer than a third of the lifetime %s: if the issuer gives less life than asked, the overlap no longer fits and a person is needed",
			FormatDuration(overlap), FormatDuration(life))
	}
	if least := min(overlap, before) / 2; k.m.Schedule > least {
		k.warn(s, "", "a run every %s is too seldom: come at least every %s, half of the shorter of overlap and rotateBefore",
			FormatDuration(k.m.Schedule), FormatDuration(least))
	}
}

func (k *checker) tags(s subject, c *Credential) {
	if len(c.Tags) > maxTags {
		k.fail(s, "tags", "%d tags, more than %d", len(c.Tags), maxTags)
	}
	if len(c.Tags) == 0 {
		return
	}
	e := s.node.value.get("tags")
	at := &place{up: s.at, key: "tags"}
	for i := range e.value.real().entries {
		tag := e.value.real().entries[i]
		here := subject{&place{up: at, key: tag.key.text}, &tag}
		switch {
		case strings.EqualFold(tag.key.text, recordTag):
			k.fail(here, "", "the tag %s is Rekey's own", quote(recordTag))
		case tag.key.text == "":
			k.fail(here, "", "the name of a tag is empty")
		case len(tag.key.text) > maxTagLength, len(c.Tags[tag.key.text]) > maxTagLength:
			k.fail(here, "", "the name and the value of a tag have at most %d characters", maxTagLength)
		}
	}
}
