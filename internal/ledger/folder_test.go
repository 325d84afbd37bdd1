package ledger_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/ledger/hometest"
)

func TestAFolderIsAHome(t *testing.T) {
	hometest.Run(t, func(t *testing.T, name string, test func(*testing.T, hometest.Bed)) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test(t, hometest.Bed{
				Open: func() ledger.Home {
					h, err := ledger.OpenFolder(dir)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { h.Close() })
					return h
				},
				Tear: func(p ledger.Part, text string) {
					f, err := os.OpenFile(filepath.Join(dir, string(p)), os.O_APPEND|os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					if _, err := f.WriteString(text); err != nil {
						t.Fatal(err)
					}
				},
			})
		})
	})
}
