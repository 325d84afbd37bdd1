package engine

import (
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// maxSteps bounds the steps of one credential in one run: a loop that does not settle is a bug, and must not
	// become a flood of calls.
	maxSteps = 100
	// maxTries bounds how many generations one run issues for one credential when answers are lost.
	maxTries = 3
)

// pass is the work on one credential in one run.
type pass struct {
	*Engine
	c   Credential
	obs rotation.Observation

	// date is the last clock that a service told, and dateAt the wall clock when it did.
	date, dateAt time.Time
	// storeAt and issuerAt are the wall clock when the observation's dates were heard.
	storeAt, issuerAt time.Time
	value             secret.Value // of the newest version, from the last direct read
	listed            bool         // the vault's list was read and does not have the secret
	mayWrite          bool         // shown by Vacant
	readAt            time.Time    // wall clock when that read was asked for
	justPublished     bool         // that read is the one right after this run's own publication
	tells             []int        // by consumer: how often a tell failed
	back              fallback
	tries             int
	sent              []rotation.Generation // whose publication's answer was lost and that were not seen since
	issueAsked        time.Time             // wall clock when the last issue was asked for
	checked           time.Time             // wall clock when the last check of a new value was asked for
	checkedDate       time.Time             // the issuer's clock in its answer
	lastErr           error                 // why the last look failed
	failure           error                 // why the last replacement failed
	effects           []ledger.Entry
	unsure            []ledger.Entry // those whose answers were lost
	notes             []string       // what the issuer wants people to know of the account
	owners            owners
	slept             time.Duration
	since             time.Time // wall clock of the observation's first direct look; zero before it
	slot              slot
	assigns           int
	consent           []string // kinds of action that were approved
	approvals         []string // by whom or what, in words
}

func (e *Engine) newPass(c Credential, index index) *pass {
	p := &pass{Engine: e, c: c, tells: make([]int, len(c.Consumers))}
	p.obs.Told = make([]rotation.Publication, len(c.Consumers))
	p.obs.Tried = make([]rotation.Publication, len(c.Consumers))
	in, ok := index[c.Store.Host()]
	if ok && c.Spec.Command == rotation.Converge && c.Spec.Enabled {
		p.fromIndex(in)
	}
	p.c.Spec.Census = p.c.Spec.Census || p.census(index)
	return p
}

func (p *pass) fromIndex(in indexed) {
	if in.err != nil {
		p.lastErr = in.err
		p.obs.Secret = failed[rotation.Secret](in.err, p.wall())
		return
	}
	p.clock(in.Date, in.at)
	p.obs.StoreDate, p.storeAt = in.Date, in.at
	if s, ok := in.Secrets[strings.ToLower(p.c.Spec.Target.Name)]; ok {
		p.obs.Secret = rotation.Known(s)
	} else {
		p.listed = true
	}
	p.pendingFromIndex(in)
}

// census says whether this run asks the credential's account although nothing may be due.
func (p *pass) census(index index) bool {
	if p.date.IsZero() {
		return false
	}
	if s := p.c.Seal; s != nil {
		if in, ok := index[s.Store.Host()]; ok && in.err == nil {
			if sealed, ok := in.Secrets[strings.ToLower(s.Name)]; ok && p.date.Sub(sealed.Created) > 24*time.Hour {
				return true
			}
		}
	}
	h := fnv.New32a()
	h.Write([]byte(p.c.Issuer.ListKey()))
	return rotation.CensusDue(h.Sum32(), p.date, p.cfg.Interval)
}

// clock takes a service's date, heard at a wall-clock time: when the answer was there, so that the pass's time is
// never ahead of the service's. What it writes down would otherwise not be due yet when the service says that it is.
func (p *pass) clock(date, at time.Time) {
	// A date is cut to the second, so one that agrees with what is known would only make the time jump back.
	if !date.IsZero() && (p.date.IsZero() || date.Sub(p.date.Add(at.Sub(p.dateAt))).Abs() > 2*time.Second) {
		p.date, p.dateAt = date, at
	}
}

// now is the pass's time: what the services said, plus what has passed since.
func (p *pass) now() time.Time {
	if p.date.IsZero() {
		return p.wall().UTC()
	}
	return p.date.Add(p.wall().Sub(p.dateAt))
}

// failed makes an unknown fact of an error.
func failed[T any](err error, now time.Time) rotation.Fact[T] {
	f := rotation.Fact[T]{Failed: err.Error()}
	var e *driver.Error
	if errors.As(err, &e) {
		if e.Person {
			f.Person = e.Hint
		}
		if e.RetryAfter > 0 {
			f.Retry = now.Add(e.RetryAfter)
		}
	}
	return f
}

// look observes one thing more.
func (p *pass) look(ctx context.Context, d rotation.Decision, act bool) {
	if p.since.IsZero() {
		p.since = p.wall()
	}
	var err error
	switch d.Need {
	case rotation.NeedDirect:
		err = p.readSecret(ctx, act)
	case rotation.NeedIssued:
		err = p.readIssued(ctx)
	case rotation.NeedVersions:
		err = p.readVersions(ctx)
	case rotation.NeedCheck:
		err = p.checkCurrent(ctx)
	case rotation.NeedConsumers:
		p.readConsumers(ctx)
	case rotation.NeedChecks:
		err = p.tryChecks(ctx)
	case rotation.NeedFallback:
		err = p.readFallback(ctx, d.Of)
	case rotation.NeedPending:
		err = p.readPending(ctx)
	case rotation.NeedPendingCheck:
		err = p.checkPending(ctx)
	}
	if err != nil {
		p.lastErr = err
	}
	if act {
		p.recovered()
	}
}

func (p *pass) readSecret(ctx context.Context, act bool) error {
	name := p.c.Spec.Target.Name
	p.justPublished = false
	asked := p.wall()
	var r driver.Reading
	var err error
	if act && p.listed && p.obs.Attempt == nil {
		r, err = p.c.Store.Vacant(ctx, name)
		p.mayWrite = err == nil && r.Secret.State == rotation.Absent
		p.listed = false
	} else {
		r, err = p.c.Store.Read(ctx, name)
	}
	p.obs.Direct = true
	if err != nil {
		p.obs.Secret = failed[rotation.Secret](err, p.now())
		return err
	}
	p.took(r, p.wall())
	p.readAt = asked
	return nil
}

// took makes a direct read the pass's observation of the secret.
func (p *pass) took(r driver.Reading, at time.Time) {
	p.value.Wipe()
	p.value = r.Value
	if p.absent() && r.Secret.State != rotation.Absent {
		p.obs.Versions = rotation.Fact[[]rotation.Record]{} // that there is none was said of what was absent
	}
	p.obs.Direct, p.obs.Secret = true, rotation.Known(r.Secret)
	p.obs.StoreDate, p.storeAt = r.Date, at
	if p.obs.IssuerDate.IsZero() {
		p.clock(r.Date, at)
	}
	p.obs.Check, p.obs.Checks = rotation.Fact[rotation.Check]{}, nil
	if a := p.obs.Attempt; len(p.sent) > 0 && (a == nil || a.PutSent) {
		rec, err := rotation.ParseRecord(r.Secret.Tags[rotation.RecordTag])
		if i := slices.Index(p.sent, rec.Generation); err == nil && i >= 0 {
			// A publication whose answer was lost is there: the last one, or one that this run has given up since.
			p.sent = slices.Delete(p.sent, i, i+1)
			p.committed()
		}
	}
}

func (p *pass) absent() bool {
	return p.obs.Secret.Known && p.obs.Secret.Value.State == rotation.Absent
}

// committed ends what this run set out to replace.
func (p *pass) committed() {
	p.obs.Attempt = nil
	p.back.told = p.back.sent
	p.c.Spec.Command = rotation.Converge
	p.obs.Consumers = nil
	// What was listed before does not have the new credential.
	p.obs.Issued = rotation.Fact[[]rotation.Issued]{}
	p.obs.Versions = rotation.Fact[[]rotation.Record]{}
	p.lists.stale(p.c.Issuer.ListKey())
}

func (p *pass) readIssued(ctx context.Context) error {
	notBefore := time.Time{}
	if p.obs.Attempt != nil {
		notBefore = p.issueAsked
	}
	l, at, err := p.readList(ctx, p.c.Issuer, notBefore)
	if err != nil {
		p.obs.Issued = failed[[]rotation.Issued](err, p.now())
		return err
	}
	// A copy: what this pass issues and revokes is added to it and taken out of it.
	p.obs.Issued = rotation.Known(append([]rotation.Issued(nil), l.Issued...))
	p.notes = l.Notes
	p.owners.heard(p.c.Issuer, l)
	if !l.Date.IsZero() {
		p.obs.IssuerDate, p.issuerAt = l.Date, at
		p.clock(l.Date, at)
	}
	return nil
}

func (p *pass) readVersions(ctx context.Context) error {
	if p.absent() {
		p.obs.Versions = rotation.Known([]rotation.Record(nil))
		return nil
	}
	all, err := p.c.Store.Tags(ctx, p.c.Spec.Target.Name)
	if err != nil {
		p.obs.Versions = failed[[]rotation.Record](err, p.now())
		return err
	}
	var records []rotation.Record
	for _, tags := range all {
		tag, ok := tags[rotation.RecordTag]
		if !ok {
			continue
		}
		r, err := rotation.ParseRecord(tag)
		if err != nil {
			// It may name a generation that somebody uses, so nothing can be proved.
			p.obs.Versions = rotation.Fact[[]rotation.Record]{Failed: "an older version: " + err.Error(),
				Person: "restore that version's tag, or remove it from that version once nobody uses its value"}
			return err
		}
		records = append(records, r)
	}
	p.obs.Versions = rotation.Known(records)
	return nil
}

func (p *pass) checkCurrent(ctx context.Context) error {
	checked, err := p.c.Issuer.Check(ctx, p.value)
	if err != nil {
		p.obs.Check = failed[rotation.Check](err, p.now())
		return err
	}
	p.obs.Check = rotation.Known(checked.Check)
	return nil
}

// observed is the observation with both services' clocks as of now: they were heard at different times.
func (p *pass) observed() rotation.Observation {
	o := p.obs
	if !o.StoreDate.IsZero() {
		o.StoreDate = o.StoreDate.Add(p.age(p.storeAt))
	}
	if !o.IssuerDate.IsZero() {
		o.IssuerDate = o.IssuerDate.Add(p.age(p.issuerAt))
	}
	return o
}

// again throws away what was observed, the account's shared list included, but not what this run knows of itself.
func (p *pass) again() {
	p.lists.stale(p.c.Issuer.ListKey())
	p.obs, p.since = rotation.Observation{Attempt: p.obs.Attempt, Told: p.obs.Told, Tried: p.obs.Tried, Slot: p.forgetSlot()}, time.Time{}
}

// outdated says whether what was observed is too old to act on. A process may have been suspended since: what was too
// young to judge then may have been published meanwhile, and be in use. What this run issued itself and has never sent
// to the store is ended all the same, since that rests on no observation.
func (p *pass) outdated(a rotation.Action) bool {
	if p.endsAttempt(a) {
		return false
	}
	return !p.since.IsZero() && p.age(p.since) > maxIssueAge
}

// endsAttempt says whether an action ends what this run issued itself and has never sent to the store.
func (p *pass) endsAttempt(a rotation.Action) bool {
	r, ends := a.(rotation.Revoke)
	if !ends || p.obs.Attempt == nil || p.obs.Attempt.PutSent {
		return false
	}
	s, ok := rotation.ParseStamp(r.Permit.Name())
	return ok && s.Generation == p.obs.Attempt.Generation
}

// tags are the newest version's, with the manifest's over them and without the record.
func (p *pass) tags() map[string]string {
	out := maps.Clone(p.obs.Secret.Value.Tags)
	if out == nil {
		out = map[string]string{}
	}
	delete(out, rotation.RecordTag)
	maps.Copy(out, p.c.Tags)
	return out
}

func (p *pass) result(d rotation.Decision, err error) Result {
	p.value.Wipe()
	p.back.value.Wipe()
	if err == nil && p.back.told {
		err = p.back.why
	}
	p.slot.next.Wipe()
	for _, text := range slices.Concat(p.c.Notes, p.notes, p.approvals) {
		d.Notes = append(d.Notes, rotation.Note{Code: "account", Text: text})
	}
	d.Notes = append(append(d.Notes, p.ownerNotes(d)...), p.consumerNotes(d)...)
	return Result{Spec: p.c.Spec, Now: p.now(), Decision: d, Effects: p.effects, Err: err, Secret: p.obs.Secret, Missing: p.listed && !p.obs.Secret.Known, Consumers: p.seen(), Checks: p.tried()}
}
