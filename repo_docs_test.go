package rekey_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// documents must exist, and what they name must exist too.
var documents = []string{"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryDocumentExists(t *testing.T) {
	t.Parallel()
	for _, name := range append([]string{"LICENSE", "NOTICE"}, documents...) {
		if len(strings.TrimSpace(read(t, name))) < 200 {
			t.Errorf("%s says next to nothing", name)
		}
	}
}

// quoted is code in a document: a span between backticks, or a line of a block.
func quoted(text string) []string {
	var out []string
	block := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			block = !block
		case block || strings.HasPrefix(line, "    "):
			out = append(out, line)
		default:
			for i, span := range strings.Split(line, "`") {
				if i%2 == 1 {
					out = append(out, span)
				}
			}
		}
	}
	return out
}

var (
	commandUsed   = regexp.MustCompile(`(?:^|[\s;&|(])(?:\$ )?(?:\S*/)?rekey ([a-z][a-z-]+)`)
	commandListed = regexp.MustCompile(`(?m)^  ([a-z][a-z-]+) {2,}\S`)
	targetUsed    = regexp.MustCompile(`(?:^|[\s;&|(])make ([a-z][a-z-]*)`)
	targetMade    = regexp.MustCompile(`(?m)^([a-z][a-z/-]*):`)
	linked        = regexp.MustCompile(`\]\(([A-Za-z0-9_./-]+)(?:#[a-z-]*)?\)`)
	treePath      = regexp.MustCompile(`^(?:cmd|examples|internal|sim)/[A-Za-z0-9_./-]*$`)
)

// commands are those that the program's own help lists, and help is its text.
func commands(t *testing.T) (out []string, help string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "rekey")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", bin, "./cmd/rekey")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile builds it, so that it need not be compiled anew
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := exec.Command(bin, "--help").Output()
	if err != nil {
		t.Fatalf("rekey --help: %v", err)
	}
	for _, m := range commandListed.FindAllStringSubmatch(string(b), -1) {
		out = append(out, m[1])
	}
	if !slices.Contains(out, "apply") || !slices.Contains(out, "plan") {
		t.Fatalf("rekey --help lists the commands %q, not apply and plan: is it still read rightly?", out)
	}
	return out, string(b)
}

func TestTheDocumentsNameOnlyCommandsThatExist(t *testing.T) {
	t.Parallel()
	known, help := commands(t)
	texts := map[string][]string{"rekey --help": strings.Split(help, "\n")}
	for _, name := range documents {
		texts[name] = quoted(read(t, name))
	}
	for name, text := range texts {
		n := 0
		for _, code := range text {
			for _, m := range commandUsed.FindAllStringSubmatch(code, -1) {
				if n++; !slices.Contains(known, m[1]) {
					t.Errorf("%s: there is no command %q", name, "rekey "+m[1])
				}
			}
		}
		if n == 0 && (name == "README.md" || name == "rekey --help") {
			t.Errorf("%s shows no command at all", name)
		}
	}
}

func TestTheDocumentsNameOnlyTargetsAndPathsThatExist(t *testing.T) {
	t.Parallel()
	var targets []string
	for _, m := range targetMade.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	for _, name := range documents {
		for _, code := range quoted(read(t, name)) {
			for _, m := range targetUsed.FindAllStringSubmatch(code, -1) {
				if !slices.Contains(targets, m[1]) {
					t.Errorf("%s: there is no target %q", name, "make "+m[1])
				}
			}
			if treePath.MatchString(code) {
				exists(t, name, strings.TrimSuffix(code, "/..."))
			}
		}
		for _, m := range linked.FindAllStringSubmatch(read(t, name), -1) {
			exists(t, name, m[1])
		}
	}
}

func TestNoticeNamesEveryLibraryOfTheProgram(t *testing.T) {
	t.Parallel()
	notice := read(t, "NOTICE")
	used := map[string]bool{}
	// All platforms, because one of them may need a library that the others do not.
	for _, goos := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/rekey")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for m := range strings.FieldsSeq(string(out)) {
			used[m] = true
		}
	}
	delete(used, module)
	if len(used) < 5 {
		t.Fatalf("the program uses only %d modules: this rule would hold of nothing", len(used))
	}
	for m := range used {
		if !strings.Contains(notice, "\n  "+m+" ") {
			t.Errorf("NOTICE does not name %s, which is part of the program: add it with its copyright and licence", m)
		}
	}
}

func exists(t *testing.T, document, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
		t.Errorf("%s: there is no %s", document, name)
	}
}

// machine is what belongs to one machine and not into a repository: folders of a developer or a builder, and settings
// that name where modules come from.
var machine = []struct {
	pattern *regexp.Regexp
	what    string
}{
	{regexp.MustCompile(`(?m)(?:^|[\s"'=(:,` + "`" + `])/(?:work|home|root|Users)/[A-Za-z0-9._-]`), "a path of one machine"},
	{regexp.MustCompile(`[A-Z]:\\Users\\`), "a path of one machine"},
	{regexp.MustCompile(`\b(?:GOPROXY|GOPRIVATE|GONOPROXY|GONOSUMDB|GOSUMDB|GOINSECURE)\b *=`), "a setting of one machine's module source"},
	{regexp.MustCompile(`\b[a-z0-9-]+\.(?:corp|lan|intranet)\b`), "a private host"},
}

func TestNothingOfOneMachineIsInTheTree(t *testing.T) {
	t.Parallel()
	tree(t, func(name string, src []byte) {
		if bytes.IndexByte(src, 0) >= 0 || name == "repo_docs_test.go" {
			return
		}
		for _, m := range machine {
			for _, at := range m.pattern.FindAllIndex(src, -1) {
				if bytes.Contains(src[at[0]:min(at[1]+4, len(src))], []byte("/home/you/")) {
					continue // an example's
				}
				t.Errorf("%s:%d: %q is %s", name, 1+bytes.Count(src[:at[0]], []byte("\n")), bytes.TrimSpace(src[at[0]:at[1]]), m.what)
			}
		}
	})
}

func TestEveryLibraryHasItsReasonInTheArchitecture(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	text, n := read(t, "ARCHITECTURE.md"), 0
	for m := range strings.FieldsSeq(string(out)) {
		name := path.Base(majorVersion.ReplaceAllString(m, ""))
		if n++; !strings.Contains(text, name) {
			t.Errorf("ARCHITECTURE.md does not say why %s is used", m)
		}
	}
	if n < 3 {
		t.Fatalf("go.mod names only %d libraries: this rule would hold of nothing", n)
	}
}

var majorVersion = regexp.MustCompile(`/v[0-9]+$`)

func TestTheModuleIsBuiltFromPublishedVersions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go.mod", ".ci/tools.mod"} {
		out, err := exec.Command("go", "mod", "edit", "-json", name).Output()
		if err != nil {
			t.Fatalf("go mod edit: %v", err)
		}
		var mod struct {
			Module           struct{ Path string }
			Replace, Exclude []json.RawMessage
		}
		if err := json.Unmarshal(out, &mod); err != nil {
			t.Fatal(err)
		}
		if mod.Module.Path == "" || len(mod.Replace)+len(mod.Exclude) > 0 {
			t.Errorf("%s replaces or excludes a version: what is built would not be what is published", name)
		}
	}
}
