// Command prove runs everything that shows that nothing is lost, for as long as it takes, and ends with one table: the
// exploration of every world, the mutants of the product, and a year of ten thousand credentials.
//
// It is for the developers of the product and decides nothing itself: packages explore, mutant and year do, and write
// their rows through package proof. What always holds: what was done is not done again, and is thrown away with the
// first line of source that changes; it ends with 0 only if all that was asked for has ended and nothing is wrong.
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

// part is a package of tests with a -prove of its own.
type part struct {
	name, pkg, run string
	args           []string
}

func parts(dir, only string) []part {
	rows := "-prove.json=" + filepath.Join(dir, "rows.jsonl")
	return []part{
		{"explore", "internal/simtest/explore", "^TestProof$", []string{"-prove", rows, "-prove.state=" + dir, "-prove.only=" + only}},
		{"mutant", "internal/simtest/mutant", "^TestMutants$", []string{"-prove", rows}},
		{"year", "internal/simtest/year", "^TestProof$", []string{"-prove", rows}},
	}
}

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
	sum, err := fingerprint()
	if err != nil {
		return fmt.Errorf("read the sources, from the root of the repository: %w", err)
	}
	if dir, err = filepath.Abs(filepath.Join(dir, sum)); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var failed []string
	for _, p := range parts(dir, only) {
		if ctx.Err() != nil {
			break
		}
		if slices.Contains(which, p.name) {
			if err := p.start(ctx, dir); err != nil {
				failed = append(failed, fmt.Sprintf("%s: %v", p.name, err))
			}
		}
	}
	rows, err := proof.Read(filepath.Join(dir, "rows.jsonl"))
	if err != nil {
		return err
	}
	fmt.Printf("\nsources %s\n\n", sum)
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
func (p part) start(ctx context.Context, dir string) error {
	binary := filepath.Join(dir, p.name+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+p.pkg)
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
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.run=" + p.run, "-test.timeout=0"}, p.args...)...)
	cmd.Dir = p.pkg
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

// fingerprint is a hash of everything that is compiled or read by the proofs.
func fingerprint() (string, error) {
	h := sha256.New()
	for _, root := range []string{"go.mod", "go.sum", "cmd", "internal", "sim", "examples"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			fmt.Fprintln(h, filepath.ToSlash(path))
			_, err = io.Copy(h, f)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}
