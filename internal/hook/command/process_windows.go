package command

import (
	"os/exec"
	"path/filepath"
	"strconv"

	"os"
)

// together has a program and everything that it starts killed at once. Windows keeps no groups for that, but who started
// whom; what was started by a program that has ended is left.
func together(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		kill := filepath.Join(os.Getenv("SystemRoot"), "System32", "taskkill.exe")
		if err := exec.Command(kill, "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run(); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
}
