package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/approval"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// atDesk gives a command that a person says at their own machine a way to the requests from there.
func (o *options) atDesk(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.az, "az", false, "reach the requests as whom az is signed in as, in place of the manifest's identity")
}

// desk is where the manifest's approvals are.
func (o *options) desk() (*app.App, *approval.Desk, error) {
	m, problems, err := o.manifest()
	if err != nil {
		return nil, nil, err
	}
	if m != nil && o.az {
		m.Identity = manifest.Identity{AzureCLI: &manifest.AzureCLI{}}
	}
	a, err := o.start(m, problems)
	if err != nil {
		return nil, nil, err
	}
	d, err := a.Desk()
	if errors.Is(err, app.ErrNoApproval) {
		return nil, nil, Exit(ExitUsage, err)
	}
	if err != nil {
		return nil, nil, Exit(ExitFailed, err)
	}
	return a, d, nil
}

func (o *options) approvalsCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "approvals", Short: "list what waits for a person's approval",
		Long: `Approvals lists the requests that runs have written because the manifest's approval rules say to ask a person. --all
lists those that were decided or have expired too. Each decision is verified as a run verifies it.`,
		Example: example("rekey approvals", "rekey approvals --all --json"),
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, d, err := o.desk()
			if err != nil {
				return err
			}
			list, err := d.List(cmd.Context())
			if err != nil {
				return Exit(ExitFailed, err)
			}
			return o.showApprovals(list, all)
		},
	}
	o.atDesk(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "list those that do not wait any more too")
	return cmd
}

// approvalEntry is a request in the document.
type approvalEntry struct {
	ID          string    `json:"id"`
	State       string    `json:"state"`
	Why         string    `json:"why,omitempty"`
	Asked       time.Time `json:"asked"`
	Expires     time.Time `json:"expires"`
	Rule        string    `json:"rule,omitempty"`
	Hash        string    `json:"hash"`
	Credentials []string  `json:"credentials"`
	Kinds       []string  `json:"kinds"`
	Scope       string    `json:"scope,omitempty"`
	Role        string    `json:"role,omitempty"`
	Requester   string    `json:"requester,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Ticket      string    `json:"ticket,omitempty"`
	By          string    `json:"by,omitempty"`
	Said        string    `json:"said,omitempty"`
}

func (o *options) showApprovals(list []approval.Entry, all bool) error {
	entries := []approvalEntry{}
	for _, e := range list {
		if !all && e.State != approval.Waiting && e.State != approval.Refused {
			continue
		}
		i := e.Means()
		x := approvalEntry{ID: e.ID, State: e.State, Why: e.Why, Asked: e.Asked.Asked, Expires: e.Expires, Rule: e.Rule, Hash: e.Hash, Credentials: i.Credentials, Kinds: i.Kinds,
			Scope: i.Scope, Role: i.Role, Requester: e.Asked.By.Who, Reason: e.Reason, Ticket: e.Ticket}
		if e.By != nil {
			x.By, x.Said = e.By.By, e.By.Reason
		}
		entries = append(entries, x)
	}
	if o.json {
		err := writeJSON(o.env.Stdout, struct {
			Schema    string          `json:"schema"`
			Approvals []approvalEntry `json:"approvals"`
		}{"rekey.approvals/1", entries})
		if err != nil {
			return Exit(ExitFailed, err)
		}
		return nil
	}
	if len(entries) == 0 {
		fmt.Fprintln(o.env.Stdout, "nothing waits for approval")
		return nil
	}
	t := tabwriter.NewWriter(o.env.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "REQUEST\tSTATE\tUNTIL\tWHAT\tASKED BY")
	for _, e := range entries {
		state := e.State
		if e.By != "" {
			state += " by " + e.By
		}
		who := e.Requester
		if who == "" {
			who = "nobody verified"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", safe(e.ID), safe(state), when(e.Expires, time.Time{}), safe(approval.Intent{Kinds: e.Kinds, Credentials: e.Credentials, Role: e.Role}.What()), safe(who))
	}
	t.Flush()
	for _, e := range entries {
		if e.Why != "" {
			fmt.Fprintf(o.env.Stdout, "%s: what lies there as its decision does not count: %s\n", safe(e.ID), safe(e.Why))
		}
	}
	return nil
}

func (o *options) approveCommand() *cobra.Command {
	return o.deciding("approve", approval.Approve, "approve a request, signed in as yourself",
		`Approve shows what a request asks for, has you sign in in a browser, and keeps the ID token that you signed in with
as your decision: it is bound to this request, your reason and the request's end, and every run verifies it. You need one
of the roles or groups that the manifest names under approval.approvers, and cannot approve what you asked for yourself.`)
}

func (o *options) denyCommand() *cobra.Command {
	return o.deciding("deny", approval.Reject, "deny a request, signed in as yourself",
		`Deny is approve with the other word: runs that ask for the same are told who denied it and why, until the request ends.`)
}

func (o *options) deciding(name, word, short, long string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: name + " ID --reason TEXT", Short: short, Long: long,
		Example: example("rekey approvals", "rekey "+name+" 3f9a1c20-k7m2p4qx --reason 'change 4711'"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s needs the id of the one request to decide on, as rekey approvals lists it", name)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return Exit(ExitUsage, fmt.Errorf("%s needs --reason TEXT: whoever asked is told, and it is kept", name))
			}
			a, d, err := o.desk()
			if err != nil {
				return err
			}
			return o.decide(cmd.Context(), a, d, args[0], word, reason)
		},
	}
	o.atDesk(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is kept with the decision")
	return cmd
}

func (o *options) decide(ctx context.Context, a *app.App, d *approval.Desk, id, word, reason string) error {
	asked, err := d.Find(ctx, id)
	if err != nil {
		return Exit(ExitFailed, err)
	}
	fmt.Fprintf(o.env.Stderr, "Request %s:\n", asked.ID)
	for line := range strings.Lines(asked.Text()) {
		fmt.Fprintf(o.env.Stderr, "  %s\n", safe(strings.TrimSuffix(line, "\n")))
	}
	if o.digest != asked.Means().Manifest {
		fmt.Fprintf(o.env.Stderr, "note: it was asked for with another manifest than %s\n", safe(o.file))
	}
	by, err := a.DecideOn(ctx, asked, word, reason, func(address string) error { return o.browse(a.Manifest(), address) })
	if err != nil {
		return failure(err)
	}
	past := map[string]string{approval.Approve: "approved", approval.Reject: "denied"}[word]
	if o.json {
		err := writeJSON(o.env.Stdout, map[string]string{"schema": "rekey.decision/1", "id": asked.ID, "decision": past, "by": by.By, "reason": by.Reason})
		if err != nil {
			return Exit(ExitFailed, err)
		}
		return nil
	}
	fmt.Fprintf(o.env.Stdout, "request %s is %s by %s\n", asked.ID, past, safe(by.By))
	return nil
}
