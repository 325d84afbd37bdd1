// Package engine carries out what rotation.Decide decides: it observes, asks, acts, and observes again, one step at a
// time for each credential and many credentials at once.
//
// It decides nothing about a credential's life itself, and knows no service: it sees drivers. What always holds: every
// effect is in the ledger before it is attempted and again when its end is known; a secret's value lives in one stack
// frame here and is wiped; a value is published only if its last check is at most a minute old and its issue at most
// ten, by the wall clock.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Credential is one credential with everything that it is worked with.
type Credential struct {
	Spec        rotation.Spec
	Issuer      driver.Issuer
	Store       driver.Store
	Consumers   []driver.Consumer
	Checks      []driver.Check    // the manifest's own
	Tags        map[string]string // the manifest's own
	ContentType string
	// Makes says what a new value will be, for a plan; "" if nobody can know.
	Makes string
	// Seal is where the account's token lies; nil if there is none. A token that was not used for a day is used, and
	// so sealed again, because it would die of disuse.
	Seal *Seal
	// Several, if set, says that this stands for many credentials, which it names at run time; Only is the one that a
	// person asked for.
	Several Several
	Only    rotation.CredentialID
	// After are the credentials that come first. What is not in this run is not waited for.
	After []rotation.CredentialID
	// Notes are what a person should know of it.
	Notes []string
}

// Seal is a secret that holds an account's token.
type Seal struct {
	Store driver.Store
	Name  string
}

// Config is what an Engine needs.
type Config struct {
	Ledger ledger.Log
	// Witness says what the ledger holds at this moment, for the record of a publication to name; nil if nobody can.
	Witness func() (size int64, root string, err error)
	// Report hears every ledger entry, for progress; nil for nobody.
	Report func(ledger.Entry)
	// Waiting hears when the run sleeps; nil for nobody.
	Waiting func(name rotation.CredentialID, until time.Time, why string)
	Log     *slog.Logger
	// MaxWait bounds the sleeping of one run; what takes longer ends the run with a time.
	MaxWait time.Duration
	// Interval is how often a run comes; 0 if not known.
	Interval time.Duration
	// Parallel is how many credentials are worked on at once; 0 means 128.
	Parallel int
	// Now is the wall clock, time.Now unless set. It only measures how long ago something was.
	Now func() time.Time
	// Rights are taken when a run needs them, and given back when it is over; nil for none.
	Rights *elevation.Manager
	// Approve is asked before anything is done; nil lets everything be done.
	Approve func(context.Context, Wanted) (Consent, error)
	// Random fills in ids; crypto/rand unless set.
	Random func(b []byte)
}

// parallel is how many credentials are worked on at once unless it is said. A replacement mostly waits: a client secret
// takes three seconds for a dozen calls, and a vault takes thirty new versions a second.
const parallel = 128

// Engine runs credentials.
type Engine struct {
	cfg   Config
	run   string
	seqMu sync.Mutex
	seq   int
	lists lists
	// started is the wall clock when a person asked for the run.
	started time.Time
	// members are the hashes of the secrets that blocks of many stood for; unlisted says that one could not be read.
	members  map[string]bool
	unlisted bool
	taken    []elevation.Taken
}

// New makes an engine for one run.
func New(cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = func(b []byte) { _, _ = rand.Read(b) }
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = parallel
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{cfg: cfg, lists: lists{byKey: map[string]*list{}}, members: map[string]bool{}}
	e.started = e.wall()
	e.run = string(rotation.NewGeneration(cfg.Now(), e.random()))
	return e
}

// RunID names the run in the ledger.
func (e *Engine) RunID() string { return e.run }

func (e *Engine) random() (b [5]byte) {
	e.cfg.Random(b[:])
	return b
}

// wall is the wall clock without Go's monotonic reading, which stands still while a machine sleeps.
func (e *Engine) wall() time.Time { return e.cfg.Now().Round(0) }

// Result is how a credential ended.
type Result struct {
	Spec     rotation.Spec
	Now      time.Time         // the services' time
	Decision rotation.Decision // the last one
	Assumed  []string          // what a plan assumed
	Effects  []ledger.Entry    // with phase done or unknown
	Err      error
	Secret   rotation.Fact[rotation.Secret]
	Missing  bool // the vault's list lacks it
	// Consumers are the manifest's, with what was seen of them last, if anything.
	Consumers []Consumer
	// Checks are the manifest's own, with what they said last, if anything.
	Checks []Trial
}

// Trial is one of the manifest's checks as a run saw it.
type Trial struct {
	ID, Place string
	Outcome   rotation.Fact[rotation.Check]
}

// Consumer is one consumer as a run saw it.
type Consumer struct {
	ID, Place string
	Cache     time.Duration
	State     rotation.Fact[rotation.ConsumerState]
}

// Run converges all credentials as far as this run can, and returns their results in order.
func (e *Engine) Run(ctx context.Context, creds []Credential) []Result {
	e.Begin()
	defer e.GiveBack(ctx)
	return e.each(ctx, creds, asking, e.converge)
}

// Plan says for each credential what a run would do, without writing anything or redeeming any token.
func (e *Engine) Plan(ctx context.Context, creds []Credential) []Result {
	return e.each(ctx, creds, quietly, e.plan)
}

// index is the bulk read of all vaults.
type index map[string]indexed

type indexed struct {
	driver.Index
	err error
	at  time.Time
}

// readIndex lists every vault once. A credential that a person named is read directly, so its vault need not be.
func (e *Engine) readIndex(ctx context.Context, creds []Credential) index {
	stores := map[string]driver.Store{}
	for _, c := range creds {
		if c.Spec.Enabled && c.Spec.Command == rotation.Converge || c.Several != nil {
			stores[c.Store.Host()] = c.Store
			if c.Seal != nil {
				stores[c.Seal.Store.Host()] = c.Seal.Store
			}
		}
	}
	out := index{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, e.cfg.Parallel)
	// In one order, so that what a run does can be repeated.
	for _, host := range slices.Sorted(maps.Keys(stores)) {
		s := stores[host]
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			list, err := s.List(ctx)
			at := e.wall()
			mu.Lock()
			out[host] = indexed{list, err, at}
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}

// list is one account's list, shared by its credentials.
type list struct {
	mu    sync.Mutex
	at    time.Time // when it was asked for: what was issued later may be missing
	heard time.Time // when its date was heard
	have  bool
	driver.Listing
}

type lists struct {
	mu    sync.Mutex
	byKey map[string]*list
}

// listAge is how long one read of an account's list serves other credentials.
const listAge = time.Minute

func (l *lists) of(key string) *list {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byKey[key] == nil {
		l.byKey[key] = &list{}
	}
	return l.byKey[key]
}

// stale makes the next look at an account's list a fresh one.
func (l *lists) stale(key string) {
	of := l.of(key)
	of.mu.Lock()
	of.have = false
	of.mu.Unlock()
}

// readList returns the account's list, asked for after notBefore, and when its date was heard.
func (e *Engine) readList(ctx context.Context, i driver.Issuer, notBefore time.Time) (driver.Listing, time.Time, error) {
	l := e.lists.of(i.ListKey())
	l.mu.Lock()
	defer l.mu.Unlock()
	at := e.wall()
	if l.have && at.Sub(l.at) < listAge && l.at.After(notBefore) {
		return l.Listing, l.heard, nil
	}
	listing, err := i.List(ctx)
	heard := e.wall()
	if err != nil {
		return driver.Listing{}, heard, err
	}
	l.Listing, l.at, l.heard, l.have = listing, at, heard, true
	return listing, heard, nil
}

// Strangers lists what is stamped, in the lists that this run read, for none of these credentials' secrets: another
// manifest's, or what was left behind when a credential was taken out of one. It is reported and never revoked. creds
// must be the whole manifest.
func (e *Engine) Strangers(creds []Credential) []rotation.Issued {
	if e.unlisted {
		return nil
	}
	ours := maps.Clone(e.members)
	for _, c := range creds {
		ours[c.Spec.Target.Hash()] = true
	}
	e.lists.mu.Lock()
	defer e.lists.mu.Unlock()
	var out []rotation.Issued
	seen := map[string]bool{} // one account can be in several lists
	for _, key := range slices.Sorted(maps.Keys(e.lists.byKey)) {
		for _, i := range e.lists.byKey[key].Issued {
			if s, ok := rotation.ParseStamp(i.Name); rotation.LooksStamped(i.Name) && !(ok && ours[s.Hash]) && !seen[i.ID] {
				seen[i.ID] = true
				out = append(out, i)
			}
		}
	}
	return out
}

// effect records the intent, does it, and records how it ended.
func (e *Engine) effect(entry ledger.Entry, now func() time.Time, do func(*ledger.Entry) error) (ledger.Entry, error) {
	entry.Phase, entry.Time = ledger.Intended, now()
	if entry, err := e.record(entry); err != nil {
		return entry, err
	}
	err := do(&entry)
	entry.Time, entry.Phase = now(), ledger.Done
	if err != nil {
		entry.Phase, entry.Error = ledger.Failed, err.Error()
		var de *driver.Error
		if errors.As(err, &de) {
			entry.Code = de.Code
		}
		if !driver.NotApplied(err) {
			entry.Phase = ledger.Unknown
		}
	}
	entry, rerr := e.record(entry)
	// The effect's own error says more than a ledger that failed after it.
	if err != nil {
		return entry, err
	}
	return entry, rerr
}

// record writes a ledger entry. An error means that the effect must not happen.
func (e *Engine) record(entry ledger.Entry) (ledger.Entry, error) {
	e.seqMu.Lock()
	defer e.seqMu.Unlock()
	e.seq++
	entry.Run, entry.Seq = e.run, e.seq
	if err := e.cfg.Ledger.Append(entry); err != nil {
		return entry, &driver.Error{Kind: driver.Unavailable, Op: fmt.Sprintf("record the intent to %s", entry.Effect), Detail: err.Error(),
			Hint: "nothing is done that cannot be recorded: make the ledger's folder or container writable"}
	}
	if e.cfg.Report != nil {
		e.cfg.Report(entry)
	}
	return entry, nil
}
