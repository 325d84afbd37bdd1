package rotation

import (
	"testing"
	"time"
)

func TestNothingIsLeftOfAValueOfOurMakingThatWasNotPublished(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	gen := NewGeneration(now, [5]byte{1})
	spec := Spec{Name: "key", Target: Target{Vault: "kv.vault.azure.net", Name: "key"}, Enabled: true}
	for name, c := range map[string]struct {
		order   Order
		attempt Attempt
		kind    Kind
		need    Need
	}{
		"an issued one is revoked":             {ShownOnce, Attempt{Generation: gen, IssuerID: "id"}, Act, 0},
		"a made one is forgotten":              {ChosenByUs, Attempt{Generation: gen, IssuerID: string(gen)}, Look, NeedDirect},
		"a made one that was sent is awaited":  {ChosenByUs, Attempt{Generation: gen, IssuerID: string(gen), PutSent: true, PutAt: now}, Look, NeedDirect},
		"an issued one is looked up by a list": {ShownOnce, Attempt{Generation: gen}, Look, NeedIssued},
	} {
		t.Run(name, func(t *testing.T) {
			spec.Order = c.order
			if d := Decide(spec, Observation{Attempt: &c.attempt}, now); d.Kind != c.kind || d.Need != c.need {
				t.Errorf("%v %v: %s", d.Kind, d.Need, d.Why)
			}
		})
	}
	// One whose answer was lost may be there, or come later: it is not made anew before it was looked for.
	spec.Order = ChosenByUs
	sent := Observation{Direct: true, Secret: Known(Secret{State: Absent}), Attempt: &Attempt{Generation: gen, IssuerID: string(gen), PutSent: true, PutAt: now}}
	if d := Decide(spec, sent, now); d.Kind != Wait || d.Code != "put-unknown" {
		t.Errorf("%v %s", d.Kind, d.Code)
	}
}
