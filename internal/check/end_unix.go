//go:build unix

package check

import (
	"os/exec"
	"syscall"
)

// endAll has the deadline end what the program started too.
func endAll(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
