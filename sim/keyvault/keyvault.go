// Package keyvault is the simulated data plane of Azure Key Vault: the secrets operations of a vault at
// {vault}.vault.azure.net, with its challenge, its authorization, its error codes and its limits.
//
// It is not the control plane (vaults are read through package arm) and knows no keys or certificates. What always
// holds: nothing but the challenge is answered without a token that this vault accepts; authorization is judged
// before existence; a list never carries a value; every value that arrives is remembered by the world, even if the
// request is refused.
package keyvault

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service answers for every vault of a world.
type Service struct {
	w *world.World

	// Everything below is guarded by the world's lock.

	indexes  map[*world.Vault]*index
	limits   map[*world.Vault]*limiter
	backups  map[string]*backup
	patched  map[*world.SecretVersion][]world.SecretVersion
	requests uint64
}

// New returns the service over w.
func New(w *world.World) *Service {
	return &Service{
		w:       w,
		indexes: map[*world.Vault]*index{},
		limits:  map[*world.Vault]*limiter{},
		backups: map[string]*backup{},
		patched: map[*world.SecretVersion][]world.SecretVersion{},
	}
}

// Name implements wire.Service.
func (s *Service) Name() string { return "keyvault" }

// Operation implements wire.Service. A request that will only get the challenge has the name of what it asks for.
func (s *Service) Operation(r *http.Request) string { return routeOf(r).op }

// call is one request while it is served, with the world locked.
type call struct {
	*Service
	r     *http.Request
	route route
	vault *world.Vault
	index *index
	token world.Token
	body  []byte
	now   time.Time
}

// answer is what a call ends with, encoded while the world is still locked.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	a := s.answer(r, wire.Body(r))
	for k, v := range a.header {
		rw.Header()[k] = v
	}
	if a.body == nil {
		rw.WriteHeader(a.status)
		return
	}
	wire.Bytes(rw, a.status, a.header.Get("Content-Type"), a.body)
}

func (s *Service) answer(r *http.Request, body []byte) answer {
	s.w.Lock()
	defer s.w.Unlock()

	c := &call{Service: s, r: r, route: routeOf(r), body: body, now: s.w.Now()}
	c.rememberValue()
	if c.vault = s.vaultOf(r.Host); c.vault == nil {
		return s.noSuchVault(r.Host)
	}
	c.index = s.indexOf(c.vault)

	h := c.headers()
	v, f := c.serve()
	if f != nil {
		if f.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", c.challenge(f.tokenRefused))
		}
		return encode(f.status, h, f.body())
	}
	if v == nil {
		return answer{status: http.StatusNoContent, header: h}
	}
	return encode(http.StatusOK, h, v)
}

// serve goes through what every request goes through, in the order in which the real service is seen to refuse.
func (c *call) serve() (any, *fault) {
	if f := c.authenticate(); f != nil {
		return nil, f
	}
	if f := c.checkVersion(); f != nil {
		return nil, f
	}
	op, ok := operations[c.route.op]
	if !ok {
		return nil, c.noSuchOperation()
	}
	if f := c.throttle(); f != nil {
		return nil, f
	}
	if c.route.name != "" && !validName(c.route.name) {
		return nil, badParameter("The request URI contains an invalid name: " + c.route.name)
	}
	if f := c.authorize(op.action); f != nil {
		return nil, f
	}
	return op.do(c)
}

// operations are the operations of the service, each with the data action that it needs.
var operations = map[string]struct {
	action string
	do     func(*call) (any, *fault)
}{
	"SetSecret":         {"setSecret/action", (*call).set},
	"GetSecret":         {"getSecret/action", (*call).get},
	"GetSecretVersion":  {"getSecret/action", (*call).get},
	"UpdateSecret":      {"update/action", (*call).update},
	"DeleteSecret":      {"delete", (*call).delete},
	"GetSecrets":        {"readMetadata/action", (*call).list},
	"GetSecretVersions": {"readMetadata/action", (*call).listVersions},
	"GetDeletedSecrets": {"readMetadata/action", (*call).listDeleted},
	// Without a value in the answer this is metadata, although the access-policy name for it is "get".
	"GetDeletedSecret":     {"readMetadata/action", (*call).getDeleted},
	"RecoverDeletedSecret": {"recover/action", (*call).recover},
	"PurgeDeletedSecret":   {"purge/action", (*call).purge},
	"BackupSecret":         {"backup/action", (*call).backup},
	"RestoreSecret":        {"restore/action", (*call).restore},
}

// headers are those of facts 1.1.
func (c *call) headers() http.Header {
	c.requests++
	id := sha256.Sum256(fmt.Appendf(nil, "keyvault request %d of %d", c.requests, c.w.Seed))
	x := hex.EncodeToString(id[:16])
	h := http.Header{}
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000;includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Date", c.now.Format(http.TimeFormat))
	h.Set("X-Ms-Keyvault-Region", c.vault.Location)
	h.Set("X-Ms-Keyvault-Service-Version", "1.9.640.1")
	h.Set("X-Ms-Keyvault-Network-Info", "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;")
	h.Set("X-Ms-Request-Id", x[:8]+"-"+x[8:12]+"-"+x[12:16]+"-"+x[16:20]+"-"+x[20:])
	if v := c.r.Header.Get("X-Ms-Client-Request-Id"); v != "" {
		h.Set("X-Ms-Client-Request-Id", v)
	}
	return h
}

func (s *Service) vaultOf(host string) *world.Vault {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	name, _, _ := strings.Cut(host, ".")
	for _, v := range s.w.Vaults {
		if strings.EqualFold(v.Name, name) {
			return v
		}
	}
	return nil
}

// noSuchVault answers for a name that in Azure would not resolve in DNS, so no real answer exists.
func (s *Service) noSuchVault(host string) answer {
	var names []string
	for _, v := range s.w.Vaults {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	text := fmt.Sprintf("simulator: no vault answers at %q; in Azure this name would not resolve. The vaults of this world: %s\n", host, strings.Join(names, ", "))
	return answer{
		status: http.StatusNotFound,
		header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		body:   []byte(text),
	}
}

func encode(status int, h http.Header, v any) answer {
	b, err := json.Marshal(v)
	if err != nil {
		return answer{status: http.StatusInternalServerError, header: h, body: []byte(`{"error":{"code":"InternalError","message":"simulator: the answer could not be encoded"}}`)}
	}
	return answer{status: status, header: h, body: b}
}
