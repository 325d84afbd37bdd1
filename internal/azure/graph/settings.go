package graph

import (
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Settings are the block "appSecret" of a credential.
type Settings struct {
	AppID    string       `yaml:"appId" is:"guid" one:"way to name the application" doc:"The application (client) id of the app registration."`
	ObjectID string       `yaml:"objectId" is:"guid" one:"way to name the application" doc:"The object id of the app registration: not that of its service principal. Keep to one way of naming it, for the other one counts as another application."`
	Owners   manifest.Set `yaml:"owners" doc:"Administrators who answer for the application: object ids of users or service principals. Those who do not own it are made its owners when the credential is replaced; nobody is taken away."`
	Adopt    *Adopt       `yaml:"adopt" doc:"An existing client secret, not made by Rekey, to take over."`
}

// Adopt names an existing client secret.
type Adopt struct {
	ID   string `yaml:"id" is:"guid" one:"way to name the secret" doc:"Its key id (\"Secret ID\" in the portal)."`
	Name string `yaml:"name" one:"way to name the secret" doc:"Its description, if exactly one secret of the application has it."`
}

// Kind is what a manifest can say about a client secret of an app registration.
func Kind() manifest.Kind {
	return manifest.Kind{
		Name: "appSecret",
		Doc:  "A client secret of an app registration in Microsoft Entra ID.",
		New:  func() manifest.Settings { return &Settings{} },
	}
}

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), in manifest.Context) {
	checkOwners(report, s.Owners)
	if in.Strategy == manifest.Extend {
		report("", "the date of a client secret cannot be moved: take out 'strategy: extend', and it is replaced")
	}
	if s.Adopt != nil && rotation.LooksStamped(s.Adopt.Name) {
		report("adopt.name", "a client secret that Rekey made is found by its stamp and need not be adopted")
	}
}

// CertificateSettings are the block "appCertificate" of a credential.
type CertificateSettings struct {
	AppID    string            `yaml:"appId" is:"guid" one:"way to name the application" doc:"The application (client) id of the app registration."`
	ObjectID string            `yaml:"objectId" is:"guid" one:"way to name the application" doc:"The object id of the app registration: not that of its service principal. Keep to one way of naming it, for the other one counts as another application."`
	Key      string            `yaml:"key" enum:"rsa-2048,rsa-3072,rsa-4096" default:"rsa-2048" doc:"The key's algorithm and size. Entra ID takes RSA alone."`
	Format   string            `yaml:"format" enum:"pem,pfx" default:"pem" doc:"How the secret holds key and certificate: 'pem', or 'pfx', which is the base64 of a PFX without a password."`
	Owners   manifest.Set      `yaml:"owners" doc:"Administrators who answer for the application: object ids of users or service principals. Those who do not own it are made its owners when the credential is replaced; nobody is taken away."`
	Adopt    *AdoptCertificate `yaml:"adopt" doc:"An existing certificate, not made by Rekey, to take over. Its key must be in the secret with it, in PEM or in the base64 of a PFX without a password."`
}

// AdoptCertificate names an existing certificate.
type AdoptCertificate struct {
	ID   string `yaml:"id" is:"guid" one:"way to name the certificate" doc:"Its key id (\"Certificate ID\" in the portal)."`
	Name string `yaml:"name" one:"way to name the certificate" doc:"Its description, if exactly one certificate of the application has it."`
}

// CertificateKind is what a manifest can say about a certificate of an app registration.
func CertificateKind() manifest.Kind {
	return manifest.Kind{
		Name: "appCertificate",
		Doc:  "A certificate of an app registration in Microsoft Entra ID, with its key.",
		New:  func() manifest.Settings { return &CertificateSettings{} },
	}
}

// Check implements manifest.Settings.
func (s *CertificateSettings) Check(report func(path, text string), in manifest.Context) {
	checkOwners(report, s.Owners)
	if in.Strategy == manifest.Extend {
		report("", "the date of a certificate cannot be moved: take out 'strategy: extend', and it is replaced")
	}
	if s.Adopt != nil && rotation.LooksStamped(s.Adopt.Name) {
		report("adopt.name", "a certificate that Rekey made is found by its stamp and need not be adopted")
	}
}

const pfxFormat = "pfx"

// form is empty for PEM, which is what is meant where nothing is said.
func (s CertificateSettings) form() string {
	if s.Format == pfxFormat {
		return pfxFormat
	}
	return ""
}

func (s CertificateSettings) encode(p pair) (secret.Value, error) {
	if s.form() == pfxFormat {
		return p.pfx()
	}
	return p.pem()
}

// ContentType is that of the secret, as Key Vault itself names the two.
func (s CertificateSettings) ContentType() string {
	if s.form() == pfxFormat {
		return "application/x-pkcs12"
	}
	return "application/x-pem-file"
}

func (s CertificateSettings) bits() int {
	switch s.Key {
	case "rsa-4096":
		return 4096
	case "rsa-3072":
		return 3072
	}
	return 2048
}
