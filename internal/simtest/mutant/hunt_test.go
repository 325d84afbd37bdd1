package mutant

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// patience bounds one hunt.
const patience = "120s"

// outcome is what came of a hunt.
type outcome struct {
	// by are the checkers that noticed, in the order in which they did.
	by []string
	// caught says that the one that is meant to is among them and said what it is meant to say: what, after so many runs,
	// of a world that was come to on this path.
	caught bool
	after  int
	what   string
	path   []string
}

// hunt lays a mutant over the source and has it hunted. An error says that the hunt itself went wrong: nothing was built,
// or something panicked, or the exploration failed without a finding.
func (m mutant) hunt(ctx context.Context, dir string) (outcome, error) {
	var o outcome
	overlay, err := m.overlay(dir)
	if err != nil {
		return o, err
	}
	report := filepath.Join(dir, "report.jsonl")
	hunt, err := json.Marshal(map[string]any{
		"World": m.world, "Steps": m.steps, "With": m.with, "For": m.meant, "Saying": m.says, "Report": report, "Runs": m.runs,
	})
	if err != nil {
		return o, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout", patience, "-run", "^TestHunt$",
		"./internal/simtest/explore", "-args", "-hunt", string(hunt))
	cmd.Dir, cmd.Env = root, environment()
	out, err := cmd.CombinedOutput()
	if err := o.read(report); err != nil && !errors.Is(err, os.ErrNotExist) {
		return o, err
	}
	var exit *exec.ExitError
	switch text := string(out); {
	case err != nil && !errors.As(err, &exit):
		return o, err
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		return o, fmt.Errorf("it cannot be built:\n%s", text)
	case strings.Contains(text, "panic:"), strings.Contains(text, "fatal error:"):
		return o, fmt.Errorf("it panicked:\n%s", text)
	case err == nil && !strings.HasPrefix(text, "ok "):
		return o, fmt.Errorf("nothing was run:\n%s", text)
	case (err == nil) != (len(o.by) == 0):
		return o, fmt.Errorf("it reported %q, and the test says:\n%s", o.by, text)
	}
	return o, nil
}

// environment has the mutants compiled as what they rest on has been already. Where these tests look for races, that is
// as a release is, since it was built and checked before.
func environment() []string {
	env := os.Environ()
	info, ok := debug.ReadBuildInfo()
	if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		env = append(env, "CGO_ENABLED=0", "GOFLAGS="+os.Getenv("GOFLAGS")+" -trimpath")
	}
	return env
}

// overlay writes the changed files and the file that tells the go tool of them.
func (m mutant) overlay(dir string) (string, error) {
	module, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for i, p := range m.patches {
		source := filepath.Join(module, filepath.FromSlash(p.file))
		b, err := os.ReadFile(source)
		if err != nil {
			return "", err
		}
		changed, err := p.apply(string(b))
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(to, []byte(changed), 0o600); err != nil {
			return "", err
		}
		replace[source] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, b, 0o600)
}

// read takes what the hunt reported.
func (o *outcome) read(report string) error {
	b, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		var f struct {
			Checker, What string
			Wanted        bool
			After         int
			Path          []string
		}
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return err
		}
		if !slices.Contains(o.by, f.Checker) {
			o.by = append(o.by, f.Checker)
		}
		if f.Wanted && !o.caught {
			o.caught, o.after, o.what, o.path = true, f.After, f.What, f.Path
		}
	}
	return nil
}

// verdict says why a mutant does not count as caught; "" if it does.
func (m mutant) verdict(o outcome) string {
	switch {
	case len(o.by) == 0:
		return fmt.Sprintf("it survived: %s\n%s is meant to catch it", m.breaks, m.meant)
	case !o.caught:
		return fmt.Sprintf("%s is meant to catch it (%q), and only %s did: %s", m.meant, m.says, strings.Join(o.by, ", "), m.breaks)
	}
	return ""
}
