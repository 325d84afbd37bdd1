package rotation

// ChosenByUs is the order of a value that Rekey makes itself: a random text, a key pair. It is written first, and then
// whoever reads it has it. Nobody issues it, so its publication is both the issue and the commit, and what was never
// published never existed: there is nothing to sweep and no orphan. What there is to list are the versions of the secret
// that can be read, and to revoke one is to make it unreadable. All else is as it is for a value that is shown once: it
// is due by its record, the overlap guards who read the old one, and of two runs at once the newest version decides.
const ChosenByUs Order = 1

// unpublished says of a generation that was not published that nothing is left of it: it was in this process alone.
func (d *decider) unpublished(a *Attempt) bool {
	return d.spec.Order == ChosenByUs && !a.PutSent
}
