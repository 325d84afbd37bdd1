package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/leak"
	"github.com/rekeyhq/rekey/sim/world"
)

// window is the manifest's sweep window.
const window = time.Hour

// always is what holds at the end of every scenario.
func (b *bed) always() {
	b.Helper()
	for _, g := range b.consumer.unexcused() {
		b.Errorf("a gap at %s: the consumer %s", g.at.Format("01-02 15:04:05"), g.why)
	}
	b.nothingOfOthersChanged()
	b.theLedgerIsWhole()
	b.theArtifactsFit()
	b.theVaultIsAWitness()
	b.nothingLeaked()
}

// settle runs the product until it has nothing left to do, and a day later once more; then the world must have
// converged, and a last run must write nothing.
func (b *bed) settle() {
	b.Helper()
	b.sim.ClearFaults()
	// One run a day asks the issuer each time, and is as much as four a day of which one does.
	b.write(func(s *settings) { s.schedule = "24h" })
	for n := 0; ; n++ {
		o := b.apply()
		if o.code != cli.ExitDone || n == 12 {
			b.Errorf("faults are gone, and still: %v\nstderr:\n%s", o, o.err)
			return
		}
		c := o.cred()
		if c.Outcome == report.Done {
			break
		}
		b.passUntil(c.Next)
	}
	b.pass(day)
	b.apply().is(report.Done, "current")
	b.converged()
	b.idle()
	if why := b.consumer.works(); why != "" {
		b.Errorf("at the end the consumer %s", why)
	}
}

// converged fails the test if anything stamped for the secret is alive that should not be, or if what the vault holds
// is not what its record says.
func (b *bed) converged() {
	b.Helper()
	now, r, newest := b.now(), b.record(), b.newest()
	published := map[string]bool{}
	for _, v := range b.versions() {
		if old, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil {
			published[old.IssuerID] = true
		}
	}
	current := b.pat(r.IssuerID)
	switch {
	case newest.Value != current.Token:
		b.Errorf("the vault's newest value is not the token that its record names")
	case newest.Disabled:
		b.Error("the newest version is disabled")
	case !current.Revoked.IsZero() || !now.Before(current.ValidTo):
		b.Errorf("the published token %s is dead", r.IssuerID)
	}
	if d := current.ValidTo.Sub(r.Expires).Abs(); d > time.Minute {
		b.Errorf("the record says %v, the issuer %v", r.Expires, current.ValidTo)
	}
	for _, p := range b.alive() {
		switch age := now.Sub(p.ValidFrom); {
		case p.AuthorizationID == r.IssuerID, published[p.AuthorizationID] && now.Before(r.RevokeAfter), !published[p.AuthorizationID] && age < window:
		default:
			b.Errorf("%s (%s) is alive: %s old, published %v", p.AuthorizationID, p.Name, age, published[p.AuthorizationID])
		}
	}
}

// idle fails the test if a run at rest writes anything to Azure, or changes the ledger.
func (b *bed) idle() {
	b.Helper()
	before, calls := b.entries(), len(b.sim.Requests())
	b.apply()
	for _, c := range b.sim.Requests()[calls:] {
		if c.Service != "entra" && c.Method != "GET" && c.Operation != "TestServiceEndpoint" {
			b.Errorf("a run with nothing to do called %s", c.Operation)
		}
	}
	if after := b.entries(); len(after) != len(before) {
		b.Errorf("a run with nothing to do wrote %d ledger entries", len(after)-len(before))
	}
}

func (b *bed) nothingOfOthersChanged() {
	b.Helper()
	for _, p := range b.pats() {
		was, ok := b.bystanders[p.AuthorizationID]
		if ok && was != p {
			b.Errorf("%s (%s) is none of this secret's, and was changed", p.AuthorizationID, was.Name)
		}
		delete(b.bystanders, p.AuthorizationID)
	}
	for id := range b.bystanders {
		b.Errorf("%s has gone", id)
	}
}

// entries are the ledger's, of all effects and their ends.
func (b *bed) entries() []ledger.Entry {
	b.Helper()
	return slices.DeleteFunc(b.recorded(), func(e ledger.Entry) bool { return e.Effect == artifact.Attested || e.Phase == ledger.Recovered })
}

// recorded are all of the ledger's entries.
func (b *bed) recorded() (out []ledger.Entry) {
	b.Helper()
	raw, err := os.ReadFile(b.ledger())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Buffer(nil, 64<<20); lines.Scan(); {
		var e ledger.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			b.Errorf("the ledger has a line that is no entry: %v", err)
			continue
		}
		out = append(out, e)
	}
	return out
}

// theLedgerIsWhole fails the test unless every effect was intended before it was done, and has an end. Then it compares
// the ledger with the request log: nothing was done that no entry intends, and nothing is said to be done that was not.
func (b *bed) theLedgerIsWhole() {
	b.Helper()
	open := map[string]ledger.Entry{} // by run
	intended, done := map[string]int{}, map[string]int{}
	seq, unknown := map[string]int{}, map[string]bool{}
	for _, e := range b.recorded() {
		if e.Effect == artifact.Attested && e.Seq == seq[e.Run]+1 && e.Digest != "" {
			seq[e.Run] = e.Seq
			continue
		}
		if e.Phase == ledger.Recovered && e.Seq == seq[e.Run]+1 && unknown[e.Run+e.Effect+e.Target] {
			seq[e.Run] = e.Seq
			continue
		}
		ofRole := e.Effect == "elevate" || e.Effect == "release"
		if e.Schema != ledger.Schema || e.Run == "" || (e.Credential != credential) != ofRole || e.Target == "" || e.Seq != seq[e.Run]+1 {
			b.Errorf("a malformed entry, or one out of order: %+v", e)
		}
		seq[e.Run] = e.Seq
		of := e.Run
		if ofRole { // which may be taken in the middle of another effect
			of += " role"
		}
		was, isOpen := open[of]
		if e.Phase == ledger.Intended {
			if isOpen {
				b.Errorf("%s %s has no end in the ledger", was.Effect, was.Target)
			}
			open[of] = e
			intended[write(e.Effect)]++
			continue
		}
		if !isOpen || was.Effect != e.Effect || was.Target != e.Target {
			b.Errorf("%s %s ended (%s) and was not intended", e.Effect, e.Target, e.Phase)
		}
		delete(open, of)
		switch e.Phase {
		case ledger.Done:
			done[write(e.Effect)]++
		case ledger.Unknown:
			unknown[e.Run+e.Effect+e.Target] = true
		case ledger.Failed:
			if e.Error == "" {
				b.Errorf("%s %s failed and does not say why", e.Effect, e.Target)
			}
		default:
			b.Errorf("an entry of phase %q", e.Phase)
		}
	}
	if len(open) > b.killed {
		b.Errorf("%d effects have no end in the ledger, and only %d runs were killed: %v", len(open), b.killed, open)
	}
	applied := map[string]int{}
	for _, c := range b.sim.Requests() {
		of := map[string]string{"CreatePat": "issue", "UpdatePat": "extend", "RevokePat": "revoke", "SetSecret": "publish",
			"AddPassword": "issue", "RemovePassword": "revoke", "AddOwner": "appoint",
			"AddKey": "issue", "RemoveKey": "revoke", "UpdateApplication": "list",
			"UpdateServiceEndpoint": "tell", "UpdateVariableGroup": "tell",
			"CreateJob": "tell", "UpdateVariable": "tell", "UpdateCredential": "tell", "PutConnection": "tell", "RefreshKeyVaultReferences": "tell"}[c.Operation]
		if of == "publish" && strings.Contains(c.Path, "/"+copySecret) {
			of = "tell"
		}
		if of == "" || c.Status < 200 || c.Status > 299 || c.Status == 203 || of == "publish" && !strings.HasSuffix(c.Path, "/"+secretName) {
			continue
		}
		applied[of]++
	}
	for _, effect := range []string{"issue", "extend", "revoke", "publish", "tell", "appoint"} {
		if applied[effect] > intended[effect] {
			b.Errorf("%s was done %d times and intended %d times", effect, applied[effect], intended[effect])
		}
		if effect == "tell" && strings.Contains(b.manifest.more, "runbook:") {
			continue // a job that is there already is waited for, and not started
		}
		already := effect == "revoke" || effect == "appoint" || effect == "tell" && b.heldAlready // what is gone already counts as revoked
		if !already && done[effect] > applied[effect]+applied["list"] {                           // a list of certificates is either
			b.Errorf("the ledger says that %s was done %d times, and it was done %d times", effect, done[effect], applied[effect])
		}
	}
}

// write is what an effect does at the service: a rollback is a publication too.
func write(effect string) string {
	if effect == "rollback" {
		return "publish"
	}
	return effect
}

// nothingLeaked searches all that the product printed or kept for every secret that the world ever knew.
func (b *bed) nothingLeaked() {
	b.Helper()
	var secrets []string
	b.world(func(w *world.World) { secrets = w.Secrets() })
	secrets = append(secrets, world.Canary)
	if len(secrets) < 5 || !slices.Contains(secrets, secretRekey) {
		b.Fatalf("the search knows only %d secrets", len(secrets))
	}
	kept, err := os.ReadFile(b.ledger())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.Error(err)
	}
	b.mu.Lock()
	text := strings.Join(b.outputs, "\n") + string(kept)
	b.mu.Unlock()
	for _, raw := range b.artifacts() {
		text += "\n" + string(raw)
	}
	for _, f := range leak.Search(text, secrets) {
		b.Errorf("an output holds a secret: %v: %s", f, redactedLine(text, f.Line))
	}
}

// redactedLine is the beginning of a line, which says where the leak is and not what leaked.
func redactedLine(text string, n int) string {
	line := strings.Split(text, "\n")[n-1]
	return line[:min(len(line), 60)] + "..."
}
