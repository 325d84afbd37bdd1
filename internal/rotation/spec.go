package rotation

import "time"

// Spec is what the manifest asks of one credential, validated.
type Spec struct {
	Name    CredentialID
	Target  Target
	Enabled bool
	// Order is the kind of issuer, which decides the order of steps.
	Order Order

	Lifetime     time.Duration // asked of the issuer
	RotateBefore time.Duration // how long before expiry it is replaced
	Overlap      time.Duration // how long the old one lives beside the new one
	SweepWindow  time.Duration // bound from issue to commit; the age from which a stamped stray may be an orphan
	// Extend keeps the value and moves its date, where the issuer can; what does not move past the threshold is
	// replaced.
	Extend bool
	// Shape is a hash of what is asked of the issuer besides a lifetime. A current credential of another shape is due.
	// Its first four characters stand for where the credential lives (account, organisation): what lives elsewhere is
	// in no list that this run can read, and can be replaced but not revoked.
	Shape string
	Adopt Adoption
	// TagNames are the tags that the manifest sets itself, and those that consumers are marked in.
	TagNames []string

	Consumers []ConsumerSpec
	// Checks are the names of what must work besides, in the manifest's order.
	Checks []string
	// RollbackAfter is how long after a publication consumers and checks may take to work with it; then the one before it is
	// published again. 0: never by itself.
	RollbackAfter time.Duration

	// Command is what a person asked for in this run.
	Command Command
	// Asked is when they asked, by the services' clock; zero for now. What was issued since is not what they meant.
	Asked time.Time
	// Shown are the issuer's ids of what a person was shown before they had it retired, or what is rolled back to and from,
	// nil if it was everything. What another run has issued since is left alone: nobody agreed to that.
	Shown []string
	// Verify wants every current value read and probed, not believed.
	Verify bool
	// Census wants the issuer asked although the records say that there is nothing to do: the daily look for what
	// no record points to any more.
	Census bool
}

// Order is the kind of issuer.
type Order int

const (
	// ShownOnce: the value exists only in the issuer's answer. Issue, check and publish happen with it in memory,
	// and a crash between them is mended by the stamp.
	ShownOnce Order = iota
)

// Command is what a person asked for.
type Command int

const (
	Converge    Command = iota
	Rotate              // replace now, due or not
	Compromised         // replace now and revoke the old one as soon as the new one is published
	Retire              // revoke everything that Rekey issued for this secret
	Rollback            // publish the one before it again, although everything may work
)

// Adoption names an existing credential, not stamped by Rekey, that the manifest puts under its care.
type Adoption struct {
	ID   string // the issuer's id
	Name string // or the display name, if exactly one has it
}

// Wanted says whether the manifest adopts anything.
func (a Adoption) Wanted() bool { return a.ID != "" || a.Name != "" }

// ConsumerSpec is one consumer in the manifest's order.
type ConsumerSpec struct {
	ID    string
	Cache time.Duration // how long it may go on using what it read
}

// Life is how long the issuer gave a credential.
func (r Record) Life() time.Duration { return r.Expires.Sub(r.Generation.Time()) }

// rounding is how far a returned date may be from the asked one without meaning anything: issuers round, and the
// asked date is computed a round trip earlier.
const rounding = time.Minute

// dateCut is how far behind its clock a service's Date can be: it is cut to the second, twice where two are compared.
const dateCut = 2 * time.Second

// samePlace says whether two shapes are of the same place.
func samePlace(a, b string) bool { return len(a) < 4 || len(b) < 4 || a[:4] == b[:4] }

// Clamped says whether the issuer gave less life than asked.
func (s Spec) Clamped(life time.Duration) bool { return life < s.Lifetime-rounding }

// Threshold is how long before its expiry a credential of the given life is replaced: RotateBefore, or a third of a
// life that is shorter than asked.
func (s Spec) Threshold(life time.Duration) time.Duration {
	if s.Clamped(life) {
		return min(s.RotateBefore, life/3)
	}
	return s.RotateBefore
}

// OverlapFits says whether the old credential can live beside the new one for as long as the manifest promises.
func (s Spec) OverlapFits(life time.Duration) bool { return s.Overlap <= s.Threshold(life)+rounding }

// DueAt is when the recorded credential is to be replaced.
func (s Spec) DueAt(r Record) time.Time { return r.Expires.Add(-s.Threshold(r.Life())) }

// RevokeAt is when what a publication superseded may be revoked: what the record promises, or longer if the manifest's
// overlap, counted from when the store says the publication was committed, ends later. A compromised one is not
// lengthened.
func (s Spec) RevokeAt(r Record, committed time.Time) time.Time {
	if r.Compromised {
		return r.RevokeAfter
	}
	if longer := committed.Add(s.Overlap); longer.After(r.RevokeAfter) {
		return longer
	}
	return r.RevokeAfter
}

// settle is how long a publication without a known predecessor is looked at for losers of a race after they may be
// revoked.
const settle = 24 * time.Hour

// MayHaveSuperseded says whether something that this publication superseded may still be alive at now, as far as
// the record alone can tell. False after a crash would strand a loser; the census finds it within a day.
func (s Spec) MayHaveSuperseded(r Record, committed, now time.Time) bool {
	closed := s.RevokeAt(r, committed).Add(settle)
	if r.Predecessor != "" && r.PredecessorExpires.After(closed) {
		closed = r.PredecessorExpires
	}
	return now.Before(closed)
}

// CensusDue says whether a run at now is the one that asks an account's issuer although nothing is due: once a day,
// at a time of day that depends on the account, so that a fleet's accounts are spread. It needs no memory: the run
// whose interval holds that time is the one. Intervals overlap by half, so that a late run does not skip it. An
// unknown interval (0), or one of a day or more, makes every run the one.
func CensusDue(accountHash uint32, now time.Time, interval time.Duration) bool {
	const day = 24 * time.Hour
	interval += interval / 2
	if interval <= 0 || interval >= day {
		return true
	}
	slot := time.Duration(accountHash) * time.Second % day
	sinceSlot := now.Sub(now.Truncate(day).Add(slot))
	if sinceSlot < 0 {
		sinceSlot += day
	}
	return sinceSlot < interval
}
