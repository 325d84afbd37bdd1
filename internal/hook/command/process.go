package command

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"time"
)

// Process is a program to be run.
type Process struct {
	Path string // of the program
	Argv []string
	Dir  string
	Env  []string
	// Stdin is what it can read, and must not be kept.
	Stdin []byte
}

// Ended is how a program ended.
type Ended struct {
	Code   int    // its exit code, if Err is nil
	Output []byte // the end of what it printed
	// Err says that it ended otherwise: it was killed, which a context's end does, or could not be started (Started).
	Err     error
	Started bool
}

// Runner runs a program until it ends. At the end of the context nothing of what it started is left.
type Runner func(context.Context, Process) Ended

// settleFor is how long a killed program may take to go, and one that ended may leave its output open to what it
// started.
const settleFor = 2 * time.Second

// Run is the Runner of the machine.
func Run(ctx context.Context, p Process) Ended {
	cmd := exec.CommandContext(ctx, p.Path, p.Argv[1:]...)
	cmd.Args[0] = p.Argv[0]
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.WaitDelay = p.Dir, p.Env, bytes.NewReader(p.Stdin), settleFor
	output := &tail{}
	cmd.Stdout, cmd.Stderr = output, output
	together(cmd)
	if err := cmd.Start(); err != nil {
		return Ended{Err: err}
	}
	err := cmd.Wait()
	e := Ended{Started: true, Output: output.b}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		// What it left running keeps its output open: that is no failure of its own.
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.As(err, &exit) && exit.Exited():
		e.Code = exit.ExitCode()
	default:
		e.Err = err
	}
	return e
}
