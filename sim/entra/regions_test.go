package entra

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// codes are the AADSTS codes of n sign-ins in a row, 0 for success.
func codes(t *testing.T, n int, signIn func() response) (out []int) {
	t.Helper()
	for range n {
		code := 0
		if list, ok := signIn().json(t)["error_codes"].([]any); ok {
			code = int(list[0].(float64))
		}
		out = append(out, code)
	}
	return out
}

func TestRegionsHearOfANewSecretOneAfterTheOther(t *testing.T) {
	x := newSim(t)
	x.w.Knobs.Entra.NewSecretDelay, x.w.Knobs.Entra.Regions = world.Duration(30*time.Second), 3
	born := x.now
	x.app(consumer).Secrets[0].Created = born
	const no = 7000215
	for _, c := range []struct {
		after time.Duration
		want  []int
	}{
		{0, []int{no, no, no, no, no, no}},
		{10 * time.Second, []int{0, no, no, 0, no, no}},
		{20 * time.Second, []int{0, 0, no, 0, 0, no}},
		{30 * time.Second, []int{0, 0, 0, 0, 0, 0}},
	} {
		x.now = born.Add(c.after)
		if got := codes(t, 6, func() response { return x.token(x.secretForm(consumer)) }); !slices.Equal(got, c.want) {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
}

func TestRegionsForgetARemovedSecretOneAfterTheOther(t *testing.T) {
	x := newSim(t)
	form := x.secretForm(consumer)
	a := x.app(consumer)
	gone := *a.Secrets[0]
	gone.Removed = x.now
	a.Secrets, a.RemovedSecrets = nil, []*world.PasswordCredential{&gone}
	signIn := func() response { return x.token(form) }
	if got := codes(t, 1, signIn); got[0] != 7000215 {
		t.Errorf("without a delay: %v", got)
	}
	x.w.Knobs.Entra.RemovalDelay, x.w.Knobs.Entra.Regions = world.Duration(20*time.Second), 2
	if got := codes(t, 2, signIn); !slices.Equal(got, []int{0, 0}) {
		t.Errorf("at once: %v", got)
	}
	x.now = x.now.Add(10 * time.Second)
	if got := codes(t, 4, signIn); !slices.Equal(got, []int{7000215, 0, 7000215, 0}) {
		t.Errorf("half way: %v", got)
	}
	x.now = x.now.Add(10 * time.Second)
	if got := codes(t, 2, signIn); !slices.Equal(got, []int{7000215, 7000215}) {
		t.Errorf("at the end: %v", got)
	}
}

func TestANewCertificateIsRefusedForAWhileAndARemovedOneIsNot(t *testing.T) {
	x, header, claims := withCertificate(t)
	k := x.app(consumer).Certificates[0]
	k.Created, k.Start = x.now, x.now
	x.w.Knobs.Entra.NewCertificateDelay = world.Duration(10 * time.Second)
	x.w.Knobs.Entra.RemovalDelay = world.Duration(10 * time.Second)
	form := x.assertionForm(consumer, assertion(t, ownKey().key, header, claims))
	x.token(form).refused(t, 401, "invalid_client", 700027)
	x.now = x.now.Add(10 * time.Second)
	x.token(form).ok(t)
	k.Removed = x.now
	x.app(consumer).Certificates, x.app(consumer).RemovedCertificates = nil, []*world.KeyCredential{k}
	x.token(form).ok(t)
	x.now = x.now.Add(10 * time.Second)
	x.token(form).refused(t, 401, "invalid_client", 700027)
}

func TestAServicePrincipalsCredentialsSignInToo(t *testing.T) {
	x, header, claims := withCertificate(t)
	a := x.app(consumer)
	form := x.secretForm(consumer)
	a.ServicePrincipalSecrets, a.Secrets = a.Secrets, nil
	a.ServicePrincipalCertificates, a.Certificates = a.Certificates, nil
	x.token(form).ok(t)
	x.token(x.assertionForm(consumer, assertion(t, ownKey().key, header, claims))).ok(t)
	a.ServicePrincipalID = ""
	x.token(form).refused(t, 400, "unauthorized_client", 7000229)
}

func TestTheCertificateOfTheBuiltInWorldSignsIn(t *testing.T) {
	x, _, claims := withCertificate(t)
	key, cert := builtInKey(t, x.w)
	long := sha256.Sum256(cert)
	claims["iss"], claims["sub"] = world.AppSigning, world.AppSigning
	x.token(x.assertionForm(world.AppSigning, assertion(t, key, map[string]any{"alg": "PS256", "x5t#S256": b64(long[:])}, claims))).ok(t)
}

// builtInKey is the key and the certificate that lie in the vault for the app signing-service.
func builtInKey(t *testing.T, w *world.World) (key *rsa.PrivateKey, cert []byte) {
	t.Helper()
	for _, v := range w.Vaults {
		for _, s := range v.Secrets {
			if s.Name != "signing-service-certificate" {
				continue
			}
			first, rest := pem.Decode([]byte(s.Versions[0].Value))
			second, _ := pem.Decode(rest)
			k, err := x509.ParsePKCS8PrivateKey(first.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			return k.(*rsa.PrivateKey), second.Bytes
		}
	}
	t.Fatal("no vault has the key")
	return nil, nil
}

func TestAnOldPasswordSignsInUntilEveryRegionHasTheNewOne(t *testing.T) {
	x := newSim(t)
	u := x.account(svcPAT)
	old := u.Password
	u.PreviousPassword, u.Password, u.PasswordChanged = old, "Sim."+world.Canary+".new.5Gh7", x.now
	x.w.Knobs.Entra.NewPasswordDelay, x.w.Knobs.Entra.Regions = world.Duration(20*time.Second), 2
	signIn := func(password string) func() response {
		return func() response {
			return x.token(pairs("grant_type", "password", "client_id", world.ClientAzureCLI, "username", svcPAT, "password", password, "scope", patScopes))
		}
	}
	const no = 50126
	if got := codes(t, 2, signIn(u.Password)); !slices.Equal(got, []int{no, no}) {
		t.Errorf("the new one at once: %v", got)
	}
	if got := codes(t, 2, signIn(old)); !slices.Equal(got, []int{0, 0}) {
		t.Errorf("the old one at once: %v", got)
	}
	x.now = x.now.Add(10 * time.Second)
	if got := codes(t, 4, signIn(u.Password)); !slices.Equal(got, []int{0, no, 0, no}) {
		t.Errorf("the new one half way: %v", got)
	}
	if got := codes(t, 2, signIn(old)); !slices.Equal(got, []int{no, 0}) {
		t.Errorf("the old one half way: %v", got)
	}
	x.now = x.now.Add(10 * time.Second)
	if got := slices.Concat(codes(t, 2, signIn(u.Password)), codes(t, 2, signIn(old))); !slices.Equal(got, []int{0, 0, no, no}) {
		t.Errorf("at the end: %v", got)
	}
}

func TestAManagedIdentitysGraphTokenCarriesItsPermissions(t *testing.T) {
	x := newSim(t)
	m := x.w.ManagedIdentities[0]
	for resource, want := range map[string]bool{"https://graph.microsoft.com": true, "https://vault.azure.net": false} {
		raw, _, err := x.IssueAppToken(m.ID, m.ClientID, m.TenantID, m.Name, resource)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(x.record(raw).Roles, "Application.ReadWrite.OwnedBy"); got != want {
			t.Errorf("%s: %v", resource, got)
		}
	}
}
