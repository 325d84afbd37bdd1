package invariant

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim/world"
)

// Kind is how checkers tell one kind of credential: what its calls are called, and what a world has of it. Whatever the
// kind, a credential has the form of a PAT here, which is the oldest.
type Kind struct {
	Name string // as the manifest has it
	// Create, Extend, Revoke, List and Probe are its operations; "" for what it does not have.
	Create, Extend, Revoke, List, Probe string
	// operation names a request, "" if it is none of this kind's.
	operation func(*http.Request) string
	// about says what a request is about: a credential's id, the name of one that is to be made, or a value.
	about func(operation string, r *http.Request, body []byte) (id, name, value string)
	// all are the credentials in the list that a promise's are in, dead ones too.
	all func(*world.State, Promise) []*world.PAT
	// named are all that bear a name, whosever they are, and valued is the id of the one with a value, "" for none.
	named  func(s *world.State, name string) []string
	valued func(s *world.State, value string) string
	// accepted is from when on every region takes a credential; nil where that is at once.
	accepted func(s *world.State, p Promise, id string) time.Time
}

// AppSecret is the name of the kind of client secrets; that of PATs is "", as it is where nothing is said.
const AppSecret = "appSecret"

// kinds are all that checkers know; the first is the kind of a Promise that names none.
var kinds = []Kind{
	{Name: "pat", Create: "CreatePat", Extend: "UpdatePat", Revoke: "RevokePat", List: "ListPats", Probe: "ConnectionData",
		operation: patOperation, about: aboutPAT, all: pats, named: namedPATs, valued: valuedPAT},
	{Name: AppCertificate, Create: "AddKey", Revoke: "RemoveKey", List: "GetCertificates", Probe: "SignInByCertificate",
		operation: certificateOperation, about: aboutCertificate, all: appCertificates, named: namedCertificates, valued: valuedCertificate},
	{Name: AppSecret, Create: "AddPassword", Revoke: "RemovePassword", List: "GetApplication", Probe: "SignIn",
		operation: appOperation, about: aboutAppSecret, all: appSecrets, named: namedAppSecrets, valued: valuedAppSecret, accepted: acceptedAppSecret},
	{Name: Random, Revoke: "DisableVersion", List: "GetSecretVersions",
		operation: madeOperation, about: aboutMade, all: madeValues, named: nothingNamed, valued: nothingValued},
	{Name: ServiceAccount, List: "GetUser", Probe: "UserSignIn",
		operation: slotOperation, about: aboutSlot, all: nothingListed, named: nothingNamed, valued: nothingValued},
}

// kind is the promise's.
func (p Promise) kind() Kind {
	if i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == p.Kind }); i > 0 {
		return kinds[i]
	}
	return kinds[0]
}

// kindOf gives the kind that an operation belongs to; of what belongs to none it has no operation.
func kindOf(operation string) Kind {
	for _, k := range kinds {
		if operation != "" && slices.Contains([]string{k.Create, k.Extend, k.Revoke, k.List, k.Probe}, operation) {
			return k
		}
	}
	return Kind{Create: "-", Extend: "-", Revoke: "-", List: "-", Probe: "-"}
}

// TokensOf are the credentials in the list that a promise's are in, dead ones too, with their values.
func TokensOf(s *world.State, p Promise) []*world.PAT { return p.kind().all(s, p) }

// KindOf gives the kind that an operation belongs to; of what belongs to none it has no operation.
func KindOf(operation string) Kind { return kindOf(operation) }

// About says what a request is about: a credential's id, the name of one that is to be made, or a value.
func (k Kind) About(operation string, r *http.Request, body []byte) (id, name, value string) {
	if k.about == nil {
		return "", "", ""
	}
	return k.about(operation, r, body)
}

// Writes says whether a request that is called so may change something.
func Writes(method, operation string) bool {
	return method != http.MethodGet && operation != "token" && operation != "ValidateRoleAssignmentRequest" && operation != kindOf(operation).Probe && !consumer.Tries(operation)
}

func patOperation(r *http.Request) string {
	switch path := strings.Trim(r.URL.Path, "/"); {
	case strings.HasSuffix(path, "_apis/tokens/pats"):
		return map[string]string{"GET": "ListPats", "POST": "CreatePat", "PUT": "UpdatePat", "DELETE": "RevokePat"}[r.Method]
	case strings.HasSuffix(path, "/connectionData"):
		return "ConnectionData"
	}
	return ""
}

func aboutPAT(operation string, r *http.Request, body []byte) (id, name, value string) {
	switch operation {
	case "RevokePat":
		id = r.URL.Query().Get("authorizationId")
	case "CreatePat":
		var in struct {
			Name string `json:"displayName"`
		}
		_ = json.Unmarshal(body, &in)
		name = in.Name
	case "ConnectionData":
		_, basic, _ := strings.Cut(r.Header.Get("Authorization"), "Basic ")
		if b, err := base64.StdEncoding.DecodeString(basic); err == nil {
			_, value, _ = strings.Cut(string(b), ":")
		}
	}
	return id, name, value
}

func pats(s *world.State, p Promise) (out []*world.PAT) {
	for _, o := range s.Organizations {
		if strings.EqualFold(o.Name, p.Organization) {
			out = o.PATs
		}
	}
	return out
}

func namedPATs(s *world.State, name string) (out []string) {
	for _, o := range s.Organizations {
		for _, t := range o.PATs {
			if t.Name == name {
				out = append(out, t.AuthorizationID)
			}
		}
	}
	return out
}

func valuedPAT(s *world.State, value string) string {
	for _, o := range s.Organizations {
		for _, t := range o.PATs {
			if t.Token == value {
				return t.AuthorizationID
			}
		}
	}
	return ""
}

// RekeyClient is the application that Rekey itself signs in as, in the worlds of the proofs.
const RekeyClient = "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f11"

// appOperation tells a probe from Rekey's own sign-in by who signs in with a secret.
func appOperation(r *http.Request) string {
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case strings.HasSuffix(path, "/addPassword"):
		return "AddPassword"
	case strings.HasSuffix(path, "/owners/$ref"):
		return "AddOwner"
	case strings.HasSuffix(path, "/removePassword"):
		return "RemovePassword"
	case r.Method == http.MethodGet && strings.HasPrefix(path, "v1.0/applications"):
		return "GetApplication"
	case r.Body != nil && strings.HasSuffix(path, "oauth2/v2.0/token"):
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("client_secret") != "" && form.Get("client_id") != RekeyClient {
			return "SignIn"
		}
	}
	return ""
}

func aboutAppSecret(operation string, _ *http.Request, body []byte) (id, name, value string) {
	var in struct {
		KeyID    string `json:"keyId"`
		Password struct {
			Name string `json:"displayName"`
		} `json:"passwordCredential"`
	}
	switch operation {
	case "RemovePassword", "AddPassword":
		_ = json.Unmarshal(body, &in)
	case "SignIn":
		form, _ := url.ParseQuery(string(body))
		value = form.Get("client_secret")
	}
	return in.KeyID, in.Password.Name, value
}

func appSecrets(s *world.State, p Promise) (out []*world.PAT) {
	for _, a := range s.Apps {
		if a.ClientID != p.Owner {
			continue
		}
		for _, x := range slices.Concat(a.Secrets, a.RemovedSecrets) {
			out = append(out, &world.PAT{AuthorizationID: x.KeyID, OwnerID: a.ClientID, Name: x.Name, ValidFrom: x.Start, ValidTo: x.End, Token: x.Value, Revoked: x.Removed})
		}
	}
	return out
}

func acceptedAppSecret(s *world.State, p Promise, id string) time.Time {
	for _, a := range s.Apps {
		for _, x := range slices.Concat(a.Secrets, a.RemovedSecrets) {
			if a.ClientID == p.Owner && x.KeyID == id && !x.Created.IsZero() {
				return x.Created.Add(time.Duration(s.Knobs.Entra.NewSecretDelay))
			}
		}
	}
	return time.Time{}
}

func namedAppSecrets(s *world.State, name string) (out []string) {
	for _, a := range s.Apps {
		for _, x := range a.Secrets {
			if x.Name == name {
				out = append(out, x.KeyID)
			}
		}
	}
	return out
}

func valuedAppSecret(s *world.State, value string) string {
	for _, a := range s.Apps {
		for _, x := range slices.Concat(a.Secrets, a.RemovedSecrets) {
			if x.Value == value {
				return x.KeyID
			}
		}
	}
	return ""
}
