package rekey_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	besideOthers = regexp.MustCompile(`(?m)^BESIDE +:= (.+)$`)
	atOnce       = regexp.MustCompile(`(?m)^AT_ONCE +:= ([A-Za-z|]+)\|TestScripts/\(([a-z_|]+)\)\$\$$`)
	testNamed    = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
)

// TestWhatTheRaceDetectorIsToSeeExists holds the Makefile's words for tests that run beside something else to the tests
// that there are: one that was renamed would be left out without a word.
func TestWhatTheRaceDetectorIsToSeeExists(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	folders, names := besideOthers.FindStringSubmatch(makefile), atOnce.FindStringSubmatch(makefile)
	if folders == nil || names == nil {
		t.Fatal("the Makefile has no BESIDE and AT_ONCE that this test can read")
	}
	words := map[string]int{}
	for _, word := range strings.Split(names[1], "|") {
		words[word] = 0
	}
	for _, folder := range strings.Fields(folders[1]) {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, file := range files {
			for _, m := range testNamed.FindAllStringSubmatch(read(t, file), -1) {
				for word := range words {
					if strings.Contains(m[1], word) {
						words[word]++
						found++
					}
				}
			}
		}
		if found == 0 {
			t.Errorf("no test of %s has one of the words %s in its name", folder, names[1])
		}
	}
	for word, found := range words {
		if found == 0 {
			t.Errorf("no test has %s in its name", word)
		}
	}
	for _, script := range strings.Split(names[2], "|") {
		read(t, filepath.Join("internal/cli/testdata/script", script+".txtar"))
	}
}
