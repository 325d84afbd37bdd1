package ledger

import "io"

// Part is one of the things that a ledger consists of. A part only grows.
type Part string

const (
	// Lines are the entries.
	Lines Part = "ledger.jsonl"
	// Checkpoints are the notes that say, each for as many lines as it names, what their tree's root is.
	Checkpoints Part = "ledger.checkpoints"
	// Tree holds the tree's hashes. It is worked out from the lines, believed only as far as its root is that of a
	// checkpoint, and made anew when it is gone.
	Tree Part = "ledger.tree"
)

// File is the name of the lines in a folder.
const File = string(Lines)

// Reader is where a ledger can be read.
type Reader interface {
	// Open opens a part as it is now. A part that was never written is empty.
	Open(Part) (Snapshot, error)
}

// Snapshot is a part as far as it had been written when it was opened; others may go on writing.
type Snapshot interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Home is where a ledger lies. Several processes write to one at once and do not know of each other; so it must be a
// home, and not they, that keeps what they write apart.
//
// A folder is one, and a container with append blobs (internal/azure/appendblob) another. hometest holds both to this.
type Home interface {
	Reader
	// Append puts b, which is whole lines, behind everything that anybody has put there, in one piece and for good: when
	// it returns nil, b survives a crash. If what is there was cut off within a line, that line is ended first. When it
	// fails, any part of b may be there.
	Append(p Part, b []byte) error
	// Keep writes what can be worked out anew at a place of its own. Processes that keep something at the same place
	// keep the same there, so that the order does not matter.
	Keep(p Part, b []byte, at int64) error
}
