// Package blob is the simulated Blob service of Azure Storage: containers, block blobs that are written in one piece,
// append blobs, conditions, leases, metadata and lists, at {account}.blob.core.windows.net.
//
// It is not the control plane, and has no blocks, snapshots, versions, tags or shared keys: what it does not have it
// answers with 501. What always holds: nothing is answered without a token for storage and a role for it; what was
// written is what the next request reads; every change gives another ETag.
package blob

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service answers for every storage account of a world.
type Service struct {
	w        *world.World
	requests uint64 // guarded by the world's lock
}

// New returns the service over w.
func New(w *world.World) *Service { return &Service{w: w} }

// Name implements wire.Service.
func (*Service) Name() string { return "blob" }

// Operation implements wire.Service.
func (*Service) Operation(r *http.Request) string { return routeOf(r).op }

// call is one request while it is served, with the world locked.
type call struct {
	*Service
	r         *http.Request
	route     route
	account   *world.StorageAccount
	container *world.BlobContainer
	token     world.Token
	body      []byte
	now       time.Time
	header    http.Header
	request   string // id
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	status, header, body := s.locked(r)
	for k, v := range header {
		rw.Header()[k] = v
	}
	if body == nil {
		rw.WriteHeader(status)
		return
	}
	wire.Bytes(rw, status, header.Get("Content-Type"), body)
}

func (s *Service) locked(r *http.Request) (int, http.Header, []byte) {
	s.w.Lock()
	defer s.w.Unlock()
	c := &call{Service: s, r: r, route: routeOf(r), body: wire.Body(r), now: s.w.Now(), header: http.Header{}}
	if c.account = s.accountOf(r.Host); c.account == nil {
		c.header.Set("Content-Type", "text/plain; charset=utf-8")
		return http.StatusNotFound, c.header, fmt.Appendf(nil, "simulator: no storage account answers at %q; in Azure this name would not resolve\n", r.Host)
	}
	c.headers()
	status, body, f := c.serve()
	if f == nil {
		return status, c.header, body
	}
	c.header.Set("X-Ms-Error-Code", f.code)
	c.header.Set("Content-Type", "application/xml")
	if r.Method == http.MethodHead || f.status == http.StatusNotModified {
		return f.status, c.header, nil
	}
	return f.status, c.header, f.body(c.request, c.now)
}

func (s *Service) accountOf(host string) *world.StorageAccount {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	name, _, _ := strings.Cut(host, ".")
	i := slices.IndexFunc(s.w.StorageAccounts, func(a *world.StorageAccount) bool { return strings.EqualFold(a.Name, name) })
	if i < 0 {
		return nil
	}
	return s.w.StorageAccounts[i]
}

func (c *call) headers() {
	c.requests++
	sum := sha256.Sum256(fmt.Appendf(nil, "blob request %d of %d", c.requests, c.w.Seed))
	x := hex.EncodeToString(sum[:16])
	c.request = x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	c.header.Set("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
	c.header.Set("X-Ms-Request-Id", c.request)
	c.header.Set("Date", c.now.Format(http.TimeFormat))
	if v := c.r.Header.Get("X-Ms-Version"); v != "" {
		c.header.Set("X-Ms-Version", v)
	}
	if v := c.r.Header.Get("X-Ms-Client-Request-Id"); v != "" {
		c.header.Set("X-Ms-Client-Request-Id", v)
	}
}

var versionForm = regexp.MustCompile(`^20\d\d-\d\d-\d\d$`)

// serve goes through what every request goes through.
func (c *call) serve() (int, []byte, *fault) {
	if f := c.authenticate(); f != nil {
		return 0, nil, f
	}
	if v := c.r.Header.Get("X-Ms-Version"); !versionForm.MatchString(v) || v < "2017-11-09" {
		return 0, nil, invalidHeader("x-ms-version", v)
	}
	op, ok := operations[c.route.op]
	if !ok {
		return 0, nil, &fault{http.StatusNotImplemented, "NotImplemented", "The simulator does not have this part of the Blob service: " + c.r.Method + " " + c.r.URL.Path}
	}
	if f := c.authorize(op.actions); f != nil {
		return 0, nil, f
	}
	if c.route.container != "" {
		c.container = c.containerNamed(c.route.container)
		if c.container == nil && c.route.op != "CreateContainer" {
			return 0, nil, &fault{http.StatusNotFound, "ContainerNotFound", "The specified container does not exist."}
		}
	}
	return op.do(c)
}

func (c *call) containerNamed(name string) *world.BlobContainer {
	i := slices.IndexFunc(c.account.Containers, func(x *world.BlobContainer) bool { return x.Name == name })
	if i < 0 {
		return nil
	}
	return c.account.Containers[i]
}

const (
	containers = "Microsoft.Storage/storageAccounts/blobServices/containers/"
	audience   = "https://storage.azure.com"
)

// operations are the operations of the service, each with the actions of which one is needed.
var operations = map[string]struct {
	actions []string
	do      func(*call) (int, []byte, *fault)
}{
	"ListContainers":  {[]string{containers + "read"}, (*call).listContainers},
	"CreateContainer": {[]string{containers + "write"}, (*call).createContainer},
	"GetContainer":    {[]string{containers + "read"}, (*call).getContainer},
	"DeleteContainer": {[]string{containers + "delete"}, (*call).deleteContainer},
	"ListBlobs":       {[]string{containers + "blobs/read"}, (*call).listBlobs},
	"PutBlob":         {[]string{containers + "blobs/write", containers + "blobs/add/action"}, (*call).putBlob},
	"AppendBlock":     {[]string{containers + "blobs/write", containers + "blobs/add/action"}, (*call).appendBlock},
	"GetBlob":         {[]string{containers + "blobs/read"}, (*call).getBlob},
	"GetBlobMetadata": {[]string{containers + "blobs/read"}, (*call).headBlob},
	"HeadBlob":        {[]string{containers + "blobs/read"}, (*call).headBlob},
	"SetBlobMetadata": {[]string{containers + "blobs/write"}, (*call).setMetadata},
	"LeaseBlob":       {[]string{containers + "blobs/write"}, (*call).lease},
	"DeleteBlob":      {[]string{containers + "blobs/delete"}, (*call).deleteBlob},
}

// authenticate finds out who calls.
func (c *call) authenticate() *fault {
	challenge := func(code, message string) *fault {
		c.header.Set("WWW-Authenticate", fmt.Sprintf("Bearer authorization_uri=https://login.microsoftonline.com/%s/oauth2/authorize resource_id=%s", c.account.TenantID, audience))
		return &fault{http.StatusUnauthorized, code, message}
	}
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	switch {
	case raw == "":
		return challenge("NoAuthenticationInformation", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.")
	case !strings.EqualFold(scheme, "Bearer"):
		c.w.Remember(raw)
		return &fault{http.StatusForbidden, "KeyBasedAuthenticationNotPermitted", "Key based authentication is not permitted on this storage account."}
	}
	t, ok := c.w.TokenOf(raw)
	if !ok {
		c.w.Remember(raw)
		return challenge("InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.")
	}
	c.token = t
	wire.CallFrom(c.r.Context()).Principal = cmp.Or(t.Name, t.ObjectID)
	own := "https://" + c.account.Name + ".blob.core.windows.net"
	switch {
	case !strings.EqualFold(t.Audience, audience) && !strings.EqualFold(t.Audience, own):
		return challenge("InvalidAuthenticationInfo", "Server failed to authenticate the request. The audience of the token is not this service.")
	case !c.now.Before(t.Expires):
		return challenge("InvalidAuthenticationInfo", "Server failed to authenticate the request. The lifetime of the token is over.")
	case !strings.EqualFold(t.Tenant, c.account.TenantID):
		return challenge("InvalidAuthenticationInfo", "Server failed to authenticate the request. The issuer of the token is not the account's tenant.")
	}
	return nil
}

// authorize asks the role assignments at what the path names.
func (c *call) authorize(actions []string) *fault {
	scope := c.account.ResourceID()
	if c.route.container != "" {
		scope += "/blobServices/default/containers/" + c.route.container
	}
	if slices.ContainsFunc(actions, func(a string) bool { return c.w.AllowedService(c.token.ObjectID, a, scope) }) {
		return nil
	}
	return &fault{http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission."}
}

// route is what a request's method, path and query ask for.
type route struct{ op, container, blob string }

func routeOf(r *http.Request) route {
	path := strings.TrimPrefix(r.URL.Path, "/")
	q := r.URL.Query()
	comp, kind := strings.ToLower(q.Get("comp")), strings.ToLower(q.Get("restype"))
	container, blob, _ := strings.Cut(path, "/")
	key := r.Method + " " + map[bool]string{true: "blob", false: "container"}[blob != ""]
	switch {
	case path == "":
		key = r.Method + " account"
	case blob == "" && kind != "container":
		return route{"unknown", container, ""}
	}
	if comp != "" {
		key += " " + comp
	}
	op, ok := map[string]string{
		"GET account list":     "ListContainers",
		"PUT container":        "CreateContainer",
		"GET container":        "GetContainer",
		"HEAD container":       "GetContainer",
		"DELETE container":     "DeleteContainer",
		"GET container list":   "ListBlobs",
		"PUT blob":             "PutBlob",
		"PUT blob appendblock": "AppendBlock",
		"GET blob":             "GetBlob",
		"HEAD blob":            "HeadBlob",
		"GET blob metadata":    "GetBlobMetadata",
		"HEAD blob metadata":   "GetBlobMetadata",
		"PUT blob metadata":    "SetBlobMetadata",
		"PUT blob lease":       "LeaseBlob",
		"DELETE blob":          "DeleteBlob",
	}[key]
	if !ok {
		op = "unknown"
	}
	return route{op, container, blob}
}
