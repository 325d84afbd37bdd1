// Package rekey_test holds the rules of the repository itself: who may import whom, and why.
//
// It tests no behaviour; that is beside the code. What always holds: every package falls under exactly one rule of
// the import table, every rule has a reason, and a package that nobody thought about fails here.
package rekey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/rekeyhq/rekey"

// rule says what the packages that a pattern names may import.
type rule struct {
	// packages is a path below the module; "/..." stands for everything below it, itself included. Of several patterns
	// that fit, the most exact one counts.
	packages string
	// ours and theirs are what may be imported besides the standard library, as patterns of the same form; ours are
	// paths below the module.
	ours, theirs []string
	// never is what may not be imported of the standard library.
	never []string
	// tests may import this as well. Tests of everything of ours but the simulator may import go-cmp.
	tests   []string
	because string
	// planned rules bind as soon as their package appears; the others fail when theirs disappears.
	planned bool
}

// everything is what the places that put things together may import.
var everything = []string{"examples", "internal/...", "sim/..."}

var microsoft = []string{
	"github.com/Azure/azure-sdk-for-go/sdk/...",
	"github.com/AzureAD/microsoft-authentication-library-for-go/...",
}

// imports is the import table. ARCHITECTURE.md says the same in words.
var imports = []rule{
	{packages: "cmd/rekey", ours: []string{"internal/cli", "internal/demo", "sim/simcmd"}, theirs: []string{"github.com/spf13/cobra"},
		tests:   []string{"examples", "internal/simtest/leak", "sim", "sim/world"},
		because: "main is signals and exit codes, and joins the commands sim and demo to the program, which itself must not know a simulator"},

	{packages: "internal/rotation",
		never:   []string{"context", "crypto/rand", "io", "io/...", "log", "log/...", "math/rand", "math/rand/...", "net", "net/...", "os", "os/...", "sync", "sync/...", "syscall"},
		tests:   []string{"internal/simtest/badinput"},
		because: "Decide is values in, a value out: it can do no I/O, tell no time by itself and hold no secret, so every case can be enumerated"},
	{packages: "internal/secret", tests: []string{"internal/simtest/badinput"},
		because: "what keeps values out of everything else depends on nothing that could print one"},
	{packages: "internal/printable", tests: []string{"internal/simtest/badinput"},
		because: "how text from outside is shown safely is the same for all who show any, and they have nothing else in common"},
	{packages: "internal/ledger", ours: []string{"internal/printable"}, theirs: []string{"golang.org/x/mod/sumdb/..."}, tests: []string{"internal/ledger/hometest", "internal/simtest/badinput"},
		because: "evidence, never input: it is ignorant of rotations, so nothing can come to decide by it"},
	{packages: "internal/ledger/hometest", ours: []string{"internal/ledger"},
		because: "one conformance suite for every home knows the ledger and no home"},
	{packages: "internal/driver", ours: []string{"internal/rotation", "internal/secret"},
		because: "the ports speak the core's words and know neither side"},
	{packages: "internal/driver/drivertest", ours: []string{"internal/driver", "internal/rotation", "internal/secret"},
		because: "one conformance suite per port knows the port and no adapter"},
	{packages: "internal/driver/drivertest/simulated", ours: []string{"internal/driver/drivertest", "sim", "sim/world"}, theirs: microsoft,
		because: "the suites' Azure is the simulated one; for tests alone, and it knows no adapter"},
	{packages: "internal/driver/drivertest/hostile", ours: []string{"internal/driver", "internal/rotation", "internal/secret", "internal/simtest/badinput"}, theirs: microsoft,
		because: "what the tests of all adapters say of answers that no service meant; it knows the ports, and no adapter"},
	{packages: "internal/approval", theirs: []string{"cel.dev/cel-go/...", "github.com/goccy/go-yaml"}, tests: []string{"internal/simtest/badinput"},
		because: "policy and decisions, over ports for where they lie and whose keys sign: it knows no service and no engine, so nothing can be approved by what was observed"},
	{packages: "internal/elevation", ours: []string{"internal/driver", "internal/ledger", "internal/rotation", "internal/secret"},
		because: "a right is taken, shared and given back in the same way for all, through a port: it knows no service, and stands before stores, issuers and consumers without changing what they are"},
	{packages: "internal/doctor",
		because: "what was seen is judged as plain values, so that each judgement can be tested without an Azure"},
	{packages: "internal/engine", ours: []string{"internal/driver", "internal/elevation", "internal/ledger", "internal/rotation", "internal/secret"},
		because: "it carries out what was decided through ports alone, so that another issuer, store or consumer changes nothing here"},
	{packages: "internal/manifest", theirs: []string{"github.com/goccy/go-yaml/..."}, tests: []string{"internal/simtest/badinput"},
		because: "what a person wrote, checked; it knows no service, and kinds bring their own settings"},

	{packages: "internal/azure/azhttp", ours: []string{"internal/driver", "internal/secret"}, theirs: microsoft, tests: []string{"internal/simtest/badinput"},
		because: "the pipeline knows HTTP and error kinds, and no service"},
	{packages: "internal/azure/...",
		ours:    []string{"internal/azure/azhttp", "internal/driver", "internal/manifest", "internal/rotation", "internal/secret"},
		theirs:  microsoft,
		tests:   []string{"internal/driver/drivertest/...", "internal/simtest/badinput", "sim/..."},
		because: "an adapter is one service behind a port: it knows no other adapter, no engine and no program, so it can be added and removed as a folder"},

	{packages: "internal/azure/appendblob",
		ours:    []string{"internal/azure/azhttp", "internal/driver", "internal/ledger"},
		theirs:  microsoft,
		tests:   []string{"internal/driver/drivertest/...", "internal/ledger/hometest", "internal/simtest/badinput", "sim/..."},
		because: "one service behind the ledger's port: it keeps lines and reads none, so it knows no rotation and no secret"},
	{packages: "internal/azure/logsingest",
		ours:    []string{"internal/azure/azhttp", "internal/driver", "internal/events"},
		theirs:  microsoft,
		tests:   []string{"internal/driver/drivertest/...", "internal/ledger", "sim/..."},
		because: "one service behind the port of events: it knows no rotation and no secret"},
	{packages: "internal/events", ours: []string{"internal/driver", "internal/ledger"}, tests: []string{"internal/simtest/badinput"},
		because: "what the ledger records, handed on through ports: it knows no service, and whoever cannot be reached stops nothing"},
	{packages: "internal/azure/oidc", theirs: append([]string{"github.com/golang-jwt/jwt/v5"}, microsoft...),
		ours:    []string{"internal/azure/azhttp", "internal/driver", "internal/secret"},
		tests:   []string{"internal/driver/drivertest/hostile", "internal/simtest/badinput", "sim/..."},
		because: "an adapter like the others, and the only one that verifies what somebody else signed"},
	{packages: "internal/azure/appservice",
		ours:    []string{"internal/azure/azhttp", "internal/driver", "internal/hook", "internal/manifest", "internal/rotation", "internal/secret"},
		theirs:  microsoft,
		tests:   []string{"internal/azure/keyvault", "internal/driver/drivertest/...", "internal/simtest/badinput", "sim/..."},
		because: "an adapter like the others, whose app holds no mark: it is a receiver of hook's, which keeps one in the vault"},

	{packages: "internal/random",
		ours:    []string{"internal/driver", "internal/manifest", "internal/rotation", "internal/secret"},
		tests:   []string{"internal/driver/drivertest", "internal/simtest/badinput"},
		because: "it makes values and knows no service: the store that it ends them in is a port"},
	{packages: "internal/hook", ours: []string{"internal/driver", "internal/rotation", "internal/secret"},
		tests:   []string{"internal/azure/azhttp", "internal/azure/keyvault", "internal/driver/drivertest/...", "internal/hook/...", "internal/manifest", "sim/...", "github.com/Azure/azure-sdk-for-go/sdk/..."},
		because: "the mark of what cannot hold one is kept the same way for all, and knows no receiver; its tests try each of them"},
	{packages: "internal/hook/command", ours: []string{"internal/driver", "internal/hook", "internal/manifest", "internal/printable", "internal/secret"},
		tests:   []string{"internal/rotation", "internal/simtest/badinput"},
		because: "one receiver behind one port; it knows no network, and makes a program's words fit to be shown"},
	{packages: "internal/hook/webhook", theirs: microsoft,
		ours:    []string{"internal/azure/azhttp", "internal/driver", "internal/hook", "internal/manifest", "internal/rotation", "internal/secret"},
		because: "one receiver behind one port; it sends through the pipeline that all share"},

	{packages: "internal/check", ours: []string{"internal/driver", "internal/manifest", "internal/printable", "internal/rotation", "internal/secret"},
		because: "what a manifest names to prove a value by: a request or a program, behind one port; it knows no service"},

	{packages: "internal/report",
		ours:    []string{"internal/driver", "internal/elevation", "internal/engine", "internal/ledger", "internal/manifest", "internal/rotation"},
		because: "ids, names, times and reasons to show; it is given results and asks nobody, and it has no way to name a secret"},
	{packages: "internal/artifact",
		ours:    []string{"internal/engine", "internal/ledger", "internal/printable", "internal/report", "internal/rotation"},
		tests:   []string{"github.com/santhosh-tekuri/jsonschema/v6", "internal/driver", "internal/elevation", "internal/simtest/badinput"},
		because: "the evidence of a run, made of its results and its entries: it asks nobody, knows no service, and has no way to name a secret"},
	{packages: "internal/app",
		ours:    []string{"internal/approval", "internal/azure/...", "internal/check", "internal/doctor", "internal/driver", "internal/elevation", "internal/engine", "internal/events", "internal/hook/...", "internal/ledger", "internal/manifest", "internal/random", "internal/report", "internal/rotation", "internal/secret"},
		theirs:  microsoft,
		because: "composition: the only part of the product that knows every adapter"},
	{packages: "internal/cli",
		ours:    []string{"internal/app", "internal/approval", "internal/artifact", "internal/doctor", "internal/driver", "internal/elevation", "internal/engine", "internal/events", "internal/ledger", "internal/manifest", "internal/printable", "internal/report", "internal/rotation"},
		theirs:  []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term"},
		tests:   []string{"github.com/Azure/azure-sdk-for-go/sdk/...", "github.com/rogpeppe/go-internal/testscript", "github.com/santhosh-tekuri/jsonschema/v6", "examples", "sim/..."},
		because: "the edge: flags, text and exit codes. It reaches services through app alone, knows no simulator, and is with main the only one to see cobra"},
	{packages: "internal/demo",
		ours: []string{"examples", "internal/app", "internal/cli", "internal/driver", "internal/engine", "internal/ledger", "internal/manifest", "internal/report",
			"internal/rotation", "internal/secret", "sim/..."},
		because: "shows the product on the simulator, and so sees both; it reaches services as the product does"},

	{packages: "internal/simtest/badinput",
		because: "broken input and what it may cost are the same for the tests of every package, which it therefore knows none of"},
	{packages: "internal/simtest/...", ours: everything, theirs: microsoft, tests: []string{"github.com/goccy/go-yaml", "github.com/santhosh-tekuri/jsonschema/v6"},
		because: "the place that sees both sides: the product, Microsoft's own clients, and the simulator"},
	{packages: "internal/simtest/explore", ours: everything, theirs: microsoft, tests: []string{"unsafe"},
		because: "as the rest of simtest; a clock whose monotonic reading stands still while a machine sleeps cannot be made any other way"},
	{packages: "internal/bench/...", ours: everything, theirs: microsoft,
		because: "budgets are counted on the whole program against the simulator's request log"},

	{packages: "sim/wire", because: "what services share about HTTP knows no service and no world"},
	{packages: "sim/world", because: "the state behind all services answers no HTTP and knows no service"},
	{packages: "sim/simcmd", ours: []string{"sim", "sim/world"},
		because: "a command around the server, without a behaviour of its own"},
	{packages: "sim", ours: []string{"sim/..."},
		because: "the server puts the services together. Like all of the simulator it is written from Microsoft's documentation and not from our clients, and it needs nothing that a user would have to trust or fetch"},
	{packages: "sim/arm", ours: []string{"sim/gateway", "sim/wire", "sim/world"},
		because: "Resource Manager's own operations, behind the same gateway as the providers"},
	{packages: "sim/appservice", ours: []string{"sim/gateway", "sim/wire", "sim/world"},
		because: "a resource provider behind Azure Resource Manager: it shares the gateway with the others and nothing else"},
	{packages: "sim/automation", ours: []string{"sim/gateway", "sim/wire", "sim/world"},
		because: "a resource provider behind Azure Resource Manager: it shares the gateway with the others and nothing else"},
	{packages: "sim/connections", ours: []string{"sim/gateway", "sim/wire", "sim/world"},
		because: "a resource provider behind Azure Resource Manager: it shares the gateway with the others and nothing else"},
	{packages: "sim/...", ours: []string{"sim/wire", "sim/world"},
		because: "one simulated service over the one world: it sees no other service, as in Azure, and nothing of the product whose mistakes it must not share"},

	{packages: "examples", because: "the example manifests, as files; it runs nothing"},
	{packages: ".", because: "the rules of the repository, as tests"},
}

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

// rel is the package's path below the module, "." for the root.
func (p pkg) rel() string {
	return path.Join(".", strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"))
}

// list asks `go list` for every package, as one platform builds it.
func list(goos string) ([]pkg, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-json", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// packages are those of all platforms: a file for one of them alone is held to the rules too.
var packages = sync.OnceValues(func() ([]pkg, error) {
	var all []pkg
	for _, goos := range []string{"linux", "darwin", "windows"} {
		some, err := list(goos)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
})

func listed(t *testing.T) []pkg {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Fatalf("go list names only %d packages: these rules would hold of nothing", len(all))
	}
	return all
}

func fits(pattern, p string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == below || strings.HasPrefix(p, below+"/")
	}
	return p == pattern
}

func fitsAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return fits(pattern, p) })
}

// ruleFor is the rule with the most exact pattern that fits.
func ruleFor(table []rule, p string) (best rule, ok bool) {
	length := func(r rule) int { // an exact path is longer than itself with what is below it
		below, subtree := strings.CutSuffix(r.packages, "/...")
		if subtree {
			return 2 * len(below)
		}
		return 2*len(r.packages) + 1
	}
	for _, r := range table {
		if fits(r.packages, p) && (!ok || length(r) > length(best)) {
			best, ok = r, true
		}
	}
	return best, ok
}

// allows says why a package under the rule may not import another; "" if it may.
func (r rule) allows(self, imported string, test bool) string {
	below, own := strings.CutPrefix(imported, module+"/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case own && below == self && test: // a test of the package from outside
		return ""
	case own && fitsAny(r.ours, below), own && test && fitsAny(r.tests, below):
		return ""
	case own:
		return "which is not among what it may see"
	case imported == "unsafe" && test && slices.Contains(r.tests, "unsafe"):
		return ""
	case imported == "unsafe", imported == "C":
		return "which nothing here may"
	case strings.Contains(first, "."):
		inTest := test && (fitsAny(r.tests, imported) || fits("github.com/google/go-cmp/...", imported) && !fits("sim/...", self))
		if fitsAny(r.theirs, imported) || inTest {
			return ""
		}
		return "a library that is not meant for it"
	case !test && fitsAny(r.never, imported):
		return "which it must do without"
	}
	return ""
}

func TestEveryPackageImportsOnlyWhatItsRuleAllows(t *testing.T) {
	t.Parallel()
	said := map[string]bool{} // once, not once a platform
	complain := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !said[text] {
			said[text] = true
			t.Error(text)
		}
	}
	for _, p := range listed(t) {
		r, ok := ruleFor(imports, p.rel())
		if !ok {
			complain("%s falls under no rule of the import table: add one with its reason, here and in ARCHITECTURE.md", p.rel())
			continue
		}
		check := func(what string, list []string, test bool) {
			for _, imported := range list {
				if why := r.allows(p.rel(), imported, test); why != "" {
					complain("%s%s imports %s, %s.\nThe rule for %s: %s.", what, p.rel(), imported, why, r.packages, r.because)
				}
			}
		}
		check("", p.Imports, false)
		check("a test of ", slices.Concat(p.TestImports, p.XTestImports), true)
	}
}

func TestEveryRuleHasAReasonAndAPackage(t *testing.T) {
	t.Parallel()
	all := listed(t)
	seen := map[string]bool{}
	for _, r := range imports {
		if r.because == "" {
			t.Errorf("the rule for %s has no reason", r.packages)
		}
		if seen[r.packages] {
			t.Errorf("two rules for %s", r.packages)
		}
		seen[r.packages] = true
		// A rule that another one shadows everywhere is as dead as one without a package.
		governs := slices.ContainsFunc(all, func(p pkg) bool {
			best, _ := ruleFor(imports, p.rel())
			return best.packages == r.packages
		})
		if !governs && !r.planned {
			t.Errorf("the rule for %s governs no package: remove it", r.packages)
		}
	}
}

func TestTheImportTableRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		self, imported string
		test           bool
	}{
		"the core a secret":                            {"internal/rotation", module + "/internal/secret", false},
		"the core a library":                           {"internal/rotation", "github.com/goccy/go-yaml/ast", false},
		"the core the network":                         {"internal/rotation", "net/http", false},
		"the core a context":                           {"internal/rotation", "context", false},
		"the engine an adapter":                        {"internal/engine", module + "/internal/azure/keyvault", false},
		"the engine Microsoft's libraries":             {"internal/engine", microsoft[0][:len(microsoft[0])-4] + "/azcore", false},
		"an adapter another adapter":                   {"internal/azure/devops", module + "/internal/azure/entra", false},
		"an adapter the engine":                        {"internal/azure/keyvault", module + "/internal/engine", false},
		"an adapter the program":                       {"internal/azure/entra", module + "/internal/app", false},
		"an adapter that is not there yet another one": {"internal/azure/graph", module + "/internal/azure/arm", false},
		"the shared pipeline a manifest":               {"internal/azure/azhttp", module + "/internal/manifest", false},
		"the command line an adapter":                  {"internal/cli", module + "/internal/azure/devops", false},
		"the command line the simulator":               {"internal/cli", module + "/sim/simcmd", false},
		"the program the simulator":                    {"internal/app", module + "/sim/world", false},
		"the program's tests the simulator":            {"internal/app", module + "/sim/world", true},
		"the program cobra":                            {"internal/app", "github.com/spf13/cobra", false},
		"the simulator the product":                    {"sim/keyvault", module + "/internal/rotation", false},
		"the simulator's tests the product":            {"sim/keyvault", module + "/internal/rotation", true},
		"the simulator a library":                      {"sim", "github.com/Azure/azure-sdk-for-go/sdk/azcore", false},
		"the simulator's tests go-cmp":                 {"sim/world", "github.com/google/go-cmp/cmp", true},
		"a simulated service another one":              {"sim/devops", module + "/sim/entra", false},
		"the world a service":                          {"sim/world", module + "/sim/keyvault", false},
		"the program go-cmp":                           {"internal/app", "github.com/google/go-cmp/cmp", false},
		"anything cgo":                                 {"internal/app", "C", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := ruleFor(imports, c.self)
			if !ok || r.allows(c.self, c.imported, c.test) == "" {
				t.Errorf("%s may import %s (test: %v)", c.self, c.imported, c.test)
			}
		})
	}
}

func TestEveryPackageNeedsARule(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"internal/web", "cmd/other", "pkg", "internal/drivers"} {
		if r, ok := ruleFor(imports, p); ok {
			t.Errorf("%s falls under the rule for %s", p, r.packages)
		}
	}
}
