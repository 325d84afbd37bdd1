package artifact

import (
	"strings"
	"testing"
)

func TestSurroundingsAreWhatTheVariablesSayAndNothingIsVerified(t *testing.T) {
	gitHub := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "contoso/web", "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main", "GITHUB_SHA": "abc",
		"GITHUB_WORKFLOW": "rotate", "GITHUB_ACTOR": "mona", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "42", "GITHUB_RUN_ATTEMPT": "2"}
	azure := map[string]string{"TF_BUILD": "True", "BUILD_REPOSITORY_NAME": "web", "BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": "abc", "BUILD_DEFINITIONNAME": "rotate",
		"BUILD_REQUESTEDFOR": "Mona", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/contoso/", "SYSTEM_TEAMPROJECT": "my project", "BUILD_BUILDID": "42", "SYSTEM_PULLREQUEST_PULLREQUESTID": "$(System.PullRequest.PullRequestId)"}
	with := func(m map[string]string, pairs ...string) map[string]string {
		out := map[string]string{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	hub := Environment{System: "github-actions", Repository: "contoso/web", Branch: "main", Commit: "abc", Workflow: "rotate", BuildURL: "https://github.com/contoso/web/actions/runs/42/attempts/2", Actor: "mona"}
	pipe := Environment{System: "azure-pipelines", Repository: "web", Branch: "main", Commit: "abc", Workflow: "rotate", BuildURL: "https://dev.azure.com/contoso/my%20project/_build/results?buildId=42", Actor: "Mona"}
	change := func(e Environment, f func(*Environment)) Environment { f(&e); return e }
	for name, c := range map[string]struct {
		vars map[string]string
		want Environment
	}{
		"a laptop":       {with(gitHub, "GITHUB_ACTIONS", ""), Environment{}},
		"GitHub Actions": {gitHub, hub},
		"a pull request on GitHub": {with(gitHub, "GITHUB_REF", "refs/pull/7/merge", "GITHUB_REF_NAME", "7/merge", "GITHUB_HEAD_REF", "topic"),
			change(hub, func(e *Environment) { e.PullRequest, e.Branch = "7", "topic" })},
		"Azure Pipelines": {azure, pipe},
		"a pull request in Azure Repos": {with(azure, "SYSTEM_PULLREQUEST_PULLREQUESTID", "7", "SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/topic", "BUILD_SOURCEBRANCH", "refs/pull/7/merge"),
			change(pipe, func(e *Environment) { e.PullRequest, e.Branch = "7", "topic" })},
		"a server that is no page":        {with(gitHub, "GITHUB_SERVER_URL", "javascript:alert(1)//"), change(hub, func(e *Environment) { e.BuildURL = "" })},
		"a server with somebody's name":   {with(gitHub, "GITHUB_SERVER_URL", "https://a:b@github.com"), change(hub, func(e *Environment) { e.BuildURL = "" })},
		"a run that is no number":         {with(gitHub, "GITHUB_RUN_ID", "../.."), change(hub, func(e *Environment) { e.BuildURL = "" })},
		"a variable longer than any name": {with(gitHub, "GITHUB_SHA", strings.Repeat("ä", 1000)), change(hub, func(e *Environment) { e.Commit = strings.Repeat("ä", 500) })},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Surroundings(func(n string) string { return c.vars[n] }); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
