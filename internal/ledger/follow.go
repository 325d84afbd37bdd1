package ledger

import "fmt"

// Follow gives each line behind n lines that end at a byte, with its number and where it ends, an error of each ends it.
// A line that is longer than any entry is nil. It holds nothing against anything: Verify does that.
func Follow(r Reader, n, at int64, each func(n int64, line []byte, end int64) error) error {
	s, err := r.Open(Lines)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer s.Close()
	for l := readLines(s, n, at); ; {
		more, err := l.next()
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			return nil
		}
		if err := each(l.n, l.text, l.at); err != nil {
			return err
		}
	}
}
