package approval

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Box is where requests and decisions lie: a folder, or a container of blobs.
type Box interface {
	// Create writes something whole or not at all, and fails with ErrThere if there is something of that name.
	Create(ctx context.Context, name string, b []byte) error
	// Read fails with ErrNotThere if there is nothing.
	Read(ctx context.Context, name string) ([]byte, error)
	// List gives the names that begin with a prefix, in order.
	List(ctx context.Context, prefix string) ([]string, error)
	// Place says where it is, for people.
	Place() string
}

// Errors of every Box.
var (
	ErrThere    = errors.New("there is one already")
	ErrNotThere = errors.New("there is none")
)

// Folder is a box on a disk.
type Folder string

// Place implements Box.
func (f Folder) Place() string { return string(f) }

// Create implements Box. What is written is synced before it gets its name, and a name is given once: by a link, which
// fails where there is one.
func (f Folder) Create(_ context.Context, name string, b []byte) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	// Who may read it, the folder says: runs and approvers may be different users of the machine.
	file, err := os.OpenFile(filepath.Join(string(f), ".new-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(b)
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	err = os.Link(file.Name(), filepath.Join(string(f), name))
	if errors.Is(err, fs.ErrExist) {
		return ErrThere
	}
	if err != nil {
		return err
	}
	return syncFolder(string(f))
}

// Read implements Box.
func (f Folder) Read(_ context.Context, name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(string(f), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotThere
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	// A little more than the largest, so that a larger one is told from it without being read.
	return io.ReadAll(io.LimitReader(file, maxFile+1))
}

// List implements Box.
func (f Folder) List(_ context.Context, prefix string) ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}
