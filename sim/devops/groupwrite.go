package devops

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// sentGroup is a group as clients send it.
type sentGroup struct {
	Type         string                   `json:"type"`
	Name         string                   `json:"name"`
	Description  string                   `json:"description"`
	Variables    map[string]*sentVariable `json:"variables"`
	ProviderData *struct {
		EndpointID string `json:"serviceEndpointId"`
		Vault      string `json:"vault"`
	} `json:"providerData"`
	Projects []sentReference `json:"variableGroupProjectReferences"`
}

type sentVariable struct {
	Value    *string `json:"value"`
	Secret   bool    `json:"isSecret"`
	ReadOnly bool    `json:"isReadOnly"`
}

// storedGroup is what of a sent group is stored in place of before (nil for a new one), or the call is refused. All of
// it is replaced: a variable that was not sent is gone, and a secret that was sent as null keeps its value.
func (c *call) storedGroup(sent *sentGroup, before *world.VariableGroup) (*world.VariableGroup, bool) {
	if sent.Name == "" {
		c.badGroup("Value cannot be null. Parameter name: group.Name")
		return nil, false
	}
	if len(sent.Variables) == 0 {
		c.badGroup("Variable group must have at least one variable.")
		return nil, false
	}
	refs, ok := c.references(sent.Projects, sent.Name)
	if !ok {
		return nil, false
	}
	now := c.s.w.Now()
	g := &world.VariableGroup{
		Name: sent.Name, Type: sent.Type, Description: sent.Description, Projects: refs,
		ModifiedBy: c.who.id, Modified: now, Variables: map[string]*world.Variable{},
	}
	if g.Type == "" {
		g.Type = "Vsts"
	}
	if before != nil {
		g.ID, g.Administrators, g.CreatedBy, g.Created = before.ID, before.Administrators, before.CreatedBy, before.Created
	}
	if g.Type == "AzureKeyVault" {
		if sent.ProviderData == nil || sent.ProviderData.Vault == "" {
			c.badGroup("Value cannot be null. Parameter name: group.ProviderData")
			return nil, false
		}
		g.Vault, g.EndpointID = sent.ProviderData.Vault, sent.ProviderData.EndpointID
	}
	for name, v := range sent.Variables {
		if v == nil {
			v = &sentVariable{}
		}
		g.Variables[name] = c.variable(name, v, g, before)
	}
	return g, true
}

func (c *call) variable(name string, sent *sentVariable, g, before *world.VariableGroup) *world.Variable {
	v := &world.Variable{Secret: sent.Secret || g.Type == "AzureKeyVault", ReadOnly: sent.ReadOnly}
	var old *world.Variable
	if before != nil {
		for k, x := range before.Variables {
			if strings.EqualFold(k, name) {
				old = x
				v.Use = x.Use
			}
		}
	}
	switch {
	case g.Type == "AzureKeyVault":
	case sent.Value != nil:
		v.Value = *sent.Value
		if v.Secret {
			c.s.w.Remember(v.Value)
		}
	case v.Secret && old != nil && old.Secret && !c.s.w.Knobs.VariableGroups.LoseNull:
		v.Value = old.Value
	}
	return v
}

func (c *call) addGroup() {
	if !c.may("variablegroups_write", "variablegroups_manage") {
		return
	}
	var sent sentGroup
	if !c.read(&sent) {
		return
	}
	if !c.referenced(&sent) {
		return
	}
	g, ok := c.storedGroup(&sent, nil)
	if !ok {
		return
	}
	for _, r := range g.Projects {
		if !c.projectAdmin([]*world.ProjectReference{r}) {
			c.notGroupAdministrator()
			return
		}
		if c.groupTaken(r, 0) {
			return
		}
	}
	for _, x := range c.org.VariableGroups {
		g.ID = max(g.ID, x.ID)
	}
	g.ID++
	g.CreatedBy, g.Created, g.Administrators = c.who.id, g.Modified, []string{c.who.id}
	c.org.VariableGroups = append(c.org.VariableGroups, g)
	c.ok(c.shownGroup(g, nil, inWrite))
}

// referenced wants to know which projects the group is for. At a project's address that is this one; at the
// organisation's, a group without references is refused as if the caller were nobody (facts 4).
func (c *call) referenced(sent *sentGroup) bool {
	if len(sent.Projects) > 0 {
		return true
	}
	if p := c.findProject(c.route.project); p != nil {
		r := sentReference{Name: sent.Name, Description: sent.Description}
		r.Project.ID = p.ID
		sent.Projects = []sentReference{r}
		return true
	}
	if c.s.w.Knobs.VariableGroups.TakeWithoutReferences {
		return true
	}
	c.lacksScope()
	return false
}

func (c *call) groupTaken(r *world.ProjectReference, self int) bool {
	for _, g := range c.org.VariableGroups {
		if other := world.In(g.Projects, r.ProjectID); other != nil && g.ID != self && strings.EqualFold(other.Name, r.Name) {
			c.fail(http.StatusConflict, typed(taskAPI, "VariableGroupExistsException"), "Variable group with name '"+r.Name+"' already exists.")
			return true
		}
	}
	return false
}

func (c *call) updateGroup() {
	if !c.may("variablegroups_manage") {
		return
	}
	var sent sentGroup
	if !c.read(&sent) {
		return
	}
	before, ok := c.group()
	if !ok {
		return
	}
	if before == nil {
		c.noSuchGroup(c.route.rest[1])
		return
	}
	if !c.groupAdmin(before) {
		c.notGroupAdministrator()
		return
	}
	if !c.referenced(&sent) {
		return
	}
	after, ok := c.storedGroup(&sent, before)
	if !ok {
		return
	}
	if len(after.Projects) == 0 {
		after.Projects = before.Projects
	}
	for _, r := range after.Projects {
		if c.groupTaken(r, before.ID) {
			return
		}
	}
	if c.s.w.Knobs.VariableGroups.Ignore {
		c.ok(c.shownGroup(before, nil, inWrite))
		return
	}
	*before = *after
	c.ok(c.shownGroup(before, nil, inWrite))
}

func (c *call) shareGroup() {
	if !c.may("variablegroups_manage") {
		return
	}
	var sent []sentReference
	if !c.read(&sent) {
		return
	}
	id, err := strconv.Atoi(c.query.get("variableGroupId"))
	if err != nil {
		c.badParameter("variableGroupId")
		return
	}
	g := c.org.Group(id)
	if g == nil {
		c.noSuchGroup(strconv.Itoa(id))
		return
	}
	refs, ok := c.references(sent, g.Name)
	if !ok {
		return
	}
	if !c.groupAdmin(g) {
		c.notGroupAdministrator()
		return
	}
	for _, r := range refs {
		if c.groupTaken(r, g.ID) {
			return
		}
	}
	for _, r := range refs {
		g.Projects = append(slices.DeleteFunc(g.Projects, func(x *world.ProjectReference) bool { return x.ProjectID == r.ProjectID }), r)
	}
	c.empty(http.StatusNoContent)
}

func (c *call) deleteGroup() {
	if !c.may("variablegroups_manage") {
		return
	}
	g, ok := c.group()
	if !ok {
		return
	}
	if g == nil {
		c.noSuchGroup(c.route.rest[1])
		return
	}
	if !c.groupAdmin(g) {
		c.notGroupAdministrator()
		return
	}
	from, ok := c.named("projectIds")
	if !ok {
		return
	}
	g.Projects = slices.DeleteFunc(g.Projects, func(r *world.ProjectReference) bool { return has(from, r.ProjectID) })
	if len(g.Projects) == 0 {
		c.org.VariableGroups = slices.DeleteFunc(slices.Clone(c.org.VariableGroups), func(x *world.VariableGroup) bool { return x == g })
	}
	c.empty(http.StatusNoContent)
}
