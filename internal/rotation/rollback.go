package rotation

import (
	"fmt"
	"slices"
	"time"
)

const (
	// firstDelay is how long the next try waits after one that was rolled back; it doubles with each.
	firstDelay = time.Hour
	// longestDelay bounds it, and is what a rollback by hand gives a person to find out why.
	longestDelay = 24 * time.Hour
)

// RolledBack says whether this publication put back what was there before: only such a record makes the next try wait.
func (r Record) RolledBack() bool { return !r.NotBefore.IsZero() }

// NextTry is when the recorded credential is to be replaced: when it is due, but after a rollback not at once.
func (s Spec) NextTry(r Record) time.Time {
	if due := s.DueAt(r); due.After(r.NotBefore) {
		return due
	}
	return r.NotBefore
}

// rolledBack says whether the next try has to wait still.
func (d *decider) rolledBack() bool { return d.record.RolledBack() && d.now.Before(d.record.NotBefore) }

// backsOff says whether a replacement has to wait since the last one was rolled back; what is current is looked after
// meanwhile. What a person asks for does not wait, and what does not work any more has nothing to wait for.
func (d *decider) backsOff(code, why string) bool {
	if !d.haveRecord || !d.rolledBack() || code != "due" && code != "changed" {
		return false
	}
	what := "it was rolled back"
	if n := d.record.Failures; n > 0 {
		what = fmt.Sprintf("%s rolled back", tries(n))
	}
	d.backoff = &Decision{Kind: Wait, Code: "backoff", Until: d.record.NotBefore,
		Why: fmt.Sprintf("rolled back, next try at %s: %s, but %s", stamp(d.record.NotBefore), why, what)}
	return true
}

func tries(n int) string {
	if n == 1 {
		return "one try was"
	}
	return fmt.Sprintf("%d tries were", n)
}

// broken says which consumer does not work with the publication although this run has handed it over, or could not; ""
// for none. One whose state could not be read is unknown, and one that waits for a person is theirs.
func (d *decider) broken() string {
	for i, c := range d.spec.Consumers {
		switch f := d.obs.Consumers[i]; {
		case f.Known && !f.Value.Works:
			return fmt.Sprintf("%s does not work with it: %s", c.ID, f.Value.Why)
		case !f.Known && f.Person == "" && i < len(d.obs.Tried) && d.obs.Tried[i] == d.record.Publication:
			return fmt.Sprintf("%s could not be told: %s", c.ID, f.Failed)
		}
	}
	return ""
}

// deadline says when what does not work is rolled back, for a person who waits; "" if it is not.
func (d *decider) deadline() string {
	at := d.obs.Secret.Value.Created.Add(d.spec.RollbackAfter)
	if d.spec.RollbackAfter <= 0 || d.spec.Order == OneSlot || d.record.RolledBack() || !d.now.Before(at) {
		return ""
	}
	if _, _, lives := d.wayBack(d.formerly()); !lives {
		return ""
	}
	return fmt.Sprintf("; from %s on it is rolled back", stamp(at))
}

// rollBack decides whether what was there before is published again, because a consumer or a check does not work past
// the deadline. That counts from when the store says that the publication was committed. A publication that is itself a
// rollback is never rolled back from: what does not work with either is not mended by it.
func (d *decider) rollBack(why string) (Decision, bool) {
	if d.spec.RollbackAfter <= 0 || d.spec.Order == OneSlot || d.record.RolledBack() || d.now.Before(d.obs.Secret.Value.Created.Add(d.spec.RollbackAfter)) {
		return Decision{}, false
	}
	back, from, lives := d.wayBack(d.formerly())
	if !lives {
		return Decision{}, false
	}
	why = fmt.Sprintf("over %s after it was published, %s", short(d.spec.RollbackAfter), why)
	failures := d.record.Failures + 1
	return d.publishAgain(back, from, why, Restore{Record: Record{Failures: failures, NotBefore: d.now.Add(delay(failures))}}), true
}

// byHand is a rollback that a person asked for.
func (d *decider) byHand() (Decision, bool) {
	const do = "issue another one in its place: rekey rotate"
	switch {
	case !d.haveRecord:
		return hold("no-way-back", "there is no publication to roll back", do), true
	case d.record.RolledBack():
		d.spec.Command = Converge // done already, maybe by a run that crashed since
		return Decision{}, false
	case d.record.Predecessor == "":
		return hold("no-way-back", "there was no credential before the current one", do), true
	case !d.spec.Asked.IsZero() && Generation(d.record.Publication).Time().After(d.spec.Asked.Add(dateCut)):
		return d.since(), true
	}
	back, from, lives := d.wayBack(d.record.Predecessor)
	switch {
	case !lives:
		return hold("no-way-back", fmt.Sprintf("the credential before it, %s, does not live any more", d.record.Predecessor), do), true
	case d.spec.Shown != nil && !slices.Equal(d.spec.Shown, []string{back.ID, d.record.IssuerID}):
		return d.since(), true
	}
	return d.publishAgain(back, from, "asked for", Restore{ByHand: true, Record: Record{Failures: d.record.Failures, NotBefore: d.now.Add(longestDelay)}}), true
}

func (d *decider) since() Decision {
	return hold("issued-since", "another run has published since you were shown what it is rolled back to", "look at rekey plan, and run it again if it is still what you want")
}

// delay is how long the next try waits after so many in a row that were rolled back.
func delay(failures int) time.Duration {
	return min(firstDelay<<min(max(failures, 1)-1, 10), longestDelay)
}

// formerly is the issuer's id of what an automatic rollback goes back to: the predecessor, or where that was rolled
// back from before (a run that raced with the rollback named it), what it was rolled back to.
func (d *decider) formerly() string {
	id := d.record.Predecessor
	for range d.obs.Versions.Value { // each step is another version
		var last Record
		for _, r := range d.obs.Versions.Value {
			if r.RolledBack() && r.Predecessor == id && r.Publication > last.Publication {
				last = r
			}
		}
		if last.IssuerID == "" {
			break
		}
		id = last.IssuerID
	}
	return id
}

// wayBack finds a credential that lives and is not the current one, and the newest record that it was published with;
// an empty one if there is none.
func (d *decider) wayBack(id string) (back Issued, from Record, lives bool) {
	if id == "" || id == d.record.IssuerID {
		return Issued{}, Record{}, false
	}
	for _, r := range d.obs.Versions.Value {
		if r.IssuerID == id && r.Publication > from.Publication {
			from = r
		}
	}
	for _, i := range d.obs.Issued.Value {
		if i.ID == id && (i.To.IsZero() || d.now.Before(i.To)) {
			return i, from, true
		}
	}
	return Issued{}, Record{}, false
}

// publishAgain rolls back, or says why that would do harm.
func (d *decider) publishAgain(back Issued, from Record, why string, act Restore) Decision {
	ends := back.To
	if ends.IsZero() {
		ends = from.Expires
	}
	no := ""
	switch {
	case from.Generation == "":
		no = "no version of the secret says that it holds its value"
	case d.compromised(from):
		no = "it was reported as compromised"
	case !ends.After(d.now.Add(d.spec.Overlap)):
		no = fmt.Sprintf("it ends at %s, within the overlap of %s", stamp(ends), short(d.spec.Overlap))
	case d.obs.Fallback.Known && d.obs.Fallback.Value.Generation == from.Generation && !d.obs.Fallback.Value.Works:
		no = "its value does not work: " + d.obs.Fallback.Value.Why
	}
	if no != "" {
		return hold("no-way-back", fmt.Sprintf("%s; it is not rolled back to %s, for %s; both are kept alive", why, back.ID, no),
			"mend what does not work with the current credential, or issue another one: rekey rotate "+string(d.spec.Name))
	}
	if f := d.obs.Fallback; f.Known && f.Value.Generation != from.Generation {
		d.obs.Fallback = Fact[Fallback]{}
	}
	if dec, missing := need(d, "the value before it", NeedFallback, d.obs.Fallback); missing {
		dec.Of = from.Generation
		return dec
	}
	if !d.clocksAgree() {
		return d.skewed()
	}
	r := &act.Record
	r.Generation, r.IssuerID, r.Shape, r.Expires = from.Generation, from.IssuerID, from.Shape, ends
	r.Predecessor, r.PredecessorExpires = d.record.IssuerID, d.record.Expires
	if last := ends.Add(-d.spec.Overlap); last.Before(r.NotBefore) {
		r.NotBefore = last // it ends soon: another try comes before that
	}
	return Decision{Kind: Act, Code: "rollback", Why: fmt.Sprintf("%s; rolled back to %s, next try at %s", why, back.ID, stamp(r.NotBefore)), Action: act}
}

// compromised says whether a generation must not be used again: one that was replaced as compromised, or is older than
// what replaced it.
func (d *decider) compromised(of Record) bool {
	if d.record.Compromised {
		return true
	}
	for _, r := range d.obs.Versions.Value {
		if r.Compromised && (r.Predecessor == of.IssuerID || of.Generation.Time().Before(r.Generation.Time())) {
			return true
		}
	}
	return false
}
