package invariant

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// Random is the name of the kind of values that Rekey makes itself. What there is of them are the versions of their
// secret: to list them is to list versions, and to revoke one is to disable its version. Nobody can be asked whether one
// works, and none is made anywhere before it is published.
const Random = "random"

func madeOperation(r *http.Request) string {
	if r.Method != http.MethodPatch || r.Body == nil || !strings.HasSuffix(r.URL.Host, ".vault.azure.net") || r.Header.Get("Authorization") == "" {
		return ""
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte(`"enabled":false`)) {
		return "DisableVersion"
	}
	return ""
}

// aboutMade names a version by its own id; the recorder looks up what its record calls it.
func aboutMade(operation string, r *http.Request, _ []byte) (id, name, value string) {
	if parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); operation == "DisableVersion" && len(parts) == 3 {
		id = parts[2]
	}
	return id, "", ""
}

// recordedAs is what the record of a version calls its value, or the version's own id.
func recordedAs(s *world.State, target, version string) string {
	vault, name, _ := strings.Cut(target, "/")
	if x := secretOf(s, rotation.Target{Vault: vault, Name: name}); x != nil {
		for _, v := range x.Versions {
			if v.ID == version {
				return nameOf(v)
			}
		}
	}
	return version
}

func nameOf(v *world.SecretVersion) string {
	if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil {
		return r.IssuerID
	}
	return v.ID
}

func madeValues(s *world.State, p Promise) (out []*world.PAT) {
	x := secretOf(s, p.Target)
	if x == nil {
		return nil
	}
	for _, v := range x.Versions {
		t := &world.PAT{AuthorizationID: nameOf(v), OwnerID: p.Owner, ValidFrom: v.Created, ValidTo: v.Created.Add(p.Lifetime), Token: v.Value}
		if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil {
			t.Name = rotation.Stamp{Credential: p.Credential, Hash: p.Target.Hash(), Generation: r.Generation}.String()
			t.ValidFrom, t.ValidTo = r.Generation.Time(), r.Expires
		}
		if v.Disabled {
			t.Revoked = v.Updated
		}
		out = append(out, t)
	}
	return out
}

func nothingNamed(*world.State, string) []string { return nil }
func nothingValued(*world.State, string) string  { return "" }

// recordIn is what the record in the body of a PUT calls the value.
func recordIn(body []byte) string {
	_, rest, ok := strings.Cut(string(body), `"`+rotation.RecordTag+`":"`)
	if !ok {
		return ""
	}
	tag, _, _ := strings.Cut(rest, `"`)
	r, err := rotation.ParseRecord(tag)
	if err != nil {
		return ""
	}
	return r.IssuerID
}
