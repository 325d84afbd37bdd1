package ledger

import "fmt"

// VerifySchema is the version of Report.
const VerifySchema = "rekey.ledger-verify/1"

// Kind is what was found.
type Kind string

// What is wrong.
const (
	Altered   Kind = "altered"
	Dropped   Kind = "dropped"
	Inserted  Kind = "inserted"
	Reordered Kind = "reordered"
	Truncated Kind = "truncated"
	Fork      Kind = "fork"
	Forged    Kind = "forged"   // a checkpoint's signature
	Broken    Kind = "broken"   // a checkpoint that is none
	Stranger  Kind = "stranger" // a checkpoint that another key signed
	NotSigned Kind = "unsigned" // nothing is signed where it was to be
)

// What is worth knowing.
const (
	Torn      Kind = "torn"
	Uncovered Kind = "uncovered"
	Gap       Kind = "gap"
	NotKnown  Kind = "unknown" // an effect whose answer was lost, and of which there is no later word
)

// Finding is one thing that was found.
type Finding struct {
	Kind Kind `json:"kind"`
	// Problem says that the ledger is not what was signed, or that this cannot be known.
	Problem bool `json:"problem"`
	// Line is where, in the entries or else in the checkpoints, and Count how many there are of it.
	Line  int64  `json:"line,omitempty"`
	Count int64  `json:"count,omitempty"`
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"`
}

// Report is what a ledger was found to be.
type Report struct {
	Schema string `json:"schema"`
	OK     bool   `json:"ok"`
	// Entries are all lines, and Covered those that the newest checkpoint that counts is of.
	Entries int64 `json:"entries"`
	Covered int64 `json:"covered"`
	// Signed says that checkpoints counted only with a signature of a key that was given.
	Signed bool `json:"signed"`
	// Checkpoint is that newest one, to be kept elsewhere, and Checkpoints how many there are.
	Checkpoint  string `json:"checkpoint,omitempty"`
	Checkpoints int    `json:"checkpoints"`
	// Witnesses are how many others it was held against.
	Witnesses int       `json:"witnesses,omitempty"`
	Findings  []Finding `json:"findings"`
	// More is how many findings are not listed.
	More int `json:"more,omitempty"`
}

// maxFindings are listed; the others are counted.
const maxFindings = 50

func (r *Report) add(f Finding) {
	r.OK = r.OK && !f.Problem
	if len(r.Findings) == maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// problem adds what is wrong.
func (r *Report) problem(k Kind, line, count int64, do, says string, args ...any) {
	r.add(Finding{k, true, line, count, fmt.Sprintf(says, args...), do})
}

// note adds what is worth knowing.
func (r *Report) note(k Kind, line, count int64, do, says string, args ...any) {
	r.add(Finding{k, false, line, count, fmt.Sprintf(says, args...), do})
}

// What to do about it.
const (
	doChanged   = "keep the folder as it is, and find out who could write to it; a copy or an export from before has the entries as they were"
	doTruncated = "keep the folder as it is, and find out who could write to it; if it was restored from a backup, take the newer copy"
	doFork      = "keep both checkpoints: they show that whoever has the key signed two histories; find out whether the ledger was restored, copied to two machines, or rewritten, and replace the key"
	doBroken    = "if a process was ended right there, nothing is lost: once a later checkpoint holds, take these lines out of ledger.checkpoints by hand; else it was altered"
	doForged    = "keep the folder as it is, and find out who could write to it; an older copy of ledger.checkpoints has the true one"
	doStranger  = "give every key that this ledger was signed with, each with a --key of its own, as whoever runs Rekey names them; a key that they do not name is somebody else's"
	doUnsigned  = "make a key with rekey ledger keygen and name it in the manifest; the next run that records something signs all entries"
	doWitness   = "find out whether the ledger was begun anew, restored or rewritten since, and whether all runs write to this one; the ledger that was there then goes on from what the version says"
	doUncovered = "the next run that records something covers them; until then nothing shows whether they were changed"
)

// entries counts them in words.
func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// at names lines.
func at(line, n int64) string {
	if n == 1 {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("lines %d to %d", line, line+n-1)
}

// are is the verb.
func are(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
