package cli

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/approval"
)

func (o *options) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", Short: "try the manifest's approval rules",
		Long: `The rules under the manifest's approval say what may be done without a person, what never, and what somebody must
approve. rekey validate finds mistakes in a condition; rekey policy test finds rules that say something else than is meant.`,
		Example: example("rekey policy test cases.yaml"),
		Args:    known,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(o.policyTestCommand())
	return cmd
}

func (o *options) policyTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test FILE", Short: "hold the approval rules against a table of requests",
		Long: `Test evaluates the manifest's approval rules with each request of a table, and says whether they come to what the
table wants. It connects to nothing. The exit code is 1 if one of them does not.

The table is YAML:
  cases:
    - name: a job in the protected environment
      request: {credentials: [devops-pat], kinds: [issue, tell], ci: github, environment: production}
      want: allow              # or deny, or ask
      rule: production         # the rule that must match, if it matters which

A request has what a condition can name: credentials, kinds, role, scope, duration (720h), consumers, compromised, reason,
ticket, now (2026-11-21T09:30:00Z), ci, who, actor, branch, pullRequest, environment, claims.`,
		Example: example("rekey policy test cases.yaml", "rekey policy test cases.yaml -f prod.yaml --json"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("policy test needs the name of the one file with cases: rekey policy test FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			m, problems, err := o.manifest()
			if err != nil {
				return err
			}
			if problems.Failed() {
				fmt.Fprint(o.env.Stderr, problems)
				return Exit(ExitUsage, fmt.Errorf("%w: nothing was tried; mend the lines above", errManifest))
			}
			policy, err := app.PolicyOf(m)
			if err == nil && policy == nil {
				err = app.ErrNoApproval
			}
			if err != nil {
				return Exit(ExitUsage, err)
			}
			src, err := readSmall(args[0])
			if err != nil {
				return Exit(ExitUsage, fmt.Errorf("read the cases: %w", err))
			}
			cases, err := approval.ParseCases(src, time.Now())
			if err != nil {
				return Exit(ExitUsage, fmt.Errorf("read the cases in %s: %w", args[0], err))
			}
			return o.showTries(policy.Try(cmd.Context(), cases))
		},
	}
}

// try is one case in the document.
type try struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Rule string `json:"rule,omitempty"`
	Why  string `json:"why"`
}

func (o *options) showTries(tries []approval.Try) error {
	out, wrong := []try{}, 0
	for _, t := range tries {
		want := t.Want
		if t.Rule != "" {
			want += " by " + t.Rule
		}
		if !t.Holds() {
			wrong++
		}
		out = append(out, try{t.Name, t.Holds(), want, t.Got.Then, t.Got.Rule, t.Got.Why})
	}
	if o.json {
		err := writeJSON(o.env.Stdout, struct {
			Schema string `json:"schema"`
			OK     bool   `json:"ok"`
			Cases  []try  `json:"cases"`
		}{"rekey.policy/1", wrong == 0, out})
		if err != nil {
			return Exit(ExitFailed, err)
		}
	} else {
		t := tabwriter.NewWriter(o.env.Stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "\tCASE\tWANT\tGOT\tRULE")
		for _, x := range out {
			mark := "ok"
			if !x.OK {
				mark = "FAIL"
			}
			rule := x.Rule
			if rule == "" {
				rule = "-"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", mark, safe(x.Name), safe(x.Want), x.Got, safe(rule))
		}
		t.Flush()
		for _, x := range out {
			if !x.OK {
				fmt.Fprintf(o.env.Stdout, "%s: %s\n", safe(x.Name), safe(x.Why))
			}
		}
		fmt.Fprintf(o.env.Stdout, "policy: %s, %d wrong\n", count(len(out), "case"), wrong)
	}
	if wrong > 0 {
		return Exit(ExitFailed, nil)
	}
	return nil
}
