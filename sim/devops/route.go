package devops

import (
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type hostKind int

const (
	hostNone   hostKind = iota
	hostCore            // dev.azure.com: projects, pipelines, service connections
	hostSPS             // vssps.dev.azure.com: identities and tokens
	hostApp             // app.vssps.visualstudio.com: what belongs to no organisation
	hostAEX             // vsaex.dev.azure.com: entitlements, none of which is built
	hostSignIn          // where refused callers are sent
)

// signInHost is the deployment that sign-in redirects lead to.
const signInHost = "spsprodweu1.vssps.visualstudio.com"

// host is what a host name says: which part of Azure DevOps, and the organisation where the name holds it.
type host struct {
	kind hostKind
	org  string
	// path says that the organisation is the first element of the path.
	path bool
}

func hostOf(name string) host {
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	switch name {
	case "dev.azure.com":
		return host{kind: hostCore, path: true}
	case "vssps.dev.azure.com":
		return host{kind: hostSPS, path: true}
	case "vsaex.dev.azure.com":
		return host{kind: hostAEX, path: true}
	case "app.vssps.visualstudio.com":
		return host{kind: hostApp}
	case signInHost:
		return host{kind: hostSignIn}
	}
	if org, ok := strings.CutSuffix(name, ".vssps.visualstudio.com"); ok && label(org) {
		return host{kind: hostSPS, org: org}
	}
	if org, ok := strings.CutSuffix(name, ".vsaex.visualstudio.com"); ok && label(org) {
		return host{kind: hostAEX, org: org}
	}
	if org, ok := strings.CutSuffix(name, ".visualstudio.com"); ok && label(org) {
		return host{kind: hostCore, org: org}
	}
	return host{}
}

func label(s string) bool { return s != "" && !strings.Contains(s, ".") }

// route is what an address asks for.
type route struct {
	host    host
	org     string
	project string
	area    string   // lower case: "tokens", "projects"
	rest    []string // what follows the area, as sent
	op      string
}

// parseRoute reads {org}/{project}/_apis/{area}/...; names are compared without regard to case, as the real service
// compares them.
func parseRoute(r *http.Request) route {
	rt := route{host: hostOf(requestHost(r)), op: opUnknown}
	parts := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	if len(parts) > 0 && strings.EqualFold(parts[len(parts)-1], "_signin") {
		rt.op = opSignIn
		return rt
	}
	rt.org = rt.host.org
	if rt.host.path && len(parts) > 0 && !strings.EqualFold(parts[0], "_apis") {
		rt.org, parts = parts[0], parts[1:]
	}
	if len(parts) > 0 && strings.EqualFold(parts[0], "DefaultCollection") {
		parts = parts[1:]
	}
	if len(parts) > 1 && strings.EqualFold(parts[1], "_apis") {
		rt.project, parts = parts[0], parts[1:]
	}
	if len(parts) == 0 || !strings.EqualFold(parts[0], "_apis") {
		return rt
	}
	parts = parts[1:]
	if len(parts) > 0 {
		rt.area, rt.rest = strings.ToLower(parts[0]), parts[1:]
	}
	rt.op = rt.operation(r)
	return rt
}

// requestHost is the host that was asked: in a proxy's absolute form the URL has it, else the Host header.
func requestHost(r *http.Request) string {
	if r.URL.Host != "" {
		return r.URL.Host
	}
	return r.Host
}

func (rt route) operation(r *http.Request) string {
	if r.Method == http.MethodOptions {
		return opOptions
	}
	if op := rt.consumerOperation(r); op != "" {
		return op
	}
	inOrg, sps, core := rt.org != "", rt.host.kind == hostSPS, rt.host.kind == hostCore
	get := r.Method == http.MethodGet
	switch {
	case rt.patsAddress() && inOrg && sps:
		switch r.Method {
		case http.MethodGet:
			if queryOf(r).get("authorizationId") != "" {
				return opGetPat
			}
			return opListPats
		case http.MethodPost:
			return opCreatePat
		case http.MethodPut:
			return opUpdatePat
		case http.MethodDelete:
			return opRevokePat
		}
	case !get:
	case rt.is("connectiondata", 0) && inOrg:
		return opConnectionData
	case rt.is("projects", 0) && inOrg && core:
		return opListProjects
	case rt.is("projects", 1) && inOrg && core:
		return opGetProject
	case rt.is("profile", 2) && strings.EqualFold(rt.rest[0], "profiles") && !core:
		return opProfile
	case rt.is("accounts", 0) && !inOrg && !core:
		return opAccounts
	case rt.is("resourceareas", 0), rt.is("resourceareas", 1):
		return opResourceAreas
	}
	return opUnknown
}

func (rt route) is(area string, rest int) bool { return rt.area == area && len(rt.rest) == rest }

func (rt route) patsAddress() bool {
	return rt.is("tokens", 1) && strings.EqualFold(rt.rest[0], "pats") && rt.project == ""
}

// query looks query members up whatever the case of their names.
type query map[string]string

func queryOf(r *http.Request) query {
	q := query{}
	values, _ := url.ParseQuery(r.URL.RawQuery)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if _, twice := q[strings.ToLower(k)]; !twice {
			q[strings.ToLower(k)] = values[k][0]
		}
	}
	return q
}

func (q query) get(name string) string { return q[strings.ToLower(name)] }
