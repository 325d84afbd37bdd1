package rotation

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// slotWorld is everything that a one-slot credential's fate hangs on. Values are numbered; 0 is a value that nobody has.
type slotWorld struct {
	secret, pending int // the value that each secret holds; -1 if it is absent
	recorded        bool
	account         int
	last            int // the highest number so far
}

func (w slotWorld) String() string {
	return fmt.Sprintf("secret %d (record %t) pending %d account %d", w.secret, w.recorded, w.pending, w.account)
}

// normal numbers the values anew, so that worlds that differ in nothing else are one.
func (w slotWorld) normal() slotWorld {
	names := map[int]int{-1: -1}
	var order []int
	for _, v := range []int{w.secret, w.pending, w.account} {
		if _, ok := names[v]; !ok {
			names[v] = 0
			order = append(order, v)
		}
	}
	for i, least := range order {
		for j, v := range order[i:] {
			if v < least {
				least, order[i], order[i+j] = v, v, order[i]
			}
		}
		names[order[i]] = i + 1
	}
	return slotWorld{names[w.secret], names[w.pending], w.recorded, names[w.account], len(order)}
}

var slotStart = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func slotSpec() Spec {
	return Spec{Name: "batch", Target: Target{Vault: "kv", Name: "batch"}, Enabled: true, Order: OneSlot, Lifetime: 30 * 24 * time.Hour, RotateBefore: 5 * 24 * time.Hour,
		Shape: "aaaabbbbbb", Adopt: Adoption{ID: "batch"}, SweepWindow: time.Hour}
}

func slotRecord(t *testing.T, n int, due bool) string {
	t.Helper()
	at := slotStart.Add(time.Duration(n) * time.Second)
	expires := at.Add(30 * 24 * time.Hour)
	if due {
		expires = at.Add(time.Hour)
	}
	s, err := Record{Generation: NewGeneration(at, [5]byte{}), Publication: NewPublication(at, [5]byte{}), IssuerID: "u", Shape: "aaaabbbbbb", Expires: expires, RevokeAfter: at}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// outcomes of one effect.
const (
	fine = iota
	crashBefore
	crashAfter
	lostAnswer // applied, and nobody hears of it
	outcomes
)

// slotRun plays one run from a world. At its effect number bad, what is said happens; due says that the published value
// is to be replaced. It returns the worlds that it went through, and how it ended.
func slotRun(t *testing.T, w slotWorld, due, asked bool, bad, what int) (worlds []slotWorld, end Decision, effects int) {
	t.Helper()
	spec, now := slotSpec(), slotStart.Add(time.Hour)
	if spec.Census = true; asked {
		spec.Command, spec.Asked = Rotate, now
	}
	obs := Observation{StoreDate: now, IssuerDate: now}
	var mine Generation
	for range 40 {
		d := Decide(spec, obs, now)
		switch d.Kind {
		case Look:
			switch d.Need {
			case NeedDirect:
				s := Secret{State: Absent}
				if w.secret >= 0 {
					s = Secret{State: Present, Enabled: true, Created: slotStart, Tags: map[string]string{}}
					if w.recorded {
						s.Tags[RecordTag] = slotRecord(t, w.secret, due)
					}
				}
				obs.Direct, obs.Secret = true, Known(s)
			case NeedPending:
				s := Secret{State: Absent}
				if w.pending >= 0 {
					s = Secret{State: Present, Enabled: true, Tags: map[string]string{RecordTag: slotRecord(t, w.pending, false)}}
				}
				obs.Slot.Direct, obs.Slot.Pending = true, Known(s)
			case NeedIssued:
				obs.Issued = Known([]Issued{{ID: "u"}})
			case NeedCheck:
				obs.Check = Known(Check{Works: w.secret == w.account})
			case NeedPendingCheck:
				obs.Slot.Check = Known(Check{Works: w.pending == w.account})
			default:
				t.Fatalf("%v looks for %d", w, d.Need)
			}
			continue
		case Act:
		default:
			return worlds, d, effects
		}
		effects++
		is := fine
		if effects == bad {
			is = what
		}
		if is == crashBefore {
			return worlds, Decision{}, effects
		}
		switch a := d.Action.(type) {
		case Prepare:
			w.last++
			w.pending = w.last
			mine = NewGeneration(slotStart.Add(time.Duration(w.last)*time.Second), [5]byte{})
		case Assign:
			w.account = w.pending
		case Promote:
			if w.pending != w.account {
				t.Fatalf("%v: publishes what does not work", w)
			}
			w.secret, w.recorded, due = w.pending, true, false
			if a.Record.Generation == mine {
				spec.Command = Converge
			}
		default:
			t.Fatalf("%v: %T", w, d.Action)
		}
		worlds = append(worlds, w)
		if is == crashAfter {
			return worlds, Decision{}, effects
		}
		obs = Observation{StoreDate: now, IssuerDate: now, Slot: Slot{Mine: mine}}
	}
	t.Fatalf("%v: the run does not end", w)
	return nil, Decision{}, 0
}

// Every world that runs can leave behind, whatever happens to them at any effect, and as often as it happens: in each of
// them the account's password is in one of the two secrets, and one undisturbed run mends it.
func TestNoCrashLosesAPassword(t *testing.T) {
	starts := []slotWorld{
		{secret: -1, pending: -1, account: 1, last: 1},                 // nothing is there, and somebody knows the password
		{secret: 1, pending: -1, account: 1, last: 1},                  // a person has put it into the secret
		{secret: 1, pending: 1, recorded: true, account: 1, last: 1},   // published
		{secret: 1, pending: 1, recorded: true, account: 2, last: 2},   // somebody has set another one by hand
		{secret: 1, pending: -1, recorded: true, account: 1, last: 1},  // the second secret is gone
		{secret: 2, pending: 1, recorded: true, account: 2, last: 2},   // a late write of an older run is in the second secret
		{secret: 1, pending: 3, recorded: true, account: 2, last: 3},   // prepared, and somebody has set another one by hand
		{secret: -1, pending: 2, recorded: false, account: 2, last: 2}, // the first one was set, and the run ended
	}
	seen := map[slotWorld]bool{}
	var todo []slotWorld
	add := func(w slotWorld) {
		if w = w.normal(); !seen[w] {
			seen[w] = true
			todo = append(todo, w)
		}
	}
	for _, w := range starts {
		add(w)
	}
	runs := 0
	for len(todo) > 0 {
		w := todo[0]
		todo = todo[1:]
		for ways := range 4 {
			due, asked := ways&1 > 0, ways&2 > 0
			for bad := range 10 {
				for what := range outcomes {
					worlds, _, effects := slotRun(t, w, due, asked, bad, what)
					runs++
					before := w
					for _, x := range worlds {
						held := func(w slotWorld) bool { return w.account == w.secret || w.account == w.pending }
						if held(before) && !held(x) {
							t.Errorf("from %v, due %t, asked %t, outcome %d at effect %d: %v", w, due, asked, what, bad, x)
						}
						before = x
						add(x)
					}
					if bad > effects {
						break
					}
				}
			}
			worlds, end, _ := slotRun(t, w, due, asked, 0, fine)
			last := w
			if len(worlds) > 0 {
				last = worlds[len(worlds)-1]
			}
			if end.Kind != Done || last.secret != last.account || !last.recorded || asked && last.account == w.account {
				t.Errorf("from %v an undisturbed run ends in %v: %v %s %s", w, last, end.Kind, end.Code, end.Why)
			}
		}
	}
	if len(seen) < 10 || runs < 200 {
		t.Errorf("only %d worlds, %d runs", len(seen), runs)
	}
	t.Logf("%d worlds, %d runs", len(seen), runs)
}

func TestWhatAOneSlotCredentialDecides(t *testing.T) {
	now := slotStart.Add(time.Hour)
	present := func(tag string) Fact[Secret] {
		s := Secret{State: Present, Enabled: true, Created: slotStart, Tags: map[string]string{}}
		if tag != "" {
			s.Tags[RecordTag] = tag
		}
		return Known(s)
	}
	fresh, next, due := slotRecord(t, 1, false), slotRecord(t, 2, false), slotRecord(t, 1, true)
	yes, no := Known(Check{Works: true}), Known(Check{Why: "wrong"})
	for _, c := range []struct {
		name            string
		spec            func(*Spec)
		secret, pending Fact[Secret]
		direct          bool
		check, next     Fact[Check]
		want            string // kind and code, and the action
	}{
		{"nothing to do, by lists alone", nil, present(fresh), present(fresh), false, Fact[Check]{}, Fact[Check]{}, "done current"},
		{"a prepared value in the list is looked at", nil, present(fresh), present(next), false, Fact[Check]{}, Fact[Check]{}, "look"},
		{"a second secret that the list lacks is looked for", nil, present(fresh), Fact[Secret]{}, false, Fact[Check]{}, Fact[Check]{}, "look"},
		{"due", nil, present(due), present(due), true, Fact[Check]{}, Fact[Check]{}, "act due rotation.Prepare"},
		{"asked for", func(s *Spec) { s.Command = Rotate }, present(fresh), present(fresh), true, Fact[Check]{}, Fact[Check]{}, "act asked rotation.Prepare"},
		{"asked for, with one prepared before", func(s *Spec) { s.Command, s.Asked = Rotate, now }, present(fresh), present(next), true, Fact[Check]{}, no, "act asked rotation.Prepare"},
		{"asked for, with one prepared before that is set", func(s *Spec) { s.Command, s.Asked = Rotate, now }, present(fresh), present(next), true, Fact[Check]{}, yes, "act promote rotation.Promote"},
		{"asked for, with one prepared since", func(s *Spec) { s.Command, s.Asked = Rotate, slotStart }, present(fresh), present(next), true, Fact[Check]{}, no, "act set rotation.Assign"},
		{"prepared, and it works", nil, present(fresh), present(next), true, Fact[Check]{}, yes, "act promote rotation.Promote"},
		{"prepared, and it does not work", nil, present(fresh), present(next), true, Fact[Check]{}, no, "act set rotation.Assign"},
		{"prepared for another account", func(s *Spec) { s.Shape = "ccccdddddd" }, present(fresh), present(next), true, Fact[Check]{}, no, "act changed rotation.Prepare"},
		{"prepared, and a sign-in says nothing", nil, present(fresh), present(next), true, Fact[Check]{}, Fact[Check]{Failed: "locked"}, "wait unknown"},
		{"a daily look finds that it does not work", func(s *Spec) { s.Census = true }, present(fresh), present(fresh), true, no, Fact[Check]{}, "act dead rotation.Prepare"},
		{"a daily look that says nothing", func(s *Spec) { s.Census = true }, present(fresh), present(fresh), true, Fact[Check]{Failed: "locked"}, Fact[Check]{}, "wait unknown"},
		{"to be taken over", nil, present(""), Known(Secret{State: Absent}), true, yes, Fact[Check]{}, "act adopt rotation.Prepare"},
		{"to be taken over, and wrong", nil, present(""), Known(Secret{State: Absent}), true, no, Fact[Check]{}, "hold adopt-value"},
		{"not to be taken over", func(s *Spec) { s.Adopt = Adoption{} }, present(""), Known(Secret{State: Absent}), true, yes, Fact[Check]{}, "hold foreign-version"},
		{"the second secret is somebody else's", nil, present(due), present(""), true, yes, Fact[Check]{}, "hold pending-foreign"},
		{"the second secret was deleted", nil, present(due), Known(Secret{State: SoftDeleted}), true, yes, Fact[Check]{}, "hold pending-deleted"},
		{"the second secret is disabled", nil, present(due), Known(Secret{State: Present}), true, yes, Fact[Check]{}, "hold pending-disabled"},
		{"the second secret could not be read", nil, present(due), Fact[Secret]{Failed: "denied"}, true, yes, Fact[Check]{}, "wait unknown"},
		{"the secret was deleted", nil, Known(Secret{State: SoftDeleted}), present(next), true, yes, Fact[Check]{}, "hold soft-deleted"},
		{"disabled in the manifest", func(s *Spec) { s.Enabled = false }, present(due), present(next), true, yes, yes, "done disabled"},
		{"rolled back", func(s *Spec) { s.Command = Rollback }, present(due), present(due), true, yes, Fact[Check]{}, "hold one-slot"},
		{"retired", func(s *Spec) { s.Command = Retire }, present(due), present(due), true, yes, Fact[Check]{}, "hold one-slot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := slotSpec()
			if c.spec != nil {
				c.spec(&spec)
			}
			obs := Observation{Direct: c.direct, Secret: c.secret, Issued: Known([]Issued{{ID: "u"}}), Check: c.check, StoreDate: now, IssuerDate: now, Slot: Slot{Direct: c.direct, Pending: c.pending, Check: c.next}}
			d := Decide(spec, obs, now)
			got := d.Kind.String() + " " + d.Code
			if d.Action != nil {
				got += fmt.Sprintf(" %T", d.Action)
			}
			if strings.TrimSpace(got) != c.want {
				t.Errorf("%s (%s), want %s", got, d.Why, c.want)
			}
			if d.Kind == Hold && d.Do == "" {
				t.Error("a Hold that does not say what to do")
			}
			switch d.Action.(type) {
			case Prepare, Assign:
				if len(d.Notes) == 0 || !strings.Contains(d.Notes[len(d.Notes)-1].Text, "4m") && !strings.Contains(d.Notes[0].Text, "4m") {
					t.Errorf("the gap is not said: %v", d.Notes)
				}
			}
		})
	}
	t.Run("clocks that disagree", func(t *testing.T) {
		obs := Observation{Direct: true, Secret: present(fresh), Issued: Known([]Issued{{ID: "u"}}), StoreDate: now, IssuerDate: now.Add(time.Hour), Slot: Slot{Direct: true, Pending: present(next), Check: no}}
		if d := Decide(slotSpec(), obs, now); d.Kind != Hold {
			t.Errorf("%v %s", d.Kind, d.Why)
		}
	})
}
