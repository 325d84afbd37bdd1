package app

import (
	"slices"
	"strings"
	"testing"
)

func TestACommandIsSplitAtBlanksButForThoseInQuotes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"deploy":                       {"deploy"},
		"  deploy   --stage\ttest ":    {"deploy", "--stage", "test"},
		`deploy "two words" 'and "so'`: {"deploy", "two words", `and "so`},
		`deploy --name="a b"`:          {"deploy", "--name=a b"},
		`deploy "" x`:                  {"deploy", "", "x"},
		`deploy $HOME;x|y \n`:          {"deploy", "$HOME;x|y", `\n`}, // no shell
		"":                             nil,
	} {
		if got, err := words(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`deploy "x`, `it's`} {
		if got, err := words(in); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestPatternsAreOfNamesThatBeginAlike(t *testing.T) {
	t.Parallel()
	got := patterns([]string{"agent linux", "Agent windows", "agents", "alone here", "what*ever", "evil\x1b name", "agent linux"},
		map[string]string{"agent windows": "credential windows adopts it too"})
	var ids []string
	for _, c := range got {
		ids = append(ids, c.ID)
		for _, about := range c.About {
			if c.ID != "*" && (!strings.Contains(about.Text, "2: ") || strings.Contains(about.Text, "agents")) {
				t.Errorf("%s: %s", c.ID, about.Text)
			}
		}
		if taken := c.ID == "*" || strings.HasPrefix(strings.ToLower(c.ID), "agent ") && c.ID != "agent linux"; taken != (c.Unfit != "") {
			t.Errorf("%s cannot be chosen: %q", c.ID, c.Unfit)
		}
	}
	if want := []string{"*", "Agent *", "agent linux", "Agent windows", "agents", "alone here"}; !slices.Equal(ids, want) {
		t.Errorf("%q, want %q", ids, want)
	}
}
