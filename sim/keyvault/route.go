package keyvault

import (
	"net/http"
	"regexp"
	"strings"
)

// route is what a request's method and path ask for.
type route struct {
	op      string // "unknown" if there is no such operation
	name    string // of the secret
	version string // "" for the newest
}

// routeOf looks at the method and the path alone. Trailing and doubled slashes mean nothing: an empty version is how
// clients ask for the newest one.
func routeOf(r *http.Request) route {
	segs := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	if len(segs) == 0 || len(segs) > 3 {
		return route{op: "unknown"}
	}
	segs = append(segs, "", "")
	collection, name, last := strings.ToLower(segs[0]), segs[1], segs[2]

	key := methodOf(r) + " " + collection
	switch {
	case name == "":
	case last == "":
		key += "/name"
	default:
		key += "/name/" + strings.ToLower(last)
	}
	switch key {
	case "GET secrets":
		return route{op: "GetSecrets"}
	case "GET deletedsecrets":
		return route{op: "GetDeletedSecrets"}
	case "GET secrets/name":
		return route{op: "GetSecret", name: name}
	case "PUT secrets/name":
		return route{op: "SetSecret", name: name}
	case "PATCH secrets/name":
		return route{op: "UpdateSecret", name: name}
	case "DELETE secrets/name":
		return route{op: "DeleteSecret", name: name}
	case "GET secrets/name/versions":
		return route{op: "GetSecretVersions", name: name}
	case "POST secrets/name/backup":
		return route{op: "BackupSecret", name: name}
	case "GET deletedsecrets/name":
		return route{op: "GetDeletedSecret", name: name}
	case "DELETE deletedsecrets/name":
		return route{op: "PurgeDeletedSecret", name: name}
	case "POST deletedsecrets/name/recover":
		return route{op: "RecoverDeletedSecret", name: name}
	case "POST secrets/name":
		if strings.EqualFold(name, "restore") {
			return route{op: "RestoreSecret"}
		}
	}
	if collection == "secrets" && last != "" {
		switch methodOf(r) {
		case http.MethodGet:
			return route{op: "GetSecretVersion", name: name, version: last}
		case http.MethodPatch:
			return route{op: "UpdateSecret", name: name, version: last}
		}
	}
	return route{op: "unknown"}
}

// methodOf honours the verb override of facts 1.1. The documentation names two headers for it; both are taken.
func methodOf(r *http.Request) string {
	if r.Method != http.MethodPost {
		return r.Method
	}
	for _, h := range []string{"X-HTTP-METHOD", "X-HTTP-REQUEST"} {
		if v := r.Header.Get(h); v != "" {
			return strings.ToUpper(v)
		}
	}
	return r.Method
}

var (
	nameForm    = regexp.MustCompile(`^[0-9a-zA-Z-]{1,127}$`)
	versionForm = regexp.MustCompile(`^(([7-9]|[1-9]\d)\.\d+|20\d\d-\d\d-\d\d)(-preview(\.\d+)?)?$`)
)

func validName(s string) bool { return nameForm.MatchString(s) }

// checkVersion wants an api-version, as the service has no default, and takes any that looks like one: versions that
// are newer than this simulator change nothing about secrets that a client could miss.
func (c *call) checkVersion() *fault {
	v := c.r.URL.Query().Get("api-version")
	switch {
	case v == "":
		return badParameter("The api-version query parameter must be specified. Consider using the latest supported version (2026-04-01).")
	case !versionForm.MatchString(v):
		return badParameter("The specified version (" + v + ") is not recognized. Consider using the latest supported version (2026-04-01).")
	}
	return nil
}

// noSuchOperation tells what the real service has and this one has not (501) from what neither has.
func (c *call) noSuchOperation() *fault {
	first, _, _ := strings.Cut(strings.TrimLeft(c.r.URL.Path, "/"), "/")
	switch strings.ToLower(first) {
	case "secrets", "deletedsecrets":
		return &fault{status: http.StatusMethodNotAllowed, code: "MethodNotAllowed", message: "The HTTP method is not allowed on this resource."}
	case "keys", "deletedkeys", "certificates", "deletedcertificates", "storage", "deletedstorage":
		return &fault{status: http.StatusNotImplemented, code: "NotImplemented", message: "The simulator does not have this part of Key Vault: " + first}
	}
	return &fault{status: http.StatusNotFound, code: "NotFound", message: "There is no such resource."}
}
