//go:build !unix

package check

import "os/exec"

// endAll leaves it to exec, which ends the program itself at the deadline, and no longer listens to what it started.
func endAll(*exec.Cmd) {}
