package devops

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// project is a project as the list shows it.
type project struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	URL        string    `json:"url"`
	State      string    `json:"state"`
	Revision   int       `json:"revision"`
	Visibility string    `json:"visibility"`
	Updated    time.Time `json:"lastUpdateTime"`
}

// fullProject is a project as get shows it.
type fullProject struct {
	project
	Links        map[string]link              `json:"_links"`
	DefaultTeam  team                         `json:"defaultTeam"`
	Capabilities map[string]map[string]string `json:"capabilities,omitempty"`
}

type link struct {
	Href string `json:"href"`
}

type team struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// founded is when every project was last changed; the world keeps no such date. Real ones have at most three digits
// of a second.
var founded = time.Date(1999, 9, 1, 8, 30, 15, 240_000_000, time.UTC)

func (c *call) coreURL() string { return "https://dev.azure.com/" + c.org.Name + "/" }

func (c *call) shownProject(p *world.Project) project {
	return project{
		ID: p.ID, Name: p.Name, URL: c.coreURL() + "_apis/projects/" + p.ID, State: "wellFormed",
		Revision: 11, Visibility: "private", Updated: founded,
	}
}

// mayReadProjects checks the scope that both project calls want: either of two, as the specification says.
func (c *call) mayReadProjects() bool {
	if c.who.scopes.has("project", "profile") {
		return true
	}
	c.lacksScope()
	return false
}

func (c *call) listProjects() {
	if !c.mayReadProjects() {
		return
	}
	top, ok := c.number("$top", 100)
	if !ok {
		return
	}
	skip, ok := c.number("$skip", 0)
	if !ok {
		return
	}
	if c.query.get("continuationToken") != "" {
		if skip, ok = c.number("continuationToken", 0); !ok {
			return
		}
	}
	all := c.org.Projects
	if state := strings.ToLower(c.query.get("stateFilter")); state != "" && state != "wellformed" && state != "all" {
		all = nil // every project here is well formed
	}
	page := []project{}
	end := min(skip+top, len(all))
	for i := skip; i < end; i++ {
		page = append(page, c.shownProject(all[i]))
	}
	if end < len(all) && skip < end {
		c.w.Header().Set("X-MS-ContinuationToken", strconv.Itoa(end))
	}
	c.ok(listOf(page))
}

// number reads a query member that counts something.
func (c *call) number(name string, otherwise int) (int, bool) {
	v := c.query.get(name)
	if v == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 1<<30 {
		c.badParameter(name)
		return 0, false
	}
	return n, true
}

func (c *call) getProject() {
	if !c.mayReadProjects() {
		return
	}
	name := c.route.rest[0]
	p := c.findProject(name)
	if p == nil {
		c.noSuchProject(name)
		return
	}
	base := c.coreURL()
	teamID := c.s.derived("team", p.ID)
	full := fullProject{
		project: c.shownProject(p),
		Links: map[string]link{
			"self":       {base + "_apis/projects/" + p.ID},
			"collection": {base + "_apis/projectCollections/" + c.org.ID},
			"web":        {base + p.Name},
		},
		DefaultTeam: team{teamID, p.Name + " Team", base + "_apis/projects/" + p.ID + "/teams/" + teamID},
	}
	if strings.EqualFold(c.query.get("includeCapabilities"), "true") {
		full.Capabilities = map[string]map[string]string{
			"processTemplate": {"templateName": "Agile", "templateTypeId": "adcc42ab-9882-485e-a3ed-7678f01f66bc"},
			"versioncontrol":  {"sourceControlType": "Git", "gitEnabled": "True", "tfvcEnabled": "False"},
		}
	}
	c.ok(full)
}

// findProject finds a project of the organisation by its name or id; nil if there is none.
func (c *call) findProject(name string) *world.Project {
	if c.org == nil {
		return nil
	}
	for _, p := range c.org.Projects {
		if strings.EqualFold(p.Name, name) || strings.EqualFold(p.ID, name) {
			return p
		}
	}
	return nil
}

func (c *call) noSuchProject(name string) {
	const core = "Microsoft.TeamFoundation.Core.WebApi"
	if id, ok := guid(name); ok {
		c.fail(http.StatusNotFound, typed(core, "ProjectDoesNotExistException"),
			"VS800075: The project with id '"+id+"' does not exist, or you do not have permission to access it.")
		return
	}
	c.fail(http.StatusNotFound, typed(core, "ProjectDoesNotExistWithNameException"),
		"TF200016: The following project does not exist: "+name+". Verify that the name of the project is correct and that the project exists on the specified Azure DevOps Server.")
}
