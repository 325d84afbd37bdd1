package rotation_test

import (
	"slices"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// The part of the world that does not work with what it is told, and of what is published again.

// mayBeSick has it that consumers do not work with one of three credentials.
func (w *world) mayBeSick(id string) {
	if w.sick != nil && len(w.held) > 0 && len(w.versions) > 0 && w.r.IntN(3) == 0 {
		w.sick[id] = true
	}
}

// ill says whether consumers do not work with what the newest version holds.
func (w *world) ill() bool { return w.sick[w.newest().IssuerID] }

func (w *world) lookBack(o *Observation, of Generation) {
	f := Fallback{Generation: of, Check: Check{Why: "401"}}
	f.Works = slices.ContainsFunc(w.versions, func(r Record) bool { return r.Generation == of && w.lives(r.IssuerID) })
	o.Fallback = Known(f)
}

// restore publishes again, or its answer is lost: then it may have.
func (w *world) restore(a Restore) {
	if w.goesWrong() {
		w.say("refused")
		return
	}
	w.now = w.now.Add(time.Second)
	r := a.Record
	w.born++
	r.Publication, r.RevokeAfter = NewPublication(w.now, [5]byte{byte(w.born)}), w.now.Add(w.spec.Overlap)
	if w.goesWrong() {
		w.say("the answer to the PUT is lost")
		w.attempt = &Attempt{Generation: r.Generation, PutSent: true, PutAt: w.now}
		if w.r.IntN(2) == 0 {
			w.publish(r)
		}
		return
	}
	w.publish(r)
	w.restored++
	w.attempt, w.command = nil, Converge
}
