package scenario

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	alex   = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
	nobody = "a754c299-db25-410e-b75f-00000000dead"
)

func (b *bed) owns(id string) (owns bool) {
	b.world(func(w *world.World) { owns = slices.Contains(appOf(&w.State, world.AppReporting).Owners, id) })
	return owns
}

func (b *bed) lists(owners string) { b.write(func(s *settings) { s.pat = "owners: [" + owners + "]" }) }

func TestWhoIsListedAsAnOwnerBecomesOneWhenTheSecretIsReplaced(t *testing.T) {
	playSecret(t, nil, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.lists(alex)
		b.apply().did() // a run with nothing to do has no effect
		if b.owns(alex) {
			b.Fatal("made an owner by a run with nothing to do")
		}
		b.pass(4*day + time.Minute)
		plan := b.run("plan")
		if notes := strings.Join(plan.cred().Notes, " "); !strings.Contains(notes, "yet is made its owner: "+alex) {
			b.Errorf("the plan's notes: %q", notes)
		}
		b.apply().is(report.Waiting, "overlap").did("appoint", "issue", "publish")
		if !b.owns(alex) || !b.owns(rekeySP) {
			b.Error("not made an owner, or somebody else is none any more")
		}
		b.settle()
		b.pass(2 * day)
		b.apply().did("issue", "publish") // once
	})
}

func TestAnOwnerWhoCannotBeMadeOneStopsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		owners string
		faults []sim.Fault
		change func(*world.State)
		did    []string
		owns   bool
		note   string
	}{
		"somebody who is not there does not keep the others away": {owners: nobody + ", " + alex, did: []string{"appoint", "issue", "publish"}, owns: true, note: "a user or a service principal of this tenant"},
		"Rekey may not read the directory": {owners: nobody + ", " + alex, change: func(s *world.State) { s.Knobs.Graph.OwnersNeedDirectory = true },
			did: []string{"issue", "publish"}, note: "Directory.Read.All"},
		"the answer is lost":              {owners: alex, faults: []sim.Fault{lost("AddOwner")}, did: []string{"appoint unknown", "appoint", "issue", "publish"}, owns: true},
		"it is lost again":                {owners: alex, faults: []sim.Fault{{Operation: "AddOwner", Nth: 1, Times: 2, Do: sim.DoCut}}, did: []string{"appoint unknown", "appoint unknown", "issue", "publish"}, note: "the next replacement tries again"},
		"Microsoft Graph hangs for hours": {owners: alex, faults: []sim.Fault{{Operation: "AddOwner", Nth: 1, Times: 2, Do: sim.DoDelay, Delay: world.Duration(day)}}, did: []string{"appoint unknown", "issue", "publish"}, note: "the next replacement tries again"},
	} {
		t.Run(name, func(t *testing.T) {
			playSecret(t, c.change, func(b *bed) {
				b.published()
				b.lists(c.owners)
				b.faults(c.faults...)
				o := b.apply().is(report.Waiting, "overlap").did(c.did...)
				if notes := strings.Join(o.cred().Notes, " "); !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "owner") {
					b.Errorf("notes %q", notes)
				}
				if b.owns(alex) != c.owns {
					b.Errorf("alex is an owner: %t", b.owns(alex))
				}
				b.settle()
			})
		})
	}
}
