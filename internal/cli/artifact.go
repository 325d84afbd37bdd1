package cli

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
)

// evidence is what a person asks to be kept of a run.
type evidence struct{ dir string }

// evidenceFlags are those of every command that has effects.
func (o *options) evidenceFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.evidence.dir, "artifact", "", "write the evidence of this run into this folder, as one JSON file")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why: for whoever approves it or gives a role, and for the artefact")
	cmd.Flags().StringVar(&o.ticket, "ticket", "", "the ticket that this belongs to, likewise")
}

// maxReason and maxTicket are in characters.
const (
	maxReason = 500
	maxTicket = 100
)

func (o *options) checkWords() error {
	switch {
	case !oneLine(o.reason, maxReason):
		return Exit(ExitUsage, fmt.Errorf("--reason must be one line of at most %d characters", maxReason))
	case !oneLine(o.ticket, maxTicket):
		return Exit(ExitUsage, fmt.Errorf("--ticket must be one line of at most %d characters", maxTicket))
	}
	return nil
}

func oneLine(s string, most int) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most
}

// witness is the evidence of one run, as it comes.
type witness struct {
	evidence
	file    *artifact.File
	started time.Time

	log     ledger.Log
	mu      sync.Mutex
	entries []ledger.Entry
}

// begin opens the artefact, if one is asked for, and hears the run's entries from then on.
func (e evidence) begin(cfg *engine.Config) (*witness, error) {
	if e.dir == "" {
		return nil, nil
	}
	f, err := artifact.Create(e.dir)
	if err != nil {
		return nil, Exit(ExitFailed, fmt.Errorf("nothing is done, since its evidence could not be kept: %w", err))
	}
	w := &witness{evidence: e, file: f, started: time.Now(), log: cfg.Ledger}
	cfg.Ledger = w
	return w, nil
}

// Append implements ledger.Log.
func (w *witness) Append(e ledger.Entry) error {
	if err := w.log.Append(e); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
	return nil
}

// ran is a run that has ended.
type ran struct {
	engine  *engine.Engine
	results []engine.Result
	doc     report.Run
	// outcome is the artefact's word for how it ended, where that is not what became of credentials; program is what was
	// run.
	outcome string
	program *artifact.Program
}

// state records the digest of what is said of the run, and gives what is to be written once a checkpoint covers that.
func (w *witness) state(ctx context.Context, a *app.App, r ran, o *options) (out artifact.Artifact, err error) {
	s := artifact.Of(r.doc, r.results, w.entries)
	s.Version, s.Why = o.env.Version, artifact.Why{Reason: o.reason, Ticket: o.ticket}
	s.Environment = artifact.Surroundings(o.env.Getenv)
	i := a.Identity()
	s.Who = artifact.Who{Identity: i.Kind, Verified: i.Verified, ClientID: i.ClientID, ObjectID: i.ObjectID, Tenant: i.Tenant}
	s.StartedAt, s.CompletedAt = w.started.UTC(), time.Now().UTC()
	s.Outcome = cmp.Or(r.outcome, artifact.Outcome(r.doc, ctx.Err() != nil))
	s.Requests, s.Program = append(s.Requests, a.Approved()...), r.program
	out = artifact.Artifact{Schema: artifact.Version, Ledger: artifact.Ledger{Entries: []ledger.Placed{}}}
	var digest string
	if out.Statement, digest, err = s.Encode(); err != nil || len(w.entries) == 0 {
		return out, err // a run with nothing to do writes nothing
	}
	at := latest(r.results)
	if at.IsZero() {
		at = s.CompletedAt
	}
	if err := r.engine.Attest(at, artifact.Name(s.Run), digest); err != nil {
		out.Ledger.Problem = err.Error()
	}
	return out, nil
}

// write adds the run's entries with their proofs, and puts the artefact in its place.
func (w *witness) write(run string, a artifact.Artifact, l *ledger.Ledger, c ledger.Checkpoint, covered error) error {
	var err error
	if l != nil {
		a.Ledger.Durable = true
	}
	if l != nil && covered == nil && len(w.entries) > 0 {
		a.Ledger.Checkpoint = c.Note
		a.Ledger.Entries, err = l.Segment(run, c)
	}
	if err = cmp.Or(covered, err); err != nil {
		a.Ledger.Checkpoint, a.Ledger.Entries, a.Ledger.Problem = "", []ledger.Placed{}, cmp.Or(a.Ledger.Problem, err.Error())
	}
	if a.Ledger.Checkpoint == "" {
		for _, e := range w.entries {
			p, err := ledger.Place(e)
			if err != nil {
				return err
			}
			a.Ledger.Entries = append(a.Ledger.Entries, p)
		}
	}
	return w.file.Write(run, a)
}
