package year

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// life is one credential's year: the world as far as it is about it, and what was done lately. The checkers see this
// in place of the whole world, so that what an effect costs to judge does not grow with the fleet.
type life struct {
	n       int
	account int
	vault   *world.Vault
	history invariant.History
	state   world.State
	names   map[rotation.CredentialID]bool
	owned   map[string]bool // ids of its tokens
	seen    map[string]bool // violations
	story   []string

	tagged time.Time // when a person last changed its tags
	mail   bool      // a person will read of its Hold
	held   time.Time // since when it is held
	result invariant.Result
	// calmSince is since when nothing was done to a replica's work on it.
	calmSince [2]time.Time
	// reached is when it was last Done.
	reached time.Time
}

// longStory is how many lines of a credential's events are kept.
const longStory = 60

func (l *life) tell(line string) {
	if len(l.story) >= 2*longStory {
		l.story = append(l.story[:0], l.story[len(l.story)-longStory:]...)
	}
	l.story = append(l.story, line)
}

func (l *life) promise() *invariant.Promise { return &l.history.Promises[0] }

// secret is the secret as it is in the world now, nil if there is none.
func (l *life) secret() *world.Secret {
	own := l.state.Vaults[0]
	name := l.promise().Target.Name
	own.Secrets = own.Secrets[:0]
	for _, s := range l.vault.Secrets {
		if s.Name == name {
			own.Secrets = append(own.Secrets, s)
			return s
		}
	}
	return nil
}

func (l *life) tokens() []*world.PAT {
	if l.app() != nil {
		return l.ofApp()
	}
	return l.state.Organizations[0].PATs
}

// newest is the newest version of a secret that is not deleted.
func (l *life) newest() *world.SecretVersion {
	if s := l.secret(); s != nil && s.Deleted.IsZero() {
		return s.Versions[len(s.Versions)-1]
	}
	return nil
}

// holder is the token whose value the newest version holds, dead or alive.
func (l *life) holder() *world.PAT {
	if v := l.newest(); v != nil {
		return l.byValue(v.Value)
	}
	return nil
}

func (l *life) byID(id string) *world.PAT {
	for _, p := range l.tokens() {
		if p.AuthorizationID == id {
			return p
		}
	}
	return nil
}

func (l *life) byValue(value string) *world.PAT {
	for _, p := range l.tokens() {
		if p.Token == value {
			return p
		}
	}
	return nil
}

func alive(p *world.PAT, now time.Time) bool {
	return p != nil && now.Before(dead(p))
}

// dead is when a token stopped to work, if it has.
func dead(p *world.PAT) time.Time {
	if !p.Revoked.IsZero() && p.Revoked.Before(p.ValidTo) {
		return p.Revoked
	}
	return p.ValidTo
}

// digest is what must change for the secret to have been changed.
func digest(s *world.Secret) string {
	if s == nil {
		return ""
	}
	v := s.Versions[len(s.Versions)-1]
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %t %d", len(s.Versions), v.ID, v.Disabled, expires(v))
	for _, k := range slices.Sorted(maps.Keys(v.Tags)) {
		b.WriteString(";" + k + "=" + v.Tags[k])
	}
	return b.String()
}

func expires(v *world.SecretVersion) int64 {
	if v.Expires == nil {
		return 0
	}
	return *v.Expires
}

// book finds the life that something is about, and keeps what happened.
type book struct {
	lives    []*life
	byTarget map[string]*life            // host/name
	byHash   map[string][]*life          // of the target, as stamps have it
	byToken  map[string]*life            // by the token's id
	byValue  map[string]string           // a token's value -> its id
	byTold   map[string]*life            // by where a consumer is
	ofApps   []*life                     // those of client secrets
	apps     map[*life]int               // how many client secrets are in the maps above
	indexed  map[*world.Organization]int // how many tokens are in the maps above
}

func newBook(f *fleet, e *edition, s *world.State) *book {
	b := &book{byTarget: map[string]*life{}, byHash: map[string][]*life{}, byTold: map[string]*life{}, apps: map[*life]int{}, byToken: map[string]*life{}, byValue: map[string]string{}, indexed: map[*world.Organization]int{}}
	for _, c := range f.creds {
		p := e.promises[c.n]
		l := &life{n: c.n, account: c.account, vault: vault(s, f.vaults[c.vault]), names: map[rotation.CredentialID]bool{p.Credential: true}, owned: map[string]bool{}, seen: map[string]bool{}}
		l.state = world.State{Vaults: []*world.Vault{{Name: f.vaults[c.vault]}}, Organizations: []*world.Organization{{Name: p.Organization}}}
		l.history = invariant.History{Promises: []invariant.Promise{p}, Excused: map[string]string{}, Foreign: invariant.Bystanders{Tags: map[string]map[string]string{}}, State: &l.state}
		b.lives = append(b.lives, l)
		if i := slices.IndexFunc(s.Apps, func(a *world.App) bool { return c.kind == invariant.AppSecret && a.ClientID == c.appID() }); i >= 0 {
			l.state.Apps = s.Apps[i : i+1 : i+1]
			b.ofApps = append(b.ofApps, l)
		}
		b.byTarget[p.Target.String()] = l
		for _, one := range p.Consumers {
			b.byTold[one.At] = l
		}
		b.byHash[p.Target.Hash()] = append(b.byHash[p.Target.Hash()], l)
	}
	b.index(s)
	for _, l := range b.lives {
		if v := l.newest(); v != nil {
			l.history.Foreign.Tags[l.promise().Target.String()] = maps.Clone(v.Tags)
		}
	}
	return b
}

// index takes note of the tokens that are new.
func (b *book) index(s *world.State) {
	b.indexApps()
	for _, o := range s.Organizations {
		for _, p := range o.PATs[b.indexed[o]:] {
			b.byValue[p.Token] = p.AuthorizationID
			for _, l := range b.owners(p) {
				b.own(l, p)
			}
		}
		b.indexed[o] = len(o.PATs)
	}
}

func (b *book) own(l *life, p *world.PAT) {
	if !l.owned[p.AuthorizationID] {
		l.owned[p.AuthorizationID] = true
		l.state.Organizations[0].PATs = append(l.state.Organizations[0].PATs, p)
		b.byToken[p.AuthorizationID] = l
	}
}

// owners are the lives that a token is stamped for, or that adopt it.
func (b *book) owners(p *world.PAT) (out []*life) {
	if s, ok := rotation.ParseStamp(p.Name); ok {
		for _, l := range b.byHash[s.Hash] {
			if l.names[s.Credential] {
				out = append(out, l)
			}
		}
		return out
	}
	for _, l := range b.lives {
		if l.promise().Adopts == p.AuthorizationID {
			out = append(out, l)
		}
	}
	return out
}

// judge asks the checkers that hold after every effect about one credential.
func (y *year) judge(l *life, promise invariant.Promise) {
	if l == nil {
		return
	}
	w := y.srv.World()
	w.Lock()
	defer w.Unlock()
	y.mu.Lock()
	defer y.mu.Unlock()
	y.look(l, promise)
	y.report(l, invariant.Check(&l.history, invariant.Always))
}

// look brings a life's history up to now. The world and the year are locked.
func (y *year) look(l *life, promise invariant.Promise) {
	y.book.index(&y.srv.World().State)
	l.secret()
	l.history.Now, l.history.Promises[0] = y.srv.World().Now(), promise
	l.history.Note(y.srv.World(), l.history.Now)
}

// report notes violations, each once. The year is locked.
func (y *year) report(l *life, found []invariant.Violation) {
	for _, v := range found {
		if key := v.String(); !l.seen[key] {
			l.seen[key] = true
			y.breaks(broken{v, l.n, append(slices.Clone(l.story[max(0, len(l.story)-longStory):]), y.at()+" VIOLATION "+key)})
			if v.Invariant == invariant.Gap.Name {
				y.stats.gaps++
			}
		}
	}
}

// forget drops what a process did. The year is locked.
func (l *life) forget(process int) {
	l.history.Events = slices.DeleteFunc(l.history.Events, func(e invariant.Event) bool { return e.Process == process })
}
