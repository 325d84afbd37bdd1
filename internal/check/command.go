package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Program is a check by a program of the manifest's author.
type Program struct {
	id, folder string
	set        manifest.CommandTrial
	timeout    time.Duration
	env        []string
}

var _ driver.Check = (*Program)(nil)

// passed are the variables of Rekey's own environment that a program gets. Others can hold what Rekey signs in with.
var passed = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
	"SSL_CERT_FILE", "SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles"}

// NewProgram makes a check that runs in a folder.
func NewProgram(s manifest.Trial, folder string, getenv func(string) string) *Program {
	p := &Program{id: s.Name, folder: folder, set: *s.Command, timeout: s.Timeout, env: []string{"REKEY_CHECK=" + s.Name}}
	for _, name := range passed {
		if v := getenv(name); v != "" {
			p.env = append(p.env, name+"="+v)
		}
	}
	return p
}

// ID implements driver.Check.
func (p *Program) ID() string { return p.id }

// Place implements driver.Check. Arguments can be long, and the program says enough.
func (p *Program) Place() string { return "program " + p.set.Run[0] }

// Try implements driver.Check.
func (p *Program) Try(ctx context.Context, value secret.Value) (rotation.Check, error) {
	op := "check " + p.id + ", " + p.Place()
	bounded, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	out := &output{}
	var err error
	started := false
	_ = value.Use(func(b []byte) error {
		cmd := exec.CommandContext(bounded, p.set.Run[0], p.set.Run[1:]...)
		cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.folder, p.env, bytes.NewReader(b), out, out
		cmd.WaitDelay = 2 * time.Second
		endAll(cmd)
		err = cmd.Run()
		started = cmd.Process != nil
		return nil
	})
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return rotation.Check{}, driver.Errorf(driver.Unavailable, op, "", "it was interrupted")
	case bounded.Err() != nil:
		return rotation.Check{Why: fmt.Sprintf("it did not end within %s", p.timeout) + p.last(out, value)}, nil
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		// It has ended well, and what it left running holds its output open.
		return rotation.Check{Works: true}, nil
	case errors.As(err, &exit):
		return rotation.Check{Why: strings.TrimSuffix("ended with "+exit.ProcessState.String(), " (core dumped)") + p.last(out, value)}, nil
	case started:
		return rotation.Check{}, driver.Errorf(driver.Unavailable, op, "", "it did not take the value to the end")
	}
	return rotation.Check{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the program could not be started", Person: true,
		Hint: "look whether it is there, may be run, and is named as it is seen from the manifest's folder or PATH"}
}

// last is what the program said, for a message.
func (p *Program) last(out *output, value secret.Value) string {
	if text := said(out.kept(), value); text != "" {
		return ": " + text
	}
	return ""
}

// keep bounds what is kept of a program's output: its end, where a program says why it failed.
const keep = 32 << 10

type output struct{ b []byte }

// Write implements io.Writer. One goroutine of exec writes, since both streams are the same writer.
func (o *output) Write(p []byte) (int, error) {
	o.b = append(o.b, p...)
	if len(o.b) > 2*keep {
		o.b = append(o.b[:0], o.b[len(o.b)-keep:]...)
	}
	return len(p), nil
}

func (o *output) kept() []byte { return o.b[max(0, len(o.b)-keep):] }
