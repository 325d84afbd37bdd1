package graph

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// keyInput is a key credential as a client sends it.
type keyInput struct {
	KeyID       *string `json:"keyId"`
	DisplayName *string `json:"displayName"`
	Start       *string `json:"startDateTime"`
	End         *string `json:"endDateTime"`
	Type        string  `json:"type"`
	Usage       string  `json:"usage"`
	Key         *string `json:"key"`
	CustomKeyID *string `json:"customKeyIdentifier"`
}

// authorizeRoll is who may add or remove a key with a proof: whoever may change the object, and the application
// itself, which needs no permission for its own keys.
func (c *call) authorizeRoll() (now, seen holder, f *fault) {
	if now, seen, f = c.writable(); f == nil || f.status != http.StatusForbidden || c.w.Knobs.Graph.OwnKeysNeedPermission {
		return now, seen, f
	}
	if now, seen, notThere := c.target(); notThere == nil && now.itself(c.token) {
		return now, seen, nil
	}
	return holder{}, holder{}, f
}

func (c *call) addKey() (int, any, *fault) {
	h, seen, f := c.authorizeRoll()
	if f != nil {
		return 0, nil, f
	}
	var in *keyInput
	var password *passwordInput
	var proof string
	if _, f := c.decode("keyCredential", map[string]any{"keyCredential": &in, "passwordCredential": &password, "proof": &proof}); f != nil {
		return 0, nil, f
	}
	if in == nil {
		return 0, nil, badRequest("Property keyCredential is required.")
	}
	if !c.proves(seen, proof) {
		return 0, nil, badProof()
	}
	k, f := c.newKey(h, *in)
	if f != nil {
		return 0, nil, f
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	*h.keys() = append(*h.keys(), k)
	e := keyBody(k, false)
	e["@odata.context"] = Root + "/$metadata#microsoft.graph.keyCredential"
	return http.StatusOK, e, nil
}

func (c *call) removeKey() (int, any, *fault) {
	h, seen, f := c.authorizeRoll()
	if f != nil {
		return 0, nil, f
	}
	var id, proof string
	given, f := c.decode("keyId", map[string]any{"keyId": &id, "proof": &proof})
	switch {
	case f != nil:
		return 0, nil, f
	case !given["keyId"] || !guidForm.MatchString(id):
		return 0, nil, badRequest("Invalid value specified for property 'keyId'.")
	case !c.proves(seen, proof):
		return 0, nil, badProof()
	}
	is := func(k *world.KeyCredential) bool { return strings.EqualFold(k.KeyID, id) }
	i := slices.IndexFunc(*h.keys(), is)
	if i < 0 || !slices.ContainsFunc(*seen.keys(), is) {
		return 0, nil, noKey(id)
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	k := (*h.keys())[i]
	*h.keys() = slices.Delete(slices.Clone(*h.keys()), i, i+1)
	c.retireKey(h, k)
	return http.StatusNoContent, nil, nil
}

// newKey makes a credential out of a certificate, if the object may have it.
func (c *call) newKey(h holder, in keyInput) (*world.KeyCredential, *fault) {
	switch {
	case in.Type == "X509CertAndPassword":
		return nil, &fault{status: http.StatusNotImplemented, code: "NotImplemented", message: "The simulator has no keys with a password: X509CertAndPassword."}
	case in.Type != "AsymmetricX509Cert" || in.Usage != "Verify":
		return nil, badRequest("Invalid value specified for property 'type' or 'usage' of resource 'keyCredential'.")
	case in.Key == nil:
		return nil, badRequest("Invalid value specified for property 'key' of resource 'keyCredential'.")
	}
	der, err := decodeKey(*in.Key)
	if err != nil {
		return nil, badRequest("Invalid value specified for property 'key' of resource 'keyCredential'.")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badKey("KeyCredentialsInvalidKeyValue", "Key credential value is invalid.", "InvalidValue")
	}
	k := &world.KeyCredential{Start: cert.NotBefore.UTC(), End: cert.NotAfter.UTC(), Created: c.now, DER: der, Name: cert.Subject.String()}
	if in.DisplayName != nil {
		k.Name = *in.DisplayName
	}
	var f *fault
	if in.Start != nil {
		if k.Start, f = instant(*in.Start, "startDateTime", "keyCredential"); f != nil {
			return nil, f
		}
	}
	if in.End != nil {
		if k.End, f = instant(*in.End, "endDateTime", "keyCredential"); f != nil {
			return nil, f
		}
	}
	switch {
	case k.Start.Before(cert.NotBefore):
		return nil, badKey("KeyCredentialsInvalidStartDate", "Key credential start date is invalid.", "InvalidKeyStartDate")
	case k.End.After(cert.NotAfter), !k.End.After(k.Start), !k.End.After(c.now):
		return nil, badKey("KeyCredentialsInvalidEndDate", "Key credential end date is invalid.", "InvalidKeyEndDate")
	case slices.ContainsFunc(*h.keys(), func(x *world.KeyCredential) bool { return bytes.Equal(x.DER, der) }):
		return nil, badRequest("Duplicate key credential: the certificate is on the object already.")
	case len(*h.secrets())+len(*h.keys()) >= limit(c.w.Knobs.Graph.MaxCredentials, defaultMaxKeys):
		return nil, tooLarge()
	}
	if policy := c.w.PolicyFor(h.app); policy != nil && policy.MaxCertificateLife > 0 && k.End.Sub(k.Start) > time.Duration(policy.MaxCertificateLife) {
		return nil, tooLong(policy)
	}
	k.KeyID = c.w.NewID()
	if in.KeyID != nil && guidForm.MatchString(*in.KeyID) {
		k.KeyID = *in.KeyID
	}
	return k, nil
}

func badKey(code, message, detailCode string) *fault {
	return &fault{status: http.StatusBadRequest, code: code, message: message, details: []detail{{detailCode, message, "keyCredentials"}}}
}

// decodeKey takes base64 of either alphabet, in one line or in PEM's, which is what az sends.
func decodeKey(s string) ([]byte, error) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "").Replace(s), "=")
	return base64.RawStdEncoding.DecodeString(s)
}

// replacedKeys are those that a list in a PATCH means: an entry with a known id and no key keeps that one, everything
// else is new.
func (c *call) replacedKeys(h holder, in []keyInput) ([]*world.KeyCredential, *fault) {
	var out []*world.KeyCredential
	for _, x := range in {
		i := -1
		if x.KeyID != nil {
			i = slices.IndexFunc(*h.keys(), func(k *world.KeyCredential) bool { return strings.EqualFold(k.KeyID, *x.KeyID) })
		}
		if i >= 0 {
			k := (*h.keys())[i]
			if changed(x.Start, k.Start) || changed(x.End, k.End) || x.Key != nil && !sameKey(*x.Key, k.DER) {
				return nil, badRequest("Update to existing credential with KeyId '%s' is not allowed.", k.KeyID)
			}
			out = append(out, k)
			continue
		}
		without := h
		without.app = h.app.Clone()
		*without.keys() = out // what is new is judged by the new list
		k, f := c.newKey(without, x)
		if f != nil {
			return nil, f
		}
		out = append(out, k)
	}
	return out, nil
}

func sameKey(sent string, has []byte) bool {
	der, err := decodeKey(sent)
	return err == nil && bytes.Equal(der, has)
}

// retireKey keeps a removed certificate where sign-in finds it, as long as regions may honour it.
func (c *call) retireKey(h holder, k *world.KeyCredential) {
	if c.removalDelay() > 0 || c.w.Knobs.Graph.KeepRemoved {
		gone := *k
		gone.Removed = c.now
		h.app.RemovedCertificates = append(h.app.RemovedCertificates, &gone)
	}
}
