package manifest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const policy = `approval:
  rules:
    - {name: environment, when: environment == 'production', then: allow}
    - name: office
      when: |
        now.getHours() >= 8 &&
          now.getHours() < 17
      then: ask
      approvers: {roles: [Night.Approver]}
    - name: rest
      when: "true"
      then: deny
  requests: {folder: ./approvals}
  approvers:
    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4
    roles: [Rekey.Approver]
    groups: [33c8e2a0-27d2-4a50-9380-948a2bdb9b92]
    actors:
      - {name: octocat, object: 4d72fd10-46ca-41d8-be4e-493356bab8a9}
  jobs:
    githubOIDC: {repository: contoso/platform, repositoryId: "701234567", environment: production}
    azurePipelines: {organizationId: 7d1f9a3e-52c4-4b86-9f0e-1c6b4a8d2e11, subject: p://contoso/platform/rekey}
`

func withPolicy(old, new string) []byte {
	return []byte(strings.Replace(sound, "tenant:", strings.Replace(policy, old, new, 1)+"tenant:", 1))
}

func TestAnApprovalBlockIsReadWithItsRulesInOrder(t *testing.T) {
	m, problems := manifest.Parse("rekey.yaml", withPolicy("", ""), kinds())
	if m == nil {
		t.Fatalf("%v", problems)
	}
	a := m.Approval
	if len(a.Rules) != 3 || a.Rules[0].Name != "environment" || a.Rules[1].Approvers.Roles[0] != "Night.Approver" || a.Rules[2].Then != "deny" || a.Rules[0].Approvers != nil {
		t.Errorf("%+v", a.Rules)
	}
	if a.Expires != 8*time.Hour || a.Requests.Folder != "./approvals" || a.Approvers.Actors[0].Name != "octocat" || a.Jobs.Audience != "api://rekey-approval" || a.Jobs.GitHub.Environment != "production" {
		t.Errorf("%+v", a)
	}
	if m, _ := manifest.Parse("rekey.yaml", []byte(sound), kinds()); m.Approval != nil {
		t.Error("there is an approval block where none was written")
	}
}

func TestAnApprovalBlockThatIsWrongSaysWhere(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"a rule without a name":              {"name: rest", "nme: rest", `approval.rules[2].nme: unknown key "nme" (did you mean "name"?)`},
		"two rules of one name":              {"name: rest", "name: office", `approval.rules[2].name: there is a rule "office" already`},
		"an outcome that is none":            {"then: deny", "then: dney", `approval.rules[2].then: "dney" must be allow or deny or ask`},
		"approvers of a rule that asks none": {"then: ask\n", "then: allow\n", "approval.rules[1].approvers: a rule that does not ask has no approvers"},
		"a rule that is a text":              {"{name: environment, when: environment == 'production', then: allow}", "hello", "approval.rules[0]: expected a mapping, found text"},
		"a rule that asks, and nowhere":      {"  requests: {folder: ./approvals}\n", "", "a rule asks, and 'requests' is missing"},
		"a folder and a container":           {"{folder: ./approvals}", "{folder: ./approvals, blob: 'https://stcontoso.blob.core.windows.net/approvals'}", "more than one place of requests"},
		"a container that is none":           {"{folder: ./approvals}", "{blob: 'https://stcontoso.blob.core.windows.net'}", "must be the address of a container"},
		"a container with a signature":       {"{folder: ./approvals}", "{blob: 'https://stcontoso.blob.core.windows.net/c?sig=abcdef'}", "must be the address of a container"},
		"a group by its name":                {"[33c8e2a0-27d2-4a50-9380-948a2bdb9b92]", "[Administrators]", `approval.approvers.groups[0]: "Administrators" must be a group's object id`},
		"nobody who may approve":             {"    roles: [Rekey.Approver]\n    groups: [33c8e2a0-27d2-4a50-9380-948a2bdb9b92]\n", "", "approval.approvers: nobody"},
		"a life that is too long":            {"  requests:", "  expires: 4d\n  requests:", "approval.expires: 4d is not between 15m and 3d"},
		"an audience that signs in":          {"  jobs:\n", "  jobs:\n    audience: api://AzureADTokenExchange\n", "approval.jobs.audience: a token for this audience signs in at Entra ID"},
		"a pipeline without its subject":     {", subject: p://contoso/platform/rekey", "", `approval.jobs.azurePipelines: "subject" is missing`},
		"a subject of a service connection":  {"p://contoso/platform/rekey", "sc://contoso/platform/azure", "must be p://ORGANISATION/PROJECT/PIPELINE"},
		"one actor twice":                    {"      - {name: octocat,", "      - {name: octocat, object: 4d72fd10-46ca-41d8-be4e-493356bab8a9}\n      - {name: octocat,", `approval.approvers.actors[1].name: "octocat" is here already`},
	} {
		t.Run(name, func(t *testing.T) {
			src := withPolicy(c.old, c.new)
			if c.old != "" && !strings.Contains(policy, c.old) {
				t.Fatalf("the policy has no %q", c.old)
			}
			m, problems := manifest.Parse("rekey.yaml", src, kinds())
			if m != nil || !strings.Contains(problems.String(), c.want) || strings.Contains(problems.String(), "abcdef") {
				t.Errorf("want %q in\n%s", c.want, problems)
			}
		})
	}
}

func TestARuleOfOthersReportsWithinAText(t *testing.T) {
	for path, c := range map[string]struct {
		line, column int
		want         string
	}{
		"approval.rules[0].when": {1, 15, "rekey.yaml:3:48: "}, // a plain text
		"approval.rules[1].when": {2, 2, "rekey.yaml:7:11: "},  // a block
		"approval.rules[2].when": {1, 0, "rekey.yaml:11:14: "}, // in quotes
	} {
		src := policy + strings.TrimPrefix(sound, sound[:strings.Index(sound, "version:")])
		rule := func(_ *manifest.Manifest, report func(string, int, int, string)) {
			report(path, c.line, c.column, "that is wrong")
		}
		m, problems := manifest.Parse("rekey.yaml", []byte(src), kinds(), rule)
		if m != nil || !strings.Contains(problems.String(), c.want+path+": that is wrong\n") {
			t.Errorf("%s: want %s in\n%s", path, c.want, problems)
		}
	}
}
