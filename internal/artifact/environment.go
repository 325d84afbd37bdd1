package artifact

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Environment is what the variables of a CI system say. Whoever can set a variable can make it say anything.
type Environment struct {
	Verified    bool   `json:"verified"` // always false
	System      string `json:"system,omitempty"`
	Repository  string `json:"repository,omitempty"`
	Branch      string `json:"branch,omitempty"`
	Commit      string `json:"commit,omitempty"`
	PullRequest string `json:"pullRequest,omitempty"`
	Workflow    string `json:"workflow,omitempty"`
	BuildURL    string `json:"buildUrl,omitempty"`
	Actor       string `json:"actor,omitempty"`
}

// maxSaid bounds what a variable may say: it is evidence, and no place to keep things.
const maxSaid = 500

// Surroundings reads the variables of GitHub Actions and Azure Pipelines; on another machine nothing is said.
func Surroundings(getenv func(string) string) Environment {
	said := func(name string) string {
		v := strings.ToValidUTF8(getenv(name), "�")
		if utf8.RuneCountInString(v) > maxSaid {
			v = string([]rune(v)[:maxSaid])
		}
		return v
	}
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return gitHub(said)
	case strings.EqualFold(getenv("TF_BUILD"), "true"):
		return pipelines(said)
	}
	return Environment{}
}

func gitHub(said func(string) string) Environment {
	e := Environment{System: "github-actions", Repository: said("GITHUB_REPOSITORY"), Branch: said("GITHUB_REF_NAME"), Commit: said("GITHUB_SHA"),
		Workflow: said("GITHUB_WORKFLOW"), Actor: said("GITHUB_ACTOR")}
	if n, ok := strings.CutPrefix(said("GITHUB_REF"), "refs/pull/"); ok {
		n, _, _ = strings.Cut(n, "/")
		e.PullRequest, e.Branch = number(n), said("GITHUB_HEAD_REF")
	}
	if run := number(said("GITHUB_RUN_ID")); run != "" && e.Repository != "" {
		e.BuildURL = address(said("GITHUB_SERVER_URL"), e.Repository, "actions", "runs", run)
		if attempt := number(said("GITHUB_RUN_ATTEMPT")); attempt != "" && e.BuildURL != "" {
			e.BuildURL += "/attempts/" + attempt
		}
	}
	return e
}

func pipelines(said func(string) string) Environment {
	e := Environment{System: "azure-pipelines", Repository: said("BUILD_REPOSITORY_NAME"), Commit: said("BUILD_SOURCEVERSION"),
		Workflow: said("BUILD_DEFINITIONNAME"), Actor: said("BUILD_REQUESTEDFOR"),
		Branch: strings.TrimPrefix(said("BUILD_SOURCEBRANCH"), "refs/heads/")}
	// Repositories on GitHub have a number, those of Azure Repos an id.
	if e.PullRequest = number(said("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER")); e.PullRequest == "" {
		e.PullRequest = number(said("SYSTEM_PULLREQUEST_PULLREQUESTID"))
	}
	if e.PullRequest != "" {
		e.Branch = strings.TrimPrefix(said("SYSTEM_PULLREQUEST_SOURCEBRANCH"), "refs/heads/")
	}
	if build := number(said("BUILD_BUILDID")); build != "" {
		if e.BuildURL = address(said("SYSTEM_COLLECTIONURI"), said("SYSTEM_TEAMPROJECT"), "_build", "results"); e.BuildURL != "" {
			e.BuildURL += "?buildId=" + build
		}
	}
	return e
}

// number is a text that is one: a variable that was not replaced is left as "$(its name)" by Azure Pipelines.
func number(s string) string {
	if n, err := strconv.ParseUint(s, 10, 64); err != nil || n == 0 {
		return ""
	}
	return s
}

// address is a page's, "" unless it is one of the web: somebody will click it.
func address(base string, below ...string) string {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || below[0] == "" {
		return ""
	}
	return u.JoinPath(below...).String()
}
