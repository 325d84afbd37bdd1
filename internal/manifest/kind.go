package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of issuer, registered by whoever composes the program. A credential has exactly one block whose key
// is the name of a kind.
type Kind struct {
	Name string // "pat"
	Doc  string // one sentence for the schema
	// Probes are the values that the credential's check.probe may have; the first is the default. None: the kind
	// has no settings for its check.
	Probes []string
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
	// Types: string, int, bool, time.Duration, Set, map[string]string, structs and pointers to structs.
	New func() Settings
}

// Settings are a decoded block of a kind.
type Settings interface {
	// Check reports what tags cannot say. path is relative to the block: "", "scopes", "scopes[2]", "adopt.id".
	// A field with its zero value is absent or already reported: Check says nothing about it.
	Check(report func(path, text string), in Context)
}

// Context is what the rest of the manifest says to a credential's settings. What is unknown, because it is missing
// or wrong, is empty.
type Context struct {
	Credential                      string
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

// mustBeSound panics on a registration that no manifest could make right: a mistake of the program.
func mustBeSound(kinds []Kind) {
	var taken []string
	for _, f := range fieldsOf(reflect.TypeFor[Credential]()) {
		taken = append(taken, f.name)
	}
	for _, k := range kinds {
		if k.Name == "" || slices.Contains(taken, k.Name) {
			panic(fmt.Sprintf("manifest: the name of kind %q is empty or taken", k.Name))
		}
		t := reflect.TypeOf(k.New())
		if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("manifest: the settings of kind %q are not a pointer to a struct", k.Name))
		}
		fieldsOf(t.Elem())
		taken = append(taken, k.Name)
	}
}

func kindNames(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}
