// Package demo shows the life of a personal access token in under a minute: it starts the simulated Azure on
// loopback, runs the real program against it as a user would, moves the simulator's clock, and has a consumer use the
// token all along.
//
// It is not a test and not a mode of the product: the program that it runs is the one that it is part of, started as
// a process with the simulator's environment, and knows nothing of it. What always holds: nothing leaves the machine,
// and nothing is left behind.
package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/sim"
)

// Config is what the demo needs.
type Config struct {
	Program string    // the rekey binary
	Out     io.Writer // where it is shown
	// Paint colours a text (an ANSI code), or returns it as it is.
	Paint func(code, text string) string
	// Pause is how long a person gets to read each step; 0 in CI.
	Pause time.Duration
}

type demo struct {
	Config
	folder  string
	env     []string
	control string
	user    *consumer
}

// Run shows everything and returns an error if it did not go as it should.
func Run(ctx context.Context, cfg Config) error {
	folder, err := os.MkdirTemp("", "rekey-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	server, err := sim.New(sim.Config{Dir: folder})
	if err != nil {
		return err
	}
	ends, err := server.Listen(ctx, sim.ListenConfig{})
	if err != nil {
		return err
	}
	defer func() { cancel(); ends.Wait() }()
	env, err := environment(ends.Env)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "rekey.yaml"), examples.Manifest("pat"), 0o600); err != nil {
		return err
	}
	user, err := newConsumer(ends.Proxy, ends.CA, env)
	if err != nil {
		return err
	}
	d := &demo{Config: cfg, folder: folder, control: ends.Control, user: user}
	for k, v := range env {
		d.env = append(d.env, k+"="+v)
	}
	return d.show(ctx)
}

func (d *demo) show(ctx context.Context) error {
	d.say("The life of a personal access token (PAT) of Azure DevOps, against a simulated Azure on this machine.")
	d.say("Nothing leaves it. The manifest is examples/pat/rekey.yaml: it lives 30 days, is replaced 5 days before its")
	d.say("end, and the old one lives on for 24 hours, so that nobody is cut off.")

	steps := []struct {
		title   string
		advance string
		fault   string
		run     []string
		after   func(context.Context) error
	}{
		{title: "Day 0. The vault is empty. What would happen?", run: []string{"plan"}},
		{title: "Do it: issue, prove, store.", run: []string{"apply"}, after: d.start},
		{title: "An hour later. Nothing to do, and nothing is written.", advance: "1h", run: []string{"apply"}},
		{title: "Day 25. It is due. This time the network loses the answer to the creation, so that there is a token that\nnobody holds: Rekey finds it by its stamp, revokes it, and goes on.",
			advance: "600h", fault: `{"service":"devops","operation":"CreatePat","nth":1,"do":"lost"}`, run: []string{"apply"}},
		{title: "Two hours later. Old and new live side by side.", advance: "2h", run: []string{"status"}},
		{title: "The overlap has passed. The new one is proved once more, then the old one is revoked.", advance: "23h", run: []string{"apply"}},
	}
	for _, s := range steps {
		fmt.Fprintf(d.Out, "\n%s\n", d.Paint("1", s.title))
		if err := d.prepare(ctx, s.advance, s.fault); err != nil {
			return err
		}
		if err := d.rekey(ctx, s.run...); err != nil {
			return err
		}
		if s.after != nil {
			if err := s.after(ctx); err != nil {
				return err
			}
		}
		if err := d.pause(ctx); err != nil {
			return err
		}
	}
	d.user.use(ctx) // at least once after the old one is gone
	d.user.stop()
	return d.summary(ctx)
}

func (d *demo) say(text string) { fmt.Fprintln(d.Out, text) }

// start sets the consumer to work, and waits for its first use of the token.
func (d *demo) start(ctx context.Context) error {
	fmt.Fprintln(d.Out, d.Paint("36", "consumer: signs in as itself, reads the secret, and calls Azure DevOps with it from here on, many times a second"))
	return d.user.start(ctx)
}

func (d *demo) prepare(ctx context.Context, advance, fault string) error {
	if advance != "" {
		// Between two uses, as in life: no use takes days.
		d.user.mu.Lock()
		defer d.user.mu.Unlock()
		if err := d.post(ctx, "/clock", `{"advance":"`+advance+`"}`); err != nil {
			return err
		}
	}
	if fault != "" {
		return d.post(ctx, "/faults", fault)
	}
	return nil
}

// rekey runs the program as a user would.
func (d *demo) rekey(ctx context.Context, args ...string) error {
	fmt.Fprintln(d.Out, d.Paint("2", "$ rekey "+strings.Join(args, " ")))
	cmd := exec.CommandContext(ctx, d.Program, append(args, "--quiet")...)
	cmd.Dir, cmd.Env = d.folder, append(os.Environ(), d.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	for line := range strings.Lines(out.String()) {
		fmt.Fprint(d.Out, "  "+line)
	}
	if err != nil {
		return fmt.Errorf("rekey %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return nil
}

func (d *demo) pause(ctx context.Context) error {
	t := time.NewTimer(d.Pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *demo) summary(ctx context.Context) error {
	var calls []struct{ Service, Principal, Method, Operation string }
	if err := d.get(ctx, "/requests", &calls); err != nil {
		return err
	}
	var rekey, tokens, issued, revoked, probes int
	for _, c := range calls {
		switch {
		case c.Principal == "consumer":
			continue
		case c.Operation == "ConnectionData": // the consumer's uses of the token, and Rekey's own few probes of it
			probes++
			continue
		case c.Service == "identity" || strings.HasPrefix(c.Operation, "token:"):
			tokens++
			continue
		case c.Service == "entra": // discovery, and the consumer's way to ask for the time
			continue
		case c.Operation == "CreatePat":
			issued++
		case c.Operation == "RevokePat":
			revoked++
		}
		rekey++
	}
	uses, gaps, values := d.user.result()
	rekey += probes - uses
	fmt.Fprintf(d.Out, "\n%s\n", d.Paint("1", "26 days in a few seconds"))
	fmt.Fprintf(d.Out, "  calls by Rekey   %d, and %d sign-ins\n", rekey, tokens)
	fmt.Fprintf(d.Out, "  tokens           %d issued, %d revoked, 1 in use\n", issued, revoked)
	fmt.Fprintf(d.Out, "  consumer         %d uses with %d different tokens, gaps: %s\n", uses, values, gapText(gaps))
	if gaps > 0 || values != 2 || issued != 3 || revoked != 2 {
		return errors.New("the demo did not end as it should: " + gapText(gaps) + " gaps")
	}
	fmt.Fprint(d.Out, `
What to try next
  rekey sim --dir ./sim &         the simulated Azure for as long as you like; then: . ./sim/env
  rekey init                      a manifest of your own, to try on it: validate, plan, apply
  rekey sim --help                move its clock, lose its answers, point az or Terraform at it
`)
	return nil
}

func gapText(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

func (d *demo) post(ctx context.Context, path, body string) error {
	return d.call(ctx, http.MethodPost, path, body, nil)
}

func (d *demo) get(ctx context.Context, path string, out any) error {
	return d.call(ctx, http.MethodGet, path, "", out)
}

func (d *demo) call(ctx context.Context, method, path, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, d.control+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	direct := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := direct.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the simulator's control port: %s %s: %s", method, path, bytes.TrimSpace(b))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// environment reads the simulator's env file.
func environment(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if k, v, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok && !strings.HasPrefix(k, "#") {
			env[k] = strings.ReplaceAll(strings.Trim(v, "'"), `'\''`, "'")
		}
	}
	return env, lines.Err()
}
