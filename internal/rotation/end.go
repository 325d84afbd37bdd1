package rotation

import (
	"fmt"
	"slices"
	"time"
)

// nextToEnd is which of what was superseded may be revoked first, and when. There is one at least.
func (d *decider) nextToEnd(superseded []Issued) (next Issued, at time.Time) {
	for n, i := range superseded {
		if a := d.revokeAt(i); n == 0 || a.Before(at) {
			next, at = i, a
		}
	}
	return next, at
}

// revokeAt is when something that was superseded may be revoked. What an older publication promised to its own
// predecessor holds too: that one may be alive still, and the overlap may be shorter in the manifest since.
func (d *decider) revokeAt(i Issued) time.Time {
	if d.reported(i) {
		return d.record.RevokeAfter
	}
	r := d.record
	r.Compromised = false
	at := d.spec.RevokeAt(r, d.obs.Secret.Value.Created)
	for _, r := range d.obs.Versions.Value {
		if r.RevokeAfter.After(at) {
			at = r.RevokeAfter
		}
	}
	return at
}

// reported says whether something that was superseded is what a person reported as compromised: it was there when they
// asked, which is what such a record has for RevokeAfter. What was issued since lives for its overlap. It comes to that
// where the answer to a PUT was lost, another one was published instead, and the first one came after all.
func (d *decider) reported(i Issued) bool {
	if !d.record.Compromised {
		return false
	}
	born := i.From
	if s, ok := ParseStamp(i.Name); ok {
		born = s.Generation.Time()
	}
	return slices.ContainsFunc(append([]Record{d.record}, d.obs.Versions.Value...), func(r Record) bool {
		return r.Compromised && r.IssuerID != i.ID && (i.ID == r.Predecessor || !born.After(r.RevokeAfter))
	})
}

func (d *decider) waitForYoung(s strays) Decision {
	var until time.Time
	for _, i := range s.young {
		stamp, _ := ParseStamp(i.Name)
		if old := bornAt(i, stamp).Add(d.spec.SweepWindow); until.IsZero() || old.Before(until) {
			until = old
		}
	}
	return Decision{Kind: Wait, Code: "young", Until: until,
		Why: "a credential stamped for this secret is too young to tell an orphan from a run that goes on elsewhere"}
}

// readRecord takes the record if there is one that can be read, whatever else is the matter with the secret.
func (d *decider) readRecord() {
	if r, err := ParseRecord(d.obs.Secret.Value.Tags[RecordTag]); err == nil {
		d.record, d.haveRecord = r, true
	}
}

// retire revokes all that Rekey issued for this secret and that a person was shown, whatever still uses it.
func (d *decider) retire() Decision {
	d.readRecord()
	if dec, missing := d.needAll(); missing {
		return dec
	}
	s := d.classify().unadopted()
	all := slices.Concat(s.superseded, s.orphans)
	if s.current != nil && d.ours(*s.current) {
		all = append(all, *s.current)
	}
	since := 0
	for _, i := range all {
		if d.spec.Shown != nil && !slices.Contains(d.spec.Shown, i.ID) {
			since++
			continue
		}
		if !d.clocksAgree() {
			return d.skewed()
		}
		return d.revoke(i, "retired by a person")
	}
	d.noteStrays(s)
	if since > 0 {
		return hold("issued-since", fmt.Sprintf("%d credentials were issued for this secret since you were shown what is to be retired", since),
			"set enabled: false in the manifest, so that no run issues another, and retire it again")
	}
	if len(s.unproved) > 0 {
		return hold("unproved", fmt.Sprintf("%d credentials are stamped for this secret, and nothing proves that nobody uses them: its newest version was not written by Rekey, or its versions could not be listed completely", len(s.unproved)),
			"revoke them at the issuer yourself, or name the one whose value it holds under adopt, by its id")
	}
	if len(s.young) > 0 {
		return d.waitForYoung(s)
	}
	return Decision{Kind: Done, Code: "retired", Why: "nothing that Rekey issued for this secret is alive"}
}

func (d *decider) revoke(i Issued, reason string) Decision {
	return Decision{Kind: Act, Code: "revoke", Why: reason, Action: Revoke{Permit{
		credential: d.spec.Name, issuerID: i.ID, name: i.Name, reason: reason, expires: d.now.Add(PermitLife),
	}}}
}
