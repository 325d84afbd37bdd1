package rotation_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// after is the current credential, an hour and a half after it replaced old, which has five days left. It is rolled
// back an hour after its publication.
func after(changes ...change) change {
	return all(append([]change{replaced, at(t0.Add(90 * time.Minute)), spec(func(s *Spec) { s.RollbackAfter = time.Hour })}, changes...)...)
}

// works says that the value of old was read, and works.
func works(g *given) {
	g.Obs.Fallback = Known(Fallback{Generation: gen(t0.Add(-25*day), 7), Check: Check{Works: true}})
}

// ill is one consumer that does not work although this run has told it.
var ill = all(consumers(on(true, false)), told(0))

// tried says that this run has tried in vain to hand the newest publication to the first consumer.
func tried(g *given) {
	g.Obs.Tried = []Publication{NewPublication(t0, [5]byte{9})}
}

// again makes the current publication one that puts back "current" in place of old.
func again(failures int, notBefore time.Duration) change {
	return rec(func(r *Record) { r.Failures, r.NotBefore = failures, t0.Add(notBefore) })
}

func refusing(person string) Fact[ConsumerState] {
	return Fact[ConsumerState]{Failed: "refused", Person: person}
}

func TestWhatDoesNotWorkPastItsDeadlineIsRolledBack(t *testing.T) {
	early := at(t0.Add(time.Hour - time.Second))
	table{
		{"the value before it is read and probed first", after(ill), "look fallback"},
		{"then it is published again, and the next try waits an hour", after(ill, works), "restore old of current until 120h, next try 2h30m0s, 1 failed"},
		{"the second in a row waits two hours", after(ill, works, rec(func(r *Record) { r.Failures = 1 })), "restore old of current until 120h, next try 3h30m0s, 2 failed"},
		{"and any number at most a day", after(ill, works, rec(func(r *Record) { r.Failures = 90 })), "restore old of current until 120h, next try 25h30m0s, 91 failed"},
		{"what ends soon is tried again before that", after(ill, works, rec(func(r *Record) { r.Failures = 90 }), issued("old", func(i *Issued) { i.To = t0.Add(26 * time.Hour) })), "restore old of current until 26h, next try 2h0m0s, 91 failed"},
		{"a consumer that could not be told", after(consumers(refusing("")), tried, works), "restore old of current until 120h, next try 2h30m0s, 1 failed"},
		{"at its deadline", after(at(t0.Add(time.Hour)), ill, works), "restore old of current until 120h, next try 2h0m0s, 1 failed"},
		{"a second before its deadline", after(early, ill, works), "wait consumer until 1h0m59s"},
		{"the deadline counts from when the store says that it was committed", after(ill, works, func(g *given) { g.Obs.Secret.Value.Created = t0.Add(40 * time.Minute) }), "wait consumer until 1h31m0s"},
		{"a manifest that wants none", after(ill, works, spec(func(s *Spec) { s.RollbackAfter = 0 })), "wait consumer until 1h31m0s"},
		{"one that was not told in this run is told again first", after(consumers(on(true, false)), works), "tell c0"},
		{"another one is told first", after(consumers(on(true, false), on(false, true)), told(0), works), "tell c1"},
		{"a consumer that cannot be asked is unknown", after(consumers(refusing("")), works), "wait unknown until 1h31m0s"},
		{"a consumer that waits for a person is theirs", after(consumers(refusing("grant it")), tried, works), "hold person"},
		{"one is unknown and one does not work", after(consumers(refusing("grant it"), on(true, false)), told(1), works), "restore old of current until 120h, next try 2h30m0s, 1 failed"},
		{"the clocks disagree", after(ill, works, func(g *given) { g.Obs.StoreDate = g.Now.Add(-6 * time.Minute) }), "hold clocks-disagree"},
		{"the value before it could not be read", after(ill, func(g *given) { g.Obs.Fallback = Fact[Fallback]{Failed: "503"} }), "wait unknown until 1h31m0s"},
		{"another value was read", after(ill, func(g *given) {
			g.Obs.Fallback = Known(Fallback{Generation: gen(t0, 99), Check: Check{Works: true}})
		}), "look fallback"},
	}.run(t)
}

func TestTheManifestsChecksHoldTheEndOfTheOldOneAndRollBack(t *testing.T) {
	over := all(replaced, at(t0.Add(day)), spec(func(s *Spec) { s.RollbackAfter = time.Hour }))
	early := all(replaced, at(t0.Add(30*time.Minute)), spec(func(s *Spec) { s.RollbackAfter = time.Hour }))
	table{
		{"they are tried before the old one ends", all(over, trials(passes), func(g *given) { g.Obs.Checks = nil }), "look checks"},
		{"each of them", all(over, trials(passes, passes), func(g *given) { g.Obs.Checks = g.Obs.Checks[:1] }), "look checks"},
		{"after everything was told", all(over, trials(fails), consumers(on(false, true)), works), "tell c0"},
		{"and after everything that was told works", all(over, trials(fails), ill, works, spec(func(s *Spec) { s.RollbackAfter = 0 })), "wait consumer until 24h1m0s"},
		{"all pass", all(over, trials(passes, passes), consumers(on(true, true))), "revoke old"},
		{"one fails before the deadline", all(early, trials(passes, fails), works), "wait check until 31m0s"},
		{"one fails past it", all(over, trials(passes, fails), works), "restore old of current until 120h, next try 25h0m0s, 1 failed"},
		{"one fails past it and there is none before it", all(over, gone("old"), trials(fails), works), "wait check until 24h1m0s"},
		{"one fails with a rollback too", all(over, again(1, 30*time.Hour), trials(fails), works), "wait check until 24h1m0s"},
		{"one that could not be tried says nothing of the value", all(over, trials(silent), works), "wait unknown until 24h1m0s"},
		{"one that could not be tried does not hide one that fails", all(over, trials(silent, fails), works), "restore old of current until 120h, next try 25h0m0s, 1 failed"},
		{"lists do not conclude while something older may live", all(over, trials(passes), bulk), "look direct"},
		{"nothing older lives", trials(passes), "done current"},
	}.run(t)
}

func TestWhatIsRolledBackToMustWorkAndOutliveTheOverlap(t *testing.T) {
	reported := func(g *given) {
		r := Record{Generation: gen(t0.Add(-24*day), 8), IssuerID: "since", Publication: NewPublication(t0.Add(-24*day), [5]byte{8}), Shape: shape,
			Expires: t0.Add(6 * day), Predecessor: "older", RevokeAfter: t0.Add(-24 * day), Compromised: true}
		g.Obs.Versions.Value = append(g.Obs.Versions.Value, r)
	}
	table{
		{"it ends within the overlap", after(ill, works, issued("old", func(i *Issued) { i.To = t0.Add(25*time.Hour + 30*time.Minute) })), "hold no-way-back"},
		{"it was compromised", after(ill, works, rec(func(r *Record) { r.Compromised = true })), "hold no-way-back"},
		{"an older publication says that it was compromised", after(ill, works, reported), "hold no-way-back"},
		{"it does not work", after(ill, func(g *given) {
			g.Obs.Fallback = Known(Fallback{Generation: gen(t0.Add(-25*day), 7), Check: Check{Why: "401"}})
		}), "hold no-way-back"},
		{"no version has its value", after(ill, works, func(g *given) { g.Obs.Versions.Value = g.Obs.Versions.Value[:1] }), "hold no-way-back"},
		{"it is gone, so that there is nothing to decide", after(ill, gone("old")), "wait consumer until 1h31m0s"},
		{"it has ended and is listed still", after(ill, issued("old", func(i *Issued) { i.To = t0 })), "wait consumer until 1h31m0s"},
		{"there was none before it", after(ill, gone("old"), rec(func(r *Record) { r.Predecessor, r.PredecessorExpires = "", time.Time{} })), "wait consumer until 1h31m0s"},
	}.run(t)
}

func TestARollbackIsNotRolledBackAndIsLookedAfter(t *testing.T) {
	due := at(t0.Add(25*day + time.Hour)) // and the overlap of what it replaced is over
	table{
		{"what does not work with either stays", after(again(1, 3*time.Hour), ill, works), "wait consumer until 1h31m0s"},
		{"and stays though the list of versions lags", after(again(1, 3*time.Hour), ill, works, func(g *given) { g.Obs.Versions.Value = g.Obs.Versions.Value[1:] }), "wait consumer until 1h31m0s"},
		{"consumers are told", after(again(1, 3*time.Hour), consumers(on(false, true))), "tell c0"},
		{"what it was rolled back from lives for its overlap", after(again(1, 30*time.Hour), consumers(on(true, true))), "wait overlap until 24h"},
		{"unless the next try comes before that", after(again(1, 20*time.Hour), consumers(on(true, true)), rec(func(r *Record) { r.Expires = t0.Add(27 * time.Hour) }), issued("current", func(i *Issued) { i.To = t0.Add(27 * time.Hour) })), "wait overlap until 20h"},
		{"then it is revoked", all(replaced, due, again(1, 26*24*time.Hour), issued("old", func(i *Issued) { i.To = t0.Add(40 * day) })), "revoke old"},
		{"with nothing left to do but the next try", all(due, again(1, 26*24*time.Hour)), "wait backoff until 624h"},
		{"consumers are told although the next try waits", all(due, again(1, 26*24*time.Hour), consumers(on(false, true))), "tell c0"},
		{"the next try", all(at(t0.Add(26*day)), again(2, 26*24*time.Hour)), "issue due after current, 2 failed"},
		{"a person does not wait for it", all(command(Rotate), again(1, 26*24*time.Hour)), "issue asked after current, 1 failed"},
		{"what works is replaced again when it is due", again(1, 26*24*time.Hour), "done current"},
		{"what a change of the manifest asks for waits too", all(again(1, 26*24*time.Hour), spec(func(s *Spec) { s.Shape = "0a1b9999" })), "wait backoff until 624h"},
	}.run(t)
}

// A run that had observed the world before a rollback can publish after it, and names what was rolled back from as its
// predecessor: that did not work, and is not gone back to.
func TestWhatWasRolledBackFromIsNotGoneBackTo(t *testing.T) {
	crossed := func(g *given) {
		first := Record{Generation: gen(t0.Add(-26*day), 5), IssuerID: "first", Publication: NewPublication(t0.Add(-26*day), [5]byte{5}), Shape: shape,
			Expires: t0.Add(4 * day), RevokeAfter: t0.Add(-25 * day)}
		back := first
		back.Publication, back.Predecessor, back.Failures, back.NotBefore = NewPublication(t0.Add(-time.Minute), [5]byte{6}), "old", 1, t0.Add(time.Hour)
		g.Obs.Versions.Value = append(g.Obs.Versions.Value, first, back)
		i := g.stamped("first", t0.Add(-26*day), 5)
		alive(i)(g)
		g.Obs.Fallback = Known(Fallback{Generation: first.Generation, Check: Check{Works: true}})
	}
	table{{"what it was rolled back to is", after(ill, crossed), "restore first of current until 96h, next try 2h30m0s, 1 failed"}}.run(t)
}

func TestAPersonRollsBackWhatTheyWereShown(t *testing.T) {
	back := func(changes ...change) change { return after(append([]change{command(Rollback)}, changes...)...) }
	since := func(d time.Duration) change { return spec(func(s *Spec) { s.Asked = t0.Add(d) }) }
	shown := func(ids ...string) change { return spec(func(s *Spec) { s.Shown = ids }) }
	const did = "restore old of current until 120h, next try 25h30m0s, by hand"
	table{
		{"although everything works", back(works, consumers(on(true, true))), did},
		{"before any deadline", back(works, at(t0.Add(90*time.Minute)), spec(func(s *Spec) { s.RollbackAfter = 0 })), did},
		{"what they were shown", back(works, shown("old", "current"), since(time.Hour)), did},
		{"the value is read first", back(), "look fallback"},
		{"not to another one than they were shown", back(works, shown("older", "current")), "hold issued-since"},
		{"not from another one than they were shown", back(works, shown("old", "another")), "hold issued-since"},
		{"not from what was published since they asked", back(works, since(-time.Hour)), "hold issued-since"},
		{"not to what was compromised", back(works, rec(func(r *Record) { r.Compromised = true })), "hold no-way-back"},
		{"not to what ends within the overlap", back(works, at(t0.Add(4*day+time.Hour))), "hold no-way-back"},
		{"not to what is gone", back(works, gone("old")), "hold no-way-back"},
		{"not without one before it", back(rec(func(r *Record) { r.Predecessor = "" })), "hold no-way-back"},
		{"not without any", all(command(Rollback), secretIs(Absent)), "hold no-way-back"},
		{"once", back(again(0, 30*time.Hour), works), "wait overlap until 24h"},
		{"once, and what was asked for then goes on", back(again(0, 30*time.Hour), consumers(on(false, true))), "tell c0"},
		{"not what is disabled in the manifest", back(works, spec(func(s *Spec) { s.Enabled = false })), "done disabled"},
	}.run(t)
}

// TestThePlanOfARollbackNeedsNoAccount takes the versions as read, which a plan may.
func TestThePlanOfARollbackNeedsNoAccount(t *testing.T) {
	g := steady(after(command(Rollback)))
	g.Obs.Issued, g.Obs.Check, g.Obs.IssuerDate = Fact[[]Issued]{}, Fact[Check]{}, time.Time{}
	d, assumed := Forecast(g.Spec, g.Obs, g.Now)
	if a, ok := d.Action.(Restore); !ok || a.Record.IssuerID != "old" || !strings.Contains(strings.Join(assumed, "; "), "the value before it works") {
		t.Errorf("%s (%s), assuming %q", say(d), d.Why, assumed)
	}
}
