// Package doctor compares what identities hold with what Rekey needs of them: what is missing, what is more than needed,
// and what is held for good where it could be taken for the work.
//
// It asks nobody: what was seen is handed to it as plain values, and each finding has the command that would mend it. It
// changes nothing. What always holds: whoever can read or give away what is in a vault is named, Rekey or not; what could
// not be seen is a finding of its own, and never taken for all right.
package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Level is how bad a finding is.
type Level string

const (
	OK   Level = "ok"
	Note Level = "note" // what a person should know
	Warn Level = "warn" // more than is needed
	Bad  Level = "bad"  // it does not work, or is open
)

// Finding is one thing that was found.
type Finding struct {
	Level Level  `json:"level"`
	About string `json:"about"` // a vault, an identity
	Says  string `json:"says"`
	// Mend is a command that mends it, or what to do about it.
	Mend string `json:"mend,omitempty"`
}

// Identity is one of the manifest's: Rekey's own, which is the worker, or a broker.
type Identity struct {
	Name string // "worker", or the broker's
	ID   string // object id
	Kind string // User, ServicePrincipal
	// Failed says why it could not be signed in.
	Failed string
}

// Vault is what was seen of one.
type Vault struct {
	Name, ID string
	// Failed says why it could not be seen.
	Failed          string
	AccessPolicies  bool // its permissions are access policies, and no roles
	PurgeProtection bool
	Public          bool // it can be reached from everywhere
	Holders         []Holder
	// Closed says why its settings could not be read; "" if they were.
	Closed string
	// Unseen says why people's eligible roles are not among the holders; "" if they are.
	Unseen string
	// Elevated says that the manifest takes a role for the work here; Broker names who gives it.
	Elevated bool
	Broker   string
	Role     string // that it takes
	RoleID   string
}

// Holder is a principal with a role at a vault, there or above.
type Holder struct {
	Principal, Kind string
	Role            string
	Scope           string
	Assignment      string // its id
	Condition       string
	Eligible        bool // it may activate the role
	Timed           bool // it was taken for a time by this product
	Abilities
}

// Abilities are what a role lets its holder do at a vault.
type Abilities struct {
	Metadata bool // read what there is
	Read     bool // read values
	Write    bool // write values
	Assign   bool // give roles to others
	Manage   bool // change the vault itself
}

func (a Abilities) String() string {
	var out []string
	for _, x := range []struct {
		is   bool
		text string
	}{{a.Read, "read values"}, {a.Write, "write values"}, {a.Assign, "give roles to others"}, {a.Manage, "change the vault"}} {
		if x.is {
			out = append(out, x.text)
		}
	}
	return strings.Join(out, ", ")
}

// Judge says what is to be said of a vault. brokers are those that give a role there.
func Judge(v Vault, worker Identity, brokers []Identity) (out []Finding) {
	say := func(level Level, mend, format string, args ...any) {
		out = append(out, Finding{level, "vault " + v.Name, fmt.Sprintf(format, args...), mend})
	}
	if v.Failed != "" {
		say(Bad, "give Rekey's identity Reader on the vault, so that it can be looked at", "it could not be looked at: %s", v.Failed)
		return out
	}
	if v.Closed != "" {
		say(Note, assign("Reader", worker, v.ID), "how it is set up could not be seen: %s", v.Closed)
	}
	if v.AccessPolicies {
		say(Bad, "az keyvault update --ids "+v.ID+" --enable-rbac-authorization true", "its permissions are access policies: whoever may change the vault can give itself all of them, and no role can be taken for a time")
	}
	if !v.PurgeProtection && v.Closed == "" {
		say(Warn, "az keyvault update --ids "+v.ID+" --enable-purge-protection true", "it has no purge protection: what is deleted can be destroyed before its time")
	}
	if v.Public {
		say(Note, "az keyvault update --ids "+v.ID+" --public-network-access Disabled      # once runs and consumers reach it by a private endpoint", "it can be reached from everywhere")
	}
	if v.Unseen != "" {
		say(Note, "", "who may activate a role there could not be seen: %s", v.Unseen)
	}
	out = append(out, v.worker(worker)...)
	for _, b := range brokers {
		out = append(out, v.broker(b, worker)...)
	}
	out = append(out, v.others(worker, brokers)...)
	if !slices.ContainsFunc(out, func(f Finding) bool { return f.Level == Bad || f.Level == Warn }) {
		out = append([]Finding{{OK, "vault " + v.Name, "nothing is missing, and nobody of Rekey's has more than is needed", ""}}, out...)
	}
	return out
}

// of are the holdings of a principal that it has by now, and not only may activate.
func (v Vault) of(id string) (out []Holder) {
	for _, h := range v.Holders {
		if strings.EqualFold(h.Principal, id) && !h.Eligible {
			out = append(out, h)
		}
	}
	return out
}

func (v Vault) worker(w Identity) (out []Finding) {
	about := w.Name + " at vault " + v.Name
	if w.Failed != "" || w.ID == "" {
		return nil // said of the identity
	}
	var has Abilities
	for _, h := range v.of(w.ID) {
		if h.Timed {
			out = append(out, Finding{Note, about, fmt.Sprintf("a run has %s by now", h.Role), ""})
			continue
		}
		has.Metadata, has.Read, has.Write = has.Metadata || h.Metadata, has.Read || h.Read, has.Write || h.Write
		switch {
		case h.Assign || h.Manage:
			out = append(out, Finding{Warn, about, fmt.Sprintf("it has %s for good, and so can %s: Rekey needs none of that", h.Role, h.Abilities), remove(h)})
		case v.Elevated && (h.Read || h.Write):
			out = append(out, Finding{Warn, about, fmt.Sprintf("it has %s for good, where the manifest takes %s for the work", h.Role, v.Role), remove(h)})
		case (h.Read || h.Write) && !strings.EqualFold(h.Scope, v.ID):
			out = append(out, Finding{Warn, about, fmt.Sprintf("it has %s at %s, and so in every vault there", h.Role, h.Scope), remove(h)})
		}
	}
	switch {
	case v.Elevated && !has.Metadata:
		out = append(out, Finding{Bad, about, "it cannot list the secrets, which needs no role that is taken for a time", assign("Key Vault Reader", w, v.ID)})
	case !v.Elevated && !(has.Read && has.Write):
		out = append(out, Finding{Bad, about, "it cannot read and write secrets", assign("Key Vault Secrets Officer", w, v.ID)})
	case !v.Elevated:
		out = append(out, Finding{Note, about, "it can read and write secrets for good, and so can whoever steals its sign-in", "take the role for the work: 'elevations' in the manifest, and docs/privileges.md"})
	}
	return out
}

func (v Vault) broker(b, w Identity) (out []Finding) {
	about := "broker " + b.Name + " at vault " + v.Name
	if b.Failed != "" || b.ID == "" {
		return nil
	}
	may := false
	for _, h := range v.of(b.ID) {
		if h.Read || h.Write {
			out = append(out, Finding{Bad, about, fmt.Sprintf("it has %s, and so can %s itself: a broker gives a role, and uses none", h.Role, h.Abilities), remove(h)})
		}
		if !h.Assign {
			continue
		}
		may = true
		switch {
		case h.Condition == "":
			out = append(out, Finding{Warn, about, fmt.Sprintf("it has %s without a condition: whoever steals it can give any role there to anybody", h.Role), remove(h) + "\n" + v.conditioned(b, w)})
		case !v.bounded(h.Condition, w):
			out = append(out, Finding{Warn, about, fmt.Sprintf("the condition of its %s does not name the one role and the one principal that it is for", h.Role), remove(h) + "\n" + v.conditioned(b, w)})
		case h.Manage:
			out = append(out, Finding{Warn, about, fmt.Sprintf("it has %s, and so can %s", h.Role, h.Abilities), remove(h) + "\n" + v.conditioned(b, w)})
		}
	}
	if !may {
		out = append(out, Finding{Bad, about, "it cannot give " + v.Role, v.conditioned(b, w)})
	}
	return out
}

// bounded says whether a condition names the role and the worker. That it says so in a way that binds is Azure's to know.
func (v Vault) bounded(condition string, w Identity) bool {
	c := strings.ToLower(condition)
	return v.RoleID == "" || strings.Contains(c, strings.ToLower(v.RoleID)) && strings.Contains(c, strings.ToLower(w.ID))
}

func (v Vault) others(worker Identity, brokers []Identity) (out []Finding) {
	for _, h := range v.Holders {
		ours := strings.EqualFold(h.Principal, worker.ID) || slices.ContainsFunc(brokers, func(b Identity) bool { return strings.EqualFold(h.Principal, b.ID) })
		if ours || h.Abilities == (Abilities{Metadata: h.Metadata}) {
			continue
		}
		how := "has"
		if h.Eligible {
			how = "may activate"
		}
		where := ""
		if !strings.EqualFold(h.Scope, v.ID) {
			where = " at " + h.Scope
		}
		out = append(out, Finding{Note, "vault " + v.Name, fmt.Sprintf("%s %s %s %s%s, and so can %s", KindOf(h.Kind), h.Principal, how, h.Role, where, h.Abilities), ""})
	}
	return out
}

// KindOf is a kind of principal in a word.
func KindOf(kind string) string {
	switch kind {
	case "ServicePrincipal":
		return "application"
	case "":
		return "principal"
	}
	return strings.ToLower(kind)
}

func remove(h Holder) string { return "az role assignment delete --ids " + h.Assignment }

func assign(role string, to Identity, scope string) string {
	kind := to.Kind
	if kind == "" {
		kind = "ServicePrincipal"
	}
	return fmt.Sprintf("az role assignment create --role '%s' --assignee-object-id %s --assignee-principal-type %s --scope %s", role, to.ID, kind, scope)
}

// conditioned is the command that lets a broker give one role to the worker alone.
func (v Vault) conditioned(b, w Identity) string {
	return assign("Key Vault Data Access Administrator", b, v.ID) + " --condition-version 2.0 --condition \"" + Condition(v.RoleID, w.ID) + "\""
}

// Condition lets who has it give and take one role, to and from one principal, and nothing else (Azure's conditions of
// version 2.0).
func Condition(roleID, principal string) string {
	const of = "Microsoft.Authorization/roleAssignments"
	only := func(action, on string) string {
		return "((!(ActionMatches{'" + of + "/" + action + "'})) OR (" + on + "[" + of + ":RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + roleID + "} AND " +
			on + "[" + of + ":PrincipalId] ForAnyOfAnyValues:GuidEquals {" + principal + "}))"
	}
	return only("write", "@Request") + " AND " + only("delete", "@Resource")
}
