// Package explore runs the product from every world that its own death, lost answers, late requests, suspensions,
// people and other runs can leave behind, until no new world appears.
//
// It is tests alone, and knows no scenario: points, the calls that leave the process and the writes to its ledger, are
// discovered as they happen. A process that dies leaves nothing but the world, so worlds are explored and not sequences:
// each is reduced to what can decide anything (canonical.go), and from each new one a fresh engine runs undisturbed, and
// once for every point and everything that can happen there (outcome.go). That covers any number of deaths.
//
// What is explored is a list of fields (start_test.go): worlds to begin in, with one manifest and one behaviour of the
// services. A new kind of issuer brings
//
//   - its Kind in package invariant, which tells checkers its calls and its credentials,
//   - its fields, one of which has everything (people, crossings, pairs, latecomers), with an origin in which nothing is
//     published yet and in which somebody else's credentials look like Rekey's, and
//   - what people do to its credentials, in issuedDeeds.
//
// A new kind of consumer brings one entry in package consumer, and gets a field by itself (combined).
//
// What always holds: the engine and the adapters are the product's own, put together by app; every run has a
// testing/synctest bubble, a simulated Azure and a clock of its own, and continues at the world's time; after every
// effect the checkers of package invariant are asked, and what breaks one is printed as the shortest list of
// call:outcome that leads there.
package explore
