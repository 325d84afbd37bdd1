package manifest_test

import (
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// many is a kind whose block stands for many credentials.
type many struct{}

func (*many) Check(func(path, text string), manifest.Context) {}

func TestTheNamesOfManySecretsCannotMeet(t *testing.T) {
	with := append(kinds(), manifest.Kind{Name: "many", Doc: "Many.", Places: []string{"{name}", "{organization}"},
		New: func() manifest.Settings { return new(many) }})
	block := func(name, secret string) string {
		return "  " + name + ":\n    many: {}\n    lifetime: 30d\n    rotateBefore: 5d\n    overlap: 24h\n    store: {vault: prod, secret: '" + secret + "'}\n"
	}
	for _, c := range []struct{ name, more, want string }{
		{"a template", block("a", "x-{name}"), ""},
		{"a template with both places", block("a", "x-{organization}-{name}"), ""},
		{"no place", block("a", "x"), "need {name} once"},
		{"a place that is there twice", block("a", "{name}-{name}"), "need {name} once"},
		{"the other place twice", block("a", "{organization}-{organization}-{name}"), "is there twice"},
		{"a place that nobody knows", block("a", "x-{nam}"), "must be 1 to 127"},
		{"a template that can name another credential's secret", block("a", "s{name}t"), `could be "salt"`},
		{"a template that can name an account's secret of another vault", block("a", "svc-{name}"), ""},
		{"templates that cannot meet", block("a", "x-{name}") + block("b", "y-{name}"), ""},
		{"templates that differ in their ends", block("a", "x-{name}-1") + block("b", "x-{name}-2"), ""},
		{"templates of which one begins like the other", block("a", "x-{name}") + block("b", "X-y-{name}"), "could have the same names"},
		{"a template where one credential is meant", strings.Replace(block("a", "x-{name}"), "many: {}", "random: {}", 1), "has a name and no template"},
		{"many with a consumer", block("a", "x-{name}") + "    consumers:\n      c: {mail: {}}\n", "a consumer uses one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ps := manifest.Parse("rekey.yaml", []byte(sound+c.more), with)
			if got := ps.String(); c.want == "" && ps.Failed() || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
