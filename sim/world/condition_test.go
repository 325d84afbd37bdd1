package world

import (
	"strings"
	"testing"
)

const (
	conditionWorker = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
	writeAction     = "Microsoft.Authorization/roleAssignments/write"
	deleteAction    = "Microsoft.Authorization/roleAssignments/delete"
)

// delegation is a condition as the portal writes it for those who may give one role to one principal.
const delegation = `
(
 (
  !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})
 )
 OR
 (
  @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {` + RoleKeyVaultOfficer + `, ` + RoleKeyVaultUser + `}
  AND
  @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {` + conditionWorker + `}
  AND
  @Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEqualsIgnoreCase 'ServicePrincipal'
 )
)
AND
(
 (
  !(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})
 )
 OR
 (
  @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {` + RoleKeyVaultOfficer + `}
 )
)`

func TestAConditionLetsPassWhatItSays(t *testing.T) {
	asked := func(role, principal, kind string) Deed {
		return Deed{Action: writeAction, Request: AssignmentAttributes(role, principal, kind)}
	}
	const role, principal = "@Request[" + AttributeRole + "]", "@Request[" + AttributePrincipal + "]"
	for why, c := range map[string]struct {
		text string
		deed Deed
		want bool
	}{
		"what it is for":                      {delegation, asked(RoleKeyVaultOfficer, conditionWorker, "ServicePrincipal"), true},
		"whatever the case of ids":            {delegation, asked(strings.ToUpper(RoleKeyVaultUser), strings.ToUpper(conditionWorker), "serviceprincipal"), true},
		"not another role":                    {delegation, asked(RoleOwner, conditionWorker, "ServicePrincipal"), false},
		"not another principal":               {delegation, asked(RoleKeyVaultOfficer, RoleOwner, "ServicePrincipal"), false},
		"not another kind of principal":       {delegation, asked(RoleKeyVaultOfficer, conditionWorker, "User"), false},
		"not what does not say":               {delegation, Deed{Action: writeAction}, false},
		"other actions":                       {delegation, Deed{Action: "Microsoft.Authorization/roleAssignments/read"}, true},
		"a removal":                           {delegation, Deed{Action: deleteAction, Resource: AssignmentAttributes(RoleKeyVaultOfficer, "", "")}, true},
		"not the removal of another role":     {delegation, Deed{Action: deleteAction, Resource: AssignmentAttributes(RoleOwner, "", "")}, false},
		"not the removal of nothing":          {delegation, Deed{Action: deleteAction}, false},
		"not what is asked of the wrong side": {"@Resource[" + AttributeRole + "] GuidEquals " + RoleOwner, asked(RoleOwner, "", ""), false},
		"one value":                           {role + " GuidEquals " + RoleOwner, asked(RoleOwner, "", ""), true},
		"all but some":                        {role + " ForAnyOfAllValues:GuidNotEquals {" + RoleOwner + "," + RoleReader + "}", asked(RoleContributor, "", ""), true},
		"not one of all but some":             {role + " ForAnyOfAllValues:GuidNotEquals {" + RoleOwner + "," + RoleReader + "}", asked(RoleReader, "", ""), false},
		"a denial of what is unknown":         {"!(" + role + " GuidEquals " + RoleOwner + ")", Deed{Action: writeAction}, false},
		"unknown or true":                     {role + " GuidEquals " + RoleOwner + " || ActionMatches{'*'}", Deed{Action: writeAction}, true},
		"existence":                           {"Exists " + principal + " && NOT Exists " + role, asked("", conditionWorker, ""), true},
		"and binds before or":                 {"ActionMatches{'*'} OR ActionMatches{'x'} AND ActionMatches{'y'}", Deed{Action: "z"}, true},
		"a pattern of actions":                {"ActionMatches{'microsoft.authorization/*'}", Deed{Action: deleteAction}, true},
		"a pattern with a middle":             {"ActionMatches{'Microsoft.*/roleAssignments/*e'}", Deed{Action: deleteAction}, true},
		"not a pattern that overlaps":         {"ActionMatches{'*/delete*/delete'}", Deed{Action: deleteAction}, false},
	} {
		t.Run(why, func(t *testing.T) {
			c2, err := ParseCondition(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := c2.Fulfilled(c.deed); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}

func TestAConditionThatIsNotKnownIsRefused(t *testing.T) {
	const role = "@Request[" + AttributeRole + "]"
	for text, want := range map[string]string{
		"":                                 "ends too early",
		"(1 == 1)":                         `"1"`,
		"true":                             `"true"`,
		"ActionMatches{'a'":                `"}"`,
		"ActionMatches{a}":                 "single quotes",
		"ActionMatches{'a'} ActionMatches": "end",
		"ActionMatches{'a'} and NOT":       "end",
		"ActionMatches{'a'} AND":           "too early",
		"(ActionMatches{'a'}":              `")"`,
		"SubOperationMatches{'Blob.List'}": "SubOperationMatches",
		"@Principal[department] StringEquals 'x'":                                "@Principal",
		"@Request[Microsoft.Storage/storageAccounts:name] StringEquals 'x'":      "no attribute",
		role + " StringEquals 'x'":                                               "does not compare",
		role + " GuidEquals 'x'":                                                 "no GUID",
		role + " GuidEquals x":                                                   "no GUID",
		role + " ForAnyOfAnyValues:GuidEquals " + RoleOwner:                      `"{"`,
		role + " ForAnyOfAnyValues:GuidEquals {}":                                "no GUID",
		role + " ForAnyOfAnyValues:GuidEquals {" + RoleOwner + " " + RoleOwner:   `","`,
		role + " Sometimes:GuidEquals {" + RoleOwner + "}":                       "Sometimes",
		role + " NumericEquals 3":                                                "NumericEquals",
		"@Request" + " GuidEquals " + RoleOwner:                                  "brackets",
		"@Request[" + AttributePrincipalType + "] GuidEquals " + RoleOwner:       "does not compare",
		"@Request[" + AttributePrincipalType + "] StringEquals ServicePrincipal": "single quotes",
		strings.Repeat(" ", maxCondition) + "ActionMatches{'a'}":                 "at most",
		role + " GuidEquals @Resource[" + AttributeRole + "]":                    "no GUID",
	} {
		if _, err := ParseCondition(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.90s: %v; want an error with %s", text, err, want)
		}
	}
}

func FuzzCondition(f *testing.F) {
	f.Add(delegation, writeAction)
	f.Add("!(!ActionMatches{'*'}) || Exists @Resource["+AttributeRole+"]", deleteAction)
	f.Add("@Request["+AttributePrincipalType+"] ForAllOfAllValues:StringNotEquals {'User', 'it''s'}", "x")
	f.Add(strings.Repeat("(", 500), "")
	f.Fuzz(func(t *testing.T, text, action string) {
		c, err := ParseCondition(text)
		if (c == nil) == (err == nil) {
			t.Fatal("neither a condition nor a reason, or both")
		}
		if err != nil || len(action) > 200 {
			return
		}
		d := Deed{Action: action, Request: AssignmentAttributes(RoleOwner, conditionWorker, "User")}
		not, err := ParseCondition("!(" + text + ")")
		if err == nil && not.Fulfilled(d) && c.Fulfilled(d) {
			t.Error("it holds, and so does its opposite")
		}
	})
}
