package rotation_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// named is a living credential with any stamp.
func named(id string, s Stamp, born time.Time) change {
	return alive(Issued{ID: id, Name: s.String(), From: born, To: born.Add(30 * day), Shape: shape})
}

func TestARunEndsItsOwnUnpublishedGeneration(t *testing.T) {
	now := t0.Add(26 * day)
	mine := gen(now, 8)
	lost := attempt(Attempt{Generation: mine})
	known := attempt(Attempt{Generation: mine, IssuerID: "mine"})
	sent := func(ago time.Duration) change {
		return attempt(Attempt{Generation: mine, IssuerID: "mine", PutSent: true, PutAt: now.Add(-ago)})
	}
	listed := stray("mine", now, 8)
	table{
		{"at once, if its id is known", all(at(now), known, listed), "revoke mine"},
		{"before anything is looked at", all(at(now), known, bulk, unasked), "revoke mine"},
		{"though a Hold follows", all(secretIs(SoftDeleted), at(now), known), "revoke mine"},
		{"though the clocks disagree", all(at(now), known, func(g *given) { g.Obs.StoreDate = now.Add(-time.Hour) }), "revoke mine"},
		{"though the secret could not be read", all(at(now), known, func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "503"} }), "revoke mine"},
		{"its answer was lost: it is looked up", all(at(now), lost, unasked), "look issued"},
		{"its answer was lost: found by its stamp", all(at(now), lost, listed), "revoke mine"},
		{"its answer was lost: another generation is not it", all(at(now), lost, stray("theirs", now, 9)), "issue due after current"},
		{"its answer was lost: the same generation for another secret is not it", all(at(now), lost, named("theirs", Stamp{Credential: "pat", Hash: other, Generation: mine}, now)), "issue due after current"},
		{"its answer was lost and it does not exist: another one is issued", all(at(now), lost), "issue due after current"},
		{"its answer was lost and the list cannot be read: wait", all(at(now), lost, func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "503"} }), "wait unknown until 624h1m0s"},
		{"a PUT was sent: the secret is read", all(at(now), sent(0), listed, bulk), "look direct"},
		{"a PUT was sent: it is waited for, not revoked", all(at(now), sent(10*time.Second), listed), "wait put-unknown until 624h0m50s"},
		{"a PUT was sent: it is waited for although the secret cannot be read", all(at(now), sent(0), listed, func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "503"} }), "wait put-unknown until 624h1m0s"},
		{"a PUT was sent and did not come: another one is issued, and it is left to the sweep", all(at(now), sent(time.Minute), listed), "issue due after current"},
		{"a PUT was sent and is there: there is nothing to wait for", attempt(Attempt{Generation: gen(t0, 1), IssuerID: "current", PutSent: true, PutAt: t0.Add(10 * day)}), "done current"},
		{"nothing was issued: nothing is ended", all(at(now), attempt(Attempt{})), "issue due after current"},
	}.run(t)
}

func TestOrphanIsProvedByEveryConditionAtOnce(t *testing.T) {
	born := t0.Add(5 * day)
	orphan := stray("x", born, 2)
	late := at(born.Add(window))
	hash := steadyHash()
	table{
		{"all hold", all(late, orphan), "revoke x"},
		{"all hold, and the secret never existed", all(secretIs(Absent), late, orphan), "revoke x"},
		{"it is swept before a new one is issued", all(orphan, at(t0.Add(26*day))), "revoke x"},
		{"its age is exactly short of the window", all(orphan, at(born.Add(window-time.Second))), "wait young until 121h"},
		{"the issuer's date alone says that it is young", all(late, orphan, issued("x", func(i *Issued) { i.From = born.Add(time.Minute) })), "wait young until 121h1m0s"},
		{"the generation's date alone says that it is young", all(late, stray("x", born.Add(time.Minute), 2), issued("x", func(i *Issued) { i.From = born })), "wait young until 121h1m0s"},
		{"an issuer without dates does not make it old", all(late, stray("x", born.Add(time.Minute), 2), issued("x", func(i *Issued) { i.From = time.Time{} })), "wait young until 121h1m0s"},
		{"it is stamped for another secret", all(late, named("x", Stamp{Credential: "pat", Hash: other, Generation: gen(born, 2)}, born)), "done current"},
		{"it is stamped for another credential", all(late, named("x", Stamp{Credential: "pet", Hash: hash, Generation: gen(born, 2)}, born)), "done current"},
		{"it is not stamped", all(late, orphan, issued("x", func(i *Issued) { i.Name = "rekey" })), "done current"},
		{"it only looks stamped", all(late, orphan, issued("x", func(i *Issued) { i.Name += "x" })), "done current"},
		{"its generation is in an older version's record", all(at(t0.Add(12*time.Hour)), stray("x", t0.Add(-time.Hour), 2), published("y", t0.Add(-time.Hour), 2)), "wait overlap until 24h"},
		{"its id is in an older version's record", all(at(t0.Add(12*time.Hour)), stray("x", t0.Add(-time.Hour), 2), published("x", t0.Add(-time.Hour), 3)), "wait overlap until 24h"},
		{"its id is an older version's predecessor", all(at(t0.Add(12*time.Hour)), stray("x", t0.Add(-time.Hour), 2), func(g *given) {
			published("y", t0.Add(-time.Hour), 3)(g)
			g.Obs.Versions.Value[1].Predecessor = "x"
		}), "wait overlap until 24h"},
		{"its generation is in the newest record, which the versions lack yet", all(at(t0.Add(12*time.Hour)), stray("x", t0, 1), func(g *given) { g.Obs.Versions.Value = nil }), "wait overlap until 24h"},
		{"the versions lack the newest one: the secret was deleted meanwhile, or the list lags", all(late, orphan, func(g *given) { g.Obs.Versions.Value = nil }), "done current"},
		{"two versions carry one record", all(late, orphan, copied), "hold copied-record"},
		{"two versions carry one record, and it is due", all(orphan, copied, at(t0.Add(26*day))), "issue due after current"},
		{"two versions carry one record, and nothing is in none", all(late, copied), "done current"},
		{"the newest version has no record", all(late, orphan, untagged), "hold foreign-version"},
		{"the newest version has no record, and something is adopted", all(late, orphan, untagged, spec(func(s *Spec) { s.Adopt.ID = "current" })), "amend adopt of current until 720h"},
		{"the newest record cannot be read", all(late, orphan, func(g *given) { g.tag(RecordTag, "1;") }), "hold unreadable-record"},
		{"the newest version is disabled", all(late, orphan, func(g *given) { g.Obs.Secret.Value.Enabled = false }), "hold disabled-version"},
		{"the secret is soft-deleted", all(secretIs(SoftDeleted), late, orphan), "hold soft-deleted"},
		{"the secret was not read directly", all(late, orphan, bulk, spec(func(s *Spec) { s.Census = true })), "look direct"},
		{"the secret could not be read", all(late, orphan, func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "503"} }), "wait unknown until 121h1m0s"},
		{"the versions were not read", all(late, orphan, func(g *given) { g.Obs.Versions.Known = false }), "look versions"},
		{"the versions could not be read", all(late, orphan, func(g *given) { g.Obs.Versions = Fact[[]Record]{Failed: "503"} }), "wait unknown until 121h1m0s"},
		{"the list was not read", all(late, orphan, func(g *given) { g.Obs.Issued.Known = false }), "look issued"},
		{"the list could not be read", all(late, orphan, func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "503"} }), "wait unknown until 121h1m0s"},
		{"a clock is not known", all(late, orphan, func(g *given) { g.Obs.StoreDate = time.Time{} }), "wait no-date until 121h1m0s"},
		{"the credential is disabled in the manifest", all(late, orphan, spec(func(s *Spec) { s.Enabled = false })), "done disabled"},
	}.run(t)
}

func TestWhatWasSupersededEndsOnlyAfterItsOverlap(t *testing.T) {
	over := all(replaced, at(t0.Add(day)))
	// The newest version answers a report of what "old" holds. Its PUT was committed ten minutes late, over what was issued
	// and published after it.
	late := func(after time.Duration) change {
		return all(published("old", t0.Add(-25*day), 7), at(t0.Add(10*time.Minute+after)), stray("since", t0.Add(5*time.Minute), 8), published("since", t0.Add(5*time.Minute), 8), rec(func(r *Record) {
			r.Compromised, r.RevokeAfter, r.Predecessor, r.PredecessorExpires = true, t0.Add(-time.Minute), "old", t0.Add(5*day)
		}), func(g *given) { g.Obs.Secret.Value.Created = t0.Add(10 * time.Minute) })
	}
	reportedToo := func(g *given) {
		stray("next", t0.Add(7*time.Minute), 9)(g)
		published("next", t0.Add(7*time.Minute), 9)(g)
		r := &g.Obs.Versions.Value[len(g.Obs.Versions.Value)-1]
		r.Compromised, r.RevokeAfter, r.Predecessor = true, t0.Add(6*time.Minute), "since"
	}
	loser := all(at(t0.Add(day)), stray("loser", t0.Add(-time.Second), 2), published("loser", t0.Add(-time.Second), 2))
	table{
		{"at its end", over, "revoke old"},
		{"a second before", all(replaced, at(t0.Add(day-time.Second))), "wait overlap until 24h"},
		{"the value is probed first", all(over, func(g *given) { g.Obs.Check = Fact[Check]{} }), "look check"},
		{"the probe fails", all(over, func(g *given) { g.Obs.Check = Fact[Check]{Failed: "timeout"} }), "wait unknown until 24h1m0s"},
		{"the new one does not work: it is replaced, and the old one lives", all(over, dead), "issue dead after current"},
		{"what was rolled back to does not work any more, which does not wait for the next try", all(over, dead, rec(func(r *Record) { r.NotBefore = t0.Add(2 * day) })), "issue dead after current"},
		{"the list was not read", all(over, unasked), "look issued"},
		{"the versions were not read", all(over, func(g *given) { g.Obs.Versions.Known = false }), "look versions"},
		{"the secret was not read directly", all(over, bulk), "look direct"},
		{"the clocks disagree", all(over, func(g *given) { g.Obs.StoreDate = g.Now.Add(6 * time.Minute) }), "hold clocks-disagree"},
		{"the store told no date", all(over, func(g *given) { g.Obs.StoreDate = time.Time{} }), "wait no-date until 24h1m0s"},
		{"it lost its stamp", all(over, issued("old", func(i *Issued) { i.Name = "by hand" })), "done current"},
		{"it is stamped for another secret", all(over, issued("old", func(i *Issued) { i.Name = Stamp{Credential: "pat", Hash: other, Generation: gen(t0, 7)}.String() })), "done current"},
		{"it was stamped under the credential's former name", all(over, issued("old", func(i *Issued) {
			i.Name = Stamp{Credential: "former", Hash: steadyHash(), Generation: gen(t0.Add(-25*day), 7)}.String()
		})), "revoke old"},
		{"a loser of two runs waits for the overlap", all(loser, at(t0.Add(day-time.Second))), "wait overlap until 24h"},
		{"a loser of two runs ends after it", loser, "revoke loser"},
		{"a loser that is younger than the sweep window is no stray", all(loser, at(t0.Add(time.Minute))), "wait overlap until 24h"},
		{"the manifest lengthens the overlap", all(over, spec(func(s *Spec) { s.Overlap = 2 * day })), "wait overlap until 48h"},
		{"the manifest does not shorten what was promised", all(replaced, at(t0.Add(12*time.Hour)), spec(func(s *Spec) { s.Overlap = time.Hour })), "wait overlap until 24h"},
		{"the store committed later than the record was made", all(over, func(g *given) { g.Obs.Secret.Value.Created = t0.Add(time.Minute) }), "wait overlap until 24h1m0s"},
		{"a later publication with a shorter overlap does not shorten what an earlier one promised", all(at(t0.Add(2*day)), stray("oldest", t0.Add(-20*day), 3), published("old", t0.Add(-time.Hour), 2), func(g *given) {
			g.Obs.Versions.Value[1].Predecessor, g.Obs.Versions.Value[1].RevokeAfter = "oldest", t0.Add(6*day)
		}), "wait overlap until 144h"},
		{"compromised, at once", all(replaced, at(t0.Add(time.Minute)), rec(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 })), "revoke old"},
		{"compromised, what an earlier publication promised holds nothing up", all(replaced, at(t0.Add(time.Minute)), rec(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 }), func(g *given) {
			g.Obs.Versions.Value[1].RevokeAfter = t0.Add(6 * day)
		}), "revoke old"},
		{"compromised, the manifest lengthens nothing", all(replaced, at(t0.Add(time.Minute)), rec(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 }), spec(func(s *Spec) { s.Overlap = 2 * day })), "revoke old"},
		{"compromised, and published since by the run whose first PUT came after all: it lives for the overlap", late(time.Minute), "wait overlap until 24h10m0s"},
		{"compromised, and published since as compromised, in the second in which it was asked", all(late(time.Minute), func(g *given) {
			v := g.Obs.Versions.Value
			r := &v[len(v)-1]
			r.Compromised, r.RevokeAfter = true, t0.Add(5*time.Minute)
		}), "wait overlap until 24h10m0s"},
		{"compromised, and published since: what was reported ends at once beside it", all(late(time.Minute), stray("old", t0.Add(-25*day), 7)), "revoke old"},
		{"compromised, the one that was replaced for it ends at once, whatever the clocks say of when it was issued", all(replaced, at(t0.Add(time.Minute)), rec(func(r *Record) {
			r.Compromised, r.RevokeAfter = true, t0.Add(-26*day)
		})), "revoke old"},
		{"compromised, and published since: it ends after its overlap", late(day), "revoke since"},
		{"compromised, and published since: a consumer's cache is waited for", all(late(day), consumers(on(true, true)), since(0, 10*time.Minute, 25*time.Hour)), "wait cache until 25h10m0s"},
		{"compromised, and published since, and then reported as well: at once", all(late(time.Minute), reportedToo), "revoke since"},
		{"compromised, and adopted since: it lives for the overlap", all(late(time.Minute), issued("since", func(i *Issued) { i.Name = "by hand" }), spec(func(s *Spec) { s.Adopt.ID = "since" })), "wait overlap until 24h10m0s"},
		{"compromised, and adopted, and from before: at once", all(late(time.Minute), issued("since", func(i *Issued) { i.Name, i.From = "by hand", t0.Add(-day) }), spec(func(s *Spec) { s.Adopt.ID = "since" })), "revoke since"},
		{"the current one is not listed but works", all(over, gone("current")), "revoke old"},
		{"what the overlap does not fit is revoked before the hold", all(over, clamp(2*day)), "revoke old"},
	}.run(t)
}

func TestRetireEndsWhatRekeyIssued(t *testing.T) {
	retire := command(Retire)
	table{
		{"the current one", retire, "revoke current"},
		{"the predecessor goes first, inside its overlap", all(retire, replaced, at(t0.Add(time.Hour))), "revoke old"},
		{"without a probe", all(retire, dead), "revoke current"},
		{"though every tag is taken", all(retire, spec(func(s *Spec) { s.TagNames = strings.Split("abcdefghijklmno", "") })), "revoke current"},
		{"though the credential is disabled in the manifest", all(retire, spec(func(s *Spec) { s.Enabled = false })), "revoke current"},
		{"what is adopted and lost its record is left to a person", all(retire, untagged, spec(func(s *Spec) { s.Adopt.ID = "current" })), "hold unproved"},
		{"orphans too", all(retire, secretIs(Absent), stray("x", t0, 2)), "revoke x"},
		{"young ones are waited for", all(retire, gone("current"), stray("x", t0.Add(10*day-time.Minute), 2)), "wait young until 240h59m0s"},
		{"what is not ours stays", all(retire, issued("current", func(i *Issued) { i.Name = "by hand" })), "done retired"},
		{"what is stamped for another secret stays", all(retire, issued("current", func(i *Issued) {
			i.Name = Stamp{Credential: "pat", Hash: other, Generation: gen(t0, 1)}.String()
		})), "done retired"},
		{"what was adopted goes", all(retire, issued("current", func(i *Issued) { i.Name = "by hand" }), spec(func(s *Spec) { s.Adopt.ID = "current" })), "revoke current"},
		{"what is adopted but was never taken over stays", all(retire, gone("current"), spec(func(s *Spec) { s.Adopt.ID = "mine" }), alive(Issued{ID: "mine", Name: "by hand", From: t0})), "done retired"},
		{"nothing is left", all(retire, gone("current")), "done retired"},
		{"what cannot be proved is not called retired", all(retire, untagged, spec(func(s *Spec) { s.Adopt.ID = "mine" })), "hold unproved"},
		{"a newest version that somebody else wrote", all(retire, untagged), "hold unproved"},
		{"what a person was shown", all(retire, replaced, shown("old", "current")), "revoke old"},
		{"what was issued since stays", all(retire, replaced, shown("old"), gone("old")), "hold issued-since"},
		{"what a person was shown goes first", all(retire, replaced, shown("current")), "revoke current"},
		{"nothing, where there was nothing to show", all(retire, shown()), "hold issued-since"},
		{"it needs the list", all(retire, unasked), "look issued"},
		{"it needs the versions", all(retire, func(g *given) { g.Obs.Versions.Known = false }), "look versions"},
		{"it needs a direct read", all(retire, bulk), "look direct"},
		{"it needs clocks that agree", all(retire, func(g *given) { g.Obs.StoreDate = g.Now.Add(time.Hour) }), "hold clocks-disagree"},
	}.run(t)
}

// shown is what a person saw before they had it retired.
func shown(ids ...string) change {
	return spec(func(s *Spec) { s.Shown = append([]string{}, ids...) })
}

func TestAPermitIsForOneCredentialAndExpires(t *testing.T) {
	if (Permit{}).Valid(t0) == nil {
		t.Error("a permit that nobody minted is valid")
	}
	g := steady(replaced, at(t0.Add(day)))
	p := g.decide().Action.(Revoke).Permit
	if p.Credential() != "pat" || p.IssuerID() != "old" || p.Name() != g.Obs.Issued.Value[1].Name || p.Reason() == "" {
		t.Errorf("a permit for %s %s %s %q", p.Credential(), p.IssuerID(), p.Name(), p.Reason())
	}
	for after, valid := range map[time.Duration]bool{0: true, PermitLife - time.Second: true, PermitLife: false, time.Hour: false} {
		if err := p.Valid(g.Now.Add(after)); (err == nil) != valid {
			t.Errorf("after %s: %v, want valid %v", after, err, valid)
		}
	}
}

func TestYoungStraysAreWaitedForWhateverTheOrderOfTheList(t *testing.T) {
	g := steady(stray("a", t0.Add(10*day-time.Minute), 2), stray("b", t0.Add(10*day-30*time.Minute), 3))
	want := g.decide().Until
	l := g.Obs.Issued.Value
	l[1], l[2] = l[2], l[1]
	if got := g.decide().Until; !got.Equal(want) || !got.Equal(t0.Add(10*day+30*time.Minute)) {
		t.Errorf("until %s in one order, %s in the other; want when the first can be judged", want, got)
	}
}

// copied is what somebody does who restores a tag from another version.
func copied(g *given) { g.Obs.Versions.Value = append(g.Obs.Versions.Value, g.Obs.Versions.Value[0]) }
