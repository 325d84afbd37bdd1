// Package mutant shows that each checker of package invariant can fail on the real product: it breaks the product on
// purpose, one way at a time, and has package explore hunt for what follows.
//
// It is tests alone, and the product carries no switch for it: a mutant is a patch in testdata, which the go tool lays
// over the source with -overlay. What always holds: the text that a patch replaces is found exactly once, or the test
// says that the product has moved on; a mutant must be caught by the checker that is meant to catch it, and neither a
// build that fails nor a panic counts; every checker has a mutant.
package mutant
