package invariant

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// ServiceAccount is the name of the kind of users' passwords. A user has one, so there is nothing beside it that could
// live on: none is listed, and none is revoked.
//
// Its exception: from when a new password is set until it is published, what is published does not work. Held against
// the product is a password that is lost, at any instant, and one that is not published when all is settled; how long
// the gap is at most in a run is a scenario's to find out.
const ServiceAccount = "serviceAccount"

func slotOperation(r *http.Request) string {
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case strings.HasPrefix(path, "v1.0/users/"):
		return map[string]string{"GET": "GetUser", "PATCH": "UpdateUser"}[r.Method]
	case r.Body != nil && strings.HasSuffix(path, "oauth2/v2.0/token"):
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("grant_type") == "password" && form.Get("scope") == "openid" {
			return "UserSignIn"
		}
	}
	return ""
}

func aboutSlot(string, *http.Request, []byte) (id, name, value string) { return "", "", "" }

func nothingListed(*world.State, Promise) []*world.PAT { return nil }

// slot is a promised password as it really is.
type slot struct {
	password string
	secret   *world.Secret // nil if it is absent
	pending  *world.Secret // the second secret
}

func slotOf(s *world.State, p Promise) (out slot) {
	for _, u := range s.Users {
		if strings.EqualFold(u.ID, p.Owner) {
			out.password = u.Password
		}
	}
	out.secret = secretOf(s, p.Target)
	out.pending = secretOf(s, rotation.Target{Vault: p.Target.Vault, Name: p.Target.Name + rotation.PendingSuffix})
	return out
}

// published says whether what readers get is the account's password.
func (x slot) published() bool {
	return x.secret != nil && x.secret.Versions[len(x.secret.Versions)-1].Value == x.password
}

// prepared says whether the second secret holds it in any version: they are never deleted, and a write that comes late
// may have put an older one on top, which the next run sets.
func (x slot) prepared() bool {
	if x.pending == nil {
		return false
	}
	for _, v := range x.pending.Versions {
		if v.Value == x.password {
			return true
		}
	}
	return false
}

// Slotted describes a promised password in the world, for who tells worlds apart.
func Slotted(s *world.State, p Promise) string {
	x := slotOf(s, p)
	on := func(secret *world.Secret) string {
		if secret == nil {
			return "absent"
		}
		v := secret.Versions[len(secret.Versions)-1]
		if v.Value == x.password {
			return "the password"
		}
		return "another"
	}
	newer := ""
	if x.secret != nil && x.pending != nil {
		a, aerr := rotation.ParseRecord(x.secret.Versions[len(x.secret.Versions)-1].Tags[rotation.RecordTag])
		b, berr := rotation.ParseRecord(x.pending.Versions[len(x.pending.Versions)-1].Tags[rotation.RecordTag])
		switch {
		case aerr != nil || berr != nil:
			newer = ", unrecorded"
		case b.Generation > a.Generation:
			newer = ", newer"
		case b.Generation < a.Generation:
			newer = ", older"
		}
	}
	return "published " + on(x.secret) + ", prepared " + on(x.pending) + newer
}

// lost reports a password that nothing holds. The promise's Adopts is the one that was there before any run.
func lost(h *History, p Promise, report func(string, ...any)) {
	x := slotOf(h.State, p)
	if x.password == p.Adopts || h.Excused[p.Target.String()] != "" {
		return // nobody has set another one yet
	}
	if !x.published() && !x.prepared() {
		report("%s: the account's password is in neither secret", p.Target)
	}
}
