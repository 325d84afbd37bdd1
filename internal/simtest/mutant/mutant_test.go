package mutant

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the module's, from here.
const root = "../../.."

// mutant is one way in which the product can be broken. It is a file in testdata: a head of "name: text" lines, an empty
// line, and patches in the form of a unified diff without line numbers.
type mutant struct {
	name string
	// breaks says in a sentence what is wrong with the product.
	breaks string
	// meant is the checker that must catch it, whichever others do too, and says is part of what it must say.
	meant, says string
	// world, steps and with are where and how it is hunted; package explore says what they mean.
	world string
	steps []string
	with  string
	runs  int // at most

	patches []patch
}

// patch changes one file, named by its path in the module.
type patch struct {
	file  string
	hunks []hunk
}

type hunk struct{ old, new string }

// parse reads a mutant.
func parse(name, text string) (mutant, error) {
	m := mutant{name: name, world: "absent", with: "faults", runs: 3000}
	head, body, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head) {
		key, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "breaks":
			m.breaks = v
		case "meant for":
			m.meant = v
		case "says":
			m.says = v
		case "world":
			m.world = v
		case "steps":
			m.steps = strings.Split(v, "; ")
		case "with":
			m.with = v
		default:
			return mutant{}, fmt.Errorf("%s: unknown line %q in its head", name, line)
		}
	}
	var h hunk
	end := func() {
		if h != (hunk{}) {
			p := &m.patches[len(m.patches)-1]
			p.hunks = append(p.hunks, h)
		}
		h = hunk{}
	}
	for line := range strings.Lines(body) {
		file, begins := strings.CutPrefix(line, "--- ")
		switch {
		case begins:
			end()
			m.patches = append(m.patches, patch{file: strings.TrimSpace(file)})
		case len(m.patches) == 0:
			return mutant{}, fmt.Errorf("%s: a patch begins with --- and the file's path, and not with %q", name, line)
		case line == "@@\n":
			end()
		case line == "\n":
			h.old, h.new = h.old+line, h.new+line
		case line[0] == ' ':
			h.old, h.new = h.old+line[1:], h.new+line[1:]
		case line[0] == '-':
			h.old += line[1:]
		case line[0] == '+':
			h.new += line[1:]
		default:
			return mutant{}, fmt.Errorf("%s: a line of a patch begins with a blank, - or +: %q", name, line)
		}
	}
	end()
	switch {
	case m.breaks == "" || m.meant == "":
		return mutant{}, fmt.Errorf("%s: it does not say what it breaks, and which checker is meant to catch it", name)
	case len(m.patches) == 0:
		return mutant{}, fmt.Errorf("%s: it changes nothing", name)
	}
	return m, nil
}

// apply gives what a file becomes.
func (p patch) apply(source string) (string, error) {
	for _, h := range p.hunks {
		if n := strings.Count(source, h.old); n != 1 {
			return "", fmt.Errorf("%s: the product has moved on: what is to be replaced is there %d times:\n%s", p.file, n, h.old)
		}
		if h.old == h.new {
			return "", fmt.Errorf("%s: a patch that changes nothing", p.file)
		}
		source = strings.Replace(source, h.old, h.new, 1)
	}
	return source, nil
}

// mutants reads all of them. Those that are meant for one checker stand together.
func mutants(t *testing.T) []mutant {
	t.Helper()
	files, err := filepath.Glob("testdata/*.diff")
	if err != nil || len(files) == 0 {
		t.Fatalf("no mutants: %v", err)
	}
	var all []mutant
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(strings.TrimSuffix(filepath.Base(f), ".diff"), string(b))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b mutant) int {
		return cmp.Or(strings.Compare(a.meant, b.meant), strings.Compare(a.name, b.name))
	})
	return all
}
