package rotation

import (
	"fmt"
	"time"
)

// OneSlot: the issuer has one place for the value, such as a user's password, so that no overlap exists. The next value
// lies in a second secret before it is set, and is published when it works. Every step is decided from what the two
// secrets hold and what a sign-in says, so that a crash at any point leaves what the next run goes on from.
const OneSlot Order = 2

// PendingSuffix is the end of the name of the secret that the next value lies in. It is never a version of the secret
// that consumers read, and never deleted.
const PendingSuffix = "--pending"

// Gap bounds how long, in a run that is not cut short, nobody can use what is published: from when the new value is set
// until it is there. It is the sum of what setting, proving and publishing may take.
const Gap = SetFor + ProveFor + PublishFor

// SetFor, ProveFor and PublishFor are its parts.
const (
	SetFor     = time.Minute
	ProveFor   = 2 * time.Minute
	PublishFor = time.Minute
)

// NeedPending and NeedPendingCheck are what a credential with one slot needs besides.
const (
	NeedPending      Need = iota + 101 // read the secret of the next value by name
	NeedPendingCheck                   // probe the next value
)

// Slot is what is known of a credential with one slot, besides its secret.
type Slot struct {
	// Direct says that Pending was read by name in this pass, not taken from a bulk list.
	Direct  bool
	Pending Fact[Secret]
	// Check is whether the next value, read in this pass, works.
	Check Fact[Check]
	// Mine is the generation that this run prepared, and Refused the one that the issuer did not take in this run.
	Mine, Refused Generation
}

// Prepare writes a new value into the second secret. Nothing uses it yet.
type Prepare struct {
	Lifetime    time.Duration
	Compromised bool
}

// Assign makes the next value the one of the issuer, and proves it. Repeating it is harmless.
type Assign struct {
	Generation Generation
	First      bool // the secret that consumers read does not exist yet
}

// Promote publishes the next value, which works.
type Promote struct{ Record Record }

func (Prepare) action() {}
func (Assign) action()  {}
func (Promote) action() {}

// slot is Decide for a credential with one slot. The order of the checks is the policy.
func (d *decider) slot() Decision {
	switch d.spec.Command {
	case Rollback:
		return hold("one-slot", fmt.Sprintf("the password before the present one of %s ended when that was set", d.spec.Name),
			"run rekey rotate, which sets another one")
	case Retire:
		return hold("one-slot", fmt.Sprintf("%s is the only password that there is: it cannot be revoked", d.spec.Name),
			"disable the account at the issuer, and set enabled: false in the manifest or take the credential out of it")
	}
	if dec, ok := d.slotQuiet(); ok {
		return dec
	}
	if !d.obs.Direct {
		return look(NeedDirect, "a bulk read may conclude nothing else")
	}
	if dec, bad := d.unusable(); bad {
		if dec.Code == "foreign-version" {
			dec.Do = "if it holds the present password, say adopt: true; else move it to another secret and delete this one"
		}
		return dec
	}
	if !d.obs.Slot.Direct {
		return look(NeedPending, "whether a new value was prepared")
	}
	if dec, missing := need(d, "the secret "+d.pendingName(), NeedPending, d.obs.Slot.Pending); missing {
		return dec
	}
	pending, dec, bad := d.pending()
	if bad {
		return dec
	}
	if dec, missing := need(d, "the account", NeedIssued, d.obs.Issued); missing {
		return dec
	}
	if d.open(pending) {
		if dec, goesOn := d.goOn(pending); goesOn {
			return dec
		}
	}
	return d.slotConverge()
}

// slotQuiet says whether the vault's list alone shows that nothing is to be done.
func (d *decider) slotQuiet() (Decision, bool) {
	s, p := d.obs.Secret.Value, d.obs.Slot.Pending
	if s.State != Present || !s.Enabled || !p.Known || d.spec.Command != Converge || d.spec.Verify || d.spec.Census || d.obs.Slot.Direct {
		return Decision{}, false
	}
	r, err := ParseRecord(s.Tags[RecordTag])
	next, perr := ParseRecord(p.Value.Tags[RecordTag])
	if err != nil || perr != nil || r.Shape != d.spec.Shape || d.freeTags(s.Tags) < 0 || next.Generation > r.Generation || !d.now.Before(d.spec.DueAt(r)) {
		return Decision{}, false
	}
	if len(d.spec.Consumers) > 0 && d.spec.MayHaveSuperseded(r, s.Created, d.now) {
		return Decision{}, false
	}
	d.record, d.haveRecord = r, true
	return d.current(), true
}

func (d *decider) pendingName() string { return d.spec.Target.String() + PendingSuffix }

// pending is the record of the next value; the zero record if there is none.
func (d *decider) pending() (Record, Decision, bool) {
	s := d.obs.Slot.Pending.Value
	const do = "it is Rekey's own, for the value that comes next"
	switch {
	case s.State == Absent:
		return Record{}, Decision{}, false
	case s.State == SoftDeleted:
		return Record{}, hold("pending-deleted", fmt.Sprintf("secret %s was deleted; %s", d.pendingName(), do), "recover it (az keyvault secret recover): it may hold the account's only password"), true
	case !s.Enabled:
		return Record{}, hold("pending-disabled", fmt.Sprintf("the newest version of %s is disabled; %s", d.pendingName(), do), "enable the version"), true
	}
	r, err := ParseRecord(s.Tags[RecordTag])
	if err != nil {
		return Record{}, hold("pending-foreign", fmt.Sprintf("the newest version of %s was not written by this Rekey; %s", d.pendingName(), do),
			"find out who wrote it; move its value elsewhere and delete the secret, and purge it, so that Rekey can use the name"), true
	}
	return r, Decision{}, false
}

// open says whether a value was prepared that is not published yet, and is to be.
func (d *decider) open(next Record) bool {
	switch {
	case next.Generation == "" || next.Shape != d.spec.Shape || d.obs.Slot.Refused == next.Generation:
		return false // there is none, it is another account's, or the issuer does not take it
	case d.haveRecord && next.Generation <= d.record.Generation:
		return false
	}
	return true
}

// goOn takes a prepared value one step further. Who asks for another one means one that is made after they asked: an
// older one is published if it is the account's already, so that no password is ever in neither secret, and is not set
// otherwise.
func (d *decider) goOn(next Record) (Decision, bool) {
	if dec, missing := need(d, "the prepared value", NeedPendingCheck, d.obs.Slot.Check); missing {
		return dec, true
	}
	d.noteGap()
	if d.obs.Slot.Check.Value.Works {
		next.Compromised = next.Compromised || d.spec.Command == Compromised
		return Decision{Kind: Act, Code: "promote", Why: "the prepared value is set and works", Action: Promote{Record: next}}, true
	}
	if d.spec.Command != Converge && next.Generation != d.obs.Slot.Mine && (d.spec.Asked.IsZero() || !next.Generation.Time().After(d.spec.Asked)) {
		return Decision{}, false
	}
	if !d.clocksAgree() {
		return d.skewed(), true
	}
	return Decision{Kind: Act, Code: "set", Why: "a value was prepared and is not the account's yet",
		Action: Assign{Generation: next.Generation, First: d.obs.Secret.Value.State == Absent}}, true
}

// slotConverge is what happens when nothing was prepared.
func (d *decider) slotConverge() Decision {
	present := d.obs.Secret.Value.State == Present
	if present && !d.haveRecord {
		if dec, missing := need(d, "the current value", NeedCheck, d.obs.Check); missing {
			return dec
		}
	}
	if present && !d.haveRecord {
		if !d.obs.Check.Value.Works {
			return hold("adopt-value", fmt.Sprintf("the value in %s does not work: %s", d.spec.Target, d.obs.Check.Value.Why),
				"put the account's password into the secret; or delete the secret, and whoever still signs in with the present password is cut off when a new one is set")
		}
		return d.prepare("adopt", "the manifest takes the account over, and the value in the store works")
	}
	if d.spec.Command == Compromised && d.haveRecord && !d.spec.Asked.IsZero() && d.record.Generation.Time().After(d.spec.Asked.Add(dateCut)) {
		d.spec.Command = Converge // another run was asked the same, and has done it
	}
	if code, why := d.due(strays{}); code != "" {
		if code == "absent" {
			d.note("cut-off", "the present password is in no secret, so whoever signs in with it is cut off when a new one is set")
		}
		return d.prepare(code, why)
	}
	if d.spec.Verify || d.spec.Census {
		if dec, missing := need(d, "the current value", NeedCheck, d.obs.Check); missing {
			return dec
		}
	}
	if d.obs.Check.Known && !d.obs.Check.Value.Works {
		return d.prepare("dead", "the current value does not work any more: "+d.obs.Check.Value.Why)
	}
	if len(d.spec.Consumers) > 0 {
		if dec, missing := need(d, "the versions of the secret", NeedVersions, d.obs.Versions); missing {
			return dec // what can hold no mark is asked for each publication
		}
		if dec, pending := d.tell(strays{}); pending {
			return dec
		}
	}
	if dec, fails := d.checks(); fails {
		return dec
	}
	return d.current()
}

func (d *decider) prepare(code, why string) Decision {
	if !d.clocksAgree() {
		return d.skewed()
	}
	d.noteGap()
	return Decision{Kind: Act, Code: code, Why: why, Action: Prepare{Lifetime: d.spec.Lifetime, Compromised: d.spec.Command == Compromised}}
}

// noteGap says how long nobody can use what is published.
func (d *decider) noteGap() {
	longest := time.Duration(0)
	for _, c := range d.spec.Consumers {
		longest = max(longest, c.Cache)
	}
	text := fmt.Sprintf("one slot: from when the new value is set until it is published, for %s at most, the published one does not work; if that run is cut short, until the next one has ended", short(Gap))
	if longest > 0 {
		text += fmt.Sprintf("; a consumer may go on using the old one for up to %s", short(longest))
	}
	for _, n := range d.notes {
		if n.Code == "gap" {
			return
		}
	}
	d.note("gap", text)
}
