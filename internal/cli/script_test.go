package cli_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// update rewrites the scripts' golden parts: REKEY_UPDATE=1 go test ./internal/cli
var update = os.Getenv("REKEY_UPDATE") != ""

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rekey": program, "deploy": deploy})
}

// program is the program as main makes it, without the commands that are not the product's. What it prints is kept
// beside, so that the end of a script can search all of it for secrets.
func program() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: "v1.2.3-test", Signals: cli.Signals}
	if name := os.Getenv("TRANSCRIPT"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(125)
		}
		env.Stdout, env.Stderr = io.MultiWriter(os.Stdout, f), io.MultiWriter(os.Stderr, f)
	}
	os.Exit(cli.Main(ctx, env, os.Args[1:]))
}

type simulator struct {
	*sim.Server
	endpoints *sim.Endpoints
	receiver  *receiver // of a webhook's events
}

type simKey struct{}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// Never 169.254.169.254: without a simulator, the managed identity is asked of a port that nobody has.
			env.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
			env.Setenv("IDENTITY_HEADER", "none")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector waits a second at each program's end
			env.Setenv("TRANSCRIPT", filepath.Join(env.WorkDir, ".tmp", "transcript"))
			if err := os.MkdirAll(filepath.Join(env.WorkDir, ".tmp"), 0o700); err != nil {
				return err
			}
			env.Values[simKey{}] = &simulator{}
			for _, folder := range examples.Folders() {
				file := folder + ".yaml"
				if folder == "pat" {
					file = "example.yaml" // what most scripts run
				}
				if err := os.WriteFile(filepath.Join(env.WorkDir, file), examples.Manifest(folder), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sim":      cmdSim,
			"clock":    cmdClock,
			"fault":    cmdFault,
			"requests": cmdRequests,
			"signin":   cmdSignIn,
			"normal":   cmdNormal,
			"exits":    cmdExits,
			"replace":  cmdReplace,
			"document": cmdDocument,
			"uses":     cmdUses,
			"dates":    cmdDates,
			"pat":      cmdPAT,
			"holds":    cmdHolds,
			"alive":    cmdAlive,
			"job":      cmdJob,
			"signs":    cmdSigns,
			"reads":    cmdReads,
			"testlink": cmdTestLink,
			"signcert": cmdSignCert,
			"signsin":  cmdSignsIn,
			"password": cmdPassword,
			"tries":    cmdTries,
			"receiver": cmdReceiver,
			"received": cmdReceived,
			"deployed": cmdDeployed,
			"fits":     cmdFits,
			"artifact": cmdArtifact,
			"ingested": cmdIngested,
			"handed":   cmdHanded,
			"github":   cmdGitHub,
			"decides":  cmdDecides,
			"writes":   cmdWrites,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "sim" { // Go reads SSL_CERT_FILE here
				return runtime.GOOS == "linux", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// worlds are what a script can have the built-in world changed by.
var worlds = map[string]func(*world.State){
	// The account of the example must pass multi-factor authentication.
	"mfa":      func(s *world.State) { s.Users[0].MFARequired = true },
	"handmade": handmade,
	"crowded":  crowded,
	// Rekey may not touch the vault that it publishes to.
	"denied": func(s *world.State) { s.RoleAssignments = s.RoleAssignments[1:] },
	// The example's app registration has lost its owners, and Rekey may change every one.
	"ownerless": func(s *world.State) {
		for _, a := range s.Apps {
			if a.ClientID == world.AppReporting {
				a.Owners = nil
			}
		}
		s.ManagedIdentities[0].ApplicationPermissions = []string{"Application.ReadWrite.All"}
	},
	// A PAT that somebody made in the portal has a name that commands a terminal, and its value is in the vault.
	"evil": func(s *world.State) {
		const token = "REKEYCANARYEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILEVILAZDOEVIL"
		born := time.Now().Add(-time.Hour).UTC()
		s.Organizations[0].PATs = append(s.Organizations[0].PATs, &world.PAT{
			AuthorizationID: "00000000-0000-4000-8000-00000000e711", OwnerID: s.Users[0].ID, Scope: "vso.code vso.packaging",
			Name: "evil\x1b]0;owned\x07\u202egpj.exe\u009b31m", ValidFrom: born, ValidTo: born.Add(30 * 24 * time.Hour), Token: token,
		})
		s.Vaults[0].Secrets = append(s.Vaults[0].Secrets, &world.Secret{Name: "devops-pat-token", Versions: []*world.SecretVersion{{
			ID: "e711e711e711e711e711e711e711e711", Value: token, Created: born, Updated: born,
		}}})
	},
}

// cmdSim starts the simulated Azure for the rest of the script: sim [world...].
func cmdSim(ts *testscript.TestScript, neg bool, args []string) {
	state := world.BuiltIn()
	for _, name := range args {
		change, ok := worlds[name]
		if !ok || neg {
			ts.Fatalf("usage: sim [world...]")
		}
		change(&state)
	}
	dir, err := os.MkdirTemp(ts.Getenv("TMPDIR"), "sim")
	ts.Check(err)
	server, err := sim.New(sim.Config{Dir: dir, State: state})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	endpoints, err := server.Listen(ctx, sim.ListenConfig{})
	if err != nil {
		cancel()
		ts.Fatalf("%v", err)
	}
	s := ts.Value(simKey{}).(*simulator)
	*s = simulator{Server: server, endpoints: endpoints}
	b, err := os.ReadFile(endpoints.Env)
	ts.Check(err)
	for _, m := range regexp.MustCompile(`(?m)^export (\w+)='(.*)'$`).FindAllStringSubmatch(string(b), -1) {
		ts.Setenv(m[1], m[2])
	}
	work := ts.Getenv("WORK")
	ts.Defer(func() {
		cancel()
		endpoints.Wait()
		noSecret(ts, s, work, dir)
	})
}

// noSecret searches everything that the script's runs printed and wrote for everything that the world holds secret.
func noSecret(ts *testscript.TestScript, s *simulator, work, simDir string) {
	w := s.World()
	w.Lock()
	secrets := w.Secrets()
	w.Unlock()
	searched := 0
	err := filepath.WalkDir(work, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == simDir {
			return filepath.SkipDir
		}
		if d.IsDir() || strings.HasSuffix(path, ".decision.json") {
			return nil // a decision is an ID token, which is good for nothing else
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		searched += len(b)
		for _, v := range append(secrets, world.Canary) {
			if strings.Contains(string(b), v) || strings.Contains(string(b), base64.StdEncoding.EncodeToString([]byte(v))) {
				ts.Fatalf("%s holds a secret of the world", filepath.Base(path))
			}
		}
		return nil
	})
	if err != nil || searched == 0 {
		ts.Fatalf("searching for secrets: %d bytes, %v", searched, err)
	}
}

func running(ts *testscript.TestScript) *simulator {
	s := ts.Value(simKey{}).(*simulator)
	if s.Server == nil {
		ts.Fatalf("there is no simulator: say sim first")
	}
	return s
}
