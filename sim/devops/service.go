// Package devops is the simulated Azure DevOps Services: the PAT lifecycle API, service connections and variable
// groups, and what a client needs to find its way, to see who it is and to read projects with a PAT or an Entra token.
//
// It is not Azure DevOps Server, it has no repositories and runs no pipelines, and it issues no Entra tokens: it looks
// up those that the world knows. What always holds: a PAT's value appears in one answer, that of the create, and what
// a service connection or variable group keeps secret in none; only a user with a delegated token reaches the PAT API,
// and only their own PATs; a credential's scopes are enforced on every call; reading changes nothing in the world.
package devops

import (
	"maps"
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Operation names, as faults and the request log use them.
const (
	opListPats       = "ListPats"
	opGetPat         = "GetPat"
	opCreatePat      = "CreatePat"
	opUpdatePat      = "UpdatePat"
	opRevokePat      = "RevokePat"
	opConnectionData = "ConnectionData"
	opListProjects   = "ListProjects"
	opGetProject     = "GetProject"
	opProfile        = "Profile"
	opAccounts       = "Accounts"
	opResourceAreas  = "ResourceAreas"
	opOptions        = "Options"
	opSignIn         = "SignIn"
	opUnknown        = "unknown"
)

// Service answers for Azure DevOps over one world.
type Service struct {
	w     *world.World
	pats  index
	calls uint64 // numbers the activity ids, so that answering draws nothing from the world's randomness
}

// New returns the service over w.
func New(w *world.World) *Service { return &Service{w: w} }

// Name is "devops".
func (s *Service) Name() string { return "devops" }

// Operation names what r asks for, without doing it.
func (s *Service) Operation(r *http.Request) string { return parseRoute(r).op }

// call is one request being served, with the world locked.
type call struct {
	s     *Service
	w     http.ResponseWriter
	r     *http.Request
	route route
	query query
	knobs *world.DevOpsKnobs

	org     *world.Organization // nil where the address names none
	who     *caller             // nil before authentication, and for anonymous calls that are let through
	version version             // what was negotiated
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.w.Lock()
	defer s.w.Unlock()
	c := &call{s: s, w: w, r: r, route: parseRoute(r), query: queryOf(r), knobs: &s.w.Knobs.DevOps}
	s.calls++
	c.commonHeaders()
	c.serve()
}

func (c *call) serve() {
	if c.route.op == opSignIn {
		c.signInPage()
		return
	}
	if c.route.host.kind == hostNone {
		c.controllerNotFound()
		return
	}
	if c.route.org != "" {
		c.org = c.s.organization(c.route.org)
		if c.org == nil {
			c.html(http.StatusNotFound, pageNotFound)
			return
		}
		if c.org.Stopped {
			c.stopped()
			return
		}
	}
	if !c.discovery() || c.r.Header.Get("Authorization") != "" {
		who, ok := c.authenticate()
		if !ok {
			return
		}
		c.identified(who)
		if !c.admitted() {
			return
		}
	}
	if c.route.project != "" && c.findProject(c.route.project) == nil {
		c.noSuchProject(c.route.project)
		return
	}
	h, ok := handlers[c.route.op]
	if !ok {
		c.unknown()
		return
	}
	// What OPTIONS lists is how versions are found out, so it takes any.
	if c.route.op != opOptions && !c.negotiate(h.resource) {
		return
	}
	h.serve(c)
}

// discovery says whether the call is one that tells clients where things are: the service answers those before
// anybody has signed in, since a client learns from them where to sign in.
func (c *call) discovery() bool { return c.route.op == opOptions || c.route.op == opResourceAreas }

type handler struct {
	resource resource
	serve    func(*call)
}

// handlers is set in init because handlers refer to it through the calls that they make.
var handlers map[string]handler

func init() {
	pats := resource{latest: 1, plainByKnob: true}
	preview := resource{latest: 1}
	handlers = map[string]handler{
		opListPats:       {pats, (*call).listPats},
		opGetPat:         {pats, (*call).getPat},
		opCreatePat:      {pats, (*call).createPat},
		opUpdatePat:      {pats, (*call).updatePat},
		opRevokePat:      {pats, (*call).revokePat},
		opConnectionData: {preview, (*call).connectionData},
		opListProjects:   {resource{latest: 4, released: true}, (*call).listProjects},
		opGetProject:     {resource{latest: 4, released: true}, (*call).getProject},
		opProfile:        {resource{latest: 3, released: true}, (*call).profile},
		opAccounts:       {resource{latest: 1, released: true}, (*call).accounts},
		opResourceAreas:  {preview, (*call).resourceAreas},
		opOptions:        {resource{}, (*call).options},
	}
	maps.Copy(handlers, consumerHandlers())
}

// organization finds an organisation by its name, whatever the case.
func (s *Service) organization(name string) *world.Organization {
	for _, o := range s.w.Organizations {
		if strings.EqualFold(o.Name, name) {
			return o
		}
	}
	return nil
}

// identified notes who calls, in the answer as the real service does and in the request log.
func (c *call) identified(who *caller) {
	c.who = who
	wire.CallFrom(c.r.Context()).Principal = who.name
	c.w.Header().Set("X-VSS-UserData", c.s.storageKey(who.id)+":"+who.name)
}
