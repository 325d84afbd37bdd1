package manifest

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	minExpires = 15 * time.Minute
	maxExpires = 72 * time.Hour
)

// Approval says what may be done without a person, what never, and what somebody must approve.
type Approval struct {
	Rules     []ApprovalRule    `yaml:"rules,required" doc:"The rules, in order: the first whose condition holds decides. What none allows is denied."`
	Requests  *ApprovalRequests `yaml:"requests" doc:"Where requests and decisions lie. Needed for a rule that asks."`
	Approvers *Approvers        `yaml:"approvers" doc:"Who may decide. Needed for a rule that asks."`
	Expires   time.Duration     `yaml:"expires" default:"8h" doc:"How long a request, and a decision on it, count: 15m to 3d."`
	Jobs      *Jobs             `yaml:"jobs" doc:"What the token of a CI job must say before its claims are believed. Without it no claim is."`
}

// ApprovalRule is one rule.
type ApprovalRule struct {
	Name      string         `yaml:"name,required" is:"name" doc:"The rule's name, which verdicts repeat."`
	When      string         `yaml:"when,required" doc:"The condition, in CEL, such as environment == 'production' or 'issue' in kinds. One that cannot be evaluated denies."`
	Then      string         `yaml:"then,required" enum:"allow,deny,ask" doc:"What follows: 'allow', 'deny', or 'ask' a person."`
	Approvers *ApproverNames `yaml:"approvers" doc:"Who may decide what this rule asks, in place of those whom 'approval.approvers' names."`
}

// ApprovalRequests is a folder or a container of blobs.
type ApprovalRequests struct {
	Folder string `yaml:"folder" one:"place of requests" doc:"A folder, relative to this file, that runs and approvers share."`
	Blob   string `yaml:"blob" one:"place of requests" doc:"The address of a container, https://ACCOUNT.blob.core.windows.net/CONTAINER, that Rekey's identity may write to."`
}

// Approvers are who may decide, and what they sign in to.
type Approvers struct {
	ClientID string  `yaml:"clientId,required" is:"guid" doc:"The public client app registration that approvers sign in to, with the redirect URI http://localhost."`
	Roles    Set     `yaml:"roles" doc:"App roles of that registration, any of which lets a person decide."`
	Groups   Set     `yaml:"groups" doc:"Object ids of groups, any of which lets a person decide, if the registration's tokens name groups."`
	Actors   []Actor `yaml:"actors" doc:"Who people are whom a CI system names, so that nobody approves a job that they started."`
}

// ApproverNames are who may decide what one rule asks.
type ApproverNames struct {
	Roles  Set `yaml:"roles" doc:"App roles, any of which lets a person decide."`
	Groups Set `yaml:"groups" doc:"Object ids of groups, any of which lets a person decide."`
}

// Actor is one person.
type Actor struct {
	Name   string `yaml:"name,required" doc:"The name that the CI system has for them, such as their GitHub login."`
	Object string `yaml:"object,required" is:"guid" doc:"Their object id in the tenant."`
}

// Jobs are the CI jobs whose claims are believed.
type Jobs struct {
	Audience  string        `yaml:"audience" default:"api://rekey-approval" doc:"The audience that a GitHub job asks its token for: one that Entra ID does not take, and that nothing else asks for."`
	GitHub    *GitHubJob    `yaml:"githubOIDC" doc:"Jobs of GitHub Actions."`
	Pipelines *PipelinesJob `yaml:"azurePipelines" doc:"Jobs of Azure Pipelines."`
}

// GitHubJob is what the token of a job of GitHub Actions must say.
type GitHubJob struct {
	Repository   string `yaml:"repository,required" pattern:"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$" says:"must be OWNER/NAME" doc:"The repository."`
	OwnerID      string `yaml:"ownerId" pattern:"^[0-9]{1,20}$" says:"must be a number in quotes" doc:"The owner's id, which outlives their name."`
	RepositoryID string `yaml:"repositoryId" pattern:"^[0-9]{1,20}$" says:"must be a number in quotes" doc:"The repository's id, which outlives its name."`
	Ref          string `yaml:"ref" doc:"The ref, such as refs/heads/main."`
	Environment  string `yaml:"environment" doc:"The environment."`
	Workflow     string `yaml:"jobWorkflowRef" doc:"The workflow that the job is written in, such as contoso/platform/.github/workflows/rekey.yml@refs/heads/main."`
	Subject      string `yaml:"subject" doc:"The whole subject, where the repository has a template of its own. Without it, GitHub's own forms count, by names and by ids."`
}

// PipelinesJob is what the token of a job of Azure Pipelines must say.
type PipelinesJob struct {
	OrganizationID string `yaml:"organizationId,required" is:"guid" doc:"The organisation's id."`
	Subject        string `yaml:"subject,required" pattern:"^p://[^/]+/[^/]+/.+$" says:"must be p://ORGANISATION/PROJECT/PIPELINE" doc:"The pipeline: p://ORGANISATION/PROJECT/PIPELINE."`
	Repository     string `yaml:"repository" doc:"The address of the repository that the pipeline runs from."`
	Ref            string `yaml:"ref" doc:"The ref, such as refs/heads/main."`
	Tenant         string `yaml:"issuerTenant" is:"guid" doc:"The tenant's id, if its tokens come from https://login.microsoftonline.com/TENANT/v2.0 and not from the organisation's own issuer."`
}

var (
	guidForm = regexp.MustCompile("^" + guid + "$")
	blobForm = regexp.MustCompile(`^https://[a-z0-9]{3,24}\.blob\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)/[a-z0-9](-?[a-z0-9]){2,62}$`)
)

// approval checks what needs more than one field.
func (k *checker) approval(s subject, a *Approval) {
	if a == nil {
		return
	}
	asks := false
	first := map[string]bool{}
	for i, r := range a.Rules {
		asks = asks || r.Then == "ask"
		at := "approval.rules[" + strconv.Itoa(i) + "]"
		if r.Name != "" && first[r.Name] {
			k.fail(s, at+".name", "there is a rule %s already", quote(r.Name))
		}
		first[r.Name] = true
		if r.Approvers != nil {
			k.approvers(s, at+".approvers", r.Approvers.Roles, r.Approvers.Groups)
			if r.Then != "" && r.Then != "ask" {
				k.fail(s, at+".approvers", "a rule that does not ask has no approvers")
			}
		}
	}
	switch {
	case asks && a.Requests == nil:
		k.fail(s, "approval", "a rule asks, and 'requests' is missing: say where requests lie")
	case asks && a.Approvers == nil:
		k.fail(s, "approval", "a rule asks, and 'approvers' is missing: say who may decide")
	}
	if a.Expires != 0 && (a.Expires < minExpires || a.Expires > maxExpires) {
		k.fail(s, "approval.expires", "%s is not between %s and %s", FormatDuration(a.Expires), FormatDuration(minExpires), FormatDuration(maxExpires))
	}
	if a.Requests != nil && a.Requests.Blob != "" && !blobForm.MatchString(a.Requests.Blob) {
		shown := quote(a.Requests.Blob)
		if u, err := url.Parse(a.Requests.Blob); err != nil || u.RawQuery != "" || u.User != nil {
			shown = hidden // there may be a signature in it
		}
		k.fail(s, "approval.requests.blob", "%s must be the address of a container, like https://ACCOUNT.blob.core.windows.net/CONTAINER", shown)
	}
	if p := a.Approvers; p != nil {
		k.approvers(s, "approval.approvers", p.Roles, p.Groups)
		known := map[string]bool{}
		for i, x := range p.Actors {
			if x.Name != "" && known[x.Name] {
				k.fail(s, "approval.approvers.actors["+strconv.Itoa(i)+"].name", "%s is here already", quote(x.Name))
			}
			known[x.Name] = true
		}
	}
	if j := a.Jobs; j != nil {
		if j.GitHub == nil && j.Pipelines == nil {
			k.fail(s, "approval.jobs", "no kind of job: name githubOIDC, azurePipelines or both")
		}
		if strings.EqualFold(j.Audience, "api://AzureADTokenExchange") {
			k.fail(s, "approval.jobs.audience", "a token for this audience signs in at Entra ID: use one of your own")
		}
	}
}

func (k *checker) approvers(s subject, path string, roles, groups Set) {
	if len(roles)+len(groups) == 0 {
		k.fail(s, path, "nobody: name roles, groups or both")
	}
	for i, g := range groups {
		if g != "" && !guidForm.MatchString(g) {
			k.fail(s, path+".groups["+strconv.Itoa(i)+"]", "%s must be a group's object id", quote(g))
		}
	}
}

// Rule is a rule about a whole manifest, brought by whoever knows a language that parts of it are written in. report
// takes a path and a place in the text that is there: a line from 1, and a column from 0. Fields that are empty are
// missing or were reported.
type Rule func(m *Manifest, report func(path string, line, column int, text string))

// within reports a problem inside of a text, where that can be told.
func (k *checker) within(s subject, path string, line, column int, text string) {
	n, at := s.find(path)
	p := Problem{Line: int(n.line), Column: int(n.col), Path: at.String(), Message: text}
	if p.Line >= 1 && p.Line <= len(k.c.lines) {
		begins := k.c.lines[p.Line-1]
		runes := []rune(begins)
		from := min(max(p.Column-1, 0), len(runes))
		head := strings.TrimSpace(string(runes[from:]))
		switch {
		case strings.HasPrefix(head, "|"): // a block: its text is on the lines below, as it is
			if row := p.Line + line; row <= len(k.c.lines) {
				p.Line, p.Column = row, 1+indentation(k.c.lines[p.Line])+column
			}
		case strings.HasPrefix(head, ">"), line > 1: // folded: nothing says where
		case strings.HasPrefix(head, `"`), strings.HasPrefix(head, "'"):
			p.Column += 1 + column
		default:
			p.Column += column
		}
	}
	k.c.add(p)
}
