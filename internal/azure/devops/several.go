package devops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// SeveralSettings are the block "pats" of a credential: many PATs of an account, chosen by what they are called.
type SeveralSettings struct {
	Account       string       `yaml:"account,required" ref:"accounts" doc:"The user that owns the PATs: a name out of 'accounts'."`
	Organizations manifest.Set `yaml:"organizations,required" doc:"The Azure DevOps organisations to look in. Each PAT keeps its own."`
	Select        string       `yaml:"select" one:"way to select PATs" doc:"PATs by their display name: '*' stands for any text, '?' for one character; case is not looked at. Each run takes over what is new."`
	Stamped       bool         `yaml:"stamped" one:"way to select PATs" doc:"true: only those that this block has taken over already."`

	// Probe is the credential's check.probe.
	Probe string `yaml:"-"`
}

// Name and Organization are what may stand in the template of the secrets' names.
const (
	placeName         = "{name}"
	placeOrganization = "{organization}"
)

// SeveralKind is what a manifest can say about several PATs at once.
func SeveralKind() manifest.Kind {
	return manifest.Kind{
		Name:   "pats",
		Doc:    "Several personal access tokens of one account at once, each with its own scopes and organisation, each in a secret of its own: store.secret is a template with {name} in it.",
		Probes: []string{"connectionData", "projects"},
		Places: []string{placeName, placeOrganization},
		New:    func() manifest.Settings { return &SeveralSettings{} },
	}
}

var organizationName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$`)

// UsesAccount implements manifest.Accounted.
func (s *SeveralSettings) UsesAccount() string { return s.Account }

// Check implements manifest.Settings.
func (s *SeveralSettings) Check(report func(path, text string), _ manifest.Context) {
	seen := map[string]bool{}
	for i, o := range s.Organizations {
		path := fmt.Sprintf("organizations[%d]", i)
		switch lower := strings.ToLower(o); {
		case !organizationName.MatchString(o):
			report(path, fmt.Sprintf("%.60q must be the name of an organisation, as in https://dev.azure.com/NAME", o))
		case seen[lower]:
			report(path, fmt.Sprintf("%q is there twice", o))
		default:
			seen[lower] = true
		}
	}
	switch {
	case stampLike.MatchString(s.Select):
		report("select", "a PAT that Rekey made is found by its stamp: select what it is to take over")
	case len(s.Select) > 256:
		report("select", "longer than any display name")
	}
}

// pattern is what a display name must match.
func (s SeveralSettings) pattern() *regexp.Regexp {
	if s.Select == "" {
		return nil
	}
	form := regexp.QuoteMeta(s.Select)
	form = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(form)
	return regexp.MustCompile("(?is)^" + form + "$")
}

// Chooses says whether a block chooses an account's PAT of that name in that organisation.
func (s SeveralSettings) Chooses(organization, name string) bool {
	p := s.pattern()
	in := slices.ContainsFunc(s.Organizations, func(o string) bool { return strings.EqualFold(o, organization) })
	return in && p != nil && !stampLike.MatchString(name) && p.MatchString(name)
}
