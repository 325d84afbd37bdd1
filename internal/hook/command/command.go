// Package command hands each publication to a program on the machine that Rekey runs on: without a shell, the value on
// its standard input, and everything else that it needs to know, which is no secret, in its environment.
//
// It is not a plug-in: what a program prints is read by people alone, and nothing is decided by it. What always holds:
// the value is in no argument, no variable and no file, and what of a program's output becomes part of an error is
// bounded and has no part of the value in it; a program that takes too long is killed with everything that it started;
// it is given nothing of Rekey's own environment but what the manifest names and what no program does without.
package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/hook"
)

const (
	// again is the exit code that asks for another try in a moment: EX_TEMPFAIL of sysexits.h.
	again = 75
	tries = 4
)

// needed are the variables that no program does without. What can hold a password, a proxy's address for one, is not
// among them.
var needed = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles"}

// Command is a hook.Receiver.
type Command struct {
	settings Settings
	dir      string
	getenv   func(string) string
	run      Runner
}

var _ hook.Receiver = (*Command)(nil)

// New makes a receiver. dir is the manifest's folder, in which its programs run. Nothing is run.
func New(s Settings, dir string, getenv func(string) string, run Runner) *Command {
	return &Command{settings: s, dir: dir, getenv: getenv, run: run}
}

// Place implements hook.Receiver.
func (c *Command) Place() string { return "command " + strings.Join(c.settings.Run, " ") }

// Key implements hook.Receiver. Another check has nothing told again.
func (c *Command) Key() string { return strings.Join(c.settings.Run, "\x00") }

// Weak implements hook.Receiver.
func (c *Command) Weak() bool { return len(c.settings.Proof) == 0 }

// Preflight implements hook.Receiver.
func (c *Command) Preflight(context.Context) error {
	for _, argv := range [][]string{c.settings.Run, c.settings.Proof} {
		if len(argv) == 0 {
			continue
		}
		if _, err := c.path(argv[0]); err != nil {
			return unstartable("prepare "+c.Place(), argv[0], err)
		}
	}
	return nil
}

// path finds a program: in the PATH, or below the manifest's folder.
func (c *Command) path(program string) (string, error) {
	if strings.ContainsAny(program, `/\`) {
		if !filepath.IsAbs(program) {
			program = filepath.Join(c.dir, program)
		}
		// Made absolute here, or a name is left that is looked for in the PATH.
		abs, err := filepath.Abs(program)
		if err != nil {
			return "", err
		}
		return exec.LookPath(abs)
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return "", err
	}
	return filepath.Abs(found)
}

// unstartable is what a program that cannot be run means. Nothing of it has run.
func unstartable(op, program string, err error) error {
	e := &driver.Error{Kind: driver.Rejected, Op: op, Detail: "program " + program + " cannot be started", Person: true,
		Hint: "check that it is a program of this machine"}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Detail = driver.Missing, "there is no program "+program
		e.Hint = "install it on the machine that Rekey runs on, or correct its path, which is relative to the manifest's folder"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Detail, e.Hint = driver.Denied, "program "+program+" may not be run", "let Rekey's user run it (chmod +x)"
	}
	return e
}

// Hand implements hook.Receiver.
func (c *Command) Hand(ctx context.Context, h hook.Handover) error {
	op := "tell " + c.Place()
	for try := 1; ; try++ {
		e := c.start(ctx, op, "tell", c.settings.Run, h)
		switch {
		case e.err != nil:
			return e.err
		case e.code == 0:
			return nil
		case e.code != again:
			return &driver.Error{Kind: driver.Rejected, Op: op, Code: e.exit(), Detail: e.words("it was not taken"), Hint: "run the program by hand with any text on its standard input, and look why it fails"}
		case try == tries || !pause(ctx, time.Second<<(try-1)):
			return &driver.Error{Kind: driver.Throttled, Op: op, Code: e.exit(), Detail: e.words("it asks to be tried later")}
		}
	}
}

// Try implements hook.Receiver.
func (c *Command) Try(ctx context.Context, h hook.Handover) (why string, err error) {
	op := "try " + c.Place()
	e := c.start(ctx, op, "check", c.settings.Proof, h)
	var de *driver.Error
	switch {
	case errors.As(e.err, &de) && de.Kind == driver.Ambiguous:
		de.Kind = driver.Unavailable // nothing was to be changed
		return "", de
	case e.err != nil:
		return "", e.err
	case e.code == again:
		return "", &driver.Error{Kind: driver.Unavailable, Op: op, Code: e.exit(), Detail: e.words("it asks to be tried later")}
	case e.code != 0:
		return e.words("its check says so, with " + e.exit()), nil
	}
	return "", nil
}

// end is how a program ended, fit for an error.
type end struct {
	code int
	said string
	err  error
}

func (e end) exit() string { return fmt.Sprintf("exit code %d", e.code) }

func (e end) words(text string) string {
	if e.said == "" {
		return text
	}
	return text + "; its last words: " + e.said
}

func (c *Command) start(ctx context.Context, op, action string, argv []string, h hook.Handover) (out end) {
	path, err := c.path(argv[0])
	if err != nil {
		return end{err: unstartable(op, argv[0], err)}
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.Timeout)
	defer cancel()
	if ctx.Err() != nil {
		return end{err: &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "interrupted before it was started"}}
	}
	p := Process{Path: path, Argv: argv, Dir: c.dir, Env: c.environment(action, h)}
	var e Ended
	_ = h.Value.Use(func(b []byte) error {
		p.Stdin = b
		e = c.run(ctx, p)
		return nil
	})
	out = end{code: e.Code, said: said(e.Output, h.Value)}
	switch {
	case e.Err == nil:
	case !e.Started:
		out.err = unstartable(op, argv[0], e.Err)
	case errors.Is(e.Err, context.DeadlineExceeded):
		out.err = &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: out.words(fmt.Sprintf("it did not end within %s and was killed", c.settings.Timeout)), Hint: "make it faster, or lengthen its timeout in the manifest"}
	default:
		out.err = &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: out.words("it was killed before it ended")}
	}
	return out
}

// environment is what a program is told besides the value, and what it needs to run at all.
func (c *Command) environment(action string, h hook.Handover) []string {
	var out []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(needed, c.settings.Environment)))) {
		if v := c.getenv(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	return append(out, "REKEY_ACTION="+action, "REKEY_CREDENTIAL="+h.Credential, "REKEY_CONSUMER="+h.Consumer,
		"REKEY_PUBLICATION="+string(h.Publication), "REKEY_SECRET_ID="+h.SecretID())
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
