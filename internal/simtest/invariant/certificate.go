package invariant

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// AppCertificate is the name of the kind of applications' certificates. A list that replaces the application's is named
// by what it does: it adds one where an entry has a key, and removes one where none has.
const AppCertificate = "appCertificate"

type keyEntry struct {
	KeyID string  `json:"keyId"`
	Name  string  `json:"displayName"`
	Key   *string `json:"key"`
}

type keyList struct {
	Keys *[]keyEntry `json:"keyCredentials"`
}

func certificateOperation(r *http.Request) string {
	path := strings.Trim(r.URL.Path, "/")
	application := strings.HasPrefix(path, "v1.0/applications")
	switch {
	case application && strings.HasSuffix(path, "/addKey"):
		return "AddKey"
	case application && strings.HasSuffix(path, "/removeKey"):
		return "RemoveKey"
	case application && r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "keyCredentials"):
		return "GetCertificates"
	case r.Body == nil || !(application && r.Method == http.MethodPatch) && !strings.HasSuffix(path, "oauth2/v2.0/token"):
		return ""
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !application {
		if form, err := url.ParseQuery(string(body)); err == nil && form.Has("client_assertion") {
			return "SignInByCertificate"
		}
		return ""
	}
	var in keyList
	if json.Unmarshal(body, &in) != nil || in.Keys == nil {
		return ""
	}
	if slices.ContainsFunc(*in.Keys, func(k keyEntry) bool { return k.Key != nil }) {
		return "AddKey"
	}
	return "RemoveKey"
}

func aboutCertificate(operation string, _ *http.Request, body []byte) (id, name, value string) {
	var in struct {
		keyList
		KeyID string   `json:"keyId"`
		Key   keyEntry `json:"keyCredential"`
	}
	switch operation {
	case "AddKey", "RemoveKey":
		_ = json.Unmarshal(body, &in)
		if id, name = in.KeyID, in.Key.Name; in.Keys != nil {
			for _, k := range *in.Keys {
				if k.Key != nil {
					name = k.Name
				}
			}
		}
	case "SignInByCertificate":
		form, _ := url.ParseQuery(string(body))
		var header struct {
			Thumb string `json:"x5t#S256"`
		}
		part, _, _ := strings.Cut(form.Get("client_assertion"), ".")
		if b, err := base64.RawURLEncoding.DecodeString(part); err == nil && json.Unmarshal(b, &header) == nil {
			value = header.Thumb
		}
	}
	return id, name, value
}

// leftOut is the certificate of the promised applications that a list in place of theirs is without.
func leftOut(s *world.State, promises []Promise, body []byte) string {
	var in keyList
	if json.Unmarshal(body, &in) != nil || in.Keys == nil {
		return ""
	}
	for _, p := range promises {
		for _, a := range s.Apps {
			if p.Kind != AppCertificate || a.ClientID != p.Owner {
				continue
			}
			for _, k := range a.Certificates {
				if !slices.ContainsFunc(*in.Keys, func(x keyEntry) bool { return strings.EqualFold(x.KeyID, k.KeyID) }) {
					return k.KeyID
				}
			}
		}
	}
	return ""
}

// inPEM is the certificate in a value, nil if there is none.
func inPEM(value string) []byte {
	for b, rest := pem.Decode([]byte(value)); b != nil; b, rest = pem.Decode(rest) {
		if b.Type == "CERTIFICATE" {
			return b.Bytes
		}
	}
	return nil
}

// appCertificates have as their value what the promise's secret holds of them.
func appCertificates(s *world.State, p Promise) (out []*world.PAT) {
	values := map[string]string{}
	if x := secretOf(s, p.Target); x != nil {
		for _, v := range x.Versions {
			if der := inPEM(v.Value); der != nil {
				values[string(der)] = v.Value
			}
		}
	}
	for _, a := range s.Apps {
		if a.ClientID != p.Owner {
			continue
		}
		for _, k := range slices.Concat(a.Certificates, a.RemovedCertificates) {
			t := &world.PAT{AuthorizationID: k.KeyID, OwnerID: a.ClientID, Name: k.Name, ValidFrom: k.Start, ValidTo: k.End, Token: "no value is known", Revoked: k.Removed}
			if v, ok := values[string(k.DER)]; ok {
				t.Token = v
			}
			out = append(out, t)
		}
	}
	return out
}

func namedCertificates(s *world.State, name string) (out []string) {
	for _, a := range s.Apps {
		for _, k := range a.Certificates {
			if k.Name == name {
				out = append(out, k.KeyID)
			}
		}
	}
	return out
}

// valuedCertificate takes a PEM, or the thumbprint that an assertion is signed by.
func valuedCertificate(s *world.State, value string) string {
	der := inPEM(value)
	for _, a := range s.Apps {
		for _, k := range slices.Concat(a.Certificates, a.RemovedCertificates) {
			thumb := sha256.Sum256(k.DER)
			if der != nil && bytes.Equal(der, k.DER) || value == base64.RawURLEncoding.EncodeToString(thumb[:]) {
				return k.KeyID
			}
		}
	}
	return ""
}
