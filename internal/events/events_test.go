package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// taker is a sink that takes what it is let to.
type taker struct {
	name string
	got  []string
	// errs are the answers to the next calls, most how many events one call takes, and lost says that an error comes
	// although the events were taken.
	errs []error
	most int
	lost bool
	hang bool
}

func (s *taker) Name() string { return s.name }

func (s *taker) Send(ctx context.Context, events []Event) (int, error) {
	if s.hang {
		<-ctx.Done()
		return 0, &driver.Error{Kind: driver.Ambiguous, Op: "send", Detail: "no answer in time"}
	}
	var err error
	if len(s.errs) > 0 {
		err, s.errs = s.errs[0], s.errs[1:]
	}
	n := len(events)
	if s.most > 0 {
		n = min(n, s.most)
	}
	if err != nil && !s.lost {
		n = min(n, s.most)
	}
	for _, e := range events[:n] {
		s.got = append(s.got, e.ID)
	}
	if err != nil && s.lost {
		return 0, err
	}
	return n, err
}

type bed struct {
	*testing.T
	dir  string
	home *ledger.Folder
	seq  int
}

func newBed(t *testing.T) *bed {
	b := &bed{T: t, dir: t.TempDir()}
	h, err := ledger.OpenFolder(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	b.home = h
	return b
}

func (b *bed) record(n int) (ids []string) {
	b.Helper()
	l := ledger.New(b.home, nil)
	for range n {
		b.seq++
		if err := l.Append(ledger.Entry{Run: "r", Seq: b.seq, Time: time.Unix(1e9, 0), Credential: "devops-pat", Effect: "tell", Phase: ledger.Done, Target: "<x> & y"}); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, fmt.Sprint("r/", b.seq))
	}
	return ids
}

func (b *bed) deliver(s Sink) Result {
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	return Deliver(ctx, b.home, "rekey:ledger", []Sink{s})[0]
}

func TestEachEntryIsSentOnceInItsOrder(t *testing.T) {
	b := newBed(t)
	s := &taker{name: "siem"}
	want := b.record(3)
	for range 2 {
		if r := b.deliver(s); r.Err != nil || r.Sink != "siem" {
			t.Errorf("%+v", r)
		}
	}
	want = append(want, b.record(450)...)
	if r := b.deliver(s); r.Err != nil || r.Sent != 450 {
		t.Errorf("%+v", r)
	}
	if !slices.Equal(s.got, want) {
		t.Errorf("%d events, want %d", len(s.got), len(want))
	}
	other := &taker{name: "other"}
	if b.deliver(other); !slices.Equal(other.got, want) {
		t.Error("another sink has another place")
	}
}

func TestWhatASinkDidNotTakeIsSentAgain(t *testing.T) {
	transient := driver.Errorf(driver.Unavailable, "send", "", "it is down")
	final := driver.Errorf(driver.Denied, "send", "", "no role")
	for name, c := range map[string]struct {
		sink  taker
		first string // what came of the first run
		want  string // what it has in the end
	}{
		"an error that passes":    {taker{errs: []error{transient, transient}}, "", "r/1 r/2 r/3"},
		"an answer that was lost": {taker{errs: []error{transient}, lost: true}, "", "r/1 r/2 r/3 r/1 r/2 r/3"},
		"one event at a time":     {taker{most: 1}, "", "r/1 r/2 r/3"},
		"one event and then none": {taker{most: 1, errs: []error{nil, final}}, "no role", "r/1 r/2 r/3"},
		"a refusal":               {taker{errs: []error{final}}, "no role", "r/1 r/2 r/3"},
		"a service that is down":  {taker{errs: slices.Repeat([]error{transient}, 9)}, "it is down", "r/1 r/2 r/3"},
		"a service that hangs":    {taker{hang: true}, "no answer in time", "r/1 r/2 r/3"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				b.record(3)
				s := &c.sink
				s.name = "siem"
				start := time.Now()
				r := b.deliver(s)
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("it took %s", took)
				}
				if (r.Err == nil) != (c.first == "") || r.Err != nil && !strings.Contains(r.Err.Error(), c.first) {
					t.Errorf("first %v, want %q", r.Err, c.first)
				}
				s.hang, s.errs = false, nil
				if r := b.deliver(s); r.Err != nil {
					t.Error(r.Err)
				}
				if got := strings.Join(s.got, " "); got != c.want {
					t.Errorf("it has %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestALedgerThatDoesNotGoOnFromWhatWasSentIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(lines string) string
		says   string
	}{
		"cut off":  {func(l string) string { return l[:len(l)/2] }, "shorter than what was sent"},
		"replaced": {func(l string) string { return strings.Repeat("x", len(l)) + "\n" }, "does not end where a line"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.record(3)
			b.deliver(&taker{name: "siem"})
			name := filepath.Join(b.dir, ledger.File)
			was, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(c.change(string(was))), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := b.deliver(&taker{name: "siem"}); r.Err == nil || !strings.Contains(r.Err.Error(), c.says) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestATornLineIsPassedOver(t *testing.T) {
	b := newBed(t)
	b.record(1)
	if err := b.home.Append(ledger.Lines, []byte("torn\n")); err != nil {
		t.Fatal(err)
	}
	s := &taker{name: "siem"}
	if r := b.deliver(s); r.Err != nil || r.Sent != 1 {
		t.Errorf("%+v", r)
	}
	b.record(1)
	if r := b.deliver(s); r.Err != nil || r.Sent != 1 || len(s.got) != 2 {
		t.Errorf("%+v, %v", r, s.got)
	}
}

// broken is a home that does not keep how far a sink has come.
type broken struct{ *ledger.Folder }

func (broken) Append(ledger.Part, []byte) error { return errors.New("no space left") }

func TestWhatCannotBeKeptIsSentAgain(t *testing.T) {
	b := newBed(t)
	b.record(2)
	s := &taker{name: "siem"}
	if r := Deliver(t.Context(), broken{b.home}, "x", []Sink{s})[0]; r.Err == nil || r.Sent != 2 {
		t.Errorf("%+v", r)
	}
	if b.deliver(s); len(s.got) != 4 {
		t.Errorf("%v", s.got)
	}
}

func TestAnEventIsACloudEventWithTheEntryAsItStands(t *testing.T) {
	b := newBed(t)
	b.record(1)
	name := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(name, []byte(`{"torn`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := b.deliver(File("local", name)); r.Err != nil {
		t.Fatal(r.Err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	torn, text, _ := strings.Cut(string(got), "\n")
	var e map[string]any
	if err := json.Unmarshal([]byte(text), &e); err != nil || torn != `{"torn` {
		t.Fatalf("%v\n%s", err, got)
	}
	for k, v := range map[string]string{"specversion": "1.0", "id": "r/1", "source": "rekey:ledger", "type": Type, "subject": "devops-pat", "sequence": "1", "datacontenttype": "application/json", "time": "2001-09-09T01:46:40Z"} {
		if e[k] != v {
			t.Errorf("%s is %v, want %s", k, e[k], v)
		}
	}
	if d, ok := e["data"].(map[string]any); !ok || d["target"] != "<x> & y" || d["phase"] != "done" {
		t.Errorf("data is %v", e["data"])
	}
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte("{\"entries\":1,\"end\":20}\n{\"entries\":3,\"end\":60}\n"))
	for _, b := range badinput.Broken("{\"entries\":1,\"end\":20}\n") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c cursor
		badinput.Bounded(t, len(b), func() { c = furthest(b) })
		if c.End < 0 || c.Entries < 0 || c.Entries > c.End {
			t.Errorf("%+v", c)
		}
	})
}
