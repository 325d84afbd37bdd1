package entra

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const bearerAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// checkAssertion checks a client assertion: one that the client signed itself, with a certificate, or one of an
// issuer that it trusts. The issuer tells them apart: a URL, or the client's id.
func (s *Service) checkAssertion(q *request, m realm, c client, raw string) *failure {
	switch q.form.Get("client_assertion_type") {
	case bearerAssertion:
	case "":
		return errMissing("client_assertion_type")
	default:
		return refuse("invalid_request", 90023, "The value of 'client_assertion_type' must be '%s'.", bearerAssertion)
	}
	j, ok := parseJWT(raw)
	if !ok {
		return errJWT("it is not three parts of base64url with JSON in the first two")
	}
	if j.header.Alg != "RS256" && j.header.Alg != "PS256" {
		return errJWT("its algorithm is not supported")
	}
	if strings.Contains(j.text("iss"), "://") {
		return s.checkFederated(c, j)
	}
	return s.checkCertificate(m, c, j)
}

func (s *Service) checkCertificate(m realm, c client, j *jwt) *failure {
	if !strings.EqualFold(j.text("iss"), c.id) || !strings.EqualFold(j.text("sub"), c.id) {
		return refuseClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .")
	}
	k, thumb := s.findCertificate(c.app, j.header)
	if k == nil {
		return refuseClient(700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '%s'.]", thumb)
	}
	cert, err := x509.ParseCertificate(k.DER)
	if err != nil {
		return refuseClient(700027, "Client assertion failed signature validation. [Reason - The key is not a certificate.]")
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || !j.verifiedBy(key) {
		return refuseClient(700027, "Client assertion failed signature validation. [Reason - The signature is not the key's., Thumbprint of key used by client: '%s'.]", thumb)
	}
	if now := s.w.Now(); now.Before(k.Start) || (!k.End.IsZero() && !now.Before(k.End)) {
		return refuseClient(700027, "Client assertion failed signature validation. [Reason - The key used is expired., Thumbprint of key used by client: '%s'.]", thumb)
	}
	if !slices.ContainsFunc(j.audiences(), func(aud string) bool { return isTokenEndpoint(m.tenant, aud) }) {
		return refuseClient(700023, "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .")
	}
	return j.checkTime(s.w.RealNow())
}

// findCertificate finds the certificate that the header's thumbprint names: SHA-1 or SHA-256 of the whole of it.
func (s *Service) findCertificate(a *world.App, h jwtHeader) (_ *world.KeyCredential, thumb string) {
	sha1Of, _ := decode64(h.X5T)
	sha256Of, _ := decode64(h.X5TS256)
	delay := time.Duration(s.w.Knobs.Entra.NewCertificateDelay)
	for _, k := range slices.Concat(a.Certificates, a.ServicePrincipalCertificates, a.RemovedCertificates) {
		short, long := sha1.Sum(k.DER), sha256.Sum256(k.DER)
		switch {
		case !bytes.Equal(sha1Of, short[:]) && !bytes.Equal(sha256Of, long[:]):
		case !k.Removed.IsZero() && !s.remembered(k.KeyID, k.Removed):
		case !s.heard(k.KeyID, k.Created, delay):
		default:
			return k, strings.ToUpper(hex.EncodeToString(short[:]))
		}
	}
	if len(sha1Of) > 0 {
		return nil, strings.ToUpper(hex.EncodeToString(sha1Of))
	}
	return nil, strings.ToUpper(hex.EncodeToString(sha256Of))
}

// isTokenEndpoint says whether an audience means the tenant: a token endpoint of it, or its issuer.
func isTokenEndpoint(t *world.Tenant, aud string) bool {
	if t == nil {
		return false
	}
	for _, name := range []string{t.ID, t.Domain} {
		for _, host := range clouds[0].Aliases {
			base := "https://" + host + "/" + name
			for _, end := range []string{"/oauth2/token", "/oauth2/v2.0/token", "/v2.0", "/"} {
				if strings.EqualFold(aud, base+end) {
					return true
				}
			}
		}
	}
	return false
}

// checkFederated checks another issuer's token against the credentials that trust it. Issuer, subject and audience
// must match exactly, case included (facts/azure-devops-entra.md section 8.8).
func (s *Service) checkFederated(c client, j *jwt) *failure {
	if len(c.app.FederatedCredentials) == 0 {
		return refuseClient(70025, "The client '%s'(%s) has no configured federated identity credentials.", c.id, c.name)
	}
	issuer, subject := j.text("iss"), j.text("sub")
	match := slices.Clone(c.app.FederatedCredentials)
	keep := func(f func(*world.FederatedCredential) bool) bool {
		match = slices.DeleteFunc(match, func(x *world.FederatedCredential) bool { return !f(x) })
		return len(match) > 0
	}
	if !keep(func(x *world.FederatedCredential) bool { return x.Issuer == issuer }) {
		return s.errFederation(700211, "issuer", issuer)
	}
	if !keep(func(x *world.FederatedCredential) bool { return x.Subject == subject }) {
		return s.errFederation(700213, "subject", subject)
	}
	if !keep(func(x *world.FederatedCredential) bool { return trustsAudience(x, j.audiences()) }) {
		return s.errFederation(700212, "audience", strings.Join(j.audiences(), ","))
	}
	if !slices.ContainsFunc(match, func(x *world.FederatedCredential) bool { return s.signedByIssuer(x, j) }) {
		return refuseClient(700027, "Client assertion failed signature validation. [Reason - The key was not found.]")
	}
	if s.ownIssuer(issuer) {
		return j.checkTime(s.w.Now())
	}
	return j.checkTime(s.w.RealNow())
}

func (s *Service) errFederation(code int, what, value string) *failure {
	if s.w.Knobs.Entra.OldFederationErrors {
		return refuse("invalid_request", 70021, "No matching federated identity record found for presented assertion.")
	}
	return refuseClient(code, "No matching federated identity record found for presented assertion %s '%s'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation", what, value)
}

// trustsAudience knows that our own tokens name the token exchange by its id.
func trustsAudience(x *world.FederatedCredential, auds []string) bool {
	return slices.ContainsFunc(auds, func(aud string) bool {
		return slices.Contains(x.Audiences, aud) || (aud == tokenExchangeID && slices.Contains(x.Audiences, tokenExchange))
	})
}

// ownIssuer says whether an issuer is one of our tenants: a managed identity's token as an assertion.
func (s *Service) ownIssuer(issuer string) bool {
	return slices.ContainsFunc(s.w.Tenants, func(t *world.Tenant) bool { return issuer == issuerV1(t.ID) || issuer == issuerV2(t.ID) })
}

func (s *Service) signedByIssuer(x *world.FederatedCredential, j *jwt) bool {
	var set jwks
	switch {
	case x.JWKS != "":
		if json.Unmarshal([]byte(x.JWKS), &set) != nil {
			return false
		}
	case x.Issuer == "https://"+GitHub:
		set.Keys = []jwk{githubKey().jwk("")}
	case s.ownIssuer(x.Issuer):
		set.Keys = []jwk{s.key().jwk("")}
	}
	return slices.ContainsFunc(publicKeys(set, j.header.Kid), j.verifiedBy)
}
