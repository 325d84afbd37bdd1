package ledger

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says what the root of the first Size lines is.
type Checkpoint struct {
	// Origin names the ledger: the key that signs it, or Unsigned.
	Origin string
	Size   int64
	Root   tlog.Hash
	// Note is the checkpoint as it is written, signatures included.
	Note string
	// Signers are the keys, of those that were asked for, that have signed it; others are the names of those that were
	// not asked for.
	Signers []string
	others  []string
}

// Unsigned is the origin of a ledger without a key.
const Unsigned = "rekey-ledger"

const (
	// unsigned and torn stand where signatures would: nobody signed the checkpoint; it is not a whole one.
	unsigned = "(unsigned)"
	torn     = "(torn)"
	sign     = "— "
	// maxSize keeps sums with sizes out of reach of their limits.
	maxSize = 1 << 48
	// maxCheckpoint is more than any has.
	maxCheckpoint = 4 << 10
)

// write makes the note of a tree.
func write(size int64, root tlog.Hash, key *Key) (Checkpoint, error) {
	c := Checkpoint{Origin: Unsigned, Size: size, Root: root}
	if key == nil {
		c.Note = c.text() + "\n" + unsigned + "\n"
		return c, nil
	}
	c.Origin = key.Name()
	b, err := note.Sign(&note.Note{Text: c.text()}, key.signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign the checkpoint: %w", err)
	}
	c.Note, c.Signers = string(b), []string{key.Name()}
	return c, nil
}

func (c Checkpoint) text() string { return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root) }

// Why a checkpoint does not count.
var (
	errBroken = errors.New("it is torn, or was altered: it is not three lines and their signatures")
	errForged = errors.New("its signature is not that of what it says: it was altered")
)

// ParseCheckpoint reads a checkpoint and checks the signatures of these keys on it. It takes nothing but the one way of
// writing it, so that no byte of it can be another. Whether anybody has signed it is in Signers.
func ParseCheckpoint(text string, keys []Verifier) (Checkpoint, error) {
	if len(text) > maxCheckpoint {
		return Checkpoint{}, errBroken
	}
	body, signed := strings.CutSuffix(text, "\n"+unsigned+"\n")
	if signed = !signed; signed {
		var err error
		if body, err = bodyOf(text); err != nil {
			return Checkpoint{}, err
		}
	}
	parts := strings.Split(body, "\n")
	if len(parts) != 4 || parts[3] != "" {
		return Checkpoint{}, errBroken
	}
	size, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || size <= 0 || size > maxSize || !keyName.MatchString(parts[0]) {
		return Checkpoint{}, errBroken
	}
	root, err := tlog.ParseHash(parts[2])
	if err != nil {
		return Checkpoint{}, errBroken
	}
	c := Checkpoint{Origin: parts[0], Size: size, Root: root, Note: text}
	if c.text() != body {
		return Checkpoint{}, errBroken
	}
	if !signed {
		return c, nil
	}
	return c, c.signers(keys)
}

// bodyOf is the text of a note, if each of its signatures is written in the only way.
func bodyOf(text string) (string, error) {
	at := strings.LastIndex(text, "\n\n")
	if at < 0 || !strings.HasSuffix(text, "\n") {
		return "", errBroken
	}
	sigs := strings.Split(strings.TrimSuffix(text[at+2:], "\n"), "\n")
	for _, line := range sigs {
		name, sig, ok := strings.Cut(strings.TrimPrefix(line, sign), " ")
		raw, err := base64.StdEncoding.DecodeString(sig)
		if !ok || err != nil || !strings.HasPrefix(line, sign) || !keyName.MatchString(name) || base64.StdEncoding.EncodeToString(raw) != sig {
			return "", errBroken
		}
	}
	return text[:at+1], nil
}

// signers checks who has signed it.
func (c *Checkpoint) signers(keys []Verifier) error {
	var known []note.Verifier
	for _, k := range keys {
		// A key that was given twice would make each of its signatures ambiguous.
		if !slices.ContainsFunc(known, func(v note.Verifier) bool { return v.Name() == k.Name() && v.KeyHash() == k.KeyHash() }) {
			known = append(known, k.Verifier)
		}
	}
	n, err := note.Open([]byte(c.Note), note.VerifierList(known...))
	if unknown := (*note.UnverifiedNoteError)(nil); errors.As(err, &unknown) {
		n, err = unknown.Note, nil
	}
	if wrong := (*note.InvalidSignatureError)(nil); errors.As(err, &wrong) {
		return errForged
	}
	if err != nil {
		return errBroken
	}
	for _, s := range n.Sigs {
		c.Signers = append(c.Signers, s.Name)
	}
	for _, s := range n.UnverifiedSigs {
		c.others = append(c.others, s.Name)
	}
	// One key signs one ledger, and its name is the ledger's.
	if len(c.Signers) > 0 && !slices.Contains(c.Signers, c.Origin) {
		return errForged
	}
	return nil
}

// written is what Checkpoints holds from one line on.
type written struct {
	Checkpoint
	line int64
	err  error // it is no checkpoint, or does not count
	cut  bool  // and whoever came next said that it was torn
}

// readCheckpoints gives everything that a part holds, in its order. partial is for what begins anywhere: what comes
// before the first blank line is left out.
func readCheckpoints(r io.Reader, keys []Verifier, partial bool, each func(written)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<10)
	s.Split(wholeLines)
	var text, block []string
	var textAt, blockAt, line int64
	broken := func(at int64) { each(written{line: at, err: errBroken}) }
	end := func() { // of a block
		switch {
		case len(block) == 0:
			return
		case block[len(block)-1] == torn+"\n":
			if text == nil {
				textAt = blockAt
			}
			if text != nil || len(block) > 1 { // else nothing but the blank line before it was written
				each(written{line: textAt, err: errBroken, cut: true})
			}
			text = nil
		case strings.HasPrefix(block[0], sign), block[0] == unsigned+"\n":
			if text == nil {
				broken(blockAt)
				break
			}
			c, err := ParseCheckpoint(strings.Join(text, "")+"\n"+strings.Join(block, ""), keys)
			each(written{c, textAt, err, false})
			text = nil
		default:
			if text != nil {
				broken(textAt)
			}
			text, textAt = block, blockAt
		}
		block = nil
	}
	blanks := 0
	for s.Scan() {
		line++
		l := s.Text()
		if partial {
			partial = l != "\n"
			continue
		}
		if l == "\n" {
			end()
			if blanks++; blanks > 1 {
				broken(line)
			}
			continue
		}
		if blanks = 0; len(block) == 0 {
			blockAt = line
		}
		if len(block) < 64 {
			block = append(block, l)
		} else {
			block[63] = l // no checkpoint any more, whatever follows
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		broken(line + 1)
		return nil
	}
	end()
	if text != nil {
		broken(textAt)
	}
	return s.Err()
}

// wholeLines splits into lines with their ends, so that one that was cut off is told from one that was not.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
