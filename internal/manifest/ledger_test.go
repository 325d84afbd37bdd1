package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekeyhq/rekey/internal/manifest"
)

func TestTheLedgerIsAFolderOrAFolderAndItsKey(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want manifest.Ledger
	}{
		"none":                       {"", manifest.Ledger{}},
		"a folder":                   {"ledger: ./ledger", manifest.Ledger{Folder: "./ledger"}},
		"a folder in the long form":  {"ledger: {folder: ./ledger}", manifest.Ledger{Folder: "./ledger"}},
		"a container":                {"ledger: {blob: 'https://stcontoso.blob.core.windows.net/ledger/prod'}", manifest.Ledger{Blob: "https://stcontoso.blob.core.windows.net/ledger/prod"}},
		"a key in a file":            {"ledger: {folder: ./ledger, key: {file: ledger.key}}", manifest.Ledger{Folder: "./ledger", Key: &manifest.LedgerKey{File: "ledger.key"}}},
		"a key in the environment":   {"ledger:\n  folder: ./ledger\n  key:\n    env: LEDGER_KEY", manifest.Ledger{Folder: "./ledger", Key: &manifest.LedgerKey{Env: "LEDGER_KEY"}}},
		"an alias of the short form": {"concurrency: &x external\nledger: *x", manifest.Ledger{Folder: "external"}},
	} {
		t.Run(name, func(t *testing.T) {
			src := strings.Replace(string(manifest.Starter()), "ledger: ./ledger", c.line, 1)
			m, problems := manifest.Parse("rekey.yaml", []byte(src), kinds())
			if m == nil {
				t.Fatalf("%v", problems)
			}
			if diff := cmp.Diff(c.want, m.Ledger); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
