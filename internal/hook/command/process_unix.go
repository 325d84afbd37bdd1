//go:build !windows

package command

import (
	"os/exec"
	"syscall"
)

// together has a program and everything that it starts killed at once: they are a group of their own, unless one of them
// leaves it.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
