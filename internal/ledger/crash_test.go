package ledger_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

func TestARunThatWasKilledInTheMiddleOfALineLeavesATornOne(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(3)
	whole := b.read(ledger.Lines)
	b.run(1)
	torn := strings.TrimPrefix(b.read(ledger.Lines), whole)
	for cut := 1; cut < len(torn); cut += 7 {
		c := b.copy()
		c.write(ledger.Lines, whole+torn[:cut])
		c.write(ledger.Checkpoints, firstCheckpoint(c))
		r := c.verify()
		if !r.OK || r.Entries != 3 || said(r) != "(torn) 4+1" {
			t.Fatalf("cut after %d bytes: %s", cut, said(r))
		}
		c.runs = 10
		c.run(2)
		// What is torn stays, and is covered like any line.
		if r = c.verify(); !r.OK || r.Covered != 6 || said(r) != "(torn) 4+1" {
			t.Errorf("cut after %d bytes, and a run more: %s", cut, said(r))
		}
		lines := c.lines()
		lines[3] += "x"
		c.setLines(lines)
		if r = c.verify(); r.OK {
			t.Errorf("cut after %d bytes: the torn line can be changed", cut)
		}
	}
}

func firstCheckpoint(b *bed) string {
	first, _, _ := strings.Cut(b.read(ledger.Checkpoints)[1:], "\n\nprod-ledger\n")
	return "\n" + first + "\n"
}

func TestARunThatWasKilledBeforeItsCheckpointIsCoveredByTheNext(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(3)
	_, write := b.open()
	write(2)
	if r := b.verify(); !r.OK || said(r) != "(uncovered) 4+2" || r.Covered != 3 {
		t.Errorf("%s", said(r))
	}
	idle, _ := b.open()
	if c, err := idle.Checkpoint(); c.Size != 0 || err != nil {
		t.Errorf("a run that records nothing wrote a checkpoint of %d: %v", c.Size, err)
	}
	b.run(1)
	b.sound(6)
}

// TestACheckpointThatWasCutOff: whatever part of it was written, verify says so, the next run goes on, and then all is
// well again but for a note.
func TestACheckpointThatWasCutOff(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(3)
	before := b.read(ledger.Checkpoints)
	b.run(2)
	after := strings.TrimPrefix(b.read(ledger.Checkpoints), before)
	for cut := 0; cut < len(after); cut += 1 + cut%4 {
		c := b.copy()
		c.write(ledger.Checkpoints, before+after[:cut])
		r := c.verify()
		if cut > 1 && (r.OK || !strings.HasPrefix(said(r), "broken ")) || r.Covered != 3 {
			t.Fatalf("cut after %d of %q: %s", cut, after, said(r))
		}
		c.runs = 10
		c.run(1)
		r = c.verify()
		if !r.OK || r.Covered != 6 || strings.Contains(said(r), "torn") != (cut > 1) {
			t.Fatalf("cut after %d of %q, and a run more: %s\n%s", cut, after, said(r), c.read(ledger.Checkpoints))
		}
	}
}

func TestAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	b := newBed(t, "prod-ledger")
	b.run(3)
	t.Run("for the entries", func(t *testing.T) {
		c := b.copy()
		os.Remove(c.path(ledger.Lines))
		if err := os.Symlink("/dev/full", c.path(ledger.Lines)); err != nil {
			t.Fatal(err)
		}
		l, _ := c.open()
		if err := l.Append(ledger.Entry{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v", err)
		}
	})
	for _, part := range []ledger.Part{ledger.Checkpoints, ledger.Tree} {
		t.Run("for "+string(part), func(t *testing.T) {
			c := b.copy()
			os.Remove(c.path(part))
			if err := os.Symlink("/dev/full", c.path(part)); err != nil {
				t.Fatal(err)
			}
			c.runs = 10
			l, write := c.open()
			write(2)
			if _, err := l.Checkpoint(); err == nil {
				t.Error("a checkpoint was made")
			}
			os.Remove(c.path(part))
			if part == ledger.Checkpoints {
				c.write(part, b.read(part))
			}
			c.run(1)
			c.sound(6)
		})
	}
}

// partial is a home whose disk takes only so many bytes of the next write.
type partial struct {
	ledger.Home
	dir  string
	left int
}

func (p *partial) Append(part ledger.Part, b []byte) error {
	if p.left < 0 {
		return p.Home.Append(part, b)
	}
	f, err := os.OpenFile(p.dir+"/"+string(part), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, _ = f.Write(b[:min(p.left, len(b))])
	p.left = -1
	return syscall.ENOSPC
}

func TestARunGoesOnAfterALineThatTheDiskTookInPart(t *testing.T) {
	b := newBed(t, "prod-ledger")
	f, err := ledger.OpenFolder(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := ledger.New(&partial{f, b.dir, 40}, b.key)
	e := ledger.Entry{Run: "r", Seq: 1, Phase: ledger.Intended}
	if err := l.Append(e); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	e.Seq = 2
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	if lines := b.lines(); len(lines) != 2 || !strings.Contains(lines[1], `"seq":2`) || !strings.HasPrefix(lines[1], "{") {
		t.Errorf("the next entry is glued to what was torn: %q", lines)
	}
	if _, err := l.Checkpoint(); err != nil {
		t.Error(err)
	}
	if r := b.verify(); !r.OK || r.Covered != 2 || said(r) != "(torn) 1+1, (gap) 2+1" {
		t.Errorf("%s", said(r))
	}
}

func TestNothingIsSignedOverAChangedLedger(t *testing.T) {
	for name, change := range map[string]func(*bed){
		"cut off":               func(b *bed) { b.setLines(b.lines()[:4]) },
		"emptied":               func(b *bed) { b.write(ledger.Lines, "") },
		"the last one is other": func(b *bed) { l := b.lines(); l[5] = forged; b.setLines(l) },
		"altered, without the hashes": func(b *bed) {
			l := b.lines()
			l[1] = forged
			b.setLines(l)
			os.Remove(b.path(ledger.Tree))
		},
		"altered, with a hash": func(b *bed) {
			l := b.lines()
			l[1] = forged
			b.setLines(l)
			b.write(ledger.Tree, flipped(b.read(ledger.Tree), 2*40))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, "prod-ledger")
			b.run(6)
			change(b)
			before := b.read(ledger.Checkpoints)
			l, write := b.open()
			write(1)
			c, err := l.Checkpoint()
			switch {
			case name == "altered, with a hash" && err == nil:
				// The root of the rest is still that of the checkpoint: what is signed is what was.
				if r := b.verify(); r.OK || !strings.Contains(said(r), "altered") {
					t.Errorf("%s", said(r))
				}
				return
			case !errors.Is(err, ledger.ErrChanged):
				t.Errorf("%+v, %v", c, err)
			}
			if b.read(ledger.Checkpoints) != before {
				t.Error("there is a new checkpoint")
			}
			if r := b.verify(); r.OK {
				t.Error("verify finds nothing")
			}
		})
	}
}

// TestProcessesAppendAtOnce runs this test's own program several times at once.
func TestProcessesAppendAtOnce(t *testing.T) {
	const processes, n = 4, 60
	if dir := os.Getenv("LEDGER_TEST_DIR"); dir != "" {
		key, err := ledger.ParseKey(os.Getenv("LEDGER_TEST_KEY"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(os.Stdin) // until all are there
		f, err := ledger.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := range n {
			l := ledger.New(f, key)
			e := ledger.Entry{Time: time.Unix(1e9, 0), Run: fmt.Sprint("run", os.Getpid()), Seq: i + 1, Phase: ledger.Done, Reason: strings.Repeat("x", i*50)}
			if err := l.Append(e); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Checkpoint(); i%10 == 9 && err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	b := newBed(t, "prod-ledger")
	private, public, err := ledger.MakeKey("shared")
	if err != nil {
		t.Fatal(err)
	}
	if b.keys, err = ledger.ParseVerifiers(public); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var gates []io.Closer
	for range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesAppendAtOnce$")
		cmd.Env = append(os.Environ(), "LEDGER_TEST_DIR="+b.dir, "LEDGER_TEST_KEY="+private)
		gate, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		gates = append(gates, gate)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, out.String())
			}
		})
	}
	for _, g := range gates {
		g.Close()
	}
	wg.Wait()
	// A line that was looked at while it was being written can have an empty one after it.
	r, entries := b.verify(), 0
	if err := ledger.Walk(b.reader(), func(int64, ledger.Entry) error { entries++; return nil }); err != nil {
		t.Fatal(err)
	}
	if !r.OK || entries != processes*n || r.Covered != r.Entries || len(r.Findings) > 0 {
		t.Errorf("%d entries in %d lines, %d covered: %s", entries, r.Entries, r.Covered, said(r))
	}
}
