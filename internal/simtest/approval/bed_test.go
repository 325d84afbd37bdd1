package approval_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/approval"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// source is a manifest for the built-in world; %DIR% is where requests lie.
const source = `version: 1
tenant: contoso.onmicrosoft.com
identity: {managedIdentity: {}}
vaults: {prod: {name: kv-pat-prod}}
approval:
  rules: [{name: people, when: "true", then: ask}]
  requests: {folder: approvals}
  approvers:
    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4
    roles: [Rekey.Approver]
credentials:
  salt: {random: {password: {length: 40}}, store: {vault: prod, secret: salt}, lifetime: 90d, rotateBefore: 10d, overlap: 1d}
`

// bed is a manifest, a folder, and people at a simulated tenant.
type bed struct {
	*testing.T
	s      *sim.Server
	app    *app.App
	folder string
}

func newBed(t *testing.T, change func(string) string) *bed {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{T: t, s: s, folder: t.TempDir()}
	b.reopen(change)
	return b
}

// reopen begins anew with a manifest, as another run does.
func (b *bed) reopen(change func(string) string) {
	b.Helper()
	src := source
	if change != nil {
		src = change(src)
	}
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds(), app.Rules()...)
	if m == nil {
		b.Fatal(problems)
	}
	sum := sha256.Sum256([]byte(src))
	w := b.s.World()
	b.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1"+sim.IdentityPath)
	b.Setenv("IDENTITY_HEADER", w.ManagedIdentities[0].Secret)
	a, err := app.New(app.Config{Manifest: m, Folder: b.folder, Digest: hex.EncodeToString(sum[:]), Transport: b.s.Transport()})
	if err != nil {
		b.Fatal(err)
	}
	b.app = a
}

func (b *bed) wanted() engine.Wanted {
	return engine.Wanted{Spec: rotation.Spec{Name: "salt", Target: rotation.Target{Vault: "kv-pat-prod.vault.azure.net", Name: "salt"}, Lifetime: 90 * 24 * time.Hour}, Kinds: []string{"issue"}}
}

func (b *bed) asks(w engine.Wanted) engine.Consent {
	b.Helper()
	c, err := b.app.Approve("it is due", "CHG-4711")(b.Context(), w)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// waits is the one request that waits.
func (b *bed) waits() approval.Asked {
	b.Helper()
	desk, err := b.app.Desk()
	if err != nil {
		b.Fatal(err)
	}
	list, err := desk.List(b.Context())
	if err != nil || len(list) != 1 {
		b.Fatalf("%d requests: %v", len(list), err)
	}
	return list[0].Asked
}

func (b *bed) decides(person, word string) error {
	b.Helper()
	_, err := b.app.DecideOn(b.Context(), b.waits(), word, "change 4711", b.browser(person))
	return err
}

// decision is the file of the one request's decision, to be changed.
func (b *bed) decision(change func(d map[string]any)) {
	b.Helper()
	name := filepath.Join(b.folder, "approvals", b.waits().ID+".decision.json")
	raw, err := os.ReadFile(name)
	d := map[string]any{}
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		b.Fatal(err)
	}
	change(d)
	if raw, err = json.Marshal(d); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		b.Fatal(err)
	}
}

// browser is a person's, who signs in with their password.
func (b *bed) browser(name string) func(string) error {
	return func(address string) error {
		w := b.s.World()
		w.Lock()
		var upn, password string
		for _, u := range w.Users {
			if strings.HasPrefix(u.UPN, name+"@") {
				upn, password = u.UPN, u.Password
			}
		}
		w.Unlock()
		azure := http.Client{Transport: b.s.Transport()}
		resp, err := azure.PostForm(address, url.Values{"username": {upn}, "password": {password}})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		action := regexp.MustCompile(`<form method="post" action="(http://localhost:\d+)">`).FindSubmatch(page)
		if err != nil || action == nil {
			return errors.New("no way back")
		}
		form := url.Values{}
		for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`).FindAllSubmatch(page, -1) {
			form.Set(string(m[1]), html.UnescapeString(string(m[2])))
		}
		here := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		done, err := here.PostForm(string(action[1]), form)
		if err == nil {
			done.Body.Close()
		}
		return err
	}
}

var ownKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claims are those of a token, and header its header.
func claims(token string) (header, claims map[string]any) {
	parts := strings.Split(token, ".")
	for i, v := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, v) != nil {
			panic("no token")
		}
	}
	return header, claims
}

// make makes a token of a header and claims, without a signature.
func unsigned(header, claims map[string]any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	return b64(h) + "." + b64(c)
}

// byOwnKey signs with a key that nobody published, under the name of one that is.
func byOwnKey(header, claims map[string]any) string {
	signed := unsigned(header, claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(nil, ownKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + b64(sig)
}

// byHMAC signs with the tenant's public key as if it were a shared secret.
func (b *bed) byHMAC(header, claims map[string]any) string {
	resp, err := (&http.Client{Transport: b.s.Transport()}).Get("https://login.microsoftonline.com/" + world.TenantID + "/discovery/v2.0/keys")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	public, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	header["alg"] = "HS256"
	signed := unsigned(header, claims)
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(signed))
	return signed + "." + b64(mac.Sum(nil))
}
