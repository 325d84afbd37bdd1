package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// owned are settings of what an account issues, and key those of a user's password.
type (
	owned struct {
		Account string `yaml:"account,required" ref:"accounts" doc:"Whose it is."`
	}
	key struct{}
)

func (*owned) Check(func(path, text string), manifest.Context) {}
func (o *owned) UsesAccount() string                           { return o.Account }
func (*key) Check(func(path, text string), manifest.Context)   {}

func dependent() []manifest.Kind {
	return append(kinds(),
		manifest.Kind{Name: "owned", Doc: "An account's.", New: func() manifest.Settings { return new(owned) }},
		manifest.Kind{Name: "key", Doc: "A password.", Password: true, New: func() manifest.Settings { return new(key) }})
}

const byPassword = `  batch:
    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4
    username: batch@contoso.onmicrosoft.com
    password: {vault: own, secret: Batch-Password}
`

func withDependencies(credentials ...string) []byte {
	src := strings.Replace(sound, "vaults:\n", byPassword+"vaults:\n", 1)
	for i, c := range credentials {
		name, rest, _ := strings.Cut(c, " ")
		kind, more, _ := strings.Cut(rest, " ")
		secret := fmt.Sprintf("{vault: prod, secret: s%d}", i)
		if kind == "key" {
			kind, secret = "key: {}", "{vault: own, secret: batch-password}"
		} else if kind == "owned" {
			kind = "owned: {account: batch}"
		} else {
			kind = "random: {}"
		}
		src += "  " + name + ":\n    " + kind + "\n    lifetime: 30d\n    rotateBefore: 5d\n    overlap: 24h\n    store: " + secret + "\n"
		if more != "" {
			src += "    dependsOn: [" + more + "]\n"
		}
	}
	return []byte(src)
}

func TestWhatComesFirst(t *testing.T) {
	m, ps := manifest.Parse("rekey.yaml", withDependencies("a random b", "b random", "p key", "t owned a"), dependent())
	if m == nil {
		t.Fatal(ps)
	}
	var got []string
	for _, c := range m.Credentials {
		got = append(got, fmt.Sprint(c.Name, c.After))
	}
	if want := "devops-pat[] salt[] a[b] b[] p[] t[a p]"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
	if strings.Contains(ps.String(), "itself not rotated") {
		t.Errorf("the password is rotated: %s", ps)
	}
}

func TestDependenciesThatCannotBegin(t *testing.T) {
	for _, c := range []struct {
		name        string
		credentials []string
		want        string
	}{
		{"on itself", []string{"a random a"}, "cannot depend on itself"},
		{"on nothing that there is", []string{"abacus random", "a random abacu"}, `no credential "abacu" (did you mean "abacus"?)`},
		{"a circle of two", []string{"a random b", "b random a"}, "could begin: a -> b -> a"},
		{"a circle of three, entered from outside", []string{"x random b", "a random b", "b random c", "c random a"}, "could begin: a -> b -> c -> a"},
		{"a circle through an account's password", []string{"t owned", "p key t"}, "could begin: t -> p -> t"},
		{"no circle, but two ways", []string{"a random b, c", "b random d", "c random d", "d random"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ps := manifest.Parse("rekey.yaml", withDependencies(c.credentials...), dependent())
			if got := ps.String(); c.want == "" && ps.Failed() || !strings.Contains(got, c.want) || strings.Count(got, "could begin") > 1 {
				t.Errorf("%s, want %q", got, c.want)
			}
		})
	}
}

func TestALongRowOfDependencies(t *testing.T) {
	var all []string
	for i := range 3000 {
		all = append(all, fmt.Sprintf("c%d random c%d", i, (i+1)%3000))
	}
	_, ps := manifest.Parse("rekey.yaml", withDependencies(all...), dependent())
	if got := ps.String(); !strings.Contains(got, "c0 -> c1 -> ") || !strings.Contains(got, "2990 more -> c0") {
		t.Errorf("%.500s", got)
	}
}
