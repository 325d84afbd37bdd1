package devops

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Several finds the PATs of a block. What it has taken over it knows from the vault, and what is new from the account's
// lists, so that a list that could not be asked for hides nothing that has a record.
type Several struct {
	settings SeveralSettings
	block    string // the credential's name in the manifest
	vault    string // host
	template string // of the secrets' names
	pattern  *regexp.Regexp
	apart    func(organization, id, name string) string
	books    []*book
}

// NewSeveral makes one. apart says why a PAT that the pattern chooses is none of the block's, "" if it is; it may be
// nil. Nothing is sent.
func NewSeveral(opts policy.ClientOptions, account Account, s SeveralSettings, block, vault, template string, apart func(organization, id, name string) string) *Several {
	out := &Several{settings: s, block: block, vault: vault, template: template, pattern: s.pattern(), apart: apart}
	if apart == nil {
		out.apart = func(string, string, string) string { return "" }
	}
	for _, o := range s.Organizations {
		out.books = append(out.books, newBook(opts, account, o, s.Probe))
	}
	return out
}

// Lists are the issuers whose lists name the PATs, one for each organisation.
func (s *Several) Lists() (out []driver.Issuer) {
	for _, b := range s.books {
		out = append(out, &member{PATs: &b.pats, book: b})
	}
	return out
}

// Chosen is one PAT of a block, as a credential.
type Chosen struct {
	Name   rotation.CredentialID
	Secret string
	Issuer driver.Issuer
	Shape  string
	Adopt  string // the id of the PAT that it takes over
	// Missing says that its record names a PAT that the organisation does not list.
	Missing bool
	Notes   []string
	// Why and Do, if set, say why it cannot be worked with, and what a person must decide.
	Why, Do string
}

// found is what is known of a name.
type found struct {
	slug   string
	org    string // as the name has it; "" if it does not
	secret string
	record *rotation.Record
	books  []*book // where its PATs are
	plain  []pat   // not stamped
	newest string  // id of the newest stamped one
	gen    rotation.Generation
	why    string
	do     string
}

// Choose says which PATs there are. known is the vault's list; what the account lists is what Lists have read last, and
// listed says whether they were, all of them.
func (s *Several) Choose(known map[string]rotation.Secret, listed bool) []Chosen {
	all := map[rotation.CredentialID]*found{}
	byHash := map[string]rotation.CredentialID{}
	for name, x := range known {
		s.fromVault(all, byHash, name, x)
	}
	if listed {
		for _, b := range s.books {
			s.fromList(all, byHash, b)
		}
	}
	var out []Chosen
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, s.chosen(name, all[name], listed))
	}
	return out
}

// keeps is the part of a shape that says that a PAT keeps its own scopes.
var keeps = func() string {
	sum := sha256.Sum256([]byte("its own scopes"))
	return hex.EncodeToString(sum[:3])
}()

// shape is what a member of an organisation is asked to be: where it lives, with what it has.
func (b *book) shape() string { return b.pats.Shape()[:4] + keeps }

// fromVault takes in a secret that the template can name and that holds a record of a block like this one.
func (s *Several) fromVault(all map[rotation.CredentialID]*found, byHash map[string]rotation.CredentialID, name string, x rotation.Secret) {
	r, err := rotation.ParseRecord(x.Tags[rotation.RecordTag])
	if err != nil || !strings.HasSuffix(r.Shape, keeps) {
		return
	}
	var best *found
	for _, b := range s.books {
		org := s.org(b)
		slug, fits := s.slugOf(name, org)
		if !fits || best != nil && b.shape() != r.Shape {
			continue
		}
		best = &found{slug: slug, org: org, secret: s.secret(org, slug), record: &r, books: []*book{b}}
		if b.shape() == r.Shape {
			break
		}
		best.why = fmt.Sprintf("secret %s holds a PAT of another account or organisation than the block names", best.secret)
		best.do = "name them again; or revoke the PAT once nobody uses it, and delete its secret"
	}
	if best != nil {
		id := s.credential(best.org, best.slug)
		all[id] = best
		byHash[s.target(best.org, best.slug).Hash()] = id
	}
}

// org is the organisation as names have it; "" if they do not.
func (s *Several) org(b *book) string {
	if strings.Contains(s.template, placeOrganization) {
		return strings.ToLower(b.pats.organization)
	}
	return ""
}

func (s *Several) fromList(all map[rotation.CredentialID]*found, byHash map[string]rotation.CredentialID, b *book) {
	own, everywhere := b.own()
	org := s.org(b)
	in := func(slug string) *found {
		id := s.credential(org, slug)
		if all[id] == nil {
			all[id] = &found{slug: slug, org: org, secret: s.secret(org, slug)}
		}
		f := all[id]
		if !slices.Contains(f.books, b) {
			f.books = append(f.books, b)
		}
		return f
	}
	for _, t := range own {
		st, stamped := rotation.ParseStamp(t.DisplayName)
		if stamped {
			f := all[byHash[st.Hash]]
			if slug, ours := strings.CutPrefix(string(st.Credential), s.prefix(org)); f == nil && ours && s.target(org, slug).Hash() == st.Hash {
				f = in(slug)
			}
			if f != nil && st.Generation > f.gen {
				f.gen, f.newest = st.Generation, t.AuthorizationID
			}
			continue
		}
		if !s.selects(t) {
			continue
		}
		if slug, why := s.slug(org, t.DisplayName); why != "" {
			in(slug).why, in(slug).do = why, "give the block a shorter name"
		} else {
			f := in(slug)
			f.plain = append(f.plain, t)
		}
	}
	for _, t := range everywhere {
		if slug, _ := s.slug(org, t.DisplayName); s.selects(t) {
			in(slug).why = fmt.Sprintf("PAT %s is for all organisations, which a successor cannot be, since Azure DevOps retires such PATs", t.AuthorizationID)
			in(slug).do = "make a PAT for each organisation in its place, and revoke it"
		}
	}
}

func (s *Several) selects(t pat) bool {
	return s.pattern != nil && !rotation.LooksStamped(t.DisplayName) && s.pattern.MatchString(t.DisplayName)
}

func (s *Several) chosen(name rotation.CredentialID, f *found, listed bool) Chosen {
	b := f.books[0]
	c := Chosen{Name: name, Secret: f.secret, Shape: b.shape()}
	m := &member{PATs: &b.pats, book: b, name: name, hash: s.target(f.org, f.slug).Hash()}
	c.Issuer = m
	// What the records name comes first: what was taken over and is still alive.
	rest := slices.Clone(f.plain)
	if r := f.record; r != nil {
		m.ids = []string{r.IssuerID, r.Predecessor}
		rest = slices.DeleteFunc(rest, func(t pat) bool {
			is := t.AuthorizationID == r.IssuerID || t.AuthorizationID == r.Predecessor
			if is && c.Adopt != r.IssuerID {
				c.Adopt = t.AuthorizationID
			}
			return is
		})
		c.Missing = listed && !b.lists(r.IssuerID)
	} else if len(rest) == 1 {
		c.Adopt, rest = rest[0].AuthorizationID, nil
		m.ids = []string{c.Adopt}
	}
	switch why := s.collision(f, rest); {
	case f.why != "":
		c.Why, c.Do = f.why, f.do
	case f.record == nil && why != "":
		c.Why, c.Do = why, "rename all of them but one in Azure DevOps, or put "+placeOrganization+" into the template if they are of different organisations"
	case why != "":
		c.Notes = append(c.Notes, why+"; what has no secret yet is left alone: rename it")
	}
	for _, t := range f.plain {
		if why := s.apart(b.pats.organization, t.AuthorizationID, t.DisplayName); why != "" && f.record == nil {
			c.Why, c.Do = fmt.Sprintf("PAT %s: %s", t.AuthorizationID, why), "take it out of one of the two in the manifest"
		}
	}
	return c
}

// collision says what else would have the same name.
func (s *Several) collision(f *found, rest []pat) string {
	var ids []string
	for _, t := range rest {
		ids = append(ids, t.AuthorizationID)
	}
	switch {
	case f.record == nil && len(ids) > 1:
		return fmt.Sprintf("%d PATs would be kept in secret %s: %s", len(ids), f.secret, strings.Join(ids, ", "))
	case f.record != nil && len(ids) > 0:
		return fmt.Sprintf("secret %s is taken, and would be that of PAT %s too", f.secret, strings.Join(ids, ", "))
	case len(f.books) > 1:
		return fmt.Sprintf("PATs of %d organisations would be kept in secret %s", len(f.books), f.secret)
	}
	return ""
}

func (b *book) lists(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.all, func(t pat) bool { return t.AuthorizationID == id })
}
