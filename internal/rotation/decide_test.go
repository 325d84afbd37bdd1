package rotation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

func TestAListMayConcludeOnlyThatThereIsNothingToDo(t *testing.T) {
	listed := all(bulk, unasked)
	afterOverlap := all(replaced, listed) // now is nine days after its overlap, and "old" expired at t0+5d
	open := all(replaced, at(t0.Add(2*day)), listed)
	table{
		{"an idle credential costs nothing but the list", listed, "done current"},
		{"a predecessor that has expired by itself needs no look", afterOverlap, "done current"},
		{"inside the overlap the issuer is asked", all(replaced, at(t0.Add(12*time.Hour)), listed), "look issued"},
		{"inside the overlap with the issuer's list it waits", all(replaced, at(t0.Add(12*time.Hour)), bulk), "wait overlap until 24h"},
		{"after the overlap the issuer is asked whether the predecessor lives", open, "look issued"},
		{"a predecessor that lives after the overlap is looked at directly", all(replaced, at(t0.Add(2*day)), bulk), "look direct"},
		{"a predecessor that is gone after the overlap leaves nothing to do", all(replaced, gone("old"), at(t0.Add(2*day)), bulk), "done current"},
		{"a predecessor that is not ours is left alone", all(replaced, issued("old", func(i *Issued) { i.Name = "by hand" }), at(t0.Add(2*day)), bulk), "done current"},
		{"an adopted predecessor is looked at directly", all(replaced, issued("old", func(i *Issued) { i.Name = "by hand" }), spec(func(s *Spec) { s.Adopt.ID = "old" }), at(t0.Add(2*day)), bulk), "look direct"},
		{"the daily census asks the issuer", all(spec(func(s *Spec) { s.Census = true }), listed), "look issued"},
		{"a census that finds only the current one is done", all(spec(func(s *Spec) { s.Census = true }), bulk), "done current"},
		{"a census that finds an old stray looks directly", all(spec(func(s *Spec) { s.Census = true }), stray("x", t0.Add(day), 2), bulk), "look direct"},
		{"a census leaves a young stray alone", all(spec(func(s *Spec) { s.Census = true }), stray("x", t0.Add(10*day-time.Minute), 2), bulk), "done current"},
		{"a census that does not find the current one looks directly", all(spec(func(s *Spec) { s.Census = true }), gone("current"), bulk), "look direct"},
		{"a census that finds another date looks directly", all(spec(func(s *Spec) { s.Census = true }), issued("current", func(i *Issued) { i.To = i.To.Add(time.Hour) }), bulk), "look direct"},
		{"a census that finds another shape looks directly", all(spec(func(s *Spec) { s.Census = true }), issued("current", func(i *Issued) { i.Shape = other }), bulk), "look direct"},
		{"a census that the issuer refuses waits", all(spec(func(s *Spec) { s.Census = true }), listed, func(g *given) { g.Obs.Issued.Failed = "503" }), "wait unknown until 240h1m0s"},
		{"a due record is looked at directly", all(at(t0.Add(25*day)), listed), "look direct"},
		{"a record of another shape is looked at directly", all(spec(func(s *Spec) { s.Shape = other }), listed), "look direct"},
		{"a clamped record that the overlap does not fit is looked at directly", all(at(t0.Add(time.Hour)), rec(func(r *Record) { r.Expires = t0.Add(2 * day) }), listed), "look direct"},
		{"a secret without a record is looked at directly", all(untagged, listed), "look direct"},
		{"an unreadable record is looked at directly", all(func(g *given) { g.tag(RecordTag, "2;x=1") }, listed), "look direct"},
		{"a disabled version is looked at directly", all(func(g *given) { g.Obs.Secret.Value.Enabled = false }, listed), "look direct"},
		{"a secret missing from the list is looked at directly", all(listed, func(g *given) { g.Obs.Secret = Fact[Secret]{} }), "look direct"},
		{"a secret that a list calls absent is looked at directly", all(secretIs(Absent), listed), "look direct"},
		{"a secret that a list calls deleted is looked at directly", all(secretIs(SoftDeleted), listed), "look direct"},
		{"full tags are looked at directly", all(manyTags(15), listed), "look direct"},
		{"what a person asked for is looked at directly", all(command(Rotate), listed), "look direct"},
		{"a check that was asked for is done directly", all(spec(func(s *Spec) { s.Verify = true }), listed), "look direct"},
		{"an open publication with consumers is looked at directly", all(at(t0.Add(12*time.Hour)), consumers(on(true, true)), listed), "look direct"},
		{"a closed publication with consumers costs nothing", all(consumers(on(true, true)), listed), "done current"},
		{"the daily census looks at the consumers too", all(spec(func(s *Spec) { s.Census = true }), consumers(on(true, true)), bulk), "look direct"},
		{"a vault that cannot be listed is waited for", all(listed, func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "503"} }), "wait unknown until 240h1m0s"},
		{"a disabled credential is left alone, whatever is known", all(spec(func(s *Spec) { s.Enabled = false }), listed, func(g *given) { g.Obs.Secret = Fact[Secret]{} }), "done disabled"},
	}.run(t)
}

func manyTags(n int) change {
	return func(g *given) {
		for i := range n {
			g.tag(fmt.Sprintf("t%d", i), "x")
		}
	}
}

func TestHoldsBeforeAnythingIsIssued(t *testing.T) {
	due := at(t0.Add(26 * day))
	adopt := spec(func(s *Spec) { s.Adopt.ID = "mine" })
	mine := func(id, name string) change {
		return alive(Issued{ID: id, Name: name, From: t0, To: t0.Add(90 * day), Shape: shape})
	}
	tags := func(n int) change {
		return spec(func(s *Spec) {
			for i := range n {
				s.TagNames = append(s.TagNames, fmt.Sprintf("m%d", i))
			}
		})
	}
	table{
		{"a soft-deleted secret", all(secretIs(SoftDeleted), unasked), "hold soft-deleted"},
		{"a disabled newest version", all(due, unasked, func(g *given) { g.Obs.Secret.Value.Enabled = false }), "hold disabled-version"},
		{"no free tag beside fifteen foreign ones", all(due, unasked, manyTags(15)), "hold no-free-tag"},
		{"no free tag for the manifest's own", all(due, unasked, manyTags(13), tags(1)), "hold no-free-tag"},
		{"a tag that the manifest sets and the secret has counts once", all(manyTags(13), spec(func(s *Spec) { s.TagNames = []string{"owner", "t0"} })), "done current"},
		{"fourteen foreign tags and the record fit", all(manyTags(13)), "done current"},
		{"more tags in the manifest than a new secret can have", all(secretIs(Absent), tags(15)), "hold no-free-tag"},
		{"a newest version that somebody else wrote", all(due, unasked, untagged), "hold foreign-version"},
		{"a newest version that somebody else wrote, though it is asked for", all(command(Rotate), untagged), "hold foreign-version"},
		{"a newest version that somebody else wrote, though it is compromised", all(command(Compromised), untagged), "hold foreign-version"},
		{"a record of a newer Rekey", all(due, unasked, func(g *given) { g.tag(RecordTag, "2;g=x") }), "hold unreadable-record"},
		{"a record that a person edited", all(due, unasked, func(g *given) { g.tag(RecordTag, "1;g=x") }), "hold unreadable-record"},
		{"the adopted credential is not there", all(untagged, adopt, gone("current")), "hold adopt-missing"},
		{"two have the adopted name", all(untagged, spec(func(s *Spec) { s.Adopt.Name = "ci" }), mine("a", "ci"), mine("b", "ci")), "hold adopt-ambiguous"},
		{"two have the adopted name, and there is no secret yet", all(secretIs(Absent), spec(func(s *Spec) { s.Adopt.Name = "ci" }), mine("a", "ci"), mine("b", "ci")), "hold adopt-ambiguous"},
		{"the adopted credential's value does not work", all(untagged, adopt, mine("mine", "by hand"), dead), "hold adopt-value"},
		{"what is adopted is stamped for another secret", all(untagged, adopt,
			mine("mine", Stamp{Credential: "pat", Hash: other, Generation: gen(t0, 5)}.String())), "hold adopt-missing"},
		{"a person must sign in before the issuer can be asked", all(due, unasked, func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "50076", Person: "rekey login"} }), "hold person"},
		{"a person must grant the vault", all(due, func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "403", Person: "grant it"} }), "hold person"},
		{"the life that the issuer gives is too short for the overlap", all(due, clamp(2*day)), "hold overlap-does-not-fit"},
		{"the same, before it is due", all(at(t0.Add(time.Hour)), clamp(2*day)), "hold overlap-does-not-fit"},
		{"the clocks disagree when it is due", all(due, func(g *given) { g.Obs.StoreDate = g.Now.Add(-5*time.Minute - time.Second) }), "hold clocks-disagree"},
		{"the clocks disagree the other way", all(due, func(g *given) { g.Obs.StoreDate = g.Now.Add(5*time.Minute + time.Second) }), "hold clocks-disagree"},
		{"the clocks disagree when a stray should be swept", all(stray("x", t0.Add(day), 2), func(g *given) { g.Obs.StoreDate = g.Now.Add(-time.Hour) }), "hold clocks-disagree"},
		{"clocks five minutes apart agree", all(due, func(g *given) { g.Obs.StoreDate = g.Now.Add(-5 * time.Minute) }), "issue due after current"},
	}.run(t)
}

// clamp makes the issuer give less life than asked.
func clamp(life time.Duration) change {
	return all(rec(func(r *Record) { r.Expires = t0.Add(life) }), issued("current", func(i *Issued) { i.To = t0.Add(life) }))
}

func TestReplacedWhenDueAndNotBefore(t *testing.T) {
	absent := all(secretIs(Absent), func(g *given) { g.Obs.Check = Fact[Check]{} })
	nameless := func(g *given) { g.Obs.IssuerDate = time.Time{} }
	table{
		{"nothing to do", nothing, "done current"},
		{"the secret does not exist", absent, "issue absent, the first"},
		{"it is asked for", command(Rotate), "issue asked after current"},
		{"it is asked for where there is none", all(absent, command(Rotate)), "issue absent, the first"},
		{"it is compromised", command(Compromised), "issue compromised after current, compromised"},
		{"it was compromised when that was said", all(command(Compromised), asked(t0.Add(time.Second))), "issue compromised after current, compromised"},
		{"what another run has issued since is not what is compromised", all(command(Compromised), asked(t0.Add(-time.Minute))), "hold issued-since"},
		{"what was issued in the second in which that was said was there", all(command(Compromised), asked(t0.Add(-time.Second))), "issue compromised after current, compromised"},
		{"another run was told so too", all(command(Compromised), asked(t0.Add(-time.Minute)), rec(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 })), "done current"},
		{"the manifest asks for another shape", spec(func(s *Spec) { s.Shape = other }), "issue changed after current"},
		{"somebody changed its shape at the issuer", issued("current", func(i *Issued) { i.Shape = other }), "issue changed after current"},
		{"an issuer that cannot tell the shape changes nothing", issued("current", func(i *Issued) { i.Shape = "" }), "done current"},
		{"a second before the threshold", at(t0.Add(25*day - time.Second)), "done current"},
		{"at the threshold", at(t0.Add(25 * day)), "issue due after current"},
		{"at the threshold, though the issuer keeps a fraction of a second", all(issued("current", func(i *Issued) { i.To = i.To.Add(300 * time.Millisecond) }), at(t0.Add(25*day))), "issue due after current"},
		{"after its end", all(at(t0.Add(40*day)), gone("current")), "issue due after current"},
		{"a clamped life is replaced at a third, not before", all(clamp(3*day), at(t0.Add(2*day-time.Second))), "done current"},
		{"a clamped life is replaced at a third", all(clamp(3*day), at(t0.Add(2*day))), "issue due after current"},
		{"a third that is longer than rotateBefore does not count", all(clamp(27*day), at(t0.Add(22*day-time.Second))), "done current"},
		{"a life that is short by rounding is not clamped", all(clamp(30*day-30*time.Second), at(t0.Add(25*day-30*time.Second))), "issue due after current"},
		{"a life that is short by rounding keeps a rotateBefore over a third", all(spec(func(s *Spec) { s.RotateBefore = 12 * day }), clamp(30*day-30*time.Second), at(t0.Add(18*day))), "issue due after current"},
		{"the value does not work any more", all(gone("current"), dead), "issue dead after current"},
		{"a check that was asked for finds it dead", all(spec(func(s *Spec) { s.Verify = true }), dead), "issue dead after current"},
		{"listed and not asked for, it is not checked", dead, "done current"},
		{"missing from the list is unknown until it was probed", all(gone("current"), func(g *given) { g.Obs.Check = Fact[Check]{} }), "look check"},
		{"missing from the list, but it works", gone("current"), "done current"},
		{"tries that failed are waited for", all(at(t0.Add(25*day)), rec(func(r *Record) { r.Failures, r.NotBefore = 2, t0.Add(26*day) })), "wait backoff until 624h"},
		{"tries that failed are over", all(at(t0.Add(26*day)), rec(func(r *Record) { r.Failures, r.NotBefore = 2, t0.Add(26*day) })), "issue due after current, 2 failed"},
		{"a person does not wait for failed tries", all(command(Rotate), rec(func(r *Record) { r.Failures, r.NotBefore = 2, t0.Add(26*day) })), "issue asked after current, 2 failed"},
		{"a person may replace once what the overlap does not fit", all(clamp(2*day), at(t0.Add(time.Hour)), command(Rotate)), "issue asked after current"},
		{"no date from the issuer, nothing issued", all(absent, nameless), "wait no-date until 240h1m0s"},
	}.run(t)
}

func TestUnknownIsNeverActedOn(t *testing.T) {
	due := at(t0.Add(26 * day))
	broken := "wait unknown until 624h1m0s"
	table{
		{"the secret was not looked at", all(due, func(g *given) { g.Obs.Secret, g.Obs.Direct = Fact[Secret]{}, false }), "look direct"},
		{"the secret could not be read", all(due, func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "503"} }), broken},
		{"the issuer was not asked", all(due, unasked), "look issued"},
		{"the issuer did not answer", all(due, func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "503"} }), broken},
		{"the versions were not read", all(due, func(g *given) { g.Obs.Versions = Fact[[]Record]{} }), "look versions"},
		{"the versions could not be read", all(due, func(g *given) { g.Obs.Versions = Fact[[]Record]{Failed: "503"} }), broken},
		{"the versions of an absent secret were not read", all(secretIs(Absent), due, func(g *given) { g.Obs.Versions = Fact[[]Record]{} }), "look versions"},
		{"the probe itself failed", all(gone("current"), due, at(t0.Add(10*day)), func(g *given) { g.Obs.Check = Fact[Check]{Failed: "timeout"} }), "wait unknown until 240h1m0s"},
		{"the service said when to come again", all(due, func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "429", Retry: g.Now.Add(time.Hour)} }), "wait unknown until 625h"},
		{"retiring waits for the issuer", all(command(Retire), func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "503"} }), "wait unknown until 240h1m0s"},
		{"compromised waits for the versions", all(command(Compromised), func(g *given) { g.Obs.Versions = Fact[[]Record]{} }), "look versions"},
	}.run(t)
}

func TestADateThatMovedIsWrittenDownOrExtended(t *testing.T) {
	extend := spec(func(s *Spec) { s.Extend = true })
	due := at(t0.Add(26 * day))
	table{
		{"due, it is extended", all(extend, due), "extend current until 1344h"},
		{"an extension whose record was lost is amended", all(extend, due, issued("current", func(i *Issued) { i.To = t0.Add(56 * day) })), "amend date of current until 1344h"},
		{"somebody moved the date further", issued("current", func(i *Issued) { i.To = t0.Add(90 * day) }), "amend date of current until 2160h"},
		{"somebody moved the date nearer", issued("current", func(i *Issued) { i.To = t0.Add(20 * day) }), "amend date of current until 480h"},
		{"rounding is no move", issued("current", func(i *Issued) { i.To = i.To.Add(time.Minute) }), "done current"},
		{"no date is no move", issued("current", func(i *Issued) { i.To = time.Time{} }), "done current"},
		{"an extension that did not move the date becomes a replacement", all(extend, due, attempt(Attempt{Extended: true})), "issue due after current"},
		{"an extension that moved it too little becomes a replacement", all(extend, due, attempt(Attempt{Extended: true}), clamp(30*day+time.Hour)), "issue due after current"},
		{"what is compromised is not extended", all(extend, command(Compromised)), "issue compromised after current, compromised"},
		{"what is asked for is not extended", all(extend, command(Rotate)), "issue asked after current"},
		{"another shape is not extended", all(extend, spec(func(s *Spec) { s.Shape = other })), "issue changed after current"},
		{"what is not listed is not extended", all(extend, due, gone("current")), "issue due after current"},
		{"what is stamped for another secret is not extended", all(extend, due, issued("current", func(i *Issued) {
			i.Name = Stamp{Credential: "pat", Hash: other, Generation: gen(t0, 1)}.String()
		})), "issue due after current"},
		{"what lost its stamp is not extended", all(extend, due, issued("current", func(i *Issued) { i.Name = "by hand" })), "issue due after current"},
		{"what is adopted is extended", all(extend, due, issued("current", func(i *Issued) { i.Name = "by hand" }), spec(func(s *Spec) { s.Adopt.ID = "current" })), "extend current until 1344h"},
	}.run(t)
}

func TestAdoption(t *testing.T) {
	byID := spec(func(s *Spec) { s.Adopt.ID = "mine" })
	byName := spec(func(s *Spec) { s.Adopt.Name = "ci token" })
	mine := alive(Issued{ID: "mine", Name: "ci token", From: t0, To: t0.Add(90 * day), Shape: shape})
	fresh := all(untagged, gone("current"), func(g *given) { g.Obs.Versions.Value = nil })
	adopted := all(fresh, func(g *given) {
		g.write(Record{Generation: gen(t0, 5), IssuerID: "mine", Publication: NewPublication(t0, [5]byte{9}), Shape: shape, Expires: t0.Add(90 * day), RevokeAfter: t0})
		r, _ := g.record()
		g.Obs.Versions.Value = []Record{r}
	}, mine)
	unprobed := func(g *given) { g.Obs.Check = Fact[Check]{} }
	table{
		{"by id", all(fresh, byID, mine), "amend adopt of mine until 2160h"},
		{"by name", all(fresh, byName, mine), "amend adopt of mine until 2160h"},
		{"an id counts more than a name", all(fresh, spec(func(s *Spec) { s.Adopt = Adoption{ID: "gone", Name: "ci token"} }), mine), "hold adopt-missing"},
		{"the value is probed first", all(fresh, byID, mine, unprobed), "look check"},
		{"the issuer is asked first", all(fresh, byID, unasked), "look issued"},
		{"once adopted, it is current", all(adopted, byID), "done current"},
		{"once adopted, a life shorter than the overlap's is no reason to hold", all(adopted, byID, spec(func(s *Spec) { s.Lifetime = 360 * day; s.RotateBefore = 40 * day; s.Overlap = 35 * day })), "done current"},
		{"due, it is replaced", all(adopted, byID, at(t0.Add(86*day))), "issue due after mine"},
		{"compromised before it was adopted, it is adopted first", all(fresh, byID, mine, command(Compromised)), "amend adopt of mine until 2160h"},
		{"no secret yet: one is issued, and the adopted one is its predecessor", all(secretIs(Absent), byID, mine), "issue absent after mine, the first"},
		{"an adopted predecessor is revoked after the overlap", all(replaced, at(t0.Add(2*day)), issued("old", func(i *Issued) { i.Name = "by hand" }), spec(func(s *Spec) { s.Adopt.ID = "old" })), "revoke old"},
		{"a predecessor that is adopted no longer is left alone", all(replaced, at(t0.Add(2*day)), issued("old", func(i *Issued) { i.Name = "by hand" })), "done current"},
		{"adoption alone revokes nothing", all(alive(Issued{ID: "mine", Name: "by hand", From: t0, To: t0.Add(90 * day)}), byID), "done current"},
		{"a stray without the newest record is left alone", all(fresh, byID, mine, stray("x", t0, 2)), "amend adopt of mine until 2160h"},
	}.run(t)
}

func TestTellsConsumersBeforeTheOldOneEnds(t *testing.T) {
	over := all(replaced, at(t0.Add(2*day)))
	unknown := Fact[ConsumerState]{Failed: "503"}
	table{
		{"they are asked", all(over, consumers(on(true, true)), func(g *given) { g.Obs.Consumers = nil }), "look consumers"},
		{"one that is behind is told", all(over, consumers(on(true, true), on(false, true))), "tell c1"},
		{"one that is behind is told although another is not known", all(over, consumers(unknown, on(false, true))), "tell c1"},
		{"one that is not known is waited for", all(over, consumers(on(true, true), unknown)), "wait unknown until 48h1m0s"},
		{"one that does not work is told again, whatever its mark says", all(over, consumers(on(true, true), on(true, false))), "tell c1"},
		{"one that this run has told and that does not work is waited for", all(over, consumers(on(true, true), on(true, false)), told(1)), "wait consumer until 48h1m0s"},
		{"one that this run has told something older is told again", all(over, consumers(on(true, false)), func(g *given) { g.Obs.Told = []Publication{"older"} }), "tell c0"},
		{"one that does not work holds no other", all(over, consumers(on(true, false), on(false, true)), told(0)), "tell c1"},
		{"one that only a person can mend holds no other", all(over, consumers(Fact[ConsumerState]{Failed: "403", Person: "do"}, on(false, true))), "tell c1"},
		{"one that only a person can mend holds the end of the old one", all(over, consumers(Fact[ConsumerState]{Failed: "403", Person: "do"}, on(true, true))), "hold person"},
		{"one that was told late keeps the old one for its cache", all(over, consumers(on(true, true), on(true, true)), since(1, 47*time.Hour, 2*time.Hour)), "wait cache until 49h"},
		{"one whose cache has passed keeps nothing", all(over, consumers(on(true, true)), since(0, 46*time.Hour, 2*time.Hour)), "revoke old"},
		{"one that cannot say when it was told is guarded by the overlap", all(over, consumers(on(true, true)), func(g *given) { g.Spec.Consumers[0].Cache = 20 * time.Hour }), "revoke old"},
		{"a cache does not keep what is compromised", all(replaced, at(t0.Add(time.Hour)), rec(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 }), consumers(on(true, true)), since(0, time.Hour, 2*time.Hour)), "revoke old"},
		{"one whose mark the service has forgotten is told again before the old one ends", all(over, consumers(on(true, true), lapsed())), "tell c1"},
		{"one that was told again after that holds nothing", all(over, consumers(lapsed()), told(0)), "revoke old"},
		{"one whose mark the service has forgotten is left alone where nothing is to end", all(spec(func(s *Spec) { s.Census = true }), consumers(lapsed())), "done current"},
		{"when all are on it, the old one is revoked", all(over, consumers(on(true, true), on(true, true))), "revoke old"},
		{"they are told inside the overlap", all(replaced, at(t0.Add(time.Hour)), consumers(on(false, true))), "tell c0"},
		{"compromised, they are told before the old one ends", all(replaced, at(t0.Add(time.Hour)), rec(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 }), consumers(on(false, true))), "tell c0"},
	}.run(t)
}

func TestNotesSayWhatAPersonShouldKnow(t *testing.T) {
	for _, c := range []struct {
		name   string
		change change
		want   string
	}{
		{"nothing", nothing, ""},
		{"a clamped life", all(clamp(3*day), at(t0.Add(day))), "clamped"},
		{"a clamped life, from the lists alone", all(clamp(20*day), bulk), "clamped"},
		{"a current one that the issuer does not list", gone("current"), "not-listed"},
		{"a young stray", stray("x", t0.Add(10*day-time.Minute), 2), "young"},
		{"a stray that cannot be proved", all(untagged, spec(func(s *Spec) { s.Adopt.ID = "current" }), stray("x", t0, 2)), "unproved"},
		{"a predecessor that lost its stamp, after the overlap", all(replaced, at(t0.Add(2*day)), issued("old", func(i *Issued) { i.Name = "by hand" })), "kept"},
		{"a predecessor that lost its stamp, from the lists alone", all(replaced, at(t0.Add(2*day)), issued("old", func(i *Issued) { i.Name = "by hand" }), bulk), "kept"},
		{"another account or organisation in the manifest", spec(func(s *Spec) { s.Shape = "ffff" + shape[4:] }), "elsewhere"},
		{"other scopes in the manifest", spec(func(s *Spec) { s.Shape = shape[:4] + "ffff" }), ""},
		{"a consumer that cannot be tried, before the old one ends", all(replaced, at(t0.Add(2*day)), consumers(on(true, true)), func(g *given) { g.Obs.Consumers[0].Value.Weak = true }), "weak"},
		{"a stray of this secret under another name", alive(Issued{ID: "x", Name: Stamp{Credential: "former", Hash: steadyHash(), Generation: gen(t0, 2)}.String(), From: t0}), "other-name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := steady(c.change)
			var got []string
			for _, n := range g.decide().Notes {
				got = append(got, n.Code)
				if n.Text == "" {
					t.Errorf("note %s says nothing", n.Code)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("notes %q, want %q", got, c.want)
			}
		})
	}
}

func steadyHash() string { g := steady(); return g.Spec.Target.Hash() }

// asked is when a person asked for what the command says.
func asked(at time.Time) change { return spec(func(s *Spec) { s.Asked = at }) }
