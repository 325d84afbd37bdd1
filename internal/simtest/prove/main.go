// Command prove runs everything that shows that nothing is lost, for as long as it takes, and ends with one table: the
// exploration of every world, the mutants of the product, and a year of ten thousand credentials.
//
// It is for the developers of the product and decides nothing itself: packages explore, mutant and year do, and write
// their rows through package proof. What always holds: what was done is not done again, and does not count any more from
// the first line of source on that changes what the part was built from; it ends with 0 only if all that was asked for
// has ended and nothing is wrong.
//
//	make prove                         everything
//	make prove ONLY=pat                one kind of credential
//	make prove PARTS=mutant            one of explore, mutant, year
//	make prove PARTS=print             the table of what is there
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/proof"
)

// part is a package of tests with a -prove of its own. builds are packages that its tests build in their turn.
type part struct {
	name, run string
	builds    []string
}

var parts = []part{
	{"explore", "^TestProof$", nil},
	{"mutant", "^TestMutants$", []string{"explore"}},
	{"year", "^TestProof$", nil},
}

const simtest = "internal/simtest/"

func (p part) pkg() string { return simtest + p.name }

func main() {
	dir := flag.String("dir", ".prove", "the folder that keeps what was done")
	only := flag.String("only", "", "only explorations whose kind or name contains this")
	which := flag.String("parts", "explore,mutant,year", "the parts to run, or print for none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := prove(ctx, *dir, *only, strings.Split(*which, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "prove: the same command goes on from here")
		}
		os.Exit(1)
	}
}

func prove(ctx context.Context, dir, only string, which []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	var failed, sums []string
	var rows []proof.Row
	for _, p := range parts {
		sum, err := p.fingerprint(ctx)
		if err != nil {
			return fmt.Errorf("read the sources, from the root of the repository: %w", err)
		}
		dir := filepath.Join(dir, p.name+"-"+sum)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if slices.Contains(which, p.name) && ctx.Err() == nil {
			if err := p.start(ctx, dir, only); err != nil {
				failed = append(failed, fmt.Sprintf("%s: %v", p.name, err))
			}
		}
		done, err := proof.Read(filepath.Join(dir, "rows.jsonl"))
		if err != nil {
			return err
		}
		rows, sums = append(rows, done...), append(sums, p.name+" "+sum)
	}
	fmt.Printf("\nsources %s\n\n", strings.Join(sums, ", "))
	failed = append(failed, proof.Print(os.Stdout, rows)...)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case len(rows) == 0:
		return errors.New("nothing was proved")
	case len(failed) > 0:
		return fmt.Errorf("not proved:\n    %s", strings.Join(failed, "\n    "))
	}
	return nil
}

// start builds the part's tests and runs them. What they print is shown and kept.
func (p part) start(ctx context.Context, dir, only string) error {
	binary := filepath.Join(dir, p.name+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+p.pkg())
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, p.name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), p.name)
	args := []string{"-test.run=" + p.run, "-test.timeout=0", "-prove", "-prove.json=" + filepath.Join(dir, "rows.jsonl")}
	if p.name == "explore" {
		args = append(args, "-prove.state="+dir, "-prove.only="+only)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = p.pkg()
	// Worlds by the ten thousand: more memory is cheaper here than looking for what is free.
	cmd.Env = append(os.Environ(), "GOGC=400")
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stderr, log), io.MultiWriter(os.Stderr, log)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w; %s has all of what it printed", err, log.Name())
	}
	return nil
}

// fingerprint is a hash of all of this module that the part's tests are built from, with what is embedded, and of the
// versions of everything else. The tests of other packages are not among it.
func (p part) fingerprint(ctx context.Context) (string, error) {
	list := []string{"list", "-deps", "-test", "-f", `{{if and .Module (ne .Name "main")}}{{if .Module.Main}}{{$dir := .Dir}}` +
		`{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`}
	files := []string{"go.mod", "go.sum"}
	for _, pkg := range append([]string{p.name}, p.builds...) {
		list = append(list, "./"+simtest+pkg)
		err := filepath.WalkDir(simtest+pkg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", list...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	for path := range strings.Lines(string(out)) {
		in, err := filepath.Rel(root, strings.TrimSpace(path))
		if err != nil {
			return "", err
		}
		files = append(files, in)
	}
	slices.Sort(files)
	h := sha256.New()
	for _, path := range slices.Compact(files) {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, filepath.ToSlash(path), len(b))
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}
