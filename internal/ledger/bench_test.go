package ledger_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// many is a ledger of n entries, as long as a run writes them, without a checkpoint.
func many(b *testing.B, n int) *bed {
	d := newBed(b, "prod-ledger")
	f, err := os.Create(d.path(ledger.Lines))
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	t := time.Unix(1e9, 0).UTC()
	for i := range n {
		fmt.Fprintf(w, `{"schema":1,"time":%q,"run":"01m7y%08d","seq":%d,"credential":"devops-pat-%04d","effect":"publish","phase":"done","target":"kv-pat-prod.vault.azure.net/devops-pat-token","reason":"the new credential works","generation":"01m7y2pqh4tqpq43th","publication":"01m7y2pqh4tqpq43tj","issuerId":"4a1f0b4e-6a41-4d0e-8a44-2f4d3c1b9e10","version":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","expires":"2026-12-21T03:34:23Z"}`+"\n",
			t.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i/10, i%10+1, i%1000)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return d
}

// size is how many entries the benchmarks have: REKEY_LEDGER_ENTRIES, or a tenth of a million.
func size(b *testing.B) int {
	n := 100_000
	if s := os.Getenv("REKEY_LEDGER_ENTRIES"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// BenchmarkLedger says what a large ledger costs: the first checkpoint, which reads all of it; the next one, as each run
// writes it; verifying; a proof.
func BenchmarkLedger(b *testing.B) {
	d := many(b, size(b))
	d.run(1)
	b.Run("first checkpoint", func(b *testing.B) {
		for b.Loop() {
			os.Remove(d.path(ledger.Tree))
			os.Remove(d.path(ledger.Checkpoints))
			d.run(1)
		}
	})
	b.Run("a run's checkpoint", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			l, write := d.open()
			write(10)
			b.StartTimer()
			if _, err := l.Checkpoint(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if r := d.verify(); !r.OK {
				b.Fatal(said(r))
			}
		}
	})
	b.Run("prove", func(b *testing.B) {
		for b.Loop() {
			if _, err := ledger.Prove(d.reader(), 4711); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("show", func(b *testing.B) {
		for b.Loop() {
			if err := ledger.Walk(d.reader(), func(int64, ledger.Entry) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := ledger.Export(d.reader(), io.Discard, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
