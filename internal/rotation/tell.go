package rotation

import "fmt"

// tell hands the publication to the consumers that are behind, and checks the others. What cannot be told or does not
// work holds the end of the old credential, and never another consumer: all that can be told are told first.
func (d *decider) tell(strays strays) (Decision, bool) {
	if len(d.obs.Consumers) < len(d.spec.Consumers) {
		return look(NeedConsumers, "what the consumers hold"), true
	}
	for i, c := range d.spec.Consumers {
		f := d.obs.Consumers[i]
		switch {
		case !f.Known:
		case f.Value.Publication != d.record.Publication:
			return Decision{Kind: Act, Code: "tell", Why: c.ID + " is not on the newest publication", Action: Tell{c.ID}}, true
		case f.Value.Lapsed && len(strays.superseded) > 0 && !d.told(i):
			// What nobody remembers cannot end anything, and does not matter while nothing is to be ended.
			return Decision{Kind: Act, Code: "tell", Why: "nothing says any more that " + c.ID + " was told the newest publication, and something older lives", Action: Tell{c.ID}}, true
		case !f.Value.Works && !d.told(i):
			// Its mark outlived what it stood for: somebody changed the value by hand. Once in a run, since what does not
			// work yet may only need time.
			return Decision{Kind: Act, Code: "tell", Why: fmt.Sprintf("%s is marked with the newest publication and does not work: %s", c.ID, f.Value.Why), Action: Tell{c.ID}}, true
		}
	}
	if why := d.broken(); why != "" {
		if dec, back := d.rollBack(why); back {
			return dec, true
		}
	}
	for i, c := range d.spec.Consumers {
		f := d.obs.Consumers[i]
		if !f.Known {
			return unknown(d, "consumer "+c.ID, f), true
		}
		if !f.Value.Works {
			return Decision{Kind: Wait, Code: "consumer", Until: d.now.Add(retryAfter),
				Why: fmt.Sprintf("%s does not work with the newest publication yet: %s", c.ID, f.Value.Why) + d.deadline()}, true
		}
	}
	return Decision{}, false
}

// told says whether this run has handed a consumer the newest publication.
func (d *decider) told(i int) bool {
	return i < len(d.obs.Told) && d.obs.Told[i] == d.record.Publication
}

// waitForCaches gives each consumer its cache from when it was told, which can be long after the overlap began: until
// then it may use what it held before. A compromised credential ends all the same. The overlap comes first.
func (d *decider) waitForCaches(strays strays) (Decision, bool) {
	if len(strays.superseded) == 0 {
		return Decision{}, false
	}
	d.noteWeak()
	if next, at := d.nextToEnd(strays.superseded); d.reported(next) || d.now.Before(at) {
		return Decision{}, false
	}
	for i, c := range d.spec.Consumers {
		s := d.obs.Consumers[i].Value
		if until := s.Told.Add(c.Cache); !s.Told.IsZero() && d.now.Before(until) {
			return Decision{Kind: Wait, Code: "cache", Until: until,
				Why: fmt.Sprintf("%s was told at %s and may use the old credential until %s, then it is revoked", c.ID, stamp(s.Told), stamp(until))}, true
		}
	}
	return Decision{}, false
}

// noteWeak says which consumers a revocation rests on the mark of alone.
func (d *decider) noteWeak() {
	for i, c := range d.spec.Consumers {
		if d.obs.Consumers[i].Value.Weak {
			d.note("weak", fmt.Sprintf("%s cannot be tried: that it works rests on its mark and on the overlap", c.ID))
		}
	}
}
