package rotation

import (
	"fmt"
	"strconv"
	"time"
)

// maxSkew is how far the issuer's and the store's clocks may be apart when something irreversible is done.
const maxSkew = 5 * time.Minute

// retryAfter is when an unknown fact is looked at again if nobody said better.
const retryAfter = time.Minute

// Decide says what is to be done next about one credential. now is one value for the pass: the issuer's date if the
// issuer was asked, else the store's.
//
// The order of the checks is the policy; read it from top to bottom.
func Decide(spec Spec, obs Observation, now time.Time) Decision {
	d := newDecider(spec, obs, now)
	out := d.decide()
	out.Notes = append(out.Notes, d.notes...)
	return out
}

type decider struct {
	spec  Spec
	hash  string // of the target
	obs   Observation
	now   time.Time
	notes []Note

	record     Record
	haveRecord bool
	// backoff is why a replacement that is due has to wait; nil if none has.
	backoff *Decision
}

func newDecider(spec Spec, obs Observation, now time.Time) decider {
	return decider{spec: spec, hash: spec.Target.Hash(), obs: obs, now: now}
}

func (d *decider) decide() Decision {
	if !d.spec.Enabled && d.spec.Command != Retire {
		return Decision{Kind: Done, Code: "disabled", Why: "disabled in the manifest"}
	}
	if dec, own := d.own(); own {
		return dec
	}
	if !d.obs.Secret.Known {
		if !d.obs.Direct && d.obs.Secret.Failed == "" {
			return look(NeedDirect, "the secret was not looked at yet")
		}
		return unknown(d, "the secret could not be read", d.obs.Secret)
	}
	if d.spec.Order == OneSlot {
		return d.slot()
	}
	if !d.obs.Direct {
		if dec, ok := d.quiet(); ok {
			return dec
		}
		return look(NeedDirect, "the lists do not show that there is nothing to do")
	}
	if d.spec.Command == Retire && d.obs.Secret.Value.State != SoftDeleted {
		return d.retire()
	}
	if hold, bad := d.unusable(); bad {
		return hold
	}
	return d.converge()
}

// own ends a generation that this run issued and did not publish. It comes before everything else, because nobody
// else can know of it, and even where a Hold follows.
func (d *decider) own() (Decision, bool) {
	a := d.obs.Attempt
	if a == nil || a.Generation == "" || d.unpublished(a) {
		return Decision{}, false
	}
	if a.PutSent {
		// Its answer was lost, so it may yet be committed: it is left to the sweep. Issuing another one right away
		// would be safe, but the likely end is that the PUT shows up.
		until := a.PutAt.Add(retryAfter)
		if !d.obs.Direct {
			return look(NeedDirect, "whether the publication whose answer was lost was committed"), true
		}
		if r, err := ParseRecord(d.obs.Secret.Value.Tags[RecordTag]); err == nil && r.Generation == a.Generation || !d.now.Before(until) {
			return Decision{}, false
		}
		return Decision{Kind: Wait, Code: "put-unknown", Until: until,
			Why: "the answer to the publication was lost and it is not there yet; it is not repeated, but looked for again"}, true
	}
	const reason = "this run issued it and did not publish it"
	if a.IssuerID != "" {
		return d.revoke(Issued{ID: a.IssuerID, Name: Stamp{d.spec.Name, d.hash, a.Generation}.String()}, reason), true
	}
	if dec, missing := need(d, "what became of the issue whose answer was lost", NeedIssued, d.obs.Issued); missing {
		return dec, true
	}
	for _, i := range d.obs.Issued.Value {
		if s, ok := ParseStamp(i.Name); ok && s.Generation == a.Generation && d.forUs(s) {
			return d.revoke(i, reason), true
		}
	}
	return Decision{}, false
}

// quiet says whether lists alone (the vault's, and the issuer's where it was asked) show that nothing is to be done
// now. A list can conclude nothing else.
func (d *decider) quiet() (Decision, bool) {
	s := d.obs.Secret.Value
	if s.State != Present || !s.Enabled || d.spec.Command != Converge || d.spec.Verify || d.obs.Attempt != nil {
		return Decision{}, false
	}
	r, err := ParseRecord(s.Tags[RecordTag])
	if err != nil || r.Shape != d.spec.Shape || d.freeTags(s.Tags) < 0 {
		return Decision{}, false
	}
	if !d.now.Before(d.spec.DueAt(r)) || !d.spec.OverlapFits(r.Life()) {
		return Decision{}, false
	}
	d.record, d.haveRecord = r, true
	open := d.spec.MayHaveSuperseded(r, s.Created, d.now)
	if (open || d.spec.Census) && len(d.spec.Consumers)+len(d.spec.Checks) > 0 {
		return Decision{}, false
	}
	revokeAt := d.spec.RevokeAt(r, s.Created)
	inOverlap := d.now.Before(revokeAt) && r.Predecessor != ""
	if open || d.spec.Census {
		if dec, missing := need(d, "the issuer's list", NeedIssued, d.obs.Issued); missing {
			dec.Open = r.Predecessor != "" && !inOverlap && d.now.Before(r.PredecessorExpires)
			return dec, true
		}
		seen := false
		for _, i := range d.obs.Issued.Value {
			st, stamped := ParseStamp(i.Name)
			switch {
			case i.ID == r.IssuerID:
				seen = i.Shape == "" || i.Shape == r.Shape
				seen = seen && i.To.Sub(r.Expires).Abs() <= rounding
			case i.ID == r.Predecessor && !inOverlap && d.ours(i):
				return Decision{}, false
			case i.ID == r.Predecessor:
				if !inOverlap {
					d.noteKept(i)
				}
			case stamped && d.forUs(st) && d.now.Sub(bornAt(i, st)) >= d.spec.SweepWindow:
				return Decision{}, false
			}
		}
		if !seen {
			return Decision{}, false
		}
	}
	d.noteClamp()
	if inOverlap {
		return d.waitForOverlap(revokeAt), true
	}
	return d.current(), true
}

func (d *decider) waitForOverlap(revokeAt time.Time) Decision {
	until := revokeAt
	if due := d.spec.NextTry(d.record); due.Before(until) {
		until = due // a short life can end before the overlap with what was there before
	}
	why := fmt.Sprintf("the old credential lives beside the new one until %s, then it is revoked", stamp(revokeAt))
	if d.rolledBack() {
		why = fmt.Sprintf("rolled back, next try at %s; what was rolled back from lives until %s, then it is revoked", stamp(d.spec.NextTry(d.record)), stamp(revokeAt))
	}
	return Decision{Kind: Wait, Code: "overlap", Until: until, Why: why}
}

func (d *decider) current() Decision {
	next := d.spec.NextTry(d.record)
	why := fmt.Sprintf("valid until %s, replaced from %s on", stamp(d.record.Expires), stamp(next))
	if d.rolledBack() {
		why = fmt.Sprintf("rolled back, next try at %s; valid until %s", stamp(next), stamp(d.record.Expires))
	}
	return Decision{Kind: Done, Code: "current", Until: next, Why: why}
}

// unusable is every reason to stop before anything is looked at further, let alone issued. It also reads the record.
func (d *decider) unusable() (Decision, bool) {
	s := d.obs.Secret.Value
	switch s.State {
	case SoftDeleted:
		return hold("soft-deleted", fmt.Sprintf("secret %s was deleted and can be recovered; its name cannot be used", d.spec.Target),
			"recover the secret (az keyvault secret recover), or purge it if it was meant to go, or name another secret in the manifest"), true
	case Absent:
		return d.fullTags(s.Tags)
	}
	if !s.Enabled {
		return hold("disabled-version", fmt.Sprintf("the newest version of %s is disabled, so nobody can read it", d.spec.Target),
			"enable the version, or find out who disabled it and why; set enabled: false if the credential is to rest"), true
	}
	if hold, full := d.fullTags(s.Tags); full {
		return hold, true
	}
	tag, ok := s.Tags[RecordTag]
	if !ok {
		if d.spec.Adopt.Wanted() {
			return Decision{}, false
		}
		return hold("foreign-version", fmt.Sprintf("the newest version of %s was not written by Rekey: a person, Terraform or another tool wrote it, or removed the tag %q", d.spec.Target, RecordTag),
			"name the credential whose value it holds under adopt, by its id, even if it is the one that Rekey published (the ledger has the ids); or move the value to another secret and delete this one. Do not copy the tag of another version: it names another credential"), true
	}
	r, err := ParseRecord(tag)
	if err != nil {
		return hold("unreadable-record", fmt.Sprintf("secret %s: %v", d.spec.Target, err),
			"use the Rekey that wrote it; or remove the tag, and name the credential whose value it holds under adopt, by its id"), true
	}
	d.record, d.haveRecord = r, true
	return Decision{}, false
}

func (d *decider) fullTags(tags map[string]string) (Decision, bool) {
	if d.freeTags(tags) >= 0 {
		return Decision{}, false
	}
	return hold("no-free-tag", fmt.Sprintf("secret %s has no free tag of the %d for the record", d.spec.Target, MaxTags),
		"remove a tag from the secret, or from the credential's tags in the manifest"), true
}

// freeTags is how many tags are left after the foreign ones, the manifest's and the record.
func (d *decider) freeTags(tags map[string]string) int {
	n := 1 // the record
	for name := range tags {
		if name != RecordTag {
			n++
		}
	}
	for _, name := range d.spec.TagNames {
		if _, there := tags[name]; !there {
			n++
		}
	}
	return MaxTags - n
}

// converge is what happens once the secret was read directly and can be worked with.
func (d *decider) converge() Decision {
	if d.spec.Verify && d.haveRecord {
		if dec, missing := need(d, "the current value", NeedCheck, d.obs.Check); missing {
			return dec
		}
	}
	// From here on it must be known what is alive at the issuer and which generations ever were published, read in
	// this pass: strays are swept before anything new is issued.
	if dec, missing := d.needAll(); missing {
		return dec
	}
	strays := d.classify()
	if len(strays.orphans) > 0 && d.clocksAgree() && !d.copied() {
		return d.revoke(strays.orphans[0], fmt.Sprintf("orphan: stamped for this secret, in no version's record, older than %s", short(d.spec.SweepWindow)))
	}
	d.noteStrays(strays)
	if !d.haveRecord && d.obs.Secret.Value.State == Present {
		return d.adopt()
	}
	if d.obs.Secret.Value.State == Absent && len(d.adoptees()) > 1 {
		return d.ambiguous()
	}
	if d.spec.Command == Compromised && d.haveRecord && !d.spec.Asked.IsZero() && d.record.Generation.Time().After(d.spec.Asked.Add(dateCut)) {
		if !d.record.Compromised {
			return hold("issued-since", fmt.Sprintf("another run has issued the current credential since you asked, and the one before it lives until %s", stamp(d.revokeAt(Issued{ID: d.record.Predecessor}))),
				"if what was reported is the one before, revoke it at the issuer; if the current one has to go as well, run it again")
		}
		d.spec.Command = Converge // another run was asked the same, and has done it
	}
	if d.spec.Command == Rollback {
		if dec, decided := d.byHand(); decided {
			return dec
		}
	}
	if code, why := d.due(strays); code != "" && !d.backsOff(code, why) {
		return d.replace(code, why, strays)
	}
	if d.spec.Verify || strays.current == nil {
		// Missing from the issuer's list is unknown until a direct look says gone: probe the value itself.
		if dec, missing := need(d, "the current value", NeedCheck, d.obs.Check); missing {
			return dec
		}
		if !d.obs.Check.Value.Works {
			return d.replace("dead", "the current value does not work any more: "+d.obs.Check.Value.Why, strays)
		}
		if strays.current == nil {
			d.note("not-listed", "the issuer does not list the current credential, but its value works")
		}
	}
	if moved, ok := d.movedDate(strays); ok {
		return moved
	}
	return d.finish(strays)
}

// finish is the part after a current publication stands: consumers, then the end of what it superseded.
func (d *decider) finish(strays strays) Decision {
	if len(d.spec.Consumers) > 0 {
		if dec, pending := d.tell(strays); pending {
			return dec
		}
		if dec, cached := d.waitForCaches(strays); cached {
			return dec
		}
	}
	if dec, fails := d.checks(); fails {
		return dec
	}
	if len(strays.superseded) > 0 {
		next, revokeAt := d.nextToEnd(strays.superseded)
		if d.now.Before(revokeAt) {
			return d.waitForOverlap(revokeAt)
		}
		if dec, missing := need(d, "the current value", NeedCheck, d.obs.Check); missing {
			return dec
		}
		if !d.obs.Check.Value.Works {
			return d.replace("dead", "the current value does not work any more: "+d.obs.Check.Value.Why, strays)
		}
		if !d.clocksAgree() {
			return d.skewed()
		}
		return d.revoke(next, "superseded; every consumer is on the new publication, which works, and the overlap has passed")
	}
	if len(strays.orphans) > 0 && d.copied() {
		return hold("copied-record", fmt.Sprintf("two versions of %s carry the same record, and %s is stamped for the secret and in none: somebody may use its value", d.spec.Target, strays.orphans[0].ID),
			"if the newest version holds the value of that credential, remove the tag "+strconv.Quote(RecordTag)+" from it and name the credential under adopt, by its id; if nobody uses it, revoke it at the issuer")
	}
	if len(strays.orphans) > 0 {
		return d.skewed() // or they were revoked before
	}
	if d.tooShort(strays) {
		return d.overlapHold()
	}
	d.noteClamp()
	if len(strays.young) > 0 {
		// Not ours to judge yet. The census or the next rotation looks again; saying when costs nothing.
		d.note("young", fmt.Sprintf("%s is stamped for this secret and unpublished; a run elsewhere may be about to publish it, so it is left until it is older than %s", strays.young[0].ID, d.spec.SweepWindow))
		return d.waitForYoung(strays)
	}
	if d.backoff != nil {
		return *d.backoff
	}
	return d.current()
}

// due says why the credential must be replaced now; "" if it must not.
func (d *decider) due(s strays) (code, why string) {
	switch {
	case d.obs.Secret.Value.State == Absent:
		return "absent", fmt.Sprintf("secret %s does not exist yet", d.spec.Target)
	case d.spec.Command == Compromised:
		return "compromised", "reported as compromised"
	case d.spec.Command == Rotate:
		return "asked", "asked for"
	case d.record.Shape != d.spec.Shape:
		return "changed", "the manifest asks the issuer for something else than it was issued as"
	case s.current != nil && s.current.Shape != "" && s.current.Shape != d.spec.Shape:
		return "changed", "somebody changed the credential at the issuer to something else than the manifest asks for"
	case !d.now.Before(d.spec.DueAt(d.record)):
		// The record keeps whole seconds, so a fraction of one is not a move.
		if s.current != nil && s.current.To.Sub(d.record.Expires) > rounding && d.now.Before(d.spec.DueAt(d.recordUntil(s.current.To))) {
			return "", "" // its date was moved at the issuer: amended below
		}
		return "due", fmt.Sprintf("expires at %s, in under %s", stamp(d.record.Expires), short(d.spec.Threshold(d.record.Life())))
	}
	return "", ""
}

func (d *decider) recordUntil(to time.Time) Record {
	r := d.record
	r.Expires = to
	return r
}

// replace decides how a due credential is replaced.
func (d *decider) replace(code, why string, s strays) Decision {
	forced := d.spec.Command == Rotate || d.spec.Command == Compromised
	if d.haveRecord && !forced && code == "due" && d.tooShort(s) {
		return d.overlapHold()
	}
	if !d.clocksAgree() {
		return d.skewed()
	}
	tried := d.obs.Attempt != nil && d.obs.Attempt.Extended
	if d.spec.Extend && code == "due" && s.current != nil && d.ours(*s.current) && !tried {
		return Decision{Kind: Act, Code: code, Why: why + "; the value stays the same", Action: Extend{s.current.ID, d.now.Add(d.spec.Lifetime)}}
	}
	if d.haveRecord && !samePlace(d.record.Shape, d.spec.Shape) {
		d.note("elsewhere", fmt.Sprintf("the manifest names another account or organisation than %s was issued in, so Rekey cannot revoke it there: revoke it yourself once nobody uses it; it ends at %s", d.record.IssuerID, stamp(d.record.Expires)))
	}
	act := Issue{Lifetime: d.spec.Lifetime, Compromised: d.spec.Command == Compromised, First: d.obs.Secret.Value.State == Absent}
	switch {
	case d.haveRecord:
		act.Predecessor, act.PredecessorExpires = d.record.IssuerID, d.record.Expires
		if d.record.RolledBack() {
			act.Failures = d.record.Failures
		}
	case s.adopted != nil:
		act.Predecessor, act.PredecessorExpires = s.adopted.ID, s.adopted.To
	}
	return Decision{Kind: Act, Code: code, Why: why, Action: act}
}

// movedDate notices that somebody, or an extension whose record was lost, moved the date at the issuer.
func (d *decider) movedDate(s strays) (Decision, bool) {
	if s.current == nil || s.current.To.IsZero() {
		return Decision{}, false
	}
	if diff := s.current.To.Sub(d.record.Expires); diff.Abs() <= rounding {
		return Decision{}, false
	}
	return Decision{Kind: Act, Code: "date", Action: Amend{Record: d.recordUntil(s.current.To)},
		Why: fmt.Sprintf("the issuer says that it expires at %s, the record says %s", stamp(s.current.To), stamp(d.record.Expires))}, true
}

// tooShort says whether the issuer gives too little life for the overlap. An adopted credential was not issued for
// this manifest, so its life says nothing of the next one's.
func (d *decider) tooShort(s strays) bool {
	if s.current != nil {
		if _, stamped := ParseStamp(s.current.Name); !stamped {
			return false
		}
	}
	return !d.spec.OverlapFits(d.record.Life())
}

func (d *decider) overlapHold() Decision {
	life := d.record.Life()
	return hold("overlap-does-not-fit", fmt.Sprintf("the issuer gave %s of life where %s was asked for, so the credential would be replaced %s before its end; the overlap of %s does not fit",
		short(life), short(d.spec.Lifetime), short(d.spec.Threshold(life)), short(d.spec.Overlap)),
		"shorten the overlap, or have the policy that limits the lifetime changed; rekey rotate replaces it once regardless")
}

func (d *decider) clocksAgree() bool {
	if d.obs.StoreDate.IsZero() || d.obs.IssuerDate.IsZero() {
		return false
	}
	return d.obs.StoreDate.Sub(d.obs.IssuerDate).Abs() <= maxSkew
}

func (d *decider) skewed() Decision {
	if d.obs.StoreDate.IsZero() || d.obs.IssuerDate.IsZero() {
		return Decision{Kind: Wait, Code: "no-date", Until: d.now.Add(retryAfter), Why: "an answer of the store or the issuer carried no date, and nothing irreversible is done without knowing the time"}
	}
	return hold("clocks-disagree", fmt.Sprintf("the issuer says it is %s, the store says %s: over %s apart", stamp(d.obs.IssuerDate), stamp(d.obs.StoreDate), maxSkew),
		"look for a proxy that serves stale answers or rewrites dates; nothing irreversible is done until they agree")
}

// needAll looks for the issuer's list and the versions' records of this pass.
func (d *decider) needAll() (Decision, bool) {
	if dec, missing := need(d, "the issuer's list", NeedIssued, d.obs.Issued); missing {
		return dec, true
	}
	return need(d, "the versions of the secret", NeedVersions, d.obs.Versions)
}

// need asks for a fact that was not looked at, and waits or holds on one that could not be read.
func need[T any](d *decider, what string, n Need, f Fact[T]) (Decision, bool) {
	switch {
	case f.Known:
		return Decision{}, false
	case f.Failed == "":
		return look(n, what), true
	}
	return unknown(d, what+" could not be read", f), true
}

func look(n Need, why string) Decision { return Decision{Kind: Look, Need: n, Why: why} }

func hold(code, why, do string) Decision { return Decision{Kind: Hold, Code: code, Why: why, Do: do} }

// unknown is the decision on a fact that could not be read, and of a consumer on one that could not be told.
func unknown[T any](d *decider, what string, f Fact[T]) Decision {
	if f.Person != "" {
		return hold("person", fmt.Sprintf("%s: %s", what, f.Failed), f.Person)
	}
	until := d.now.Add(retryAfter)
	if f.Retry.After(until) {
		until = f.Retry
	}
	return Decision{Kind: Wait, Code: "unknown", Until: until, Why: fmt.Sprintf("%s: %s", what, f.Failed)}
}

func (d *decider) note(code, text string) { d.notes = append(d.notes, Note{code, text}) }

func (d *decider) noteClamp() {
	if life := d.record.Life(); d.spec.Clamped(life) {
		d.note("clamped", fmt.Sprintf("the issuer gave %s of life where %s was asked for; it is replaced %s before its end", short(life), short(d.spec.Lifetime), short(d.spec.Threshold(life))))
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
