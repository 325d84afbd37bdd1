package graph

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

type pair struct {
	key  *rsa.PrivateKey
	cert []byte
}

func newPair(from, until time.Time) pair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "new"}, NotBefore: from, NotAfter: until}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return pair{key, cert}
}

var nextPair = sync.OnceValue(func() pair {
	return newPair(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 11, 1, 0, 0, 0, 0, time.UTC))
})

// builtIn is what lies in the vault for the app signing-service.
func (x *bed) builtIn() pair {
	for _, v := range x.w.Vaults {
		for _, s := range v.Secrets {
			if s.Name == "signing-service-certificate" {
				first, rest := pem.Decode([]byte(s.Versions[0].Value))
				second, _ := pem.Decode(rest)
				key, err := x509.ParsePKCS8PrivateKey(first.Bytes)
				if err != nil {
					x.t.Fatal(err)
				}
				return pair{key.(*rsa.PrivateKey), second.Bytes}
			}
		}
	}
	x.t.Fatal("no vault has the key")
	return pair{}
}

func proof(t *testing.T, key *rsa.PrivateKey, alg string, claims map[string]any) string {
	t.Helper()
	head, err1 := json.Marshal(map[string]string{"alg": alg, "typ": "JWT"})
	body, err2 := json.Marshal(claims)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if alg == "PS256" {
		sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(sig)
}

func (x *bed) claims() map[string]any {
	return map[string]any{"aud": proofAudience, "iss": x.app(world.AppSigning).ID, "nbf": x.now.Unix(), "exp": x.now.Add(10 * time.Minute).Unix()}
}

func addKeyBody(cert []byte, proof string) string {
	return fmt.Sprintf(`{"keyCredential":{"type":"AsymmetricX509Cert","usage":"Verify","key":%q},"passwordCredential":null,"proof":%q}`,
		base64.StdEncoding.EncodeToString(cert), proof)
}

func TestACertificateIsRolledWithAProof(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256"} {
		x := newBed(t)
		a := x.app(world.AppSigning)
		old := a.Certificates[0].KeyID
		token := x.worker(ownedBy)
		path := byApp(world.AppSigning)
		first := proof(t, x.builtIn().key, alg, x.claims())
		r := x.post(token, path+"/addKey", addKeyBody(nextPair().cert, first)).is(200)
		if r.text("startDateTime") != "2026-11-01T00:00:00Z" || r.text("endDateTime") != "2027-11-01T00:00:00Z" || r.body["key"] != nil || r.text("displayName") != "CN=new" {
			t.Errorf("%v", r.body)
		}
		x.post(token, path+"/addKey", addKeyBody(nextPair().cert, first)).refused(400, "Request_BadRequest", "Duplicate")
		second := proof(t, nextPair().key, alg, x.claims())
		x.post(token, path+"/removeKey", `{"keyId":"`+old+`","proof":"`+second+`"}`).is(204)
		x.post(token, path+"/removeKey", `{"keyId":"`+old+`","proof":"`+second+`"}`).refused(400, "Request_BadRequest", "No key credential found with keyId")
		x.post(token, path+"/removeKey", `{"keyId":"`+r.text("keyId")+`","proof":"`+first+`"}`).refused(401, "Authentication_MissingOrMalformed", "")
		if len(a.Certificates) != 1 {
			t.Errorf("%d certificates", len(a.Certificates))
		}
	}
}

func TestAProofThatProvesNothing(t *testing.T) {
	for _, c := range []struct {
		why    string
		claims map[string]any
		alg    string
		world  func(*bed)
	}{
		{"by the client's id instead of the object's", map[string]any{"iss": world.AppSigning}, "", nil},
		{"for another audience", map[string]any{"aud": "https://graph.microsoft.com"}, "", nil},
		{"that lives too long", map[string]any{"exp": 1795255200 + 601}, "", nil},
		{"that has expired", map[string]any{"nbf": 1795255200 - 900, "exp": 1795255200 - 301}, "", nil},
		{"from the future", map[string]any{"nbf": 1795255200 + 301, "exp": 1795255200 + 600}, "", nil},
		{"without an end", map[string]any{"exp": 0}, "", nil},
		{"of another algorithm", nil, "RS384", nil},
		{"by a certificate that has expired", nil, "", func(x *bed) { x.app(world.AppSigning).Certificates[0].End = x.now }},
		{"by a certificate that is not the app's any more", nil, "", func(x *bed) { x.app(world.AppSigning).Certificates = nil }},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newBed(t)
			key := x.builtIn().key
			if c.world != nil {
				c.world(x)
			}
			claims := x.claims()
			maps.Copy(claims, c.claims)
			alg := c.alg
			if alg == "" {
				alg = "RS256"
			}
			body := addKeyBody(nextPair().cert, proof(t, key, alg, claims))
			x.post(x.with(appWrite), byApp(world.AppSigning)+"/addKey", body).refused(401, "Authentication_MissingOrMalformed", "Access Token missing or malformed.")
		})
	}
	x := newBed(t)
	for _, p := range []string{"", "a.b", "not.a.proof", proof(t, nextPair().key, "RS256", x.claims())} {
		x.post(x.with(appWrite), byApp(world.AppSigning)+"/addKey", addKeyBody(nextPair().cert, p)).refused(401, "Authentication_MissingOrMalformed", "")
	}
}

func TestAnAppRollsItsOwnKeysWithoutAPermission(t *testing.T) {
	x := newBed(t)
	a := x.app(world.AppSigning)
	own := x.as(a.ServicePrincipalID, a.ClientID)
	body := addKeyBody(nextPair().cert, proof(t, x.builtIn().key, "RS256", x.claims()))
	x.w.Knobs.Graph.OwnKeysNeedPermission = true
	x.post(own, byApp(world.AppSigning)+"/addKey", body).refused(403, "Authorization_RequestDenied", "")
	x.w.Knobs.Graph.OwnKeysNeedPermission = false
	x.post(x.with(), byApp(world.AppSigning)+"/addKey", body).refused(403, "Authorization_RequestDenied", "")
	x.post(own, byApp(world.AppSigning)+"/addKey", body).is(200)
	x.post(own, byApp(world.AppSigning)+"/addPassword", `{}`).refused(403, "Authorization_RequestDenied", "")
}

func TestAKeyThatIsNoneIsRefused(t *testing.T) {
	expired := newPair(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))
	good := base64.StdEncoding.EncodeToString(nextPair().cert)
	for why, c := range map[string]struct{ key, code string }{
		"of another type":            {`{"type":"Symmetric","usage":"Sign","key":"AAAA"}`, "Request_BadRequest"},
		"without a value":            {`{"type":"AsymmetricX509Cert","usage":"Verify"}`, "Request_BadRequest"},
		"not in base64":              {`{"type":"AsymmetricX509Cert","usage":"Verify","key":"!"}`, "Request_BadRequest"},
		"that is no certificate":     {`{"type":"AsymmetricX509Cert","usage":"Verify","key":"AAAA"}`, "KeyCredentialsInvalidKeyValue"},
		"whose certificate is over":  {`{"type":"AsymmetricX509Cert","usage":"Verify","key":"` + base64.StdEncoding.EncodeToString(expired.cert) + `"}`, "KeyCredentialsInvalidEndDate"},
		"that outlives itself":       {`{"type":"AsymmetricX509Cert","usage":"Verify","key":"` + good + `","endDateTime":"2028-01-01T00:00:00Z"}`, "KeyCredentialsInvalidEndDate"},
		"that begins before itself":  {`{"type":"AsymmetricX509Cert","usage":"Verify","key":"` + good + `","startDateTime":"2020-01-01T00:00:00Z"}`, "KeyCredentialsInvalidStartDate"},
		"that has an unknown member": {`{"type":"AsymmetricX509Cert","usage":"Verify","key":7}`, "Request_BadRequest"},
	} {
		t.Run(why, func(t *testing.T) {
			x := newBed(t)
			x.patch(x.with(appWrite), byApp(world.AppBilling), `{"keyCredentials":[`+c.key+`]}`).refused(400, c.code, "")
			if len(x.app(world.AppBilling).Certificates) != 0 {
				t.Error("it was added")
			}
		})
	}
}

func TestAListOfKeysReplacesAll(t *testing.T) {
	x := newBed(t)
	a := x.app(world.AppSigning)
	old := a.Certificates[0].KeyID
	token := x.with(appWrite)
	fresh := `{"type":"AsymmetricX509Cert","usage":"Verify","displayName":"fresh","key":"` + base64.StdEncoding.EncodeToString(nextPair().cert) + `"}`

	x.patch(token, byApp(world.AppSigning), `{"keyCredentials":[{"keyId":"`+old+`","type":"AsymmetricX509Cert","usage":"Verify"},`+fresh+`]}`).is(204)
	if len(a.Certificates) != 2 || a.Certificates[0].KeyID != old || a.Certificates[1].Name != "fresh" {
		t.Fatalf("%d certificates", len(a.Certificates))
	}
	x.patch(token, byApp(world.AppSigning), `{"keyCredentials":[{"keyId":"`+old+`","endDateTime":"2030-01-01T00:00:00Z"}]}`).refused(400, "Request_BadRequest", "Update to existing credential")
	x.patch(token, byApp(world.AppSigning), `{"keyCredentials":[`+fresh+`]}`).is(204)
	if len(a.Certificates) != 1 || a.Certificates[0].KeyID == old {
		t.Error("what is left out of the list is still there")
	}
	inLines := strings.Replace(fresh, `"key":"MII`, `"key":"M\nI\r\nI`, 1)
	inLines = strings.Replace(inLines, `"}`, `\n"}`, 1)
	x.patch(token, byApp(world.AppDeploy), `{"keyCredentials":[`+inLines+`]}`).is(204)
	x.w.AppManagementPolicies = []*world.AppManagementPolicy{{ID: "p", TenantID: world.TenantID, Default: true, MaxCertificateLife: world.Duration(90 * 24 * time.Hour)}}
	x.patch(token, byApp(world.AppBilling), `{"keyCredentials":[`+fresh+`]}`).refused(400, "CredentialInvalidLifetimeAsPerAppPolicy", "")
	if !strings.HasPrefix(a.Certificates[0].Name, "fresh") {
		t.Error(a.Certificates[0].Name)
	}
}

func TestARemovedCertificateIsKeptForWhoLooksBack(t *testing.T) {
	for _, keep := range []bool{true, false} {
		x := newBed(t)
		x.w.Knobs.Graph.KeepRemoved = keep
		a := x.app(world.AppSigning)
		id := a.Certificates[0].KeyID
		body, err := json.Marshal(map[string]string{"keyId": id, "proof": proof(t, x.builtIn().key, "RS256", x.claims())})
		if err != nil {
			t.Fatal(err)
		}
		x.post(x.with(appWrite), byApp(world.AppSigning)+"/removeKey", string(body)).is(204)
		if n := len(a.RemovedCertificates); len(a.Certificates) != 0 || (n == 1) != keep || keep && a.RemovedCertificates[0].KeyID != id {
			t.Errorf("keep %t: %d are there, %d are kept", keep, len(a.Certificates), n)
		}
	}
}
