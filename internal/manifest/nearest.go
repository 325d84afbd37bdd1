package manifest

import (
	"fmt"
	"strings"
)

// Nearest returns the word out of among that word was probably meant to be, or "": at most one slip for three
// characters and three in all, where a slip is a letter too many, missing, wrong, or swapped with its neighbour.
// Case counts for nothing. Of equally near words the first wins.
func Nearest(word string, among []string) string {
	const longest = 64 // nobody mistypes a name of that length, and the work grows with its square
	w := []rune(strings.ToLower(word))
	if len(w) == 0 || len(w) > longest {
		return ""
	}
	limit := min(3, max(1, len(w)/3))
	best := ""
	for _, a := range among {
		c := []rune(strings.ToLower(a))
		if len(c) > longest || len(c) > len(w)+limit || len(w) > len(c)+limit {
			continue
		}
		if d := slips(w, c); d <= limit {
			best, limit = a, d-1
		}
		if limit < 0 {
			break
		}
	}
	return best
}

// DidYouMean is ` (did you mean "x"?)`, or "" if nothing is near: for the texts that a kind's Check reports.
func DidYouMean(word string, among []string) string {
	if n := Nearest(word, among); n != "" {
		return fmt.Sprintf(" (did you mean %s?)", quote(n))
	}
	return ""
}

// slips is the Damerau-Levenshtein distance in its restricted form (no letter moves twice).
func slips(a, b []rune) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
