package approval

import (
	"strings"
)

// Expect is what the manifest says that a job's token must say. What is empty is not asked for.
type Expect struct {
	// Repository is owner/name at GitHub, or the repository's address at Azure DevOps.
	Repository string
	// OwnerID and RepositoryID are GitHub's, which outlive names.
	OwnerID, RepositoryID string
	Ref                   string
	Environment           string
	Workflow              string // job_workflow_ref
	// Subject is the whole subject, where it is none of GitHub's own forms; for Azure Pipelines it is always needed.
	Subject string
	// Organization is the id of an Azure DevOps organisation.
	Organization string
}

// GitHubJob makes a requester of the claims of a verified token of GitHub Actions, or says what is not as expected.
func GitHubJob(claims map[string]any, want Expect) (Requester, error) {
	text := func(name string) string { s, _ := claims[name].(string); return s }
	for _, c := range []struct{ claim, want string }{
		{"repository", want.Repository}, {"repository_owner_id", want.OwnerID}, {"repository_id", want.RepositoryID},
		{"ref", want.Ref}, {"environment", want.Environment}, {"job_workflow_ref", want.Workflow},
	} {
		if c.want != "" && text(c.claim) != c.want && !(c.claim == "repository" && strings.EqualFold(text(c.claim), c.want)) {
			return Requester{}, refuse("job", "the job's token says %s %q, and the manifest expects %q", c.claim, text(c.claim), c.want)
		}
	}
	if err := githubSubject(text, want.Subject); err != nil {
		return Requester{}, err
	}
	r := Requester{CI: "github", Who: text("sub"), Actor: text("actor"), Environment: text("environment"), Claims: claims}
	r.Branch, r.PullRequest = branch(text("ref"))
	return r, nil
}

// githubSubject holds a subject against the other claims: it must be one of GitHub's own forms of them, by names or by
// ids, unless the manifest says what it is.
func githubSubject(text func(string) string, want string) error {
	sub := text("sub")
	if want != "" {
		if sub != want {
			return refuse("subject", "the job's token has the subject %q, and the manifest expects %q", sub, want)
		}
		return nil
	}
	owner, name, _ := strings.Cut(text("repository"), "/")
	byName := "repo:" + owner + "/" + name + ":"
	byID := "repo:" + owner + "@" + text("repository_owner_id") + "/" + name + "@" + text("repository_id") + ":"
	rest, ok := strings.CutPrefix(sub, byName)
	if !ok && text("repository_owner_id") != "" && text("repository_id") != "" {
		rest, ok = strings.CutPrefix(sub, byID)
	}
	var forms []string
	switch escape := strings.NewReplacer(":", "%3A"); {
	case text("environment") != "":
		forms = []string{"environment:" + escape.Replace(text("environment"))}
	case text("event_name") == "pull_request":
		forms = []string{"pull_request"}
	default:
		forms = []string{"ref:" + text("ref"), "ref:" + escape.Replace(text("ref"))}
	}
	for _, f := range forms {
		if ok && rest == f {
			return nil
		}
	}
	return refuse("subject", "the job's token has the subject %q, which is none of GitHub's own for its repository: if the repository has a template of its own, name the subject in the manifest", sub)
}

// PipelinesJob makes a requester of the claims of a verified token of Azure Pipelines: the job's own, whose subject
// begins with p://, and not one that is for a service connection, which Entra ID would take.
func PipelinesJob(claims map[string]any, want Expect) (Requester, error) {
	text := func(name string) string { s, _ := claims[name].(string); return s }
	sub := text("sub")
	if !strings.HasPrefix(sub, "p://") {
		return Requester{}, refuse("subject", "the token is a service connection's, %q, and not the job's own", sub)
	}
	for _, c := range []struct{ claim, want string }{{"sub", want.Subject}, {"rpo_uri", want.Repository}, {"rpo_ref", want.Ref}} {
		if c.want != "" && text(c.claim) != c.want {
			return Requester{}, refuse("job", "the job's token says %s %q, and the manifest expects %q", c.claim, text(c.claim), c.want)
		}
	}
	if !strings.EqualFold(text("org_id"), want.Organization) {
		return Requester{}, refuse("job", "the job's token is of another organisation, %q", text("org_id"))
	}
	r := Requester{CI: "pipelines", Who: sub, Claims: claims}
	r.Branch, r.PullRequest = branch(text("rpo_ref"))
	return r, nil
}

// branch reads the branch or the pull request of a ref. A pull request is on no branch: what it wants to merge can be
// called main in somebody's fork, and a rule that trusts that name must not be met by it.
func branch(ref string) (name, pull string) {
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return name, ""
	}
	if rest, ok := strings.CutPrefix(ref, "refs/pull/"); ok {
		pull, _, _ = strings.Cut(rest, "/")
	}
	return "", pull
}
