package rekey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var platforms = regexp.MustCompile(`(?m)^PLATFORMS = (.+)$`)

// TestEveryPlatformOfAReleaseTakesTheSource checks the types of everything for each platform that a release is built for.
// Compiling for one takes a core half a minute, most of it to optimise what nobody will run; `make cross` does that.
func TestEveryPlatformOfAReleaseTakesTheSource(t *testing.T) {
	t.Parallel()
	line := platforms.FindStringSubmatch(read(t, "Makefile"))
	if line == nil {
		t.Fatal("the Makefile has no PLATFORMS that this test can read")
	}
	for _, platform := range strings.Fields(line[1]) {
		if platform == runtime.GOOS+"/"+runtime.GOARCH {
			continue // which is compiled for, by whatever runs this test
		}
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			goos, goarch, _ := strings.Cut(platform, "/")
			ours, err := typed(goos, goarch)
			if err != nil {
				t.Fatal(err)
			}
			if ours < 30 {
				t.Errorf("the types of only %d packages of ours were checked", ours)
			}
		})
	}
}

// typed checks all packages, from their source: ours whole, and of the ones that they need what they declare. It says how
// many of ours there were.
func typed(goos, goarch string) (ours int, err error) {
	var stderr bytes.Buffer
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,DepOnly", "./...")
	list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	files, checked := token.NewFileSet(), map[string]*types.Package{"unsafe": types.Unsafe}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir string
			GoFiles         []string
			ImportMap       map[string]string
			DepOnly         bool
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ours, nil
		} else if err != nil {
			return ours, fmt.Errorf("go list: %w", err)
		}
		if p.ImportPath == "unsafe" {
			continue
		}
		var parsed []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return ours, err
			}
			parsed = append(parsed, f)
		}
		config := types.Config{
			IgnoreFuncBodies: p.DepOnly,
			Sizes:            types.SizesFor("gc", goarch),
			Importer: importer(func(name string) (*types.Package, error) {
				if vendored, ok := p.ImportMap[name]; ok {
					name = vendored
				}
				if known := checked[name]; known != nil { // go list names what is needed first
					return known, nil
				}
				return nil, fmt.Errorf("%s is not there", name)
			}),
		}
		if checked[p.ImportPath], err = config.Check(p.ImportPath, files, parsed, nil); err != nil {
			return ours, err
		}
		if !p.DepOnly {
			ours++
		}
	}
}

type importer func(string) (*types.Package, error)

func (i importer) Import(name string) (*types.Package, error) { return i(name) }
