// Package scenario is what can go wrong around one rotation, each as a test of the whole program against the simulated
// Azure: answers lost, requests applied late, processes suspended or killed at any call, people in the portal, two runs
// at once, accounts that cannot sign in.
//
// It is tests alone, and none of a single package: the command line is run as a person runs it, and what is asserted
// is its output, its exit code, its ledger, and the world that it leaves. Time is a testing/synctest bubble's, so that
// days take milliseconds. What always holds: beside every scenario a consumer reads the secret and uses everything that
// it may still have cached, and no gap passes unless the test says whose fault it is; no output of any scenario holds a
// secret; nothing that is somebody else's has changed at the end.
package scenario
