package rotation

import "time"

// Forecast is what Decide would most likely say if the issuer were asked: the plan's answer, for which no account
// signs in. What the issuer would show is taken from the record, and every probe is taken to succeed; a real run
// looks. The last member of the result says what was assumed.
func Forecast(spec Spec, obs Observation, now time.Time) (Decision, []string) {
	var assumed []string
	for range 8 {
		d := Decide(spec, obs, now)
		if d.Kind != Look {
			return d, assumed
		}
		switch d.Need {
		case NeedIssued:
			obs.Issued = Known(assumedList(spec, obs, now))
			obs.IssuerDate = obs.StoreDate
			assumed = append(assumed, "what the issuer lists")
		case NeedVersions:
			obs.Versions = Known([]Record(nil))
			assumed = append(assumed, "that older versions name nothing else")
		case NeedCheck:
			obs.Check = Known(Check{Works: true})
			assumed = append(assumed, "that the current value works")
		case NeedConsumers:
			obs.Consumers = nil
			r, _ := ParseRecord(obs.Secret.Value.Tags[RecordTag])
			for range spec.Consumers {
				obs.Consumers = append(obs.Consumers, Known(ConsumerState{Publication: r.Publication, Works: true}))
			}
			assumed = append(assumed, "that the consumers are on the newest publication")
		case NeedChecks:
			obs.Checks = make([]Fact[Check], len(spec.Checks))
			for i := range obs.Checks {
				obs.Checks[i] = Known(Check{Works: true})
			}
			assumed = append(assumed, "that its checks pass")
		case NeedFallback:
			obs.Fallback = Known(Fallback{Generation: d.Of, Check: Check{Works: true}})
			assumed = append(assumed, "that the value before it works")
		case NeedPendingCheck:
			obs.Slot.Check = Known(Check{})
			assumed = append(assumed, "that what was prepared is not set yet")
		default:
			return d, assumed
		}
	}
	return Decide(spec, obs, now), assumed
}

func assumedList(spec Spec, obs Observation, now time.Time) []Issued {
	r, err := ParseRecord(obs.Secret.Value.Tags[RecordTag])
	if err != nil {
		if spec.Adopt.Wanted() {
			return []Issued{{ID: spec.Adopt.ID, Name: spec.Adopt.Name, To: now.Add(spec.Lifetime)}}
		}
		return nil
	}
	name := Stamp{spec.Name, spec.Target.Hash(), r.Generation}.String()
	list := []Issued{{ID: r.IssuerID, Name: name, From: r.Generation.Time(), To: r.Expires, Shape: r.Shape}}
	if revokeAt := spec.RevokeAt(r, obs.Secret.Value.Created); r.Predecessor != "" && (now.Before(revokeAt) || spec.Command == Rollback) {
		// Later, only the issuer knows whether it was revoked already: see Decision.Open.
		list = append(list, Issued{ID: r.Predecessor, Name: name, From: r.Generation.Time(), To: r.PredecessorExpires})
	}
	return list
}
