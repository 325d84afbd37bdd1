package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of issuer or of consumer, registered by whoever composes the program. A credential has exactly one
// block whose key is the name of a kind of issuer, and each of its consumers one with that of a kind of consumer.
type Kind struct {
	Name string // "pat"
	// Consumer says that it is a kind of consumer.
	Consumer bool
	// Cache is how long a consumer may go on using what it held before it was told, unless the manifest says so; 0:
	// the kind has no cache, and the manifest cannot name one.
	Cache time.Duration
	Doc   string // one sentence for the schema
	// Probes are the values that the credential's check.probe may have; the first is the default. None: the kind
	// has no settings for its check.
	Probes []string
	// Places are what stands in the template of a secret's name ("{name}"), of a kind whose block stands for many
	// credentials: the first is needed, the others may be there. None: the name is a name.
	Places []string
	// Password says that the value is a user's password: an account of the manifest may sign in with it.
	Password bool
	// OneSlot says that the issuer has one place for the value: there is no overlap, and nothing else may run meanwhile.
	OneSlot bool
	// New returns a pointer to an empty settings struct. Its fields carry the same tags as the manifest's own:
	//
	//	yaml:"name,required"    the key
	//	doc:"..."               the schema's description
	//	default:"..."           for text, numbers, durations and booleans
	//	enum:"a,b"              the only values
	//	is:"guid"               a format of this package; or pattern:"regexp" with says:"what it must be"
	//	ref:"accounts"          a name out of accounts or vaults, checked here
	//	one:"way to ..."        exactly one field of the struct with that text is set; ",optional": at most one
	//
	// Types: string, int, bool, time.Duration, Set, Argv, map[string]string, structs and pointers to structs.
	New func() Settings
}

// Settings are a decoded block of a kind.
type Settings interface {
	// Check reports what tags cannot say. path is relative to the block: "", "scopes", "scopes[2]", "adopt.id".
	// A field with its zero value is absent or already reported: Check says nothing about it.
	Check(report func(path, text string), in Context)
}

// Described are settings that say what they ask for, where that is worth reading again: how strong a password is.
type Described interface {
	Describe() string
}

// Located are settings that name one thing, which must not be told by two consumers of a manifest: they would undo
// each other's work for ever.
type Located interface {
	// Location names it, the same however it is written; "" if it is not known.
	Location() string
}

// LocatedAll are settings that name several.
type LocatedAll interface {
	Locations() []string
}

// Keeping are settings of a consumer that keeps the value in a secret of its own, which nothing else in the manifest
// may be kept in.
type Keeping interface {
	// Keeps names the secret, and where in the block it is named.
	Keeps() (path string, ref SecretRef)
}

// Cached are settings of a consumer whose default cache depends on them, in place of its kind's.
type Cached interface {
	DefaultCache() time.Duration
}

// Context is what the rest of the manifest says to a credential's settings. What is unknown, because it is missing
// or wrong, is empty.
type Context struct {
	Credential, Consumer            string // Consumer is "" for an issuer's settings
	Lifetime, RotateBefore, Overlap time.Duration
	Strategy                        string
	Accounts, Vaults                []string
	// Warn reports what is accepted, but should be known.
	Warn func(path, text string)
}

// Set is a list of texts in which order means nothing; the same one twice is a problem.
type Set []string

// Sorted returns the members in order, for comparing and hashing.
func (s Set) Sorted() []string { return slices.Sorted(slices.Values(s)) }

// Equal says whether both have the same members.
func (s Set) Equal(o Set) bool { return slices.Equal(s.Sorted(), o.Sorted()) }

// Argv is a program and its arguments: a list of texts in their order, of which none but the first must say anything.
type Argv []string

// mustBeSound panics on a registration that no manifest could make right: a mistake of the program.
func mustBeSound(kinds []Kind) {
	taken := map[bool][]string{
		false: names(fieldsOf(reflect.TypeFor[Credential]())),
		true:  names(fieldsOf(reflect.TypeFor[Consumer]())),
	}
	for _, k := range kinds {
		if k.Name == "" || slices.Contains(taken[k.Consumer], k.Name) {
			panic(fmt.Sprintf("manifest: the name of kind %q is empty or taken", k.Name))
		}
		t := reflect.TypeOf(k.New())
		if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("manifest: the settings of kind %q are not a pointer to a struct", k.Name))
		}
		fieldsOf(t.Elem())
		taken[k.Consumer] = append(taken[k.Consumer], k.Name)
	}
}

// of are the kinds of issuers, or of consumers.
func of(consumers bool, kinds []Kind) (out []Kind) {
	for _, k := range kinds {
		if k.Consumer == consumers {
			out = append(out, k)
		}
	}
	return out
}

func kindNames(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}
