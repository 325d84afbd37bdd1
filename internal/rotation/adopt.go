package rotation

import (
	"cmp"
	"fmt"
)

// adopt takes over a credential that is in the store without our record.
func (d *decider) adopt() Decision {
	a, dec, ok := d.adoptee()
	if !ok {
		return dec
	}
	if dec, missing := need(d, "the value in the store", NeedCheck, d.obs.Check); missing {
		return dec
	}
	if !d.obs.Check.Value.Works {
		return hold("adopt-value", fmt.Sprintf("the value in %s does not work: %s", d.spec.Target, d.obs.Check.Value.Why),
			"put the credential's value into the secret, or delete the secret so that a new one is issued in its place")
	}
	return Decision{Kind: Act, Code: "adopt", Why: fmt.Sprintf("the manifest adopts %s, and the value in the store works", a.ID),
		Action: Amend{Adopt: true, Born: a.From, Record: Record{IssuerID: a.ID, Shape: cmp.Or(a.Shape, d.spec.Shape), Expires: a.To}}}
}

// adoptee finds what the manifest adopts.
func (d *decider) adoptee() (Issued, Decision, bool) {
	found := d.adoptees()
	switch len(found) {
	case 1:
		return found[0], Decision{}, true
	case 0:
		return Issued{}, hold("adopt-missing", "the credential that the manifest adopts is not among the account's living ones, or is stamped for another secret",
			"correct adopt.id or adopt.name; or delete the secret so that a new credential is issued in its place"), false
	}
	return Issued{}, d.ambiguous(), false
}

func (d *decider) ambiguous() Decision {
	return hold("adopt-ambiguous", fmt.Sprintf("%d credentials of the account are named %q", len(d.adoptees()), d.spec.Adopt.Name),
		"adopt it by id")
}

func (d *decider) adoptees() []Issued {
	var found []Issued
	for _, i := range d.obs.Issued.Value {
		if d.adopts(i) {
			found = append(found, i)
		}
	}
	return found
}

// adopts says whether the manifest names a credential. It cannot name what is stamped for another secret.
func (d *decider) adopts(i Issued) bool {
	if s, stamped := ParseStamp(i.Name); stamped && s.Hash != d.hash {
		return false
	}
	if d.spec.Adopt.ID != "" {
		return i.ID == d.spec.Adopt.ID
	}
	return d.spec.Adopt.Name != "" && i.Name == d.spec.Adopt.Name
}
