package pipelines

import (
	"fmt"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// cache is how long a job may go on with what it was handed when it began, unless the manifest says so: Azure Pipelines
// ends a job after an hour if nothing else was set.
const cache = time.Hour

// ConnectionSettings are the block "serviceConnection" of a consumer.
type ConnectionSettings struct {
	Organization string `yaml:"organization,required" pattern:"^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$" says:"must be the name of an organisation, as in https://dev.azure.com/NAME" doc:"The Azure DevOps organisation that the service connection is in."`
	Project      string `yaml:"project,required" pattern:"^[^/\\\\<>:*?\"|#;]{1,64}$" says:"must be the name or the id of a project" doc:"A project that may use it. One that is shared by several is named once, in any of them."`
	ID           string `yaml:"id,required" is:"guid" doc:"The id of the service connection: resourceId in the address of its page."`
}

// GroupSettings are the block "variableGroup" of a consumer.
type GroupSettings struct {
	Organization string `yaml:"organization,required" pattern:"^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$" says:"must be the name of an organisation, as in https://dev.azure.com/NAME" doc:"The Azure DevOps organisation that the variable group is in."`
	Project      string `yaml:"project,required" pattern:"^[^/\\\\<>:*?\"|#;]{1,64}$" says:"must be the name or the id of a project" doc:"A project that may use it. One that is shared by several is named once, in any of them."`
	ID           int    `yaml:"id,required" doc:"The id of the variable group: variableGroupId in the address of its page."`
	Variable     string `yaml:"variable,required" pattern:"^[A-Za-z0-9_.-]{1,200}$" says:"must be the name of a variable: letters, digits, '_', '-' and '.'" doc:"The secret variable, which must be there. A plain one beside it, with .rekey at the end of its name, says which publication it is on."`
}

// ConnectionKind is what a manifest can say about a service connection.
func ConnectionKind() manifest.Kind {
	return manifest.Kind{Name: "serviceConnection", Consumer: true, Cache: cache,
		Doc: "An Azure DevOps service connection with a key, token or password of its own.",
		New: func() manifest.Settings { return &ConnectionSettings{} }}
}

// GroupKind is what a manifest can say about a variable group.
func GroupKind() manifest.Kind {
	return manifest.Kind{Name: "variableGroup", Consumer: true, Cache: cache,
		Doc: "A secret variable of an Azure DevOps variable group.",
		New: func() manifest.Settings { return &GroupSettings{} }}
}

// Check implements manifest.Settings.
func (s *ConnectionSettings) Check(func(path, text string), manifest.Context) {}

// Location implements manifest.Located.
func (s *ConnectionSettings) Location() string {
	if s.Organization == "" || s.ID == "" {
		return ""
	}
	return strings.ToLower(s.Organization + "/" + s.ID)
}

// Check implements manifest.Settings.
func (s *GroupSettings) Check(report func(path, text string), _ manifest.Context) {
	if s.ID < 0 {
		report("id", "must be a number above zero")
	}
	if strings.HasSuffix(strings.ToLower(s.Variable), markSuffix) {
		report("variable", fmt.Sprintf("the ending %q is kept for the marks of publications", markSuffix))
	}
}

// Location implements manifest.Located.
func (s *GroupSettings) Location() string {
	if s.Organization == "" || s.ID == 0 || s.Variable == "" {
		return ""
	}
	return strings.ToLower(fmt.Sprintf("%s/%d/%s", s.Organization, s.ID, s.Variable))
}
