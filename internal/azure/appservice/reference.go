package appservice

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// page is one of a list of references. What it says of the identity is a text or an object, by the version, and not read.
type page struct {
	Next  string  `json:"nextLink"`
	Value []entry `json:"value"`
}

type entry struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Reference     string `json:"reference"`
		Status        string `json:"status"`
		VaultName     string `json:"vaultName"`
		SecretName    string `json:"secretName"`
		SecretVersion string `json:"secretVersion"`
		ActiveVersion string `json:"activeVersion"`
	} `json:"properties"`
}

// reference is a setting that refers to the secret.
type reference struct {
	setting string
	status  string
	pinned  bool   // to one version
	holds   string // the version that App Service says it has; "" if it says none
}

const (
	resolved = "Resolved"
	// unsaid is the status of a reference that has none, or one that is none.
	unsaid = "unknown"

	// maxPages bounds a list that does not end. An app has a few hundred settings at most.
	maxPages = 50
)

// read reads the settings that refer to the secret, of those that count.
func (a *App) read(ctx context.Context, op string) (out []reference, err error) {
	r := azhttp.ResourceCall{Op: op, Method: http.MethodGet, Path: a.id() + references, Version: apiVersion, Hint: hint}
	last := ""
	for range maxPages {
		var p page
		date, err := a.client.Call(ctx, r, &p)
		if err != nil {
			return nil, err
		}
		if p.Value == nil {
			return nil, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not a list of references", Date: date}
		}
		out = append(out, a.ours(p.Value)...)
		if p.Next == "" {
			return out, nil
		}
		path, query, ok := a.client.Next(p.Next)
		if !ok || p.Next == last || !strings.EqualFold(path, a.id()+references) {
			return nil, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer leads elsewhere for the next page", Date: date}
		}
		r.Query, last = query, p.Next
	}
	return nil, driver.Errorf(driver.Unavailable, op, "", "the list does not end")
}

// ours are the entries that refer to the secret and count.
func (a *App) ours(all []entry) (out []reference) {
	for _, e := range all {
		p := e.Properties
		name := cmp.Or(e.Name, e.ID[strings.LastIndexByte(e.ID, '/')+1:])
		at, ok := parse(p.Reference)
		if !ok {
			at = address{vault: p.VaultName, secret: p.SecretName}
		}
		if !at.is(a.target.Vault, a.target.Name) || !a.counts(name) {
			continue
		}
		if !settingForm.MatchString(name) {
			name = "whose name cannot be shown"
		}
		r := reference{setting: name, status: cmp.Or(azhttp.Code(p.Status), unsaid), pinned: at.version != "", holds: p.ActiveVersion}
		if !r.pinned && r.holds == "" {
			r.holds = p.SecretVersion
		}
		out = append(out, r)
	}
	return out
}

// counts says whether a setting is one of those that the manifest names; without any, all are.
func (a *App) counts(setting string) bool {
	return len(a.settings.Settings) == 0 || slices.ContainsFunc(a.settings.Settings, func(s string) bool { return strings.EqualFold(s, setting) })
}

// unfit says why references cannot follow the secret; nil if they can, as far as they say.
func (a *App) unfit(all []reference) *driver.Error {
	refused := func(detail, hint string) *driver.Error {
		return &driver.Error{Kind: driver.Rejected, Detail: detail, Hint: hint, Person: true}
	}
	secret := "https://" + a.target.Vault + "/secrets/" + a.target.Name + "/"
	refer := "set it to @Microsoft.KeyVault(SecretUri=" + secret + "), or correct the consumer's block in the manifest"
	for _, s := range a.settings.Settings {
		if !slices.ContainsFunc(all, func(r reference) bool { return strings.EqualFold(r.setting, s) }) {
			return refused("its setting "+s+" does not refer to secret "+a.target.String(), refer)
		}
	}
	if len(all) == 0 {
		return refused("none of its settings refers to secret "+a.target.String(), refer)
	}
	for _, r := range all {
		switch {
		case r.pinned:
			return refused("its setting "+r.setting+" refers to one version of the secret, and stays on it", "take the version out of the reference; or name only other settings in the manifest, if this one is to stay on what will end")
		case whatToDo[r.status] != "":
			// It goes on saying so for up to a day after it was mended.
			return refused("App Service says of the setting "+r.setting+": "+r.status, whatToDo[r.status]+"; then have it read anew: az rest --method post --url "+a.id()+references+"/refresh?api-version="+apiVersion)
		}
	}
	return nil
}

// whatToDo is what a person can do about a status that no new version changes.
var whatToDo = map[string]string{
	"InvalidSyntax":          "correct the reference in the app's setting",
	"MSINotEnabled":          "give the app a managed identity, or set its keyVaultReferenceIdentity, and give that the role Key Vault Secrets User on the vault",
	"VaultNotFound":          "correct the vault's name in the app's setting",
	"AccessToKeyVaultDenied": "give the app's managed identity the role Key Vault Secrets User on the vault, and check that the vault's network lets the app in",
	"UnauthorizedClient":     "give the app's managed identity the role Key Vault Secrets User on the vault",
}

// address is what a reference names.
type address struct{ vault, secret, version string }

// is says whether it is a secret of the vault with that host, which is named by its host or its name.
func (x address) is(host, secret string) bool {
	name, _, _ := strings.Cut(host, ".")
	return strings.EqualFold(x.secret, secret) && (strings.EqualFold(x.vault, host) || strings.EqualFold(x.vault, name))
}

// parse reads a reference as a person wrote it. Whether it names a version is not to be had elsewhere: what an answer
// calls the secret's version may be the one that was read.
func parse(text string) (x address, ok bool) {
	const begin = "@Microsoft.KeyVault("
	text = strings.TrimSpace(text)
	if len(text) < len(begin) || !strings.EqualFold(text[:len(begin)], begin) || !strings.HasSuffix(text, ")") {
		return x, false
	}
	for part := range strings.SplitSeq(text[len(begin):len(text)-1], ";") {
		name, v, _ := strings.Cut(part, "=")
		switch v = strings.TrimSpace(v); strings.ToLower(strings.TrimSpace(name)) {
		case "secreturi":
			x = addressIn(v)
		case "vaultname":
			x.vault = v
		case "secretname":
			x.secret = v
		case "secretversion":
			x.version = v
		}
	}
	return x, x.vault != "" && x.secret != ""
}

// addressIn reads https://HOST/secrets/NAME[/VERSION].
func addressIn(uri string) address {
	_, rest, _ := strings.Cut(uri, "://")
	parts := strings.Split(strings.TrimRight(rest, "/"), "/")
	if len(parts) < 3 || len(parts) > 4 || !strings.EqualFold(parts[1], "secrets") {
		return address{}
	}
	host, _, _ := strings.Cut(parts[0], ":")
	return address{host, parts[2], strings.Join(parts[3:], "")}
}
