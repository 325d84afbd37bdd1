package rekey_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// long are the files over maxLines lines, each with the reason why it is not two.
var long = map[string]string{}

const maxLines = 500

// inits are the files that may have an init function, each with the reason.
var inits = map[string]string{
	"internal/azure/azhttp/quiet.go": "Microsoft's libraries read their variable before main, and what they log by may not change once they run",
	"sim/devops/service.go":          "the handlers refer to the table that names them, which a variable's own initialiser may not",
	"sim/entra/token.go":             "the grants refer to the table that names them, which a variable's own initialiser may not",
	"internal/manifest/fields.go":    "the patterns of a table of structs, each compiled in place",
}

// call is a call that the rules forbid somewhere.
type call struct {
	pkg, name string         // of the package's import path, and the function
	where     []string       // directories that it is forbidden in; below the module, as in the import table
	but       []string       // directories in them that it is allowed in
	tests     bool           // forbidden in tests too
	unless    string         // a test's import that makes it harmless
	pattern   *regexp.Regexp // instead of name
	because   string
}

var calls = []call{
	{pkg: "time", pattern: regexp.MustCompile(`^(Now|Since|Until|After|AfterFunc|Sleep|Tick|NewTimer|NewTicker)$`), where: []string{"internal/rotation/..."}, tests: true,
		because: "the core is given the time"},
	{pkg: "context", name: "TODO", where: []string{"./..."}, tests: true,
		because: "a context comes from the caller"},
	{pkg: "os", name: "Exit", where: []string{"./..."}, but: []string{"cmd/...", "internal/simtest/prove"},
		because: "only main ends the program; everything else returns, so that deferred work is done and tests can run it"},
	{pkg: "log", pattern: regexp.MustCompile(`^(Fatal|Panic)`), where: []string{"./..."}, tests: true,
		because: "only main ends the program"},
	{pkg: "time", name: "Sleep", where: []string{"./..."}, tests: true, unless: "testing/synctest",
		because: "a sleep hears no cancellation, and a test that sleeps is slow or flaky; in a synctest bubble it takes no time"},
}

// vague are names that say nothing of what a package is for, so that anything ends up in it.
var vague = []string{"base", "common", "core", "helper", "helpers", "lib", "misc", "model", "models", "shared", "types", "util", "utils"}

// file is one Go file of the tree.
type file struct {
	path string // below the root, with slashes
	src  []byte
	fset *token.FileSet
	ast  *ast.File
}

func (f file) test() bool  { return strings.HasSuffix(f.path, "_test.go") }
func (f file) dir() string { return filepath.ToSlash(filepath.Dir(f.path)) }

func (f file) at(n ast.Node) string {
	p := f.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", f.path, p.Line)
}

// skipped are folders at the root that hold nothing of the repository.
var skipped = []string{".git", ".sim", "bin", "ledger"}

// tree calls visit for every file of the repository.
func tree(t *testing.T, visit func(name string, src []byte)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skipped, name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || name == ".git" { // a file in a linked work tree
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		n++
		visit(filepath.ToSlash(name), src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Fatalf("only %d files were found: these rules would hold of nothing", n)
	}
}

func goFiles(t *testing.T) []file {
	t.Helper()
	var out []file
	fset := token.NewFileSet()
	tree(t, func(name string, src []byte) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		a, err := parser.ParseFile(fset, name, src, parser.ParseComments)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		out = append(out, file{name, src, fset, a})
	})
	return out
}

func TestEveryPackageSaysInTwoSentencesWhatItIsFor(t *testing.T) {
	t.Parallel()
	docs := map[string][]string{}
	name := map[string]string{}
	for _, f := range goFiles(t) {
		if _, seen := name[f.dir()]; !seen || !f.test() {
			name[f.dir()] = f.ast.Name.Name
		}
		if f.ast.Doc != nil {
			docs[f.dir()] = append(docs[f.dir()], f.ast.Doc.Text())
		}
	}
	for dir, pkg := range name {
		if n := len(docs[dir]); n != 1 {
			t.Errorf("%s has %d package comments, not one: what it is for, what it is not for, what always holds", dir, n)
			continue
		}
		text := strings.Join(strings.Fields(docs[dir][0]), " ")
		if first := new(doc.Package).Synopsis(text); first == "" || first == text {
			t.Errorf("%s: one sentence is not enough: say what it is not for and what always holds, too", dir)
		}
		if start := "Package " + pkg + " "; pkg != "main" && !strings.HasPrefix(text, start) {
			t.Errorf("%s: the package comment does not start with %q", dir, start)
		}
	}
}

func TestNoPackageHasANameThatSaysNothing(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		if slices.Contains(vague, strings.TrimSuffix(p.Name, "_test")) {
			t.Errorf("%s: package %s could hold anything; name it by what it is about", p.rel(), p.Name)
		}
	}
}

func TestNoFileIsLongWithoutAReason(t *testing.T) {
	t.Parallel()
	lines := map[string]int{}
	for _, f := range goFiles(t) {
		lines[f.path] = bytes.Count(f.src, []byte("\n"))
		if n := lines[f.path]; n > maxLines && long[f.path] == "" {
			t.Errorf("%s has %d lines, over %d: split it, or say in the table why not", f.path, n, maxLines)
		}
	}
	for name := range long {
		if lines[name] <= maxLines {
			t.Errorf("%s has %d lines and needs no entry in the table any more", name, lines[name])
		}
	}
}

func TestEveryGoFileIsInGofmtsForm(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if want, err := format.Source(f.src); err != nil || !bytes.Equal(want, f.src) {
			t.Errorf("%s is not in gofmt's form", f.path)
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name != "init" || f.test() {
				continue
			}
			used[f.path] = true
			if inits[f.path] == "" {
				t.Errorf("%s: init runs in every program that imports the package, in an order that nobody sees; call a function instead", f.at(fn))
			}
		}
	}
	for name := range inits {
		if !used[name] {
			t.Errorf("%s has no init function and needs no entry in the table any more", name)
		}
	}
}

func TestNoForbiddenCalls(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		for _, bad := range calls {
			dir := f.dir()
			if !fitsAny(bad.where, dir) && !fitsAny(bad.where, "./"+dir) || fitsAny(bad.but, dir) || f.test() && (!bad.tests || f.nameOf(bad.unless) != "") {
				continue
			}
			local := f.nameOf(bad.pkg)
			if local == "" {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := s.X.(*ast.Ident); !ok || x.Name != local || x.Obj != nil {
					return true
				}
				if s.Sel.Name == bad.name || bad.pattern != nil && bad.pattern.MatchString(s.Sel.Name) {
					t.Errorf("%s: %s.%s: %s", f.at(s), bad.pkg, s.Sel.Name, bad.because)
				}
				return true
			})
		}
	}
}

// nameOf is what a file calls a package, "" if it does not import it.
func (f file) nameOf(pkg string) string {
	for _, i := range f.ast.Imports {
		if strings.Trim(i.Path.Value, `"`) != pkg {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return pkg[strings.LastIndex(pkg, "/")+1:]
	}
	return ""
}

// readers may read the bytes of a secret.Value: those who send or make them, the package itself, and what is a test in all but
// its file's name.
var readers = []string{"internal/azure/...", "internal/check", "internal/driver/drivertest", "internal/hook/...", "internal/random", "internal/secret"}

func TestSecretsAreReadOnlyWhereTheyAreSent(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, f := range goFiles(t) {
		if f.test() || f.nameOf(module+"/internal/secret") == "" && f.nameOf(module+"/internal/driver") == "" && f.dir() != "internal/secret" {
			continue // it has no way to come by one
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := c.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "Use" {
				return true
			}
			seen++
			if !fitsAny(readers, f.dir()) {
				t.Errorf("%s: Use reads a secret; only %s may", f.at(c), strings.Join(readers, " and "))
			}
			return true
		})
	}
	if seen < 3 {
		t.Errorf("only %d uses of secrets were found: this rule would hold of nothing", seen)
	}
}
