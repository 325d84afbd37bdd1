// Package examples holds the example manifests, so that the demo and the tests run the very files that people copy.
// It is not a library: there is one folder per kind of credential or consumer, each with a rekey.yaml that fits the
// simulator's built-in world as it is.
package examples

import (
	"embed"
	"io/fs"
	"path"
)

//go:embed */rekey.yaml
var files embed.FS

// Manifest is the example of a folder ("pat"). It panics if there is no such folder.
func Manifest(folder string) []byte {
	b, err := files.ReadFile(path.Join(folder, "rekey.yaml"))
	if err != nil {
		panic(err)
	}
	return b
}

// Folders are all examples' folders, in order.
func Folders() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
