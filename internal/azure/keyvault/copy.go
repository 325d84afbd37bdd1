package keyvault

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// CopyTag is the name of the tag that says which publication a copy is of, and of which secret.
const CopyTag = "rekey-copy"

// copyCache is how long who reads a copy may go on with what it read, unless the manifest says so.
const copyCache = time.Hour

// CopySettings are the block "copy" of a consumer.
type CopySettings struct {
	Vault  string `yaml:"vault,required" ref:"vaults" doc:"A name out of 'vaults': where the copy is kept."`
	Secret string `yaml:"secret,required" is:"secret-name" doc:"The name of the copy in that vault."`
	Adopt  bool   `yaml:"adopt" doc:"true: a secret of that name that Rekey did not write is written over. Without it, it is left alone, and nothing is issued until a person decided."`
}

// CopyKind is what a manifest can say about a copy.
func CopyKind() manifest.Kind {
	return manifest.Kind{Name: "copy", Consumer: true, Cache: copyCache,
		Doc: "A copy of the value in another vault, or under another name.",
		New: func() manifest.Settings { return &CopySettings{} }}
}

// Check implements manifest.Settings.
func (s *CopySettings) Check(func(path, text string), manifest.Context) {}

// Keeps implements manifest.Keeping.
func (s *CopySettings) Keeps() (string, manifest.SecretRef) {
	return "secret", manifest.SecretRef{Vault: s.Vault, Secret: s.Secret}
}

// Origin is the secret that a copy is of.
type Origin struct {
	Store       driver.Store
	Target      rotation.Target
	ContentType string
}

// Copy is a secret that holds the value of another one, as a driver.Consumer. Value and mark are in one PUT, and the
// value of a version never changes, so they cannot come apart; that they belong together still is read from both
// secrets. What was not written here for the same secret is never written over unless the manifest says so.
type Copy struct {
	name   string
	store  driver.Store
	secret string
	origin Origin
	adopt  bool
}

var _ driver.Consumer = (*Copy)(nil)

// NewCopy makes a consumer of that name in the manifest, which keeps its copy in a store. Nothing is sent.
func NewCopy(name string, store driver.Store, s CopySettings, origin Origin) *Copy {
	return &Copy{name: name, store: store, secret: s.Secret, origin: origin, adopt: s.Adopt}
}

// ID implements driver.Consumer.
func (c *Copy) ID() string { return c.name }

// Place implements driver.Consumer.
func (c *Copy) Place() string { return fmt.Sprintf("copy %s of vault %s", c.secret, c.store.Host()) }

// Preflight implements driver.Consumer.
func (c *Copy) Preflight(ctx context.Context) error {
	op := "prepare " + c.Place()
	r, err := c.read(ctx)
	r.Value.Wipe()
	if err != nil {
		return forPerson(err)
	}
	if err := c.fits(op, r.Secret); err != nil || r.Secret.State == rotation.Absent {
		return err
	}
	return forPerson(c.store.Prove(ctx, c.secret, r.Secret.Version))
}

// read reads the copy before it is written. One that a person recovers between the two reads that find it nowhere would
// lose its tags to a write that takes it for absent.
func (c *Copy) read(ctx context.Context) (driver.Reading, error) {
	r, err := c.store.Read(ctx, c.secret)
	if err == nil && r.Secret.State == rotation.Absent {
		return c.store.Vacant(ctx, c.secret)
	}
	return r, err
}

// forPerson says of a refusal that it stays one until somebody did what its hint says.
func forPerson(err error) error {
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Denied && e.Hint != "" {
		with := *e
		with.Person = true
		return &with
	}
	return err
}

// fits says whether what is there may be written over.
func (c *Copy) fits(op string, s rotation.Secret) error {
	refused := func(kind driver.Kind, detail, hint string) error {
		return &driver.Error{Kind: kind, Op: op, Detail: detail, Hint: hint, Person: true}
	}
	switch {
	case s.State == rotation.Absent:
		return nil
	case s.State == rotation.SoftDeleted:
		return refused(driver.Missing, "it was deleted and can be recovered, so its name cannot be used",
			"recover the secret (az keyvault secret recover), or purge it if it was meant to go, or name another one in the manifest")
	case !s.Enabled:
		return refused(driver.Rejected, "its newest version is disabled, so nobody can read it", "enable the version, or find out who disabled it and why")
	}
	if _, stored := s.Tags[rotation.RecordTag]; stored {
		return refused(driver.Rejected, "the secret is the store of a credential, by its tag "+rotation.RecordTag, "name another secret in the manifest")
	}
	_, of, marked := parseCopyMark(s.Tags[CopyTag])
	_, tagged := s.Tags[CopyTag]
	switch {
	case marked && !strings.EqualFold(of, c.origin.Target.String()):
		return refused(driver.Rejected, "the secret is the copy of another one, by its tag "+CopyTag,
			"name another secret in the manifest; or, if that copy is not made any more, remove the tag and say 'adopt: true'")
	case !marked && !c.adopt:
		return refused(driver.Rejected, "the newest version of the secret was not written by Rekey",
			"name another secret in the manifest, or say 'adopt: true' if it may be written over")
	case !tagged && len(s.Tags) >= rotation.MaxTags:
		return refused(driver.Rejected, fmt.Sprintf("the secret has no free tag of the %d for the mark", rotation.MaxTags), "remove a tag from the secret")
	}
	return nil
}

// State implements driver.Consumer. It reads both secrets: that a mark says so does not make two values the same.
func (c *Copy) State(ctx context.Context, published []rotation.Publication) (rotation.ConsumerState, error) {
	r, err := c.store.Read(ctx, c.secret)
	defer r.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if err := c.fits("look at "+c.Place(), r.Secret); err != nil {
		return rotation.ConsumerState{}, err
	}
	s := c.marked(r.Secret)
	if s.Publication == "" {
		return s, nil
	}
	origin, on, err := c.readOrigin(ctx)
	defer origin.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if n := len(published); n > 0 && s.Publication == published[n-1] && on != s.Publication {
		// A person or another run came between the engine's read and this one. What it decides must not rest on the first.
		return rotation.ConsumerState{}, driver.Errorf(driver.Unavailable, "look at "+c.Place(), "", "the secret that it is a copy of has changed meanwhile; it is looked at anew")
	}
	// One that is behind has nothing to be compared with any more; it holds what it was told.
	return c.compared(s, r.Value, origin.Value, on == s.Publication), nil
}

// marked is the state by the mark alone.
func (c *Copy) marked(s rotation.Secret) rotation.ConsumerState {
	publication, _, ok := parseCopyMark(s.Tags[CopyTag])
	switch {
	case s.State == rotation.Absent:
		return rotation.ConsumerState{Why: "there is no such secret yet"}
	case !ok:
		return rotation.ConsumerState{Why: "Rekey did not write it"}
	}
	return rotation.ConsumerState{Publication: publication, Told: s.Created, Works: true}
}

func (c *Copy) compared(s rotation.ConsumerState, held, want secret.Value, same bool) rotation.ConsumerState {
	if same && !held.Equal(want) {
		s.Works, s.Why = false, "it does not hold the value that was published"
	}
	return s
}

// readOrigin reads the secret that the copy is of, and its publication.
func (c *Copy) readOrigin(ctx context.Context) (driver.Reading, rotation.Publication, error) {
	r, err := c.origin.Store.Read(ctx, c.origin.Target.Name)
	if err != nil {
		return r, "", err
	}
	record, err := rotation.ParseRecord(r.Secret.Tags[rotation.RecordTag])
	if err != nil {
		return r, "", nil // of nobody's publication: the engine says what is to be done
	}
	return r, record.Publication, nil
}

// Tell implements driver.Consumer. What the copy holds already is not written again: each PUT is a version.
func (c *Copy) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + c.Place()
	r, err := c.read(ctx)
	defer func() { r.Value.Wipe() }()
	if err != nil {
		return rotation.ConsumerState{}, unchanged(err)
	}
	if err := c.fits(op, r.Secret); err != nil {
		return rotation.ConsumerState{}, err
	}
	if s := c.marked(r.Secret); s.Publication == publication && r.Value.Equal(value) {
		return s, nil
	}
	origin, on, err := c.readOrigin(ctx)
	defer origin.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, unchanged(err)
	}
	if on != publication {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the secret that it is a copy of was published again meanwhile", Date: origin.Date}
	}
	tags := map[string]string{}
	for k, v := range r.Secret.Tags {
		tags[k] = v
	}
	tags[CopyTag] = string(publication) + " " + c.origin.Target.String()
	put := driver.Put{Name: c.secret, Value: value, Tags: tags, ContentType: c.origin.ContentType, Expires: origin.Secret.Expires}
	done, err := c.store.Put(ctx, put)
	done.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	back, err := c.store.Read(ctx, c.secret)
	defer back.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{Publication: publication, Told: done.Secret.Created, Why: "it was written and could not be read back"}, nil
	}
	return c.compared(c.marked(back.Secret), back.Value, origin.Value, back.Secret.Tags[CopyTag] == tags[CopyTag]), nil
}

// unchanged is the error of a read in a tell, after which nothing was written.
func unchanged(err error) error {
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Ambiguous {
		with := *e
		with.Kind = driver.Unavailable
		return &with
	}
	return err
}

// copyMark is a publication, and the secret that the copy is of.
var copyMark = regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{18}) ([0-9A-Za-z.-]{1,100}/[0-9A-Za-z-]{1,127})$`)

// parseCopyMark reads a mark; what is none, whoever wrote it, is not ok.
func parseCopyMark(s string) (publication rotation.Publication, of string, ok bool) {
	m := copyMark.FindStringSubmatch(s)
	if m == nil {
		return "", "", false
	}
	return rotation.Publication(m[1]), m[2], true
}
