package devops

import (
	"strings"
)

// location is one resource of the service, as OPTIONS lists them: Microsoft's clients look a resource up by its id
// and build the address from the template.
type location struct {
	ID              string `json:"id"`
	Area            string `json:"area"`
	ResourceName    string `json:"resourceName"`
	RouteTemplate   string `json:"routeTemplate"`
	ResourceVersion int    `json:"resourceVersion"`
	MinVersion      string `json:"minVersion"`
	MaxVersion      string `json:"maxVersion"`
	ReleasedVersion string `json:"releasedVersion"` // "0.0": a preview only

	on []hostKind
}

// locations lists what clients are known to look for. The id of the PAT resource is not on record; clients find it
// by area and name, so the area's own id stands in for it.
var locations = []location{
	{"00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/{resource}", 1, "1.0", newestVersion, "0.0", []hostKind{hostCore, hostSPS, hostApp}},
	{"e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "ResourceAreas", "_apis/{resource}/{areaId}", 1, "3.2", newestVersion, "0.0", []hostKind{hostCore, hostSPS, hostApp}},
	{"603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{*projectId}", 4, "1.0", newestVersion, releaseVersion, []hostKind{hostCore}},
	{"e85f1c62-adfc-4b74-b618-11a150fb195e", "serviceendpoint", "endpoints", "{project}/_apis/{area}/{resource}/{endpointId}", 4, "3.0", newestVersion, releaseVersion, []hostKind{hostCore}},
	{"14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0", "serviceendpoint", "endpoints", "_apis/{area}/{resource}/{endpointId}", 4, "3.0", newestVersion, releaseVersion, []hostKind{hostCore}},
	{"cc63bb57-2a5f-4a7a-b79c-c142d308657e", "serviceendpoint", "endpointproxy", "{project}/_apis/{area}/{resource}", 1, "3.0", newestVersion, releaseVersion, []hostKind{hostCore}},
	{"f5b09dd5-9d54-45a1-8b5a-1c8287d634cc", "distributedtask", "variablegroups", "{project}/_apis/{area}/{resource}/{groupId}", 2, "3.2", newestVersion, releaseVersion, []hostKind{hostCore}},
	{"ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7", "distributedtask", "variablegroups", "_apis/{area}/{resource}/{groupId}", 2, "5.0", newestVersion, releaseVersion, []hostKind{hostCore}},
	{"398c85bc-81aa-4822-947c-a194a05f0fef", "build", "authorizedresources", "{project}/_apis/{area}/{resource}", 1, "4.1", newestVersion, "0.0", []hostKind{hostCore}},
	{"55967393-20ef-45c6-a96c-b5d5d5986a9a", "tokens", "pats", "_apis/{area}/{resource}", 1, "6.1", newestVersion, "0.0", []hostKind{hostSPS}},
	{"f83735dc-483f-4238-a291-d45f6080a9af", "profile", "profiles", "_apis/{area}/{resource}/{id}", 3, "1.0", newestVersion, releaseVersion, []hostKind{hostSPS, hostApp}},
}

// options lists resources: all, or those of the area in the address. With allHostTypes those of every host.
func (c *call) options() {
	everyHost := strings.EqualFold(c.query.get("allHostTypes"), "true")
	var found []location
	for _, l := range locations {
		if c.route.area != "" && !strings.EqualFold(l.Area, c.route.area) {
			continue
		}
		for _, k := range l.on {
			if k == c.route.host.kind || everyHost {
				found = append(found, l)
				break
			}
		}
	}
	c.ok(listOf(found))
}

// area is one resource area: which host serves it.
type area struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	LocationURL string `json:"locationUrl"`

	host string
}

const (
	coreHost = "https://dev.azure.com/"
	spsHost  = "https://vssps.dev.azure.com/"
)

var areas = []area{
	{ID: "79134c72-4a58-4b42-976c-04e7115f32bf", Name: "core", host: coreHost},
	{ID: "1814ab31-2f4f-4a9f-8761-f4d77dc5a5d7", Name: "serviceendpoint", host: coreHost},
	{ID: "a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd", Name: "distributedtask", host: coreHost},
	{ID: "965220d5-5bb9-42cf-8d67-9b146df2a5a4", Name: "build", host: coreHost},
	{ID: "55967393-20ef-45c6-a96c-b5d5d5986a9a", Name: "tokens", host: spsHost},
	{ID: "af68438b-ed04-4407-9eb6-f1dbae3f922e", Name: "tokenadmin", host: spsHost},
	{ID: "bb1e7ec9-e901-4b68-999a-de7012b920f8", Name: "graph", host: spsHost},
	{ID: "8ccfef3d-2b87-4e99-8ccb-66e343d2daa8", Name: "profile", host: spsHost},
	{ID: "0d55247a-1c47-4462-9b1f-5e2125590ee6", Name: "account", host: spsHost},
}

// resourceAreas lists where each area is served, or one of them by its id; one that is unknown is null.
func (c *call) resourceAreas() {
	var all []area
	for _, a := range areas {
		a.LocationURL = "https://app.vssps.visualstudio.com/"
		if c.org != nil {
			a.LocationURL = a.host + c.org.Name + "/"
		}
		all = append(all, a)
	}
	if len(c.route.rest) == 0 {
		c.ok(listOf(all))
		return
	}
	for _, a := range all {
		if strings.EqualFold(a.ID, c.route.rest[0]) {
			c.ok(a)
			return
		}
	}
	c.ok(nil)
}
