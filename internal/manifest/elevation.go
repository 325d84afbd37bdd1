package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Broker is an identity that may give Rekey's own identity a role for a time.
type Broker struct {
	Name     string   `yaml:"-"`
	Tenant   string   `yaml:"tenant" is:"tenant" doc:"The broker's tenant, where it is another one: its id or one of its domains."`
	Identity Identity `yaml:"identity,required" doc:"How the broker signs in. Exactly one way, named here and never probed for."`
}

// Ways to take a role.
const (
	PIMAssignment  = "pimAssignment"
	RoleAssignment = "roleAssignment"
	PIMActivation  = "pimActivation"
)

// Elevation is a role that is taken for a run and given back.
type Elevation struct {
	Name       string        `yaml:"-"`
	Role       string        `yaml:"role" is:"role" one:"right to take" doc:"A role at an Azure resource, which scope names: the role's name, such as Key Vault Secrets Officer, or its id."`
	Scope      string        `yaml:"scope" is:"scope" doc:"Where the role is: the id of a vault, of one secret in it, of a resource group or of a subscription."`
	Directory  string        `yaml:"directoryRole" is:"role" one:"right to take" doc:"A role of the directory: its name, such as User Administrator, or its id."`
	Group      string        `yaml:"group" is:"guid" one:"right to take" doc:"The object id of a group that has the roles."`
	Access     string        `yaml:"access" enum:"member,owner" default:"member" doc:"What of the group: to be a member, or an owner."`
	Kind       string        `yaml:"kind" enum:"pimAssignment,roleAssignment,pimActivation" default:"pimAssignment" doc:"'pimAssignment': an active assignment that Azure itself ends. 'roleAssignment': a role assignment that Rekey ends, or the next sweep. 'pimActivation': what a person is eligible for, for whoever is signed in as one."`
	Broker     string        `yaml:"broker" ref:"brokers" doc:"A name out of 'brokers': who gives the role. Not for pimActivation."`
	Principal  string        `yaml:"principal" is:"guid" doc:"The object id of who gets it; Rekey's own identity unless set."`
	For        time.Duration `yaml:"for" default:"30m" doc:"For how long it is taken at a time: 5m at least, 8h at most. A run that takes longer asks for more."`
	SweepEvery time.Duration `yaml:"sweepEvery" doc:"How often 'rekey elevations sweep' comes: what bounds a roleAssignment whose run died. Needed for that kind alone."`
}

const (
	minElevation = 5 * time.Minute
	maxElevation = 8 * time.Hour
	// enough is what a replacement may take from its first look to its publication.
	enough = 15 * time.Minute
)

// Broker returns the broker with that name.
func (m *Manifest) Broker(name string) (Broker, bool) {
	for _, b := range m.Brokers {
		if b.Name == name {
			return b, true
		}
	}
	return Broker{}, false
}

// Elevation returns the elevation with that name.
func (m *Manifest) Elevation(name string) (Elevation, bool) {
	for _, e := range m.Elevations {
		if e.Name == name {
			return e, true
		}
	}
	return Elevation{}, false
}

// CheckElevation says what is wrong with an elevation that is none of the manifest's.
func CheckElevation(e Elevation) error {
	for name, x := range map[string]string{"scope": e.Scope, "role": e.Role} {
		if f := formats[name]; x != "" && !f.matches(x) {
			return fmt.Errorf("%s %s", name, f.says)
		}
	}
	if e.Principal != "" && !formats["guid"].matches(e.Principal) {
		return fmt.Errorf("principal %s", formats["guid"].says)
	}
	if !slices.Contains([]string{PIMAssignment, RoleAssignment, PIMActivation}, e.Kind) {
		return fmt.Errorf("kind %s must be one of %s, %s and %s", quote(e.Kind), PIMAssignment, RoleAssignment, PIMActivation)
	}
	c := &collector{}
	k := &checker{c: c}
	n := &node{}
	k.elevation(subject{nil, &entry{key: n, value: n}}, &e)
	for _, p := range c.sorted() {
		if p.Severity == Error {
			return errors.New(strings.TrimPrefix(p.Path+" "+p.Message, " "))
		}
	}
	return nil
}

func (k *checker) elevation(s subject, e *Elevation) {
	// What is there and is not in e was reported when it was read.
	said := func(key, value string) bool { return value != "" || s.node.value.get(key) != nil }
	switch {
	case e.For != 0 && e.For < minElevation:
		k.fail(s, "for", "%s is shorter than %s, the least that Azure takes", FormatDuration(e.For), FormatDuration(minElevation))
	case e.For > maxElevation:
		k.fail(s, "for", "%s is longer than %s: a run that takes longer asks for more by itself", FormatDuration(e.For), FormatDuration(maxElevation))
	case e.For != 0 && e.For < enough:
		k.warn(s, "for", "a replacement can take %s, so that it has to be taken again in its middle", FormatDuration(enough))
	}
	switch {
	case e.Role != "" && !said("scope", e.Scope):
		k.fail(s, "role", "a role needs its scope: where it is")
	case !said("role", e.Role) && e.Scope != "":
		k.fail(s, "scope", "is for a role at an Azure resource alone")
	case e.Kind == RoleAssignment && !said("role", e.Role):
		k.fail(s, "kind", "a %s is for a role at an Azure resource alone: what is in the directory only PIM gives for a time", RoleAssignment)
	}
	switch e.Kind {
	case RoleAssignment:
		if e.SweepEvery <= 0 && !said("sweepEvery", "") {
			k.fail(s, "", "a roleAssignment needs sweepEvery: when its run dies, only the next 'rekey elevations sweep' ends it")
		}
	case PIMAssignment, PIMActivation:
		if e.SweepEvery != 0 {
			k.fail(s, "sweepEvery", "is for roleAssignment alone: what PIM has given it ends itself")
		}
	}
	switch {
	case e.Kind == PIMActivation && e.Broker != "":
		k.fail(s, "broker", "is not for pimActivation: a person activates for itself what it is eligible for")
	case e.Kind == PIMActivation && e.Principal != "":
		k.fail(s, "principal", "is not for pimActivation: a person activates for itself what it is eligible for")
	case (e.Kind == PIMAssignment || e.Kind == RoleAssignment) && !said("broker", e.Broker):
		k.fail(s, "", "a %s needs a broker: who gives it", e.Kind)
	}
}

// underElevation warns where a vault's right is at another vault.
func (k *checker) underElevation(s subject, v *Vault) {
	e, ok := k.m.Elevation(v.Elevation)
	if !ok {
		return
	}
	parts := strings.Split(e.Scope, "/")
	for i := 0; i+1 < len(parts); i++ {
		if name, _, _ := strings.Cut(v.Host, "."); strings.EqualFold(parts[i], "vaults") && v.Host != "" && !strings.EqualFold(parts[i+1], name) {
			k.warn(s, "elevation", "%s is at vault %s, and this one is %s", v.Elevation, quote(parts[i+1]), name)
		}
	}
}
