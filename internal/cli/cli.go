// Package cli is the command line: arguments in, words and exit codes out.
//
// It decides nothing and talks to no service; the app and the engine do. What always holds: results go to stdout and
// everything else to stderr; with --json stdout holds one JSON document and nothing else; colour only on a terminal;
// an error says what was being done, what went wrong and what to do next.
package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// Exit codes.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2
	ExitPerson = 3
	ExitToDo   = 4 // plan --detailed-exitcode: there is something to do
)

// Env is what the program gets from the machine.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Transport carries every request; nil is the network.
	Transport http.RoundTripper
	Version   string
	// Signals has a function hear every signal that would end the program, in place of that, until stop is called; nil
	// where none come.
	Signals func(hear func(os.Signal)) (stop func())
	// Extra are commands that are not the product's own: the simulator and the demo.
	Extra func(Env) []*cobra.Command
}

// exit is an error that carries an exit code; its text was printed already if err is nil.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// Exit makes an error that ends the program with a code; err nil means that everything was said.
func Exit(code int, err error) error { return &exit{code, err} }

// Main runs the command line and gives the exit code.
func Main(ctx context.Context, env Env, args []string) int {
	root := New(env)
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	var e *exit
	if !errors.As(err, &e) {
		e = &exit{ExitUsage, err} // cobra's own: unknown commands, flags and arguments
	}
	if e.err != nil {
		newPrinter(env.Stderr, env).problem(e.err)
		if e.code == ExitUsage && !errors.Is(e.err, errManifest) {
			fmt.Fprintf(env.Stderr, "see %s --help\n", ran.CommandPath())
		}
	}
	return e.code
}

const long = `Rekey replaces the long-lived credentials that Azure automation runs on, before they expire and without an
outage: it issues a new one, proves that it works, stores it in an isolated Key Vault, and revokes the old one after
its overlap. What to rotate is in a manifest, rekey.yaml; what is really there is asked of Azure each time, so any run,
anywhere, goes on where the last one stopped.

A first session:
  rekey init                     write a rekey.yaml, by a few questions at a terminal
  rekey add pat                  add a token, a client secret or what uses it, out of lists of what is there
  rekey validate                 check it, without any connection
  rekey plan                     what would happen now, and when the next thing is due; writes nothing
  rekey apply                    do it; run this every hour
  rekey status                   what is there, when it expires, when it is replaced

To try everything without Azure:
  rekey demo                     a token's whole life against a simulated Azure, in under a minute
  rekey sim --help               the simulated Azure, for your own manifests and other tools

Exit codes:
  0  done, or waiting for a stated time
  1  something failed
  2  the command line or the manifest is wrong
  3  a person is needed, to decide or to approve: the output says for what
  4  plan --detailed-exitcode: there is something to do`

// New makes the command tree.
func New(env Env) *cobra.Command {
	if env.Getenv == nil {
		env.Getenv = os.Getenv
	}
	o := &options{env: env}
	root := &cobra.Command{
		Use: "rekey", Short: "rotates the credentials that Azure automation runs on", Long: long,
		SilenceUsage: true, SilenceErrors: true, Version: env.Version,
		Example: example("rekey init", "rekey plan", "rekey apply -f prod.yaml --json"),
		Args:    known,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetIn(env.Stdin)
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	f := root.PersistentFlags()
	f.StringVarP(&o.file, "file", "f", "rekey.yaml", "the manifest")
	f.BoolVar(&o.json, "json", false, "print one JSON document in place of text")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "tell on stderr what is done, and every call that is made")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress and no warnings, only the result")
	for _, g := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Credentials:", []*cobra.Command{o.planCommand(), o.applyCommand(), o.statusCommand(), o.rotateCommand(), o.rollbackCommand(), o.retireCommand()}},
		{"The manifest:", []*cobra.Command{o.initCommand(), o.addCommand(), o.listCommand(), o.loginCommand(), o.validateCommand(), o.schemaCommand()}},
		{"Privilege and approval:", []*cobra.Command{o.doctorCommand(), o.elevateCommand(), o.elevationsCommand(), o.approvalsCommand(), o.approveCommand(), o.denyCommand(), o.policyCommand()}},
		{"Evidence:", []*cobra.Command{o.ledgerCommand(), o.eventsCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	root.AddCommand(o.versionCommand())
	if env.Extra != nil {
		root.AddCommand(env.Extra(env)...)
	}
	return root
}

// known refuses a word that is no command, and says which one was meant.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("%w (did you mean %q?)", err, near[0])
	}
	return err
}

// none refuses what follows a command that takes nothing.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, and %q is one", cmd.CommandPath(), args[0])
	}
	return nil
}

// options are the flags that every command has.
type options struct {
	env     Env
	file    string
	json    bool
	verbose bool
	quiet   bool
	// reason and ticket are a person's words: for whoever approves it or gives a role, and for the run's artefact.
	reason, ticket string
	// evidence is what the commands that have effects keep of a run; unkept says that it could not be.
	evidence evidence
	unkept   bool
	// digest is the manifest's, once it was read.
	digest string
	// az says that a person reaches the requests for approval as themselves.
	az bool
}

func (o *options) log() *slog.Logger {
	if !o.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(o.env.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var errManifest = errors.New("the manifest is not valid")

// manifest reads and checks the manifest; its problems are printed.
func (o *options) manifest() (*manifest.Manifest, manifest.Problems, error) {
	src, err := o.read()
	if err != nil {
		return nil, nil, Exit(ExitUsage, err)
	}
	sum := sha256.Sum256(src)
	o.digest = hex.EncodeToString(sum[:])
	m, problems := manifest.Parse(o.file, src, app.Kinds(), app.Rules()...)
	return m, problems, nil
}

func (o *options) read() ([]byte, error) {
	if o.file == "-" {
		return io.ReadAll(io.LimitReader(o.env.Stdin, 5<<20))
	}
	f, err := os.Open(o.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no manifest %s: name one with -f, or write one with rekey init", o.file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	defer f.Close()
	// A little more than the largest manifest, so that a larger one is told from it without being read.
	return io.ReadAll(io.LimitReader(f, 5<<20))
}

// open brings the manifest to life. Warnings go to stderr.
func (o *options) open() (*app.App, error) {
	m, problems, err := o.manifest()
	if err != nil {
		return nil, err
	}
	return o.start(m, problems)
}

// start brings a manifest to life that was read.
func (o *options) start(m *manifest.Manifest, problems manifest.Problems) (*app.App, error) {
	if problems.Failed() {
		fmt.Fprint(o.env.Stderr, problems)
		return nil, Exit(ExitUsage, fmt.Errorf("%w: nothing was done; mend the lines above, and check with rekey validate", errManifest))
	}
	if !o.quiet {
		fmt.Fprint(o.env.Stderr, problems)
	}
	folder := "."
	if o.file != "-" {
		folder = filepath.Dir(o.file)
	}
	a, err := app.New(app.Config{Manifest: m, Digest: o.digest, Folder: folder, Transport: o.env.Transport, Getenv: o.env.Getenv, Log: o.log(), Reason: o.reason, Ticket: o.ticket})
	if err != nil {
		return nil, Exit(ExitFailed, err)
	}
	return a, nil
}

// terminal says whether a stream is a person's.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// example indents a command's example as cobra prints it.
func example(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }
