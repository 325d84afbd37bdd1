// Command rekey rotates the credentials that Azure automation runs on. This file is signals and exit codes; the
// program is in internal/cli, and the commands `sim` and `demo` join it here because the product itself must not know
// a simulator.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/demo"
	"github.com/rekeyhq/rekey/sim/simcmd"
)

// version is set by the build.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program on the spot
	env := cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: buildVersion(), Signals: cli.Signals, Extra: extra}
	code := cli.Main(ctx, env, os.Args[1:])
	stop()
	os.Exit(code)
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

func extra(env cli.Env) []*cobra.Command {
	return []*cobra.Command{demoCommand(env), simCommand(env)}
}

func simCommand(env cli.Env) *cobra.Command {
	return &cobra.Command{
		Use: "sim", Short: "serve a simulated Azure on this machine, to try manifests and other tools on",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := simcmd.Main(cmd.Context(), args, env.Stdout, env.Stderr); code != 0 {
				return cli.Exit(code, nil)
			}
			return nil
		},
	}
}

func demoCommand(env cli.Env) *cobra.Command {
	var pause time.Duration
	cmd := &cobra.Command{
		Use: "demo", Short: "show a token's whole life against a simulated Azure, in under a minute",
		Long: `Demo starts the simulated Azure on this machine, runs rekey against it as you would, moves its clock over 26 days,
and has a consumer use the token all along. It ends by itself and leaves nothing behind.`,
		Example: "  rekey demo\n  rekey demo --pause 3s       # slower, for an audience",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err == nil {
				err = demo.Run(cmd.Context(), demo.Config{Program: program, Out: env.Stdout, Pause: pause, Paint: cli.Painter(env, env.Stdout)})
			}
			if err != nil {
				return cli.Exit(cli.ExitFailed, err)
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&pause, "pause", time.Second, "how long each step stands before the next one")
	return cmd
}
