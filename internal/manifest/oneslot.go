package manifest

import "strings"

// SignIn are settings of a user's password.
type SignIn interface {
	// SignsIn is the user's sign-in name.
	SignsIn() string
}

// oneSlot checks what is different where the issuer has one place for the value.
func (k *checker) oneSlot(s subject, c *Credential, kind Kind) {
	given := s.node.value.get("overlap") != nil
	switch {
	case !kind.OneSlot:
		if r := s.node.value.real(); !given && r != nil && r.shape == mapping && !r.broken {
			k.fail(s, "", "%s is missing", quote("overlap"))
		}
		return
	case given:
		k.fail(s, "overlap", "%s has one value at a time, so the old one ends when the new one is set: take out the overlap", quote(c.Kind))
	}
	if k.m.Concurrency == "" && k.root.get("concurrency") == nil {
		k.fail(s, c.Kind, "two runs at once could each set a value of their own: see to it that only one is under way, and say 'concurrency: external' at the top of the manifest")
	}
	if c.RotateBefore != 0 && k.m.Schedule > c.RotateBefore/2 && c.Enabled {
		k.warn(s, "", "a run every %s is too seldom: come at least every %s, half of rotateBefore", FormatDuration(k.m.Schedule), FormatDuration(c.RotateBefore/2))
	}
	if name := c.Store.Secret; len(name)+len(pending) > 127 {
		k.fail(s, "store.secret", "with %s at its end, for the value that comes next, the name is too long", quote(pending))
	}
}

// signIns refuses accounts that a new password of their user would lock out: what signs in some other way than with the
// secret that holds it. Each user's password is one credential's.
func (k *checker) signIns(all []subject) {
	users, secrets := map[string]int{}, map[string]int{}
	for i, c := range k.m.Credentials {
		s, ok := c.Settings.(SignIn)
		if !ok || s.SignsIn() == "" {
			continue
		}
		user := strings.ToLower(s.SignsIn())
		if first, taken := users[user]; taken {
			k.fail(all[i], c.Kind, "the password of %s is that of credential %s already, on line %d", quote(s.SignsIn()), quote(k.m.Credentials[first].Name), all[first].node.key.line)
			continue
		}
		users[user], secrets[k.secretID(SecretRef(c.Store))] = i, i
	}
	for i, s := range k.section("accounts")[:len(k.m.Accounts)] {
		a := k.m.Accounts[i]
		if a.Password != nil && a.Username != "" && k.secretID(*a.Password) != "" {
			if n, held := secrets[k.secretID(*a.Password)]; held && !strings.EqualFold(k.m.Credentials[n].Settings.(SignIn).SignsIn(), a.Username) {
				k.fail(s, "password.secret", "the secret holds the password of another user, by credential %s", quote(k.m.Credentials[n].Name))
				continue
			}
		}
		n, rotated := users[strings.ToLower(a.Username)]
		if !rotated {
			continue
		}
		c := k.m.Credentials[n]
		switch {
		case a.TokenCache != nil:
			k.fail(s, "tokenCache", "credential %s sets the password of %s, which ends what 'rekey login' has sealed: sign in with password: {vault: %s, secret: %s}, or do not rotate it", quote(c.Name), quote(a.Username), c.Store.Vault, c.Store.Secret)
		case a.Password != nil && k.secretID(*a.Password) != "" && k.secretID(*a.Password) != k.secretID(SecretRef(c.Store)):
			k.fail(s, "password.secret", "credential %s keeps the password of %s in secret %s: name that one", quote(c.Name), quote(a.Username), quote(c.Store.Secret))
		}
	}
}
