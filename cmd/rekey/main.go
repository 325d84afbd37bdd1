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

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/sim/simcmd"
)

// version is set by the build.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: buildVersion(), Extra: extra}
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
	return []*cobra.Command{simCommand(env)}
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
