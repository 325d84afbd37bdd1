package cli_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdSignCert signs in as an application with the certificate in a version of a secret, counted back from the newest,
// which is 0, by the library that Azure's tools use: signcert APP SECRET VERSION.
func cmdSignCert(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: signcert APP SECRET VERSION")
	}
	back, err := strconv.Atoi(args[2])
	ts.Check(err)
	s := running(ts)
	w := s.World()
	w.Lock()
	var value string
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if n := len(x.Versions) - 1 - back; x.Name == args[1] && n >= 0 {
				value = x.Versions[n].Value
			}
		}
	}
	w.Unlock()
	if pfx, err := base64.StdEncoding.DecodeString(value); err == nil { // as a vault holds a PFX
		value = string(pfx)
	}
	certs, key, err := azidentity.ParseCertificates([]byte(value), nil)
	ts.Check(err)
	options := azidentity.ClientCertificateCredentialOptions{}
	options.Transport = &http.Client{Transport: s.Transport()}
	cred, err := azidentity.NewClientCertificateCredential(world.TenantID, args[0], certs, key, &options)
	ts.Check(err)
	_, err = cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
	if (err == nil) == neg {
		ts.Fatalf("signed in: %v", err)
	}
}
