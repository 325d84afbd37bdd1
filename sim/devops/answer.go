package devops

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
)

const bom = "\ufeff"

// commonHeaders are on every answer, errors too. The date is the world's: clients judge expiry by it.
func (c *call) commonHeaders() {
	activity := c.s.derived("activity", c.s.calls)
	h := c.w.Header()
	h.Set("Date", c.s.w.Now().Format(http.TimeFormat))
	h.Set("ActivityId", activity)
	h.Set("X-VSS-E2EID", activity)
	h.Set("X-TFS-Session", activity)
	h.Set("X-TFS-ProcessId", c.s.derived("process"))
	h.Set("X-VSS-SenderDeploymentId", c.s.derived("deployment"))
	h.Set("Request-Context", "appId=cid-v1:"+c.s.derived("application"))
	h.Set("Access-Control-Expose-Headers", "Request-Context")
	h.Set("P3P", `CP="CAO DSP COR ADMa DEV CONo TELo CUR PSA PSD TAI IVDo OUR SAMi BUS DEM NAV STA UNI COM INT PHY ONL FIN PUR LOC CNT"`)
	h.Set("X-Cache", "CONFIG_NOCACHE")
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
}

// ok answers 200 and echoes the negotiated version, which errors and OPTIONS do not.
func (c *call) ok(v any) {
	contentType := "application/json; charset=utf-8"
	if c.route.op != opOptions {
		contentType += "; api-version=" + c.version.text
	}
	c.json(http.StatusOK, contentType, c.knobs.BOM, v)
}

func (c *call) json(status int, contentType string, withBOM bool, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(c.w, "simulator: "+err.Error(), http.StatusInternalServerError)
		return
	}
	if withBOM {
		b = append([]byte(bom), b...)
	}
	wire.Bytes(c.w, status, contentType, b)
}

func (c *call) html(status int, page string) {
	wire.Bytes(c.w, status, "text/html; charset=utf-8", []byte(page))
}

// empty answers without a body and without a Content-Type.
func (c *call) empty(status int) {
	if status != http.StatusNoContent {
		c.w.Header().Set("Content-Length", "0")
	}
	c.w.WriteHeader(status)
}

// list is the envelope of most collections, though not of PATs.
type list[T any] struct {
	Count int `json:"count"`
	Value []T `json:"value"`
}

func listOf[T any](v []T) list[T] {
	if v == nil {
		v = []T{}
	}
	return list[T]{len(v), v}
}

// kind is the type of an exception: its full name, its short one, and the number that only service exceptions have.
type kind struct {
	name, key string
	event     int
}

func typed(assembly, key string) kind {
	return kind{name: assembly + "." + key + ", " + assembly, key: key, event: 3000}
}

func webAPI(key string) kind {
	return typed("Microsoft.VisualStudio.Services.WebApi", key)
}

func framework(key string) kind {
	return typed("Microsoft.TeamFoundation.Framework.Server", key)
}

// exception is the generic error envelope.
type exception struct {
	ID               string            `json:"$id"`
	CustomProperties *customProperties `json:"customProperties,omitempty"`
	InnerException   *struct{}         `json:"innerException"`
	Message          string            `json:"message"`
	TypeName         string            `json:"typeName"`
	TypeKey          string            `json:"typeKey"`
	ErrorCode        int               `json:"errorCode"`
	EventID          int               `json:"eventId"`
}

// customProperties are what an AccessCheckException has besides.
type customProperties struct {
	Descriptor           *string
	IdentityDisplayName  *string
	Token                *string
	RequestedPermissions int
	NamespaceID          string `json:"NamespaceId"`
}

func exceptionOf(k kind, message string) exception {
	return exception{ID: "1", Message: message, TypeName: k.name, TypeKey: k.key, EventID: k.event}
}

// fail answers with the generic envelope. The message must hold nothing secret.
func (c *call) fail(status int, k kind, message string) {
	c.serviceError(message)
	c.json(status, "", c.knobs.BOM, exceptionOf(k, message))
}

func (c *call) serviceError(message string) {
	c.w.Header().Set("X-TFS-ServiceError", strings.ReplaceAll(url.QueryEscape(message), "+", "%20"))
}

// improper is the other envelope, of errors that the web framework raises itself.
func (c *call) improper(status int, message string) {
	c.json(status, "", c.knobs.BOM, map[string]any{"count": 1, "value": map[string]string{"Message": message}})
}

func (c *call) controllerNotFound() {
	message := "The controller for path '" + c.r.URL.Path + "' was not found or does not implement IController."
	c.serviceError(message)
	wire.Bytes(c.w, http.StatusNotFound, "text/plain; charset=utf-8", []byte(message))
}

// notBuilt are areas that the real service has and this one does not.
var notBuilt = map[string]bool{
	"audit": true, "build": true, "distributedtask": true, "git": true, "graph": true, "groupentitlements": true,
	"hooks": true, "identities": true, "memberentitlements": true, "operations": true, "packaging": true,
	"pipelines": true, "policy": true, "release": true, "search": true, "security": true, "serviceendpoint": true,
	"serviceprincipalentitlements": true, "teams": true, "test": true, "tfvc": true, "token": true,
	"tokenadmin": true, "tokenadministration": true, "userentitlements": true, "wiki": true, "wit": true, "work": true,
}

// unknown answers for what has no handler: a wrong method, an area that is not built, or nothing at all.
func (c *call) unknown() {
	asked := c.r.Clone(c.r.Context())
	asked.Method = http.MethodGet
	switch {
	case parseRoute(asked).op != opUnknown && c.r.Method != http.MethodGet:
		c.improper(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+c.r.Method+"'.")
	case notBuilt[c.route.area]:
		c.json(http.StatusNotImplemented, "", false, exceptionOf(kind{name: "Simulator.NotSimulated, Simulator", key: "NotSimulated"},
			"The simulated Azure DevOps has no area "+c.route.area+": it is not simulated yet."))
	default:
		c.controllerNotFound()
	}
}
