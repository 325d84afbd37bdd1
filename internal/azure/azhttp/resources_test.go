package azhttp

import (
	"strings"
	"testing"
)

func TestARoleAllowsWhatItsPatternsNameAndNotWhatTheyExcept(t *testing.T) {
	const write = "Microsoft.Automation/automationAccounts/jobs/write"
	for name, c := range map[string]struct {
		actions, not []string
		want         bool
	}{
		"everything":                     {actions: []string{"*"}, want: true},
		"the action":                     {actions: []string{"microsoft.automation/AUTOMATIONACCOUNTS/jobs/write"}, want: true},
		"a part of a name":               {actions: []string{"Microsoft.Automation/*/write"}, want: true},
		"several stars":                  {actions: []string{"*/jobs/*"}, want: true},
		"a star at the end of it all":    {actions: []string{write + "*"}, want: true},
		"reading alone":                  {actions: []string{"*/read"}},
		"the beginning of the action":    {actions: []string{"Microsoft.Automation/automationAccounts/jobs"}},
		"the end of the action":          {actions: []string{"jobs/write"}},
		"everything but writing":         {actions: []string{"*"}, not: []string{"*/write"}},
		"everything but something else":  {actions: []string{"*"}, not: []string{"Microsoft.Authorization/*/Write"}, want: true},
		"nothing":                        {},
		"an empty pattern":               {actions: []string{""}},
		"a pattern that goes back often": {actions: []string{strings.Repeat("*a", 2000) + "*x"}},
	} {
		if got := (permission{Actions: c.actions, NotActions: c.not}).allows(write); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAPathThatIsNotBelowItsBeginningIsNotCalled(t *testing.T) {
	arm := &Resources{host: "https://management.azure.com", below: "/subscriptions/"}
	graph := &Resources{host: "https://graph.microsoft.com", below: "/v1.0/"}
	for _, x := range []struct {
		c          *Resources
		path, want string // "" is none
	}{
		{arm, "/subscriptions/s/a b?c", "https://management.azure.com/subscriptions/s/a%20b%3Fc"},
		{arm, "/SUBSCRIPTIONS/s", "https://management.azure.com/SUBSCRIPTIONS/s"},
		{arm, "/tenants", ""},
		{arm, "https://elsewhere.example/subscriptions/s", ""},
		{arm, "/subscriptions/../x", ""},
		{arm, "", ""},
		{graph, "/v1.0/roleManagement/directory", "https://graph.microsoft.com/v1.0/roleManagement/directory"},
		{graph, "/subscriptions/s", ""},
		{graph, "/v1.0/../beta/x", ""},
		{graph, "/subscriptions", ""},
	} {
		if got, err := x.c.address(x.path); got != x.want || (err == nil) != (x.want != "") {
			t.Errorf("%s%s: %q %v", x.c.host, x.path, got, err)
		}
	}
}
