package rotation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// world is Azure and a run in miniature: actions are applied as they are meant, or a step of them is lost. It knows
// which credential's value each version holds, which no real observer does.
type world struct {
	r        *rand.Rand
	spec     Spec
	now      time.Time
	born     int // how many credentials were ever issued
	alive    []Issued
	state    SecretState
	versions []Record    // the last one is the newest
	created  []time.Time // when each was committed
	foreign  bool        // the newest version lost its record
	held     []Publication
	sick     map[string]bool // what no consumer works with, although it lives
	told     []Publication
	restored int
	maxLife  time.Duration
	faults   int // how many more steps may go wrong
	log      []string

	// What the run knows.
	attempt *Attempt
	command Command
}

func (w *world) id() string { w.born++; return fmt.Sprintf("id%d", w.born) }

func (w *world) say(format string, args ...any) {
	w.log = append(w.log, w.now.Sub(t0).String()+" "+fmt.Sprintf(format, args...))
}

// issue makes a credential and gives its generation.
func (w *world) issue(until time.Time) (Issued, Generation) {
	g := gen(w.now, byte(w.born))
	if most := w.now.Add(w.maxLife); until.After(most) {
		until = most
	}
	i := Issued{ID: w.id(), Name: Stamp{Credential: w.spec.Name, Hash: w.spec.Target.Hash(), Generation: g}.String(), From: w.now, To: until, Shape: w.spec.Shape}
	w.alive = append(w.alive, i)
	w.mayBeSick(i.ID)
	return i, g
}

func (w *world) publish(r Record) {
	w.versions = append(w.versions, r)
	w.created = append(w.created, w.now)
	w.state, w.foreign = Present, false
}

func (w *world) expire() {
	w.alive = slices.DeleteFunc(w.alive, func(i Issued) bool { return !i.To.After(w.now) })
}

func (w *world) lives(id string) bool {
	return slices.ContainsFunc(w.alive, func(i Issued) bool { return i.ID == id })
}

func (w *world) newest() Record { return w.versions[len(w.versions)-1] }

// secret is what a list or a direct read shows.
func (w *world) secret() Fact[Secret] {
	s := Secret{State: w.state}
	if w.state == Present {
		s.Enabled, s.Created, s.Tags = true, w.created[len(w.created)-1], map[string]string{}
		if tag, err := w.newest().Encode(); err == nil && !w.foreign {
			s.Tags[RecordTag] = tag
		}
	}
	return Known(s)
}

// look adds one fact to an observation.
func (w *world) look(o *Observation, n Need, of Generation) {
	switch n {
	case NeedDirect:
		o.Direct, o.Secret, o.StoreDate = true, w.secret(), w.now
		if a := w.attempt; a != nil && a.PutSent && len(w.versions) > 0 && w.newest().Generation == a.Generation {
			w.attempt, w.command, o.Attempt = nil, Converge, nil
		}
	case NeedIssued:
		o.Issued, o.IssuerDate = Known(slices.Clone(w.alive)), w.now
	case NeedVersions:
		var rs []Record
		for i, r := range w.versions {
			if !w.foreign || i < len(w.versions)-1 {
				rs = append(rs, r)
			}
		}
		o.Versions = Known(rs)
	case NeedCheck:
		o.Check = Known(Check{Works: w.lives(w.newest().IssuerID), Why: "401"})
	case NeedFallback:
		w.lookBack(o, of)
	case NeedConsumers:
		o.Consumers = nil
		for _, p := range w.held {
			works := slices.ContainsFunc(w.versions, func(r Record) bool { return r.Publication == p && w.lives(r.IssuerID) && !w.sick[r.IssuerID] })
			o.Consumers = append(o.Consumers, Known(ConsumerState{Publication: p, Works: works, Why: "401"}))
		}
	}
}

// goesWrong says whether this step is lost, while there are faults left.
func (w *world) goesWrong() bool {
	if w.faults == 0 || w.r.IntN(3) != 0 {
		return false
	}
	w.faults--
	return true
}

func (w *world) act(d Decision) error {
	switch a := d.Action.(type) {
	case Issue:
		w.replace(a)
	case Extend:
		w.attempt = &Attempt{Extended: true}
		for n := range w.alive {
			if w.alive[n].ID == a.IssuerID {
				w.alive[n].To = a.Until
				if most := w.alive[n].From.Add(w.maxLife); a.Until.After(most) {
					w.alive[n].To = most // of its first date, as Azure DevOps clamps it
				}
				if !w.goesWrong() {
					w.versions[len(w.versions)-1].Expires = w.alive[n].To
				}
			}
		}
	case Amend:
		r := a.Record
		if a.Adopt {
			r.Generation, r.Publication, r.RevokeAfter = gen(a.Born, byte(w.born)), NewPublication(w.now, [5]byte{byte(w.born)}), w.now
			w.born++
		}
		w.versions[len(w.versions)-1], w.foreign = r, false
	case Tell:
		var n int
		fmt.Sscanf(a.Consumer, "c%d", &n)
		w.held[n], w.told[n] = w.newest().Publication, w.newest().Publication
	case Restore:
		w.restore(a)
	case Revoke:
		if err := w.mayDie(a.Permit.IssuerID()); err != nil {
			return err
		}
		if w.goesWrong() {
			return nil
		}
		w.alive = slices.DeleteFunc(w.alive, func(i Issued) bool { return i.ID == a.Permit.IssuerID() })
		if at := w.attempt; at != nil && !at.PutSent {
			w.attempt = nil
		}
	}
	return nil
}

// replace issues and publishes, or stops somewhere on the way.
func (w *world) replace(a Issue) {
	if w.goesWrong() {
		w.say("refused")
		return
	}
	i, g := w.issue(w.now.Add(a.Lifetime))
	w.attempt = &Attempt{Generation: g, IssuerID: i.ID}
	if w.goesWrong() {
		w.say("the answer to the issue is lost")
		w.attempt.IssuerID = ""
		return
	}
	if w.goesWrong() {
		w.say("crashed before the PUT")
		w.attempt, w.command = nil, Converge
		return
	}
	w.now = w.now.Add(time.Second)
	r := Record{Generation: g, IssuerID: i.ID, Publication: NewPublication(w.now, [5]byte{byte(w.born)}), Shape: w.spec.Shape, Expires: i.To,
		Predecessor: a.Predecessor, PredecessorExpires: a.PredecessorExpires, RevokeAfter: w.now.Add(w.spec.Overlap), Compromised: a.Compromised}
	if a.Compromised {
		r.RevokeAfter = w.now
	}
	if w.goesWrong() {
		w.say("the answer to the PUT is lost")
		w.attempt.PutSent, w.attempt.PutAt = true, w.now
		if w.r.IntN(2) == 0 {
			w.publish(r)
		}
		return
	}
	w.publish(r)
	w.attempt, w.command = nil, Converge
}

// mayDie is the judge of a revocation: nothing that somebody may still use, unless it is compromised or retired.
func (w *world) mayDie(id string) error {
	if a := w.attempt; a != nil && !a.PutSent && a.Generation != "" {
		return nil
	}
	i := w.alive[slices.IndexFunc(w.alive, func(i Issued) bool { return i.ID == id })]
	if s, ok := ParseStamp(i.Name); ok && s.Hash != w.spec.Target.Hash() || !ok && w.spec.Adopt.ID != id {
		return fmt.Errorf("%s is not ours", id)
	}
	if w.state != Present || w.command == Retire {
		return nil
	}
	if w.newest().IssuerID == id {
		return fmt.Errorf("%s is what the newest version holds", id)
	}
	for n, r := range w.versions {
		if r.IssuerID != id || n == len(w.versions)-1 {
			continue
		}
		if slices.Contains(w.held, r.Publication) && !w.newest().Compromised {
			return fmt.Errorf("%s is what a consumer holds", id)
		}
		// Whoever read the secret just before the next publication may use what was read for the overlap.
		if w.now.Before(w.created[n+1].Add(w.spec.Overlap)) && !w.newest().Compromised {
			return fmt.Errorf("%s is inside its overlap", id)
		}
	}
	return nil
}

// run takes decisions until one of them ends it, and gives that one.
func (w *world) run(census bool) (Decision, error) {
	first := func() Observation {
		o := Observation{Attempt: w.attempt, Told: slices.Clone(w.told)}
		if w.state == Present && w.attempt == nil {
			o.Secret, o.StoreDate = w.secret(), w.now
		}
		return o
	}
	o := first()
	for range 60 {
		spec := w.spec
		spec.Command, spec.Census = w.command, census
		g := given{Spec: spec, Obs: o, Now: w.now}
		d := g.decide()
		if broken := g.broken(d); broken != "" {
			return d, fmt.Errorf("%s: %s", say(d), broken)
		}
		w.say("%s", say(d))
		switch d.Kind {
		case Look:
			w.look(&o, d.Need, d.Of)
			continue
		case Act:
			if err := w.act(d); err != nil {
				return d, fmt.Errorf("%s: %w", say(d), err)
			}
		case Wait:
			if d.Code != "put-unknown" {
				return d, nil
			}
			w.now = d.Until
		default:
			return d, nil
		}
		w.now = w.now.Add(time.Second)
		w.expire()
		o = first()
	}
	return Decision{}, fmt.Errorf("no end after 60 steps")
}

// settled judges the world after a run that came to an end, without faults and with the issuer asked.
func (w *world) settled(d Decision) error {
	if d.Kind == Hold {
		return w.needsPerson(d)
	}
	for _, i := range w.alive {
		s, ok := ParseStamp(i.Name)
		if !ok || s.Hash != w.spec.Target.Hash() {
			continue
		}
		published := slices.ContainsFunc(w.versions, func(r Record) bool { return r.IssuerID == i.ID })
		switch {
		case !published && w.now.Sub(i.From) < w.spec.SweepWindow:
		case w.state == Present && i.ID == w.newest().IssuerID && w.command != Retire:
		case published && d.Kind == Wait && (d.Code == "overlap" || d.Code == "consumer" && w.ill()) && d.Until.After(w.now):
		default:
			return fmt.Errorf("%s (%s) is alive after %s", i.ID, i.Name, say(d))
		}
	}
	if w.command != Retire && !w.lives(w.newest().IssuerID) {
		return fmt.Errorf("what the newest version holds is dead after %s", say(d))
	}
	if w.command != Retire && slices.ContainsFunc(w.held, func(p Publication) bool { return p != w.newest().Publication }) {
		return fmt.Errorf("a consumer is behind after %s", say(d))
	}
	return nil
}

// needsPerson says whether a Hold is one that this world gives reason for.
func (w *world) needsPerson(d Decision) error {
	ok := map[string]bool{
		"soft-deleted": w.state == SoftDeleted, "foreign-version": w.foreign && w.spec.Adopt.ID == "",
		"adopt-missing": w.foreign && w.spec.Adopt.ID != "" && !w.lives(w.spec.Adopt.ID), "adopt-value": w.foreign, "unproved": w.foreign,
		"no-way-back":          w.ill(),
		"overlap-does-not-fit": w.maxLife < 3*w.spec.Overlap+time.Minute || w.state == Present && w.newest().Expires.Sub(w.newest().Generation.Time()) < 3*w.spec.Overlap+time.Minute,
	}[d.Code]
	if !ok {
		return fmt.Errorf("%s without a reason", say(d))
	}
	return nil
}

// randomWorld is a world that could have come about, tidy or not.
func randomWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{r: r, now: t0, state: Absent, maxLife: 365 * day, spec: steady().Spec}
	if r.IntN(3) == 0 {
		w.maxLife = time.Duration(1+r.IntN(40)) * day
	}
	w.spec.Extend = r.IntN(4) == 0
	for i := range r.IntN(3) {
		w.spec.Consumers = append(w.spec.Consumers, ConsumerSpec{ID: fmt.Sprintf("c%d", i)})
		w.held, w.told = append(w.held, ""), append(w.told, "")
	}
	if r.IntN(2) == 0 {
		w.spec.RollbackAfter, w.sick = time.Duration(1+r.IntN(5))*time.Hour, map[string]bool{}
	}
	predecessor := Issued{}
	for range r.IntN(4) {
		i, g := w.issue(w.now.Add(30 * day))
		if r.IntN(4) == 0 { // it crashed there
			continue
		}
		w.publish(Record{Generation: g, IssuerID: i.ID, Publication: NewPublication(w.now, [5]byte{byte(w.born)}), Shape: shape, Expires: i.To,
			Predecessor: predecessor.ID, PredecessorExpires: predecessor.To, RevokeAfter: w.now.Add(w.spec.Overlap)})
		predecessor = i
		for n := range w.held {
			if r.IntN(2) == 0 {
				w.held[n] = w.newest().Publication
			}
		}
		w.now = w.now.Add(time.Duration(r.IntN(40*24)) * time.Hour / 4)
	}
	w.expire()
	w.alive = append(w.alive,
		Issued{ID: "laptop", Name: "somebody's laptop", From: t0, To: t0.Add(900 * day)},
		Issued{ID: "theirs", Name: Stamp{Credential: "pat", Hash: other, Generation: gen(t0, 99)}.String(), From: t0, To: t0.Add(900 * day)})
	if len(w.versions) > 0 {
		switch r.IntN(12) {
		case 0:
			w.alive = slices.DeleteFunc(w.alive, func(i Issued) bool { return i.ID == w.newest().IssuerID })
		case 1:
			w.state = SoftDeleted
		case 2:
			w.foreign = true
		case 3:
			w.foreign, w.spec.Adopt.ID = true, w.newest().IssuerID
		case 4:
			w.spec.Shape = "11111111"
		}
	}
	if r.IntN(4) == 0 {
		w.command = Command(r.IntN(4))
	}
	w.faults = r.IntN(4)
	return w
}

// TestEveryWorldConverges lets runs come and go in random worlds until the faults are used up, and then for two
// months: each run ends, no step hurts, and what is left alive is what should be.
func TestEveryWorldConverges(t *testing.T) {
	t.Parallel()
	ends := map[string]int{}
	for seed := range uint64(500) {
		w := randomWorld(seed)
		if err := w.live(ends); err != nil {
			for _, l := range w.log {
				t.Log(l)
			}
			t.Fatalf("seed %d: %v", seed, err)
		}
		ends["restored"] += w.restored
	}
	t.Log(ends)
	for _, e := range []string{"done current", "done retired", "wait overlap", "wait consumer", "restored", "hold no-way-back", "hold foreign-version", "hold overlap-does-not-fit"} {
		if ends[e] == 0 {
			t.Errorf("no run ends in %s: the model is not what it says", e)
		}
	}
}

func (w *world) live(ends map[string]int) error {
	for start := w.now; w.now.Before(start.Add(60 * day)); {
		d, err := w.run(true)
		if err != nil {
			return err
		}
		ends[d.Kind.String()+" "+d.Code]++
		if d.Kind == Wait && !d.Until.After(w.now) {
			return fmt.Errorf("%s: a wait without an end to come", say(d))
		}
		if d.Code == "retired" {
			w.command = Retire
			return w.settled(d)
		}
		if w.faults == 0 && d.Code != "young" && d.Code != "backoff" {
			if err := w.settled(d); err != nil {
				return err
			}
		}
		if d.Kind == Hold {
			return nil
		}
		// The next run comes when the last one said, or some hours later, as a new process that knows nothing.
		w.attempt, w.told = nil, make([]Publication, len(w.held))
		next := w.now.Add(time.Duration(1+w.r.IntN(48)) * time.Hour)
		if d.Until.After(w.now) && d.Until.Before(next) && d.Code != "consumer" {
			next = d.Until
		}
		w.now = next
		w.expire()
	}
	return nil
}
