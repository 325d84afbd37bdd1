package pipelines_test

import (
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func silent(int) {}

func listedOf(t *testing.T, body string, use pipelines.Use) pipelines.ListedConnection {
	t.Helper()
	all, err := over(&badinput.Service{Body: []byte(`{"value":[` + body + `]}`)}).Connections(t.Context(), "contoso", project, use, silent)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

func TestAListSaysWhatAConnectionHoldsAndWhatItCannotBeTold(t *testing.T) {
	t.Parallel()
	feed := `{"id":"1","name":"n","type":"externalnugetfeed","url":"https://pkgs.dev.azure.com/fabrikam/x","authorization":{"scheme":"None"}}`
	azure := `{"id":"1","name":"n","type":"azurerm","url":"https://management.azure.com/","data":{"creationMode":"Manual"},"authorization":{"scheme":"ServicePrincipal","parameters":{"serviceprincipalid":"app","authenticationType":"spnKey"}}}`
	for name, c := range map[string]struct {
		body  string
		use   pipelines.Use
		unfit string
	}{
		"a feed, whose key is left out of lists":  {feed, pipelines.Use{Organization: "fabrikam"}, ""},
		"a feed of another organisation":          {feed, pipelines.Use{Organization: "contoso"}, "another organisation"},
		"an application's key":                    {azure, pipelines.Use{ClientID: "APP"}, ""},
		"another application's key":               {azure, pipelines.Use{ClientID: "other"}, "another application"},
		"one that Azure DevOps made by itself":    {strings.Replace(azure, "Manual", "Automatic", 1), pipelines.Use{}, "made its application by itself"},
		"one that signs in without a secret":      {strings.Replace(azure, "ServicePrincipal", "WorkloadIdentityFederation", 1), pipelines.Use{}, "without a secret"},
		"one that is shown without what it is":    {`{"id":"1","name":"n","authorization":{"scheme":"Token"}}`, pipelines.Use{}, "may not use it"},
		"one without a key that is nobody's feed": {`{"id":"1","name":"n","type":"git","url":"https://x.example","authorization":{"scheme":"None"}}`, pipelines.Use{}, "holds no key"},
	} {
		t.Run(name, func(t *testing.T) {
			if x := listedOf(t, c.body, c.use); c.unfit == "" && x.Unfit != "" || !strings.Contains(x.Unfit, c.unfit) {
				t.Errorf("%q", x.Unfit)
			}
		})
	}
}

func TestAnAddressIsShownWithoutWhatMayBeASecretInIt(t *testing.T) {
	t.Parallel()
	x := listedOf(t, `{"id":"1","name":"n","type":"generic","url":"https://me:`+quoted+`@x.example/feed?sig=`+quoted+`#`+quoted+`","authorization":{"scheme":"Token"}}`, pipelines.Use{})
	if x.Target != "https://x.example/feed" {
		t.Errorf("%q", x.Target)
	}
}

// FuzzBrowse: what is answered to who looks for projects, connections and groups to choose from.
func FuzzBrowse(f *testing.F) {
	for _, honest := range []string{honestEndpoint, honestGroup} {
		for _, b := range badinput.Broken(`{"count":1,"value":[` + honest + `]}`) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		c := over(s)
		badinput.Bounded(t, 40*len(body), func() {
			for _, list := range []func() error{
				func() error { _, err := c.Projects(t.Context(), "contoso", silent); return err },
				func() error {
					all, err := c.Connections(t.Context(), "contoso", project, pipelines.Use{ClientID: "x"}, silent)
					for _, x := range all {
						if strings.Contains(x.Unfit, quoted) {
							t.Errorf("%+v", x)
						}
					}
					return err
				},
				func() error { _, err := c.Groups(t.Context(), "contoso", project, silent); return err },
			} {
				if err := list(); err != nil {
					words(t, err)
				}
				s.Within(t)
				s.Calls, s.Read = 0, 0
			}
		})
	})
}
