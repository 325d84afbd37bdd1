package scenario

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const day = 24 * time.Hour

// published takes the scenario to where a first token is in use, and its replacement is due.
func (b *bed) published() {
	b.Helper()
	b.apply().is(report.Done, "current")
	b.pass(4*day + time.Minute)
}

func lost(operation string) sim.Fault      { return fault(operation, sim.DoLost) }
func fault(operation, do string) sim.Fault { return sim.Fault{Operation: operation, Nth: 1, Do: do} }

func late(operation string, by time.Duration) sim.Fault {
	return sim.Fault{Operation: operation, Nth: 1, Do: sim.DoLate, Delay: world.Duration(by)}
}

// onARotation is a disturbance of the run that issues and publishes, and how that run ends. It is played where the
// secret does not exist yet, and where a replacement is due.
type onARotation struct {
	name   string
	faults []sim.Fault
	// what and code are of a replacement.
	what, code  string
	did         []string
	alive       int // stamped tokens that are alive after that run, besides the old one
	newVersions int
}

func TestARotationEndsWellWhateverIsLostOnTheWay(t *testing.T) {
	for _, c := range []onARotation{
		{
			name: "the answer to the create is lost", faults: []sim.Fault{lost("CreatePat")},
			what: report.Waiting, code: "overlap", did: []string{"issue unknown", "revoke", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the answer to the PUT is lost", faults: []sim.Fault{lost("SetSecret")},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
		{
			name: "the create is cut before it arrives", faults: []sim.Fault{fault("CreatePat", sim.DoCut)},
			what: report.Waiting, code: "overlap", did: []string{"issue unknown", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the PUT is cut before it arrives", faults: []sim.Fault{fault("SetSecret", sim.DoCut)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish unknown", "issue", "publish"}, alive: 2, newVersions: 1,
		},
		{
			name: "the PUT is applied 5 s after the client gave up", faults: []sim.Fault{late("SetSecret", 5*time.Second)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
		{
			name: "half of the create's answer comes", faults: []sim.Fault{fault("CreatePat", sim.DoTruncate)},
			what: report.Waiting, code: "overlap", did: []string{"issue unknown", "revoke", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the create's answer is no JSON", faults: []sim.Fault{fault("CreatePat", sim.DoMalform)},
			what: report.Waiting, code: "overlap", did: []string{"issue unknown", "revoke", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "half of the PUT's answer comes", faults: []sim.Fault{fault("SetSecret", sim.DoTruncate)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
		{
			name: "the PUT's answer is no JSON", faults: []sim.Fault{fault("SetSecret", sim.DoMalform)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
		{
			name: "half of the list comes", faults: []sim.Fault{fault("ListPats", sim.DoTruncate)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the list is no JSON", faults: []sim.Fault{fault("ListPats", sim.DoMalform)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "half of the check's answer comes", faults: []sim.Fault{fault("ConnectionData", sim.DoTruncate)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the check's answer is no JSON", faults: []sim.Fault{fault("ConnectionData", sim.DoMalform)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "a sign-in page in place of the list", faults: []sim.Fault{fault("ListPats", sim.DoSignIn)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "a sign-in page in place of the create", faults: []sim.Fault{fault("CreatePat", sim.DoSignIn)},
			what: report.Waiting, code: "overlap", did: []string{"issue unknown", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "a sign-in page in place of the check", faults: []sim.Fault{fault("ConnectionData", sim.DoSignIn)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the read-back is cut", faults: []sim.Fault{{Operation: "GetSecret", Nth: 2, Do: sim.DoCut}},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the list of versions is cut", faults: []sim.Fault{fault("GetSecretVersions", sim.DoCut)},
			what: report.Waiting, code: "overlap", did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "both the create's and the PUT's answers are lost", faults: []sim.Fault{lost("CreatePat"), lost("SetSecret")},
			what: report.Waiting, code: "overlap", did: []string{"issue unknown", "revoke", "issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Run("of a replacement", func(t *testing.T) {
				play(t, func(b *bed) {
					b.published()
					b.disturbed(c, 1)
					b.settle()
				})
			})
			t.Run("of the first issue", func(t *testing.T) {
				play(t, func(b *bed) {
					c := c
					c.what, c.code = report.Done, "current"
					if c.alive == 2 { // what may yet be published is left to the sweep
						c.what, c.code = report.Waiting, "young"
					}
					b.disturbed(c, 0)
					b.settle()
				})
			})
		})
	}
}

func (b *bed) disturbed(c onARotation, old int) {
	b.Helper()
	versions := len(b.versions())
	b.faults(c.faults...)
	b.apply().is(c.what, c.code).did(c.did...)
	if old == 1 {
		b.struck()
	}
	if n := len(b.alive()) - old; n != c.alive {
		b.Errorf("%d new tokens are alive, want %d", n, c.alive)
	}
	if n := len(b.versions()) - versions; n != c.newVersions {
		b.Errorf("%d versions were written, want %d", n, c.newVersions)
	}
}
