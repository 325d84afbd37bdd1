package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rekeyhq/rekey/internal/printable"
)

// Attested is the effect of the entry that has a statement's digest.
const Attested = "attest"

// Encode gives a statement's bytes and their digest.
func (s Statement) Encode() (raw json.RawMessage, digest string, err error) {
	if raw, err = compact(s); err != nil {
		return nil, "", fmt.Errorf("write the artefact: %w", err)
	}
	return raw, digestOf(raw), nil
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// compact is the one way of writing something.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return printable.JSON(bytes.TrimSpace(b.Bytes())), nil
}

// File is the artefact that a run is going to write.
type File struct {
	dir  string
	temp *os.File
}

// Create begins an artefact in a folder, which is made if it does not exist. It shows that there is room for one before
// anything is done that would lack it.
func Create(dir string) (*File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the artefact: %w", err)
	}
	f, err := os.CreateTemp(dir, ".rekey-*.partial")
	if err != nil {
		return nil, fmt.Errorf("begin the artefact: %w", err)
	}
	return &File{dir, f}, nil
}

// Name is the artefact's, of a run.
func Name(run string) string { return run + ".json" }

// Write puts the artefact of a run in its place: all of it, or nothing.
func (f *File) Write(run string, a Artifact) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the artefact: %w", err)
		}
	}()
	raw, err := compact(a)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	if _, err := f.temp.Write(b.Bytes()); err != nil {
		return err
	}
	if err := errors.Join(f.temp.Chmod(0o600), f.temp.Sync(), f.temp.Close()); err != nil {
		return err
	}
	return os.Rename(f.temp.Name(), filepath.Join(f.dir, Name(run)))
}

// Drop takes away what is left of an artefact that was not written.
func (f *File) Drop() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}
