package devops

import (
	"net/http"
	"strings"
	"time"
)

type identity struct {
	ID                  string                       `json:"id"`
	Descriptor          string                       `json:"descriptor"`
	SubjectDescriptor   string                       `json:"subjectDescriptor"`
	ProviderDisplayName string                       `json:"providerDisplayName"`
	CustomDisplayName   string                       `json:"customDisplayName,omitempty"`
	IsActive            bool                         `json:"isActive"`
	ResourceVersion     int                          `json:"resourceVersion"`
	MetaTypeID          int                          `json:"metaTypeId"`
	Properties          map[string]map[string]string `json:"properties"`
}

type connectionData struct {
	AuthenticatedUser   identity            `json:"authenticatedUser"`
	AuthorizedUser      identity            `json:"authorizedUser"`
	InstanceID          string              `json:"instanceId"`
	DeploymentID        string              `json:"deploymentId"`
	DeploymentType      string              `json:"deploymentType"`
	LocationServiceData locationServiceData `json:"locationServiceData"`
}

type locationServiceData struct {
	ServiceOwner                string `json:"serviceOwner"`
	DefaultAccessMappingMoniker string `json:"defaultAccessMappingMoniker"`
	LastChangeID                int    `json:"lastChangeId"`
	LastChangeID64              int    `json:"lastChangeId64"`
}

// connectionData says who calls. It wants no scope: any credential that works at all gets an answer.
func (c *call) connectionData() {
	descriptor := "Microsoft.IdentityModel.Claims.ClaimsIdentity;" + c.who.tenant + `\` + c.who.name
	if !c.who.user {
		descriptor = "Microsoft.VisualStudio.Services.Claims.AadServicePrincipal;" + c.who.tenant + `\` + c.who.id
	}
	me := identity{
		ID: c.s.storageKey(c.who.id), Descriptor: descriptor, SubjectDescriptor: c.s.subjectDescriptor(c.who),
		ProviderDisplayName: c.who.shown, CustomDisplayName: c.who.shown, IsActive: true, ResourceVersion: 2,
		Properties: map[string]map[string]string{"Account": {"$type": "System.String", "$value": c.who.name}},
	}
	c.ok(connectionData{
		AuthenticatedUser: me, AuthorizedUser: me, InstanceID: c.org.ID,
		DeploymentID: c.s.derived("deployment"), DeploymentType: "hosted",
		LocationServiceData: locationServiceData{
			ServiceOwner:                "00025394-6065-48ca-87d9-7f5672854ef7",
			DefaultAccessMappingMoniker: "PublicAccessMapping", LastChangeID: 1, LastChangeID64: 1,
		},
	})
}

type profile struct {
	DisplayName  string    `json:"displayName"`
	PublicAlias  string    `json:"publicAlias"`
	EmailAddress string    `json:"emailAddress"`
	CoreRevision int       `json:"coreRevision"`
	TimeStamp    time.Time `json:"timeStamp"`
	ID           string    `json:"id"`
	Revision     int       `json:"revision"`
}

func (c *call) profile() {
	if !c.mayReadProfile() {
		return
	}
	alias := c.s.publicAlias(c.who.id)
	if asked := c.route.rest[1]; !strings.EqualFold(asked, "me") && !strings.EqualFold(asked, alias) {
		c.fail(http.StatusNotFound, typed("Microsoft.VisualStudio.Services.Profile", "ProfileDoesNotExistException"), "The profile does not exist.")
		return
	}
	c.ok(profile{
		DisplayName: c.who.shown, PublicAlias: alias, EmailAddress: c.who.name, CoreRevision: 1,
		TimeStamp: founded, ID: alias, Revision: 1,
	})
}

func (c *call) mayReadProfile() bool {
	if c.who.scopes.has("profile") {
		return true
	}
	c.lacksScope()
	return false
}

type account struct {
	ID         string         `json:"accountId"`
	URI        string         `json:"accountUri"`
	Name       string         `json:"accountName"`
	Properties map[string]any `json:"properties"`
}

// accounts lists the caller's organisations; it is empty for apps, though they may be members, and for anybody else.
func (c *call) accounts() {
	if !c.mayReadProfile() {
		return
	}
	asked := c.query.get("memberId")
	if asked == "" {
		asked = c.query.get("ownerId")
	}
	mine := []string{"", c.s.publicAlias(c.who.id), c.s.storageKey(c.who.id)}
	var all []account
	for _, o := range c.s.w.Organizations {
		for _, id := range mine {
			if c.who.user && strings.EqualFold(id, asked) && member(o, c.who.id, c.who.tenant) {
				all = append(all, account{o.ID, "https://vssps.dev.azure.com:443/" + o.Name + "/", o.Name, map[string]any{}})
			}
		}
	}
	c.ok(listOf(all))
}
