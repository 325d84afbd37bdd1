//go:build race

package year

// raceDetector says whether this is built with the race detector, under which a year takes several times as long.
const raceDetector = true
