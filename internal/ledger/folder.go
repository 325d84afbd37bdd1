package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Folder is a home on one machine: a file for each part. Several processes may append at once, since each entry is one
// write to a file that is open for appending.
type Folder struct {
	dir   string
	mu    sync.Mutex
	lines *os.File
}

// OpenFolder opens the ledger in dir, which is made if it does not exist.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return &Folder{dir: dir, lines: f}, nil
}

// Append implements Home.
func (h *Folder) Append(p Part, b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p == Lines {
		return appendTo(h.lines, b)
	}
	f, err := os.OpenFile(filepath.Join(h.dir, string(p)), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return appendTo(f, b)
}

// appendTo writes b in one write, with an end before it for a line that a crash or a full disk has cut off: what is torn
// stays, since it is evidence too, and nothing is glued to it. To look each time costs less than the write, and sees what
// another process has torn since.
func appendTo(f *os.File, b []byte) error {
	cut, err := cutOff(f)
	if err != nil {
		return err
	}
	if cut {
		b = append([]byte{'\n'}, b...)
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// looks is how often a line without an end is looked at again: another process may be in the middle of writing it. Where
// that takes longer, the end that is written for it is an empty line, which harms nothing.
const looks = 16

// cutOff says whether a file ends within a line.
func cutOff(f *os.File) (bool, error) {
	for range looks {
		info, err := f.Stat()
		if err != nil || info.Size() == 0 {
			return false, err
		}
		var last [1]byte
		if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
			return false, err
		}
		if last[0] == '\n' {
			return false, nil
		}
		runtime.Gosched()
	}
	return true, nil
}

// Keep implements Home.
func (h *Folder) Keep(p Part, b []byte, at int64) error {
	f, err := os.OpenFile(filepath.Join(h.dir, string(p)), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Sync()
}

// Open implements Reader.
func (h *Folder) Open(p Part) (Snapshot, error) { return openFile(h.dir, p) }

// Close closes the files.
func (h *Folder) Close() error { return h.lines.Close() }

// reading is a folder that nothing is written to.
type reading string

// ReadFolder reads the ledger in dir, and changes nothing there.
func ReadFolder(dir string) (Reader, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open the ledger: %s is not a folder", dir)
	}
	return reading(dir), nil
}

func (r reading) Open(p Part) (Snapshot, error) { return openFile(string(r), p) }

// file is a part in a folder.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

// nothing is a part that was never written.
type nothing struct{}

func (nothing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the part is empty") }
func (nothing) Close() error                      { return nil }
func (nothing) Size() int64                       { return 0 }

func openFile(dir string, p Part) (Snapshot, error) {
	f, err := os.Open(filepath.Join(dir, string(p)))
	if errors.Is(err, fs.ErrNotExist) {
		return nothing{}, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", filepath.Join(dir, string(p)))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return file{f, info.Size()}, nil
}
