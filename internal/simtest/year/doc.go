// Package year has a fleet of credentials live through a year of virtual time, and asks all along whether anything that
// must always hold was broken.
//
// It is tests alone. The product is the real engine, app and adapters, put together anew for every run, as a job's
// process is; Azure is the simulated one, in memory; the year is one testing/synctest bubble. Two replicas run the same
// manifest all year, one slower than the other. Things go wrong as a seed says: hosts are away, answers are lost, come
// late or are not what they should be, processes die or sleep, disks are full, clocks disagree, policies change, and
// people click in portals. Then it is calm, and everything must converge.
//
// What always holds: a seed and a size repeat a year to the last call, because each call takes a time that follows from
// the seed, and no two who change the world do so at one instant (lanes in clock_test.go); after each effect the
// checkers of package invariant are asked about the one secret that it was about; what a run leaves behind is judged,
// searched for secrets and dropped, so that memory does not grow with the number of runs.
package year
