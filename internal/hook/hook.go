// Package hook makes consumers of receivers that can hold no mark of their own, such as a webhook or a command: they are
// handed a publication, and a tag of the credential's own secret says which one they took.
//
// It is not for a service that can hold a mark beside the value: a mark that is elsewhere can be lost when the value was
// taken. What always holds: the mark is written after the receiver has taken the publication and never before, so that
// what it says is true; a mark that was lost, or is another receiver's, makes the next run hand the same publication
// over again, which receivers know by its id. So nothing superseded ends before the newest publication was taken.
// Publications sort by time as text: a receiver that keeps what it is handed, and does not read the vault, must keep
// nothing older than it has, because a request can arrive late.
package hook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"strings"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Handover is what a receiver is handed.
type Handover struct {
	Credential, Consumer string
	Publication          rotation.Publication
	Secret               rotation.Target
	// Version is the secret's with that publication; "" for one that is not the newest any more.
	Version string
	Value   secret.Value
}

// SecretID is the address at which a receiver reads what is newest in the vault.
func (h Handover) SecretID() string { return "https://" + h.Secret.Vault + "/secrets/" + h.Secret.Name }

// Receiver takes publications and remembers none. Its errors are those of a driver.Consumer.
type Receiver interface {
	// Place says what and where it is, for people and the ledger.
	Place() string
	// Key is everything that tells it from another receiver: one that has changed is handed the publication anew.
	Key() string
	// Preflight says whether it is there and takes what it is handed. It is handed nothing.
	Preflight(ctx context.Context) error
	// Hand hands a publication over, which may be one that it has taken before.
	Hand(ctx context.Context, h Handover) error
	// Weak says that it cannot be tried.
	Weak() bool
	// Try says why it does not work with the publication; "" if it does. It is not called on one that is Weak.
	Try(ctx context.Context, h Handover) (why string, err error)
}

// Watched is a Receiver that is Weak and shows all the same when something is wrong with it.
type Watched interface {
	Receiver
	// Look says what is wrong; "" if nothing is seen, which proves little.
	Look(ctx context.Context, h Handover) (why string, err error)
}

// ErrIdle is what Hand ends with if the receiver answered well and shows that it took nothing.
var ErrIdle = errors.New("it answered well and took nothing")

// Consumer is a receiver as a driver.Consumer.
type Consumer struct {
	name, credential string
	store            driver.Store
	target           rotation.Target
	receiver         Receiver
}

var (
	_ driver.Consumer = (*Consumer)(nil)
	_ driver.Noted    = (*Consumer)(nil)
)

// New makes a consumer of that name in the manifest, of a credential that is kept in a store. Nothing is sent.
func New(name, credential string, store driver.Store, target rotation.Target, receiver Receiver) *Consumer {
	return &Consumer{name: name, credential: credential, store: store, target: target, receiver: receiver}
}

// ID implements driver.Consumer.
func (c *Consumer) ID() string { return c.name }

// Place implements driver.Consumer.
func (c *Consumer) Place() string { return c.receiver.Place() }

// Tag is the name of the tag that the mark is kept in.
func (c *Consumer) Tag() string { return "rekey-told-" + c.name }

// Preflight implements driver.Consumer. That the mark can be written was shown when the store was.
func (c *Consumer) Preflight(ctx context.Context) error { return c.receiver.Preflight(ctx) }

// Notes implements driver.Noted for a receiver that does.
func (c *Consumer) Notes() []string {
	if n, ok := c.receiver.(driver.Noted); ok {
		return n.Notes()
	}
	return nil
}

// State implements driver.Consumer.
func (c *Consumer) State(ctx context.Context, published []rotation.Publication) (rotation.ConsumerState, error) {
	r, newest, err := c.read(ctx, "look at "+c.Place())
	defer r.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	s := rotation.ConsumerState{Weak: c.receiver.Weak()}
	m := c.marked(r.Secret, newest)
	if m.Publication == "" {
		s.Why = "nothing says that it was told"
		if w, watched := c.receiver.(Watched); watched {
			// One that is not there is a person's to mend, and no run is to try and tell it again and again.
			if _, err := w.Look(ctx, c.handover(newest, r.Value)); err != nil {
				return rotation.ConsumerState{}, err
			}
		}
		return s, nil
	}
	if n := len(published); n > 0 && m.Publication == published[n-1] && newest != m.Publication {
		// A person or another run came between the engine's read and this one. What it decides must not rest on the first.
		return rotation.ConsumerState{}, driver.Errorf(driver.Unavailable, "look at "+c.Place(), "", "the secret has changed meanwhile; it is looked at anew")
	}
	s.Publication, s.Told = m.Publication, m.Told
	h := c.handover(s.Publication, r.Value)
	switch {
	case s.Publication == newest:
		h.Version = r.Secret.Version
	case !s.Weak:
		s.Why = "it was told an older publication"
		return s, nil
	}
	return c.tried(ctx, s, h)
}

// tried completes the state of what was told a value.
func (c *Consumer) tried(ctx context.Context, s rotation.ConsumerState, h Handover) (rotation.ConsumerState, error) {
	try := c.receiver.Try
	if s.Weak {
		w, watched := c.receiver.(Watched)
		if !watched {
			s.Works = true
			return s, nil
		}
		try = w.Look
	}
	why, err := try(ctx, h)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	s.Works, s.Why = why == "", why
	return s, nil
}

func (c *Consumer) handover(p rotation.Publication, value secret.Value) Handover {
	return Handover{Credential: c.credential, Consumer: c.name, Publication: p, Secret: c.target, Value: value}
}

// read reads the credential's own secret and its publication.
func (c *Consumer) read(ctx context.Context, op string) (driver.Reading, rotation.Publication, error) {
	r, err := c.store.Read(ctx, c.target.Name)
	if err != nil {
		return r, "", unchanged(err)
	}
	if r.Secret.State != rotation.Present {
		return r, "", &driver.Error{Kind: driver.Missing, Op: op, Detail: "secret " + c.target.String() + ", which says what it was told, is not there", Date: r.Date}
	}
	record, err := rotation.ParseRecord(r.Secret.Tags[rotation.RecordTag])
	if err != nil {
		return r, "", nil // of nobody's publication: the engine says what is to be done
	}
	return r, record.Publication, nil
}

// Tell implements driver.Consumer. The tags are read again before the mark is written among them: handing over can take
// minutes, and an update replaces them all.
func (c *Consumer) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + c.Place()
	before, newest, err := c.read(ctx, op)
	before.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if newest != publication {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the secret was published again meanwhile", Date: before.Date}
	}
	h := c.handover(publication, value)
	h.Version = before.Secret.Version
	switch err := c.receiver.Hand(ctx, h); {
	case errors.Is(err, ErrIdle):
		was := c.marked(before.Secret, newest)
		if was.Publication == publication {
			was = driver.Mark{} // it was taken once, and is not any more
		}
		return rotation.ConsumerState{Publication: was.Publication, Told: was.Told, Weak: c.receiver.Weak(), Why: err.Error()}, nil
	case err != nil:
		return rotation.ConsumerState{}, err
	}
	s := rotation.ConsumerState{Publication: publication, Told: before.Date, Weak: c.receiver.Weak()}
	r, newest, err := c.read(ctx, op)
	r.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, unmarked(op, err)
	}
	tags := maps.Clone(r.Secret.Tags)
	if newest == publication {
		s.Told = r.Date
		tags[c.Tag()] = c.mark(driver.Mark{Publication: publication, Told: r.Date}, r.Secret.Version)
	} else {
		// Overtaken: what another run handed over meanwhile may have come before this, so it has to come again.
		delete(tags, c.Tag())
	}
	if len(tags) != len(r.Secret.Tags) || newest == publication {
		if err := c.store.Amend(ctx, c.target.Name, r.Secret.Version, tags, r.Secret.Expires); err != nil {
			return rotation.ConsumerState{}, unmarked(op, err)
		}
	}
	if newest != publication {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the secret was published again while it was told", Date: r.Date}
	}
	after, err := c.tried(ctx, s, h)
	if err != nil {
		s.Why = "it was told and could not be tried: " + err.Error()
		return s, nil
	}
	return after, nil
}

// unmarked is what became of a tell whose mark could not be written: it is told again, as nothing says that it was.
func unmarked(op string, err error) error {
	e := &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "it was told, and that could not be written down: " + err.Error()}
	var of *driver.Error
	if errors.As(err, &of) {
		e.Hint, e.Date, e.RetryAfter = of.Hint, of.Date, of.RetryAfter
	}
	return e
}

// unchanged is the error of a read, which changed nothing.
func unchanged(err error) error {
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Ambiguous {
		with := *e
		with.Kind = driver.Unavailable
		return &with
	}
	return err
}

// mark is the tag's text: what was told, of which receiver that is said, and of which version of the secret.
func (c *Consumer) mark(m driver.Mark, version string) string {
	return m.String() + " " + c.hash() + " " + short(version)
}

// marked reads the tag of a secret whose newest version holds a publication; what is no mark of this receiver, whoever
// wrote it, is the zero one, and it will be told again. So is one that says so of another version: a person who publishes
// an older version again takes its tags along, and what was told meanwhile was something else. A mark of an older
// publication is carried along by each newer one, so of that the version says nothing.
func (c *Consumer) marked(s rotation.Secret, newest rotation.Publication) driver.Mark {
	text, version, of := strings.Cut(s.Tags[c.Tag()], " "+c.hash()+" ")
	if !of {
		return driver.Mark{}
	}
	if m := driver.ParseMark(text); m.Publication != newest || version == short(s.Version) {
		return m
	}
	return driver.Mark{}
}

// short is enough of a version's id to tell it from the few others of its secret.
func short(version string) string { return version[:min(8, len(version))] }

func (c *Consumer) hash() string {
	sum := sha256.Sum256([]byte(c.receiver.Key()))
	return hex.EncodeToString(sum[:4])
}
