package rekey_test

import (
	"bytes"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// decoders are the calls that make something of what came from outside, by the package that calls, with the fuzz
// targets there that hold them to the bounds of simtest/badinput. What has none says why in brackets.
var decoders = map[string]string{
	"internal/approval encoding/json.NewDecoder":                     "FuzzAsked FuzzDecision",
	"internal/approval encoding/json.Unmarshal":                      "FuzzAsked FuzzCases",
	"internal/approval io.ReadAll":                                   "(bytes that FuzzAsked and FuzzDecision read)",
	"internal/approval time.Parse":                                   "FuzzCases",
	"internal/artifact encoding/json.Unmarshal":                      "FuzzParse",
	"internal/artifact net/url.Parse":                                "(an address that the environment says, of which nothing but https passes)",
	"internal/artifact strconv.ParseUint":                            "(a number that the environment says, taken as it is or not at all)",
	"internal/azure/appendblob strconv.Atoi":                         "FuzzView",
	"internal/azure/appendblob strconv.ParseInt":                     "FuzzView",
	"internal/azure/appservice encoding/json.Unmarshal":              "FuzzReferences",
	"internal/azure/automation time.Parse":                           "FuzzJob",
	"internal/azure/azhttp encoding/json.Unmarshal":                  "FuzzDecode FuzzIdentity",
	"internal/azure/azhttp io.ReadAll":                               "FuzzDecode",
	"internal/azure/azhttp mime.ParseMediaType":                      "FuzzFailure",
	"internal/azure/azhttp net/http.ParseTime":                       "FuzzRetryAfter",
	"internal/azure/azhttp net/url.ParseQuery":                       "FuzzNext",
	"internal/azure/azhttp strconv.ParseFloat":                       "FuzzRetryAfter",
	"internal/azure/blob encoding/xml.Unmarshal":                     "FuzzBlobs",
	"internal/azure/blob io.ReadAll":                                 "FuzzBlobs",
	"internal/azure/blob net/url.Parse":                              "(the manifest's own address)",
	"internal/azure/devops azhttp.Decode":                            "FuzzPATList FuzzPATResult FuzzPATUpdate FuzzConnectionData FuzzBrowse",
	"internal/azure/devops encoding/json.Unmarshal":                  "FuzzRefusal",
	"internal/azure/devops io.ReadAll":                               "FuzzRefusal",
	"internal/azure/entra apps/public.New":                           "FuzzPasswordSignIn FuzzSealedCache",
	"internal/azure/entra azhttp.Decode":                             "FuzzGitHubToken",
	"internal/azure/entra azidentity.NewAzureCLICredential":          "(the az command's own words, read by azidentity)",
	"internal/azure/entra azidentity.NewAzurePipelinesCredential":    "FuzzClientSignIn",
	"internal/azure/entra azidentity.NewClientAssertionCredential":   "FuzzClientSignIn FuzzGitHubToken",
	"internal/azure/entra azidentity.NewClientCertificateCredential": "FuzzClientSignIn",
	"internal/azure/entra azidentity.NewClientSecretCredential":      "FuzzClientSignIn FuzzIdentityFile",
	"internal/azure/entra azidentity.NewManagedIdentityCredential":   "FuzzManagedIdentity",
	"internal/azure/entra azidentity.NewWorkloadIdentityCredential":  "FuzzClientSignIn",
	"internal/azure/entra azidentity.ParseCertificates":              "FuzzIdentityFile",
	"internal/azure/entra compress/gzip.NewReader":                   "FuzzSealedCache",
	"internal/azure/entra io.ReadAll":                                "FuzzSealedCache",
	"internal/azure/graph azhttp.Decode":                             "FuzzApplication FuzzCertificateList FuzzPassword FuzzSignIn FuzzUser FuzzUsers FuzzUserSignIn",
	"internal/azure/graph encoding/asn1.Unmarshal":                   "FuzzCertificate FuzzPFX",
	"internal/azure/graph encoding/json.Unmarshal":                   "FuzzCertificateList FuzzGraphRefusal FuzzSignIn FuzzUserSignIn",
	"internal/azure/graph encoding/pem.Decode":                       "FuzzCertificate",
	"internal/azure/graph io.ReadAll":                                "FuzzGraphRefusal FuzzSignIn FuzzUserSignIn",
	"internal/azure/graph net/url.Parse":                             "FuzzApplications",
	"internal/azure/keyvault azsecrets.NewClient":                    "FuzzSecret FuzzSecretList FuzzDeletedSecret FuzzVaultError FuzzChallenge",
	"internal/azure/keyvault encoding/json.Unmarshal":                "FuzzVaultError",
	"internal/azure/keyvault io.ReadAll":                             "FuzzVaultError",
	"internal/azure/keyvault net/url.Parse":                          "FuzzSecretList",
	"internal/azure/logicapps encoding/json.Unmarshal":               "FuzzConnection",
	"internal/azure/logicapps net/url.Parse":                         "FuzzConnection",
	"internal/azure/oidc azhttp.Decode":                              "FuzzIssuer FuzzJobToken",
	"internal/azure/oidc net/url.Parse":                              "FuzzIssuer",
	"internal/azure/oidc v5.NewParser":                               "FuzzToken",
	"internal/azure/pipelines azhttp.Decode":                         "FuzzEndpoint FuzzGroup",
	"internal/azure/pipelines encoding/json.Unmarshal":               "FuzzEndpoint FuzzGroup FuzzRefusal",
	"internal/azure/pipelines io.ReadAll":                            "FuzzRefusal",
	"internal/azure/entra encoding/json.Unmarshal":                   "FuzzHolder",
	"internal/azure/roles strconv.Atoi":                              "FuzzRoles",
	"internal/azure/roles time.Parse":                                "FuzzAssignmentMark",
	"internal/cli io.ReadAll":                                        "(bytes that manifest.Parse or internal/ledger reads)",
	"internal/cli strconv.Atoi":                                      "(a person's own words on the command line)",
	"internal/cli strconv.ParseInt":                                  "(a person's own words on the command line)",
	"internal/cli time.Parse":                                        "(a person's own words on the command line)",
	"internal/cli net/url.Parse":                                     "(a sign-in's address, of which nothing but https passes)",
	"internal/driver time.Parse":                                     "FuzzMark",
	"internal/events encoding/json.Unmarshal":                        "FuzzCursor",
	"internal/events io.ReadAll":                                     "FuzzCursor",
	"internal/hook/webhook net/url.Parse":                            "(the manifest's own address)",
	"internal/ledger encoding/json.Unmarshal":                        "FuzzLines FuzzProof FuzzExport",
	"internal/ledger note.NewSigner":                                 "FuzzKeys",
	"internal/ledger note.NewVerifier":                               "FuzzKeys",
	"internal/ledger note.Open":                                      "FuzzCheckpoints",
	"internal/ledger strconv.Atoi":                                   "FuzzLines",
	"internal/ledger strconv.ParseInt":                               "FuzzCheckpoints",
	"internal/random encoding/pem.Decode":                            "FuzzKey",
	"internal/rotation strconv.Atoi":                                 "FuzzParseRecord",
	"internal/rotation strconv.ParseInt":                             "FuzzParseRecord",
	"internal/secret encoding/json.Unmarshal":                        "FuzzUnmarshal",
}

// reading are functions that make something of bytes, or clients that do, by the import path that they are called of.
var reading = map[string][]string{
	"archive/tar": {"NewReader"}, "archive/zip": {"NewReader", "OpenReader"}, "compress/flate": {"NewReader"}, "compress/gzip": {"NewReader"}, "compress/zlib": {"NewReader"},
	"encoding/asn1": {"Unmarshal"}, "encoding/csv": {"NewReader"}, "encoding/gob": {"NewDecoder"}, "encoding/json": {"Unmarshal", "NewDecoder"}, "encoding/pem": {"Decode"}, "encoding/xml": {"Unmarshal", "NewDecoder"},
	"io": {"ReadAll"}, "mime": {"ParseMediaType"}, "net/http": {"ParseTime"}, "net/url": {"Parse", "ParseQuery"}, "strconv": {"Atoi", "ParseFloat", "ParseInt", "ParseUint"}, "time": {"Parse", "ParseInLocation"},
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime": {"UnmarshalAsJSON", "UnmarshalAsXML"},
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity": {"ParseCertificates", "NewAzureCLICredential", "NewAzurePipelinesCredential", "NewClientAssertionCredential", "NewClientCertificateCredential",
		"NewClientSecretCredential", "NewManagedIdentityCredential", "NewWorkloadIdentityCredential"},
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets":      {"NewClient"},
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public": {"New"},
	"github.com/golang-jwt/jwt/v5":                                           {"NewParser"},
	"golang.org/x/mod/sumdb/note":                                            {"NewSigner", "NewVerifier", "Open"},
	module + "/internal/azure/azhttp":                                        {"Decode"},
}

// inward are the parts of the program that hear of the outside. The manifest's reader is held by its own targets, call
// or no call: FuzzParse, FuzzPieces and FuzzQuick.
var inward = []string{"cmd/...", "internal/app", "internal/approval", "internal/artifact", "internal/azure/...", "internal/cli", "internal/db/...", "internal/driver", "internal/engine", "internal/events", "internal/hook/...", "internal/ledger", "internal/random", "internal/report", "internal/rotation", "internal/secret", "internal/web/..."}

func TestEveryDecoderHasAFuzzTarget(t *testing.T) {
	t.Parallel()
	found := map[string]string{} // call by package -> where
	targets := map[string]bool{} // package and name
	for _, f := range goFiles(t) {
		if f.test() {
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Fuzz") {
					targets[f.dir()+" "+fn.Name.Name] = true
					corpus := filepath.Join(filepath.FromSlash(f.dir()), "testdata", "fuzz", fn.Name.Name)
					src := f.src[f.fset.Position(fn.Pos()).Offset:f.fset.Position(fn.End()).Offset]
					if entries, _ := os.ReadDir(corpus); !bytes.Contains(src, []byte("f.Add(")) && len(entries) == 0 {
						t.Errorf("%s has nothing to begin with: add what is honest, and what badinput.Broken makes of it", f.at(fn))
					}
				}
			}
			continue
		}
		if !fitsAny(inward, f.dir()) {
			continue
		}
		for from, names := range reading {
			local := f.nameOf(from)
			if local == "" {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, s.Sel.Name) {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == local && x.Obj == nil {
						found[f.dir()+" "+short(from)+"."+s.Sel.Name] = f.at(s)
					}
				}
				return true
			})
		}
	}
	for _, call := range slices.Sorted(maps.Keys(found)) {
		held, known := decoders[call]
		if !known {
			t.Errorf("%s: %s reads what came from outside: write a fuzz target with the bounds of simtest/badinput, and name it here", found[call], call)
		}
		dir, _, _ := strings.Cut(call, " ")
		for name := range strings.FieldsSeq(held) {
			if strings.HasPrefix(held, "(") {
				break
			}
			if !targets[dir+" "+name] {
				t.Errorf("%s: there is no fuzz target %s in %s", call, name, dir)
			}
		}
	}
	for call := range decoders {
		if found[call] == "" {
			t.Errorf("nothing calls %s any more: take it out of the table", call)
		}
	}
	if len(targets) < 20 {
		t.Errorf("only %d fuzz targets were found: this rule would hold of nothing", len(targets))
	}
}

// short is the end of an import path that tells it from others: two elements of the standard library's and of a
// library's folder of parts, else one.
func short(from string) string {
	parts := strings.Split(from, "/")
	if !strings.Contains(parts[0], ".") {
		return from
	}
	if n := len(parts); parts[n-2] == "apps" {
		return strings.Join(parts[n-2:], "/")
	}
	return parts[len(parts)-1]
}
