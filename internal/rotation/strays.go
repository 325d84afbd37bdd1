package rotation

import (
	"fmt"
	"slices"
	"time"
)

// strays is the issuer's list, seen from one secret.
type strays struct {
	current    *Issued  // what the newest version's record names
	adopted    *Issued  // what the manifest adopts, if the secret does not exist
	superseded []Issued // published before, or replaced: predecessors and losers of a race
	orphans    []Issued // proved: nobody can hold them
	young      []Issued // stamped for this secret, unpublished, and too young to judge
	unproved   []Issued // stamped for this secret, but the proof does not hold
	kept       []Issued // our records name it, but its stamp or its adoption is gone
	otherName  []Issued // stamped for this secret under another credential's name, and in no record
}

// classify sorts what is alive at the issuer. It needs Issued and Versions of this pass.
func (d *decider) classify() strays {
	published := map[Generation]bool{}
	publishedID := map[string]bool{}
	// The list of versions is empty for a secret that was deleted since it was read, and may lag behind it: without
	// the newest version it shows nothing of what is in no record.
	complete := !d.haveRecord
	for _, r := range d.obs.Versions.Value {
		published[r.Generation] = true
		publishedID[r.IssuerID] = true
		if r.Predecessor != "" {
			publishedID[r.Predecessor] = true
		}
		complete = complete || r.Publication == d.record.Publication
	}
	if d.haveRecord {
		published[d.record.Generation], publishedID[d.record.IssuerID] = true, true
		if d.record.Predecessor != "" {
			publishedID[d.record.Predecessor] = true
		}
	}
	var out strays
	for _, i := range d.obs.Issued.Value {
		s, stamped := ParseStamp(i.Name)
		// A credential that this secret's own records name is ours under a former name of the credential too.
		forUs := stamped && (d.forUs(s) || s.Hash == d.hash && publishedID[i.ID])
		switch {
		case d.haveRecord && i.ID == d.record.IssuerID:
			out.current = &i
		case !d.haveRecord && d.adopts(i):
			out.adopted = &i
		case !forUs && !(publishedID[i.ID] && d.adopts(i)):
			// Somebody else's, whatever a record says of it.
			switch {
			case stamped && s.Hash == d.hash:
				out.otherName = append(out.otherName, i)
			case publishedID[i.ID] && !stamped:
				out.kept = append(out.kept, i)
			}
		case !d.haveRecord && d.obs.Secret.Value.State != Absent:
			// Without our record on the newest version, and unless the secret never existed, nothing proves that what
			// is not in a record was not used.
			out.unproved = append(out.unproved, i)
		case publishedID[i.ID] || forUs && published[s.Generation]:
			out.superseded = append(out.superseded, i)
		case d.now.Sub(bornAt(i, s)) < d.spec.SweepWindow:
			out.young = append(out.young, i)
		case !complete:
			out.unproved = append(out.unproved, i)
		default:
			out.orphans = append(out.orphans, i)
		}
	}
	return out
}

// unadopted counts what the manifest adopts, and Rekey has issued, to what nothing is proved of: retiring adopts nothing.
func (s strays) unadopted() strays {
	if s.adopted == nil {
		return s
	}
	if _, stamped := ParseStamp(s.adopted.Name); stamped {
		s.unproved = append(s.unproved, *s.adopted)
	}
	return s
}

// copied says whether two versions carry one record. Each PUT has a publication of its own, so somebody copied the tag
// or the version; what the record of the one was is lost, and with it the proof that what is in no record is nobody's.
func (d *decider) copied() bool {
	seen := map[Publication]bool{}
	for _, r := range d.obs.Versions.Value {
		if seen[r.Publication] {
			return true
		}
		seen[r.Publication] = true
	}
	return false
}

// bornAt is the later of the issuer's own date and the generation's, so that neither a rounded nor a missing date
// makes a stray look older than it is.
func bornAt(i Issued, s Stamp) time.Time {
	if t := s.Generation.Time(); t.After(i.From) {
		return t
	}
	return i.From
}

// forUs says whether a stamp was made for this secret. The hash alone could collide in a large fleet.
func (d *decider) forUs(s Stamp) bool {
	return s.Hash == d.hash && s.Credential == d.spec.Name
}

// ours says whether the current credential may be revoked at all: stamped for this secret, or adopted.
func (d *decider) ours(i Issued) bool {
	s, ok := ParseStamp(i.Name)
	return ok && s.Hash == d.hash || d.adopts(i)
}

func (d *decider) noteStrays(s strays) {
	for _, i := range s.unproved {
		d.note("unproved", fmt.Sprintf("%s (%s) is stamped for this secret, but nothing proves that nobody uses it; it is left alone", i.ID, i.Name))
	}
	for _, i := range s.kept {
		d.noteKept(i)
	}
	for _, i := range s.otherName {
		d.note("other-name", fmt.Sprintf("%s (%s) is stamped for this secret by a credential of another name, and no version's record names it; it is left alone: revoke it at the issuer if the credential was renamed", i.ID, i.Name))
	}
}

func (d *decider) noteKept(i Issued) {
	d.note("kept", fmt.Sprintf("%s was replaced and is alive until %s, but it has no stamp and the manifest does not adopt it, so it is left alone: revoke it at the issuer if nobody needs it", i.ID, stamp(i.To)))
}

// short prints a duration as people write it in the manifest: 30d, 1d12h, 45m.
func short(v time.Duration) string {
	v = v.Round(time.Minute)
	if v <= 0 {
		return "no time"
	}
	days, rest := v/(24*time.Hour), v%(24*time.Hour)
	out := ""
	if days > 0 {
		out = fmt.Sprintf("%dd", days)
	}
	if h := rest / time.Hour; h > 0 {
		out += fmt.Sprintf("%dh", h)
	}
	if m := rest % time.Hour / time.Minute; m > 0 {
		out += fmt.Sprintf("%dm", m)
	}
	return out
}

// Alive lists everything that is alive and was issued by Rekey for this secret, or adopted, whatever its state: what
// Retire revokes. It needs a direct read, Issued and Versions.
func Alive(spec Spec, obs Observation, now time.Time) []Issued {
	d := newDecider(spec, obs, now)
	d.readRecord()
	s := d.classify().unadopted()
	out := slices.Concat(s.superseded, s.orphans, s.young, s.unproved)
	if s.current != nil && d.ours(*s.current) {
		out = append(out, *s.current)
	}
	return out
}
