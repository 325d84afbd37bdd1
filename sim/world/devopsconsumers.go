package world

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// ServiceEndpoint is a service connection of Azure DevOps: what a pipeline signs in with.
type ServiceEndpoint struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"` // azurerm, azuredevops, externaltfs, generic, externalnugetfeed
	URL         string `json:"url,omitempty"`
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty"`
	Disabled    bool   `json:"disabled,omitempty"`
	Scheme      string `json:"scheme"` // ServicePrincipal, Token, UsernamePassword, None
	// Parameters are those of its authorization, secrets among them.
	Parameters map[string]string `json:"parameters"`
	Data       map[string]string `json:"data,omitempty"`
	// Projects are those that it is shared with; the first one is where it was made.
	Projects []*ProjectReference `json:"projects"`
	// Administrators may change its credential, Users may use it; both are object ids.
	Administrators []string  `json:"administrators,omitempty"`
	Users          []string  `json:"users,omitempty"`
	CreatedBy      string    `json:"createdBy,omitempty"`
	ModifiedBy     string    `json:"modifiedBy,omitempty"`
	Created        time.Time `json:"created,omitzero"`
	Modified       time.Time `json:"modified,omitzero"`
	// BusyUntil is how long its operationStatus is InProgress; then it is Failed with Failure, if there is one.
	BusyUntil time.Time `json:"busyUntil,omitzero"`
	Failure   string    `json:"failure,omitempty"`
	// More holds members that were sent and are not known here: they come back as they were.
	More map[string]json.RawMessage `json:"more,omitempty"`
}

// ProjectReference is one project that a service connection or variable group is shared with, and what it is called
// there.
type ProjectReference struct {
	ProjectID   string `json:"projectId"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// In says whether it is shared with a project.
func In(refs []*ProjectReference, projectID string) *ProjectReference {
	i := slices.IndexFunc(refs, func(r *ProjectReference) bool { return strings.EqualFold(r.ProjectID, projectID) })
	if i < 0 {
		return nil
	}
	return refs[i]
}

// Parameter finds a parameter whatever the case of its name: real connections spell them both ways.
func (e *ServiceEndpoint) Parameter(name string) (key, value string) {
	return lookup(e.Parameters, name)
}

// Datum finds a member of data whatever the case of its name.
func (e *ServiceEndpoint) Datum(name string) string {
	_, v := lookup(e.Data, name)
	return v
}

func lookup(m map[string]string, name string) (key, value string) {
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return k, v
		}
	}
	return "", ""
}

// endpointSecrets are the parameters that answers mask.
var endpointSecrets = []string{
	"serviceprincipalkey", "serviceprincipalcertificate", "password", "apitoken", "accesstoken", "nugetkey", "apikey",
}

// SecretEndpointParameter says whether a parameter of a service connection's authorization is masked in answers.
func SecretEndpointParameter(name string) bool {
	return slices.Contains(endpointSecrets, strings.ToLower(name))
}

// VariableGroup is a library of variables for pipelines.
type VariableGroup struct {
	ID          int    `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"` // Vsts, AzureKeyVault
	Description string `json:"description,omitempty"`
	// Vault and EndpointID are those of a group whose variables are a vault's secrets.
	Vault          string               `json:"vault,omitempty"`
	EndpointID     string               `json:"serviceEndpointId,omitempty"`
	Variables      map[string]*Variable `json:"variables"`
	Projects       []*ProjectReference  `json:"projects"`
	Administrators []string             `json:"administrators,omitempty"`
	CreatedBy      string               `json:"createdBy,omitempty"`
	ModifiedBy     string               `json:"modifiedBy,omitempty"`
	Created        time.Time            `json:"created,omitzero"`
	Modified       time.Time            `json:"modified,omitzero"`
}

// Variable is one variable of a group.
type Variable struct {
	Value    string `json:"value,omitempty"`
	Secret   bool   `json:"isSecret,omitempty"`
	ReadOnly bool   `json:"isReadOnly,omitempty"`
	// Use is what pipelines use the value against.
	Use Target `json:"use,omitzero"`
}

// Endpoint finds a service connection of the organisation by its id.
func (o *Organization) Endpoint(id string) *ServiceEndpoint {
	i := slices.IndexFunc(o.ServiceEndpoints, func(e *ServiceEndpoint) bool { return strings.EqualFold(e.ID, id) })
	if i < 0 {
		return nil
	}
	return o.ServiceEndpoints[i]
}

// Group finds a variable group of the organisation by its id.
func (o *Organization) Group(id int) *VariableGroup {
	i := slices.IndexFunc(o.VariableGroups, func(g *VariableGroup) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return o.VariableGroups[i]
}
