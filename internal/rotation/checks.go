package rotation

import "fmt"

// checks has the manifest's own checks tried, once everything was told. One that fails is as a consumer that does not
// work: it holds the end of the old credential, and past the deadline what was there before is published again. One that
// could not be tried says nothing of the value.
func (d *decider) checks() (Decision, bool) {
	if len(d.spec.Checks) == 0 {
		return Decision{}, false
	}
	if len(d.obs.Checks) < len(d.spec.Checks) {
		return look(NeedChecks, "what the manifest's checks say"), true
	}
	for i, name := range d.spec.Checks {
		if f := d.obs.Checks[i]; f.Known && !f.Value.Works {
			if dec, back := d.rollBack(fmt.Sprintf("check %s does not pass with it: %s", name, f.Value.Why)); back {
				return dec, true
			}
			return Decision{Kind: Wait, Code: "check", Until: d.now.Add(retryAfter),
				Why: fmt.Sprintf("check %s does not pass with the newest publication yet: %s", name, f.Value.Why) + d.deadline()}, true
		}
	}
	for i, name := range d.spec.Checks {
		if f := d.obs.Checks[i]; !f.Known {
			return unknown(d, "check "+name, f), true
		}
	}
	return Decision{}, false
}
