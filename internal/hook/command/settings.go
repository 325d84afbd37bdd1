package command

import (
	"fmt"
	"regexp"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const (
	// cache is how long what a command tells may go on with what it held, unless the manifest says so.
	cache = time.Hour
	// longest is how long a command may take: with its proof, less than one tell may.
	longest = 2 * time.Minute
)

// Settings are the block "command" of a consumer.
type Settings struct {
	Run         manifest.Argv `yaml:"run,required" doc:"The program and its arguments; no shell is between. The value is on its standard input. Exit code 0 says that it was taken, 75 that it is to be tried again in a moment, any other that it was not taken. A path with a slash in it is relative to this file."`
	Proof       manifest.Argv `yaml:"check" doc:"A program, called in the same way, that proves that the value works where it was taken: exit code 0 if it does. It changes nothing, and runs often. Without it nothing can be tried."`
	Timeout     time.Duration `yaml:"timeout" default:"1m" doc:"How long each may take, 2m at most; then it is killed, with everything that it started."`
	Environment manifest.Set  `yaml:"environment" doc:"Names of variables of Rekey's own environment that they are given besides PATH, HOME and the like: KUBECONFIG, for one. Nothing else is passed on, for there may be secrets in it."`
}

// Kind is what a manifest can say about a command.
func Kind() manifest.Kind {
	return manifest.Kind{Name: "command", Consumer: true, Cache: cache,
		Doc: "A program on the machine that Rekey runs on, which is handed each new value.",
		New: func() manifest.Settings { return new(Settings) }}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_()]*$`)

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), _ manifest.Context) {
	if s.Timeout > longest {
		report("timeout", fmt.Sprintf("%s is longer than %s", manifest.FormatDuration(s.Timeout), manifest.FormatDuration(longest)))
	}
	for i, name := range s.Environment {
		if name != "" && !variable.MatchString(name) {
			report(fmt.Sprintf("environment[%d]", i), "must be the name of an environment variable")
		}
	}
}
