package graph

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/sim/world"
)

// passwordInput is a password credential as a client sends it.
type passwordInput struct {
	KeyID       *string `json:"keyId"`
	DisplayName *string `json:"displayName"`
	Start       *string `json:"startDateTime"`
	End         *string `json:"endDateTime"`
	SecretText  *string `json:"secretText"`
	Hint        *string `json:"hint"`
	CustomKeyID *string `json:"customKeyIdentifier"`
}

const (
	defaultSecretYears = 2
	defaultMaxName     = 120
	defaultMaxKeys     = 600
	personalSecrets    = 2
)

var guidForm = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (c *call) addPassword() (int, any, *fault) {
	h, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	var in *passwordInput
	if len(c.body) > 0 {
		if _, f := c.decode("passwordCredential", map[string]any{"passwordCredential": &in}); f != nil {
			return 0, nil, f
		}
	}
	if in == nil {
		in = &passwordInput{}
	}
	p, f := c.newPassword(h, *in)
	if f != nil {
		return 0, nil, f
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	*h.secrets() = append(*h.secrets(), p)
	settle(h.app)
	e := passwordBody(p)
	e["secretText"] = p.Value
	e["@odata.context"] = Root + "/$metadata#microsoft.graph.passwordCredential"
	path, _, _ := strings.Cut(c.op.path, "/")
	c.header.Set("Location", Root+"/"+path+"/"+h.id()+"/addPassword") // recorded, although it is 200
	return http.StatusOK, e, nil
}

// newPassword makes a credential, if the object may have it.
func (c *call) newPassword(h holder, in passwordInput) (*world.PasswordCredential, *fault) {
	k := c.w.Knobs.Graph
	p := &world.PasswordCredential{Start: c.now.Truncate(100 * time.Nanosecond), Created: c.now}
	if in.DisplayName != nil {
		p.Name = *in.DisplayName
	}
	if in.SecretText != nil {
		return nil, badRequest("Invalid value specified for property 'secretText' of resource 'passwordCredential'.")
	}
	if utf8.RuneCountInString(p.Name) > limit(k.MaxDisplayName, defaultMaxName) {
		return nil, badRequest("Invalid value specified for property 'displayName' of resource 'passwordCredential'.")
	}
	var f *fault
	if in.Start != nil {
		if p.Start, f = instant(*in.Start, "startDateTime", "passwordCredential"); f != nil {
			return nil, f
		}
	}
	p.End = p.Start.AddDate(defaultSecretYears, 0, 0)
	if k.SecretLife > 0 {
		p.End = p.Start.Add(time.Duration(k.SecretLife))
	}
	if in.End != nil {
		if p.End, f = instant(*in.End, "endDateTime", "passwordCredential"); f != nil {
			return nil, f
		}
	}
	if !p.End.After(p.Start) || !p.End.After(c.now) {
		return nil, badRequest("Invalid value specified for property 'endDateTime' of resource 'passwordCredential'.")
	}
	if policy := c.w.PolicyFor(h.app); policy != nil {
		if f := refuseSecret(policy, p); f != nil {
			return nil, f
		}
	}
	if h.app.Personal() && len(*h.secrets()) >= personalSecrets {
		return nil, badRequest("You can only add a maximum of %d encrypted credentials.", personalSecrets)
	}
	if len(*h.secrets())+len(*h.keys()) >= limit(k.MaxCredentials, defaultMaxKeys) {
		return nil, tooLarge()
	}
	p.KeyID, p.Value = c.w.NewID(), c.w.MintClientSecret()
	p.Hint = p.Value[:3]
	return p, nil
}

func limit(knob, otherwise int) int {
	if knob > 0 {
		return knob
	}
	return otherwise
}

func instant(s, property, kind string) (time.Time, *fault) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, badRequest("Invalid value specified for property '%s' of resource '%s'.", property, kind)
	}
	return t.UTC().Truncate(100 * time.Nanosecond), nil
}

func (c *call) removePassword() (int, any, *fault) {
	h, seen, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	id, f := c.keyID()
	if f != nil {
		return 0, nil, f
	}
	is := func(p *world.PasswordCredential) bool { return strings.EqualFold(p.KeyID, id) }
	i := slices.IndexFunc(*h.secrets(), is)
	// A replica that has not heard of the credential says what it says of one that never was.
	if i < 0 || !slices.ContainsFunc(*seen.secrets(), is) {
		return 0, nil, noPassword(id)
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	p := (*h.secrets())[i]
	*h.secrets() = slices.Delete(slices.Clone(*h.secrets()), i, i+1)
	c.retirePassword(h, p)
	settle(h.app)
	return http.StatusNoContent, nil, nil
}

// settle keeps the app's one client secret, a convenience of the world, among those that it has.
func settle(a *world.App) {
	if slices.ContainsFunc(a.Secrets, func(p *world.PasswordCredential) bool { return p.Value == a.ClientSecret }) {
		return
	}
	a.ClientSecret = ""
	if len(a.Secrets) > 0 {
		a.ClientSecret = a.Secrets[0].Value
	}
}

// retirePassword keeps a removed password where sign-in finds it, as long as regions may honour it.
func (c *call) retirePassword(h holder, p *world.PasswordCredential) {
	if c.removalDelay() > 0 || c.w.Knobs.Graph.KeepRemoved {
		gone := *p
		gone.Removed = c.now
		h.app.RemovedSecrets = append(h.app.RemovedSecrets, &gone)
	}
}

// keptPasswords are those that a PATCH leaves. It can leave some out, and can neither add nor change one.
func keptPasswords(h holder, in []passwordInput) ([]*world.PasswordCredential, *fault) {
	var kept []*world.PasswordCredential
	for _, x := range in {
		if x.KeyID == nil || x.SecretText != nil {
			return nil, badRequest("New password credentials must be generated with service actions.")
		}
		i := slices.IndexFunc(*h.secrets(), func(p *world.PasswordCredential) bool { return strings.EqualFold(p.KeyID, *x.KeyID) })
		if i < 0 {
			return nil, badRequest("New password credentials must be generated with service actions.")
		}
		p := (*h.secrets())[i]
		if changed(x.Start, p.Start) || changed(x.End, p.End) {
			return nil, badRequest("Update to existing credential with KeyId '%s' is not allowed.", p.KeyID)
		}
		kept = append(kept, p)
	}
	return kept, nil
}

// changed says whether a time that was sent is another one than the credential's.
func changed(sent *string, has time.Time) bool {
	if sent == nil {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, *sent)
	return err != nil || !t.Truncate(time.Second).Equal(has.Truncate(time.Second))
}

func (c *call) keyID() (string, *fault) {
	var id string
	given, f := c.decode("keyId", map[string]any{"keyId": &id})
	switch {
	case f != nil:
		return "", f
	case !given["keyId"] || !guidForm.MatchString(id):
		return "", badRequest("Invalid value specified for property 'keyId'.")
	}
	return id, nil
}
