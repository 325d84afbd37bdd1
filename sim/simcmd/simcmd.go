// Package simcmd is the `sim` command: it serves the simulated Azure until it is interrupted, and prints the
// built-in world.
//
// It holds no behaviour of the simulator; that is in package sim. What always holds: stdout carries the one ready
// line, or the one world, and nothing else.
package simcmd

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// Exit codes.
const (
	done   = 0
	failed = 1
	usage  = 2
)

const help = `Serves a simulated Azure on this machine, for trying things that must not touch a real tenant.

Usage:
  rekey sim --dir DIR [--listen ADDR] [--tls ADDR] [--control ADDR] [--world FILE.json] [--verbose]
  rekey sim world          print the built-in world as JSON, in the form that --world reads

It is an HTTPS proxy with a certificate authority of its own. It answers for Microsoft's host names
(login.microsoftonline.com, dev.azure.com, *.vault.azure.net, management.azure.com ...) and refuses every other
one; nothing leaves this machine. Any tool that honours HTTPS_PROXY and a CA file can be pointed at it: rekey, az,
Terraform, the Azure SDKs, curl. When it is ready it prints one line of JSON:

  {"proxy":"http://127.0.0.1:P","ca":"DIR/ca.pem","env":"DIR/env","control":"http://127.0.0.1:Q"}

and serves until it is interrupted. Nothing is kept but the certificate authority in DIR.

Flags:
  --dir DIR        where ca.pem, ca-key.pem and env are kept (made if absent); a restart keeps the authority
  --listen ADDR    the proxy's address (default 127.0.0.1:0, any free port)
  --tls ADDR       serve the same hosts directly too, by server name, for tools that come by a hosts file
  --control ADDR   the control port's address, loopback only (default 127.0.0.1:0)
  --world FILE     start from this world instead of the built-in one
  --verbose        tell on stderr what the HTTP servers have to say, such as failed TLS handshakes

A session:
  $ rekey sim --dir /tmp/sim &
  $ . /tmp/sim/env
  $ token=$(curl -s https://login.microsoftonline.com/$SIM_TENANT_ID/oauth2/v2.0/token \
      -d grant_type=client_credentials -d client_id=$SIM_CLIENT_ID \
      --data-urlencode client_secret="$SIM_CLIENT_SECRET" \
      -d scope=https://vault.azure.net/.default | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  $ curl -s -H "Authorization: Bearer $token" "https://$SIM_VAULT.vault.azure.net/secrets?api-version=7.4"
  {"value":[],"nextLink":null}
  $ curl -s $SIM_CONTROL/requests                                     # what was asked, in order
  $ curl -s $SIM_CONTROL/clock -d '{"advance":"30d"}'                 # move the world's clock
  $ curl -s $SIM_CONTROL/faults -d '{"service":"keyvault","operation":"SetSecret","nth":1,"do":"lost"}'
  $ curl -s $SIM_CONTROL/                                             # everything that the control port can do
`

// Main runs the command with the arguments behind its name, and gives the exit code: 0 done, 1 something failed,
// 2 usage or world file.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	complain := func(code int, err error) int {
		fmt.Fprintf(stderr, "rekey sim: %v\n", err)
		if code == usage {
			fmt.Fprintln(stderr, "rekey sim: see rekey sim --help")
		}
		return code
	}
	if len(args) > 0 && args[0] == "world" {
		return printWorld(args[1:], stdout, complain)
	}
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var cfg sim.ListenConfig
	dir := flags.String("dir", "", "")
	file := flags.String("world", "", "")
	verbose := flags.Bool("verbose", false, "")
	flags.StringVar(&cfg.Listen, "listen", "127.0.0.1:0", "")
	flags.StringVar(&cfg.TLS, "tls", "", "")
	flags.StringVar(&cfg.Control, "control", "127.0.0.1:0", "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp) || len(args) == 1 && args[0] == "help":
		fmt.Fprint(stdout, help)
		return done
	case err != nil:
		return complain(usage, err)
	case flags.NArg() > 0:
		return complain(usage, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	case *dir == "":
		return complain(usage, errors.New("--dir is missing: name a directory for the certificate authority and the env file, as in --dir /tmp/sim"))
	}
	state, err := readWorld(*file)
	if err != nil {
		return complain(usage, err)
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	server, err := sim.New(sim.Config{Dir: *dir, State: state, Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		return complain(failed, err)
	}
	// Whatever ends this function ends what it opened, the ready line's reader going away too.
	ctx, cancel := context.WithCancel(ctx)
	endpoints, err := server.Listen(ctx, cfg)
	if err != nil {
		cancel()
		return complain(failed, err)
	}
	defer endpoints.Wait()
	defer cancel()
	line, err := json.Marshal(endpoints)
	if err != nil {
		return complain(failed, err)
	}
	if _, err := fmt.Fprintf(stdout, "%s\n", line); err != nil {
		return complain(failed, err)
	}
	<-ctx.Done()
	return done
}

func printWorld(args []string, stdout io.Writer, complain func(int, error) int) int {
	if len(args) > 0 {
		if args[0] == "--help" || args[0] == "-h" || args[0] == "-help" {
			fmt.Fprint(stdout, help)
			return done
		}
		return complain(usage, fmt.Errorf("unexpected argument %q: sim world takes none", args[0]))
	}
	if err := world.BuiltIn().Encode(stdout); err != nil {
		return complain(failed, err)
	}
	return done
}

func readWorld(file string) (world.State, error) {
	if file == "" {
		return world.BuiltIn(), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return world.State{}, err
	}
	defer f.Close()
	s, err := world.Decode(f)
	if err != nil {
		return world.State{}, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}
