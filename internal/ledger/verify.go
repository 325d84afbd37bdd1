package ledger

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Options say what a ledger is held against.
type Options struct {
	// Keys are those whose signatures count. Without any, a ledger is only held against itself.
	Keys []Verifier
	// Held are checkpoints of this ledger that were kept elsewhere.
	Held []Held
	// Seen is what others say that the ledger was.
	Seen []Seen
}

// Held is text with checkpoints, and what to call it.
type Held struct{ Name, Text string }

// claim is what a checkpoint says, and where it stands.
type claim struct {
	Checkpoint
	where     string
	counts    bool // it is signed with a key that was given, or none was
	elsewhere bool // it was kept elsewhere
}

func (c claim) String() string {
	return fmt.Sprintf("the checkpoint of %s (%s)", entries(c.Size), c.where)
}

// verifying is one look at a ledger.
type verifying struct {
	*Report
	Options
	claims []claim
	roots  map[int64]tlog.Hash // by size
	seqs   map[string]int      // by run
	open   standing
	gaps   []Finding
}

// Verify holds a ledger's lines against its checkpoints, and names what does not fit. An error means that it could not be
// read; what is wrong with it is in the report.
func Verify(r Reader, o Options) (Report, error) {
	v := &verifying{Report: &Report{Schema: VerifySchema, OK: true, Signed: len(o.Keys) > 0, Findings: []Finding{}}, Options: o,
		roots: map[int64]tlog.Hash{}, seqs: map[string]int{}, open: standing{}}
	if err := v.read(r); err != nil {
		return *v.Report, err
	}
	for _, h := range o.Held {
		if err := v.held(h); err != nil {
			return *v.Report, err
		}
	}
	for _, c := range v.claims {
		v.roots[c.Size] = tlog.Hash{}
	}
	for _, s := range o.Seen {
		v.roots[s.Size] = tlog.Hash{}
	}
	if err := v.walk(r); err != nil {
		return *v.Report, err
	}
	if err := v.judge(r); err != nil {
		return *v.Report, err
	}
	for _, s := range o.Seen {
		v.witness(s)
	}
	v.Witnesses = len(o.Seen)
	for _, x := range v.open.list() {
		v.note(NotKnown, x.Number, 1, "", "line %d: run %s, %s of %s: the answer was lost, and the run did not find out what became of it. What is there now says", x.Number, x.Run, x.Effect, x.Target)
	}
	return *v.Report, nil
}

// read takes what the ledger's own checkpoints say.
func (v *verifying) read(r Reader) error {
	s, err := r.Open(Checkpoints)
	if err != nil {
		return fmt.Errorf("read the ledger's checkpoints: %w", err)
	}
	defer s.Close()
	err = readCheckpoints(io.NewSectionReader(s, 0, s.Size()), v.Keys, false, func(w written) {
		where := fmt.Sprintf("line %d of %s", w.line, Checkpoints)
		if w.cut {
			v.note(Torn, w.line, 1, "", "the checkpoint in %s is torn: a process was ended, or the disk was full, while it wrote it. A later one covers what it was to cover", where)
			return
		}
		v.claim(w.Checkpoint, w.err, where, false)
	})
	if err != nil {
		return fmt.Errorf("read the ledger's checkpoints: %w", err)
	}
	return nil
}

// claim takes one checkpoint.
func (v *verifying) claim(c Checkpoint, err error, where string, elsewhere bool) {
	v.Checkpoints++
	line := int64(0)
	if !elsewhere {
		_, _ = fmt.Sscanf(where, "line %d", &line)
	}
	switch {
	case errors.Is(err, errForged):
		v.problem(Forged, line, 1, doForged, "the checkpoint in %s: %s", where, err)
		return
	case err != nil:
		v.problem(Broken, line, 1, doBroken, "the checkpoint in %s: %s", where, err)
		return
	case v.Signed && len(c.Signers) == 0 && len(c.others) > 0:
		v.problem(Stranger, line, 1, doStranger, "the checkpoint in %s is signed by %s, with a key that was not given", where, strings.Join(c.others, " and "))
		return
	}
	v.claims = append(v.claims, claim{c, where, len(c.Signers) > 0 || !v.Signed, elsewhere})
}

// held takes the checkpoints that were kept elsewhere.
func (v *verifying) held(h Held) error {
	n := 0
	err := readCheckpoints(strings.NewReader(h.Text), v.Keys, false, func(w written) {
		if n++; w.err == nil && v.Signed && len(w.Signers) == 0 && len(w.others) == 0 {
			v.problem(NotSigned, 0, 1, doStranger, "the checkpoint in %s is not signed, so it proves nothing", h.Name)
			return
		}
		v.claim(w.Checkpoint, w.err, h.Name, true)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("there is no checkpoint in %s", h.Name)
	}
	return err
}

// walk reads all lines, and works out the root of each size that a checkpoint names.
func (v *verifying) walk(r Reader) error {
	s, err := r.Open(Lines)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer s.Close()
	e, l := &edge{}, readLines(s, 0, 0)
	var stored []tlog.Hash
	for {
		more, err := l.next()
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			break
		}
		stored = e.push(l.hash, stored[:0])
		if _, asked := v.roots[e.n]; asked {
			v.roots[e.n] = e.root()
		}
		v.look(l)
	}
	v.Entries = e.n
	if l.torn > 0 {
		v.note(Torn, e.n+1, 1, "the next entry is written on a line of its own; what is torn stays, as evidence",
			"the last line has no end: a process was ended, or the disk was full, while it wrote it. What it was to record before it did it was not done; if it was to record how something ended, that is not known")
	}
	return nil
}

// look says what a line is, apart from what was signed.
func (v *verifying) look(l *lines) {
	run, seq, err := l.place()
	if err != nil {
		if !l.blank() {
			v.note(Torn, l.n, 1, "", "line %d: %s. A process was ended, or the disk was full, while it wrote it; or it is somebody else's", l.n, err)
		}
		return
	}
	if last := v.seqs[run]; seq != last+1 && len(v.gaps) < maxFindings {
		v.gaps = append(v.gaps, Finding{Kind: Gap, Line: l.n, Count: 1,
			Says: fmt.Sprintf("line %d: run %s goes from its entry %d to its entry %d. What is missing could not be written, or was taken out before any checkpoint covered it", l.n, run, last, seq)})
	}
	v.seqs[run] = seq
	if v.open.about(l.text) {
		if e, err := l.entry(); err == nil {
			v.open.see(l.n, e)
		}
	}
}

// holds says whether the lines are what a checkpoint says.
func (v *verifying) holds(c claim) bool { return c.Size <= v.Entries && v.roots[c.Size] == c.Root }

// judge holds the checkpoints against the lines and each other.
func (v *verifying) judge(r Reader) error {
	slices.SortStableFunc(v.claims, func(a, b claim) int { return int(min(max(a.Size-b.Size, -1), 1)) })
	var best *claim
	for i := range v.claims {
		if c := &v.claims[i]; c.counts && v.holds(*c) && (best == nil || c.Size > best.Size || best.elsewhere) {
			best = c
		}
	}
	var open []claim // what neither holds nor contradicts what does
	for i, c := range v.claims {
		switch {
		case v.holds(c):
		case best != nil && c.Size <= best.Size:
			v.disagree(c, *best)
		case i > 0 && v.claims[i-1].Size == c.Size && v.claims[i-1].Root != c.Root:
			v.disagree(c, v.claims[i-1])
		default:
			open = append(open, c)
		}
	}
	from := int64(0)
	if best != nil {
		from = best.Size
		v.Covered, v.Checkpoint = best.Size, best.Note
	}
	if len(open) > 0 {
		if err := v.changed(r, from, open); err != nil {
			return err
		}
	}
	if v.OK {
		for _, f := range v.gaps {
			v.add(f)
		}
	}
	v.uncovered(len(open) > 0)
	return nil
}

// disagree names two checkpoints that cannot both be of one ledger.
func (v *verifying) disagree(c, other claim) {
	if !c.counts || !other.counts || !v.Signed {
		v.problem(Fork, 0, 1, doFork, "%s and %s do not agree: the one is not of the entries that the other is of", c, other)
		return
	}
	v.problem(Fork, 0, 1, doFork, "%s and %s do not agree: both are signed, and the one is not of the entries that the other is of. There are two histories", c, other)
}

// uncovered says what no checkpoint that counts is of.
func (v *verifying) uncovered(changed bool) {
	switch rest := v.Entries - v.Covered; {
	case rest == 0 || changed:
	case v.Covered == 0 && v.Signed:
		v.problem(NotSigned, 0, rest, doUnsigned, "no checkpoint that counts covers any of the %s: nothing shows whether they were changed", entries(rest))
	case v.Covered == 0:
		v.note(Uncovered, 1, rest, doUncovered, "no checkpoint covers the %s", entries(rest))
	default:
		v.note(Uncovered, v.Covered+1, rest, doUncovered, "%s, from line %d on, %s newer than the last checkpoint that counts", entries(rest), v.Covered+1, are(rest))
	}
}

// changed names what became of the entries that some checkpoints are of, which do not hold. Up to from they do.
func (v *verifying) changed(r Reader, from int64, open []claim) error {
	s, err := r.Open(Tree)
	if err != nil {
		return fmt.Errorf("read the ledger's hashes: %w", err)
	}
	defer s.Close()
	t := tree{s}
	known := -1 // the last one that the hashes are of
	for i, c := range open {
		if c.counts && t.agrees(c.Checkpoint) {
			known = i
		}
	}
	if known < 0 {
		v.unnamed(from, open)
		return nil
	}
	for _, c := range open[:known] {
		if !t.agrees(c.Checkpoint) {
			v.disagree(c, open[known])
		}
	}
	found, err := compare(r, t, from, open[known].Size)
	if err != nil {
		return err
	}
	for _, f := range found {
		v.add(f)
	}
	if len(found) == 0 {
		v.unnamed(from, open)
	} else if rest := open[known+1:]; len(rest) > 0 {
		v.unnamed(open[known].Size, rest)
	}
	return nil
}

// unnamed says what can be said without the hashes.
func (v *verifying) unnamed(from int64, open []claim) {
	first, last := open[0], open[len(open)-1]
	if first.Size > v.Entries {
		v.problem(Truncated, v.Entries+1, last.Size-v.Entries, doTruncated, "the ledger ends after %s, and %s is of more: what came after is gone", entries(v.Entries), last)
		return
	}
	v.problem(Altered, from+1, first.Size-from, doChanged,
		"among lines %d to %d something was altered, dropped, inserted or moved: they are not what %s is of. Which of them it is cannot be said, since the hashes in %s are gone, or were changed too", from+1, first.Size, first, Tree)
}
