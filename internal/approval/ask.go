package approval

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	requestSchema  = "rekey.approval-request/1"
	decisionSchema = "rekey.approval-decision/1"
	// maxFile is more than any honest request or decision has.
	maxFile = 256 << 10
)

// Asked is a request that was written down, for a person to decide.
type Asked struct {
	Schema string `json:"schema"`
	ID     string `json:"id"`
	// Hash is the intent's, and Intent what is hashed.
	Hash   string          `json:"hash"`
	Intent json.RawMessage `json:"intent"`
	Asked  time.Time       `json:"asked"`
	// Expires is when the request and every decision on it end.
	Expires     time.Time `json:"expires"`
	Rule        string    `json:"rule"`
	Words       string    `json:"words"`
	By          Requester `json:"requester"`
	Reason      string    `json:"reason,omitempty"`
	Ticket      string    `json:"ticket,omitempty"`
	Compromised bool      `json:"compromised,omitempty"`
}

// Decision is a person's word on a request.
type Decision struct {
	Schema   string    `json:"schema"`
	ID       string    `json:"id"`
	Hash     string    `json:"hash"`
	Decision string    `json:"decision"` // Approve or Reject
	Reason   string    `json:"reason"`
	Expires  time.Time `json:"expires"`
	// Token is the ID token that the person signed in with. Its nonce binds all of the above.
	Token string `json:"token"`
}

// What a person can say.
const (
	Approve = "approve"
	Reject  = "deny"
)

// idForm is the form of a request's id: the begin of the intent's hash, and a random part.
var idForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-z]{8}$`)

// requestName and decisionName are where they lie in a box.
func requestName(id string) string  { return id + ".json" }
func decisionName(id string) string { return id + ".decision.json" }

// prefix is what the names of all requests with an intent begin with.
func prefix(hash string) string { return hash[:8] + "-" }

// letters are those of an id's random part: no two look alike.
const letters = "0123456789abcdefghjkmnpqrstvwxyz"

func newID(hash string, random func([]byte)) string {
	var b [8]byte
	random(b[:])
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return prefix(hash) + string(b[:])
}

// Nonce is what the sign-in of a decision must carry: the hash of everything that the person decides on.
func Nonce(hash, id, decision, reason string, expires time.Time) string {
	why := sha256.Sum256([]byte(reason))
	b, err := json.Marshal([]string{"rekey-approval/1", hash, id, decision, hex.EncodeToString(why[:]), strconv.FormatInt(expires.Unix(), 10)})
	if err != nil {
		panic(err) // texts
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

var errMalformed = errors.New("it is not what Rekey writes there")

// strict reads one JSON value, and nothing that the type has no place for.
func strict(b []byte, v any) error {
	if len(b) > maxFile || !utf8.Valid(b) {
		return errMalformed
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil {
		return errMalformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

// ParseAsked reads a request. One whose intent is not that of its hash, or whose id is not of its hash, was edited.
func ParseAsked(b []byte) (Asked, error) {
	var a Asked
	if err := strict(b, &a); err != nil {
		return Asked{}, err
	}
	var c canonical
	if a.Schema != requestSchema || !idForm.MatchString(a.ID) || len(a.Hash) != 64 || strict(a.Intent, &c) != nil {
		return Asked{}, errMalformed
	}
	i, err := c.intent()
	if err != nil {
		return Asked{}, errMalformed
	}
	switch {
	case i.Hash() != a.Hash, !strings.HasPrefix(a.ID, prefix(a.Hash)):
		return Asked{}, &Refusal{"edited", "the request was edited: its intent is not the one that its hash is of"}
	case a.Asked.IsZero(), !a.Expires.After(a.Asked):
		return Asked{}, errMalformed
	}
	a.Asked, a.Expires = a.Asked.UTC(), a.Expires.UTC()
	return a, nil
}

func (c canonical) intent() (Intent, error) {
	d, err := time.ParseDuration(c.Duration)
	if err != nil || c.V != 1 {
		return Intent{}, errMalformed
	}
	return Intent{Credentials: c.Credentials, Kinds: c.Kinds, Role: c.Role, Scope: c.Scope, Duration: d, Consumers: c.Consumers, Manifest: c.Manifest}.plain(), nil
}

// Means is the request's intent.
func (a Asked) Means() Intent {
	var c canonical
	_ = json.Unmarshal(a.Intent, &c)
	i, _ := c.intent()
	return i
}

// ParseDecision reads a decision. It verifies nothing.
func ParseDecision(b []byte) (Decision, error) {
	var d Decision
	if err := strict(b, &d); err != nil {
		return Decision{}, err
	}
	if d.Schema != decisionSchema || !idForm.MatchString(d.ID) || d.Decision != Approve && d.Decision != Reject || d.Token == "" {
		return Decision{}, errMalformed
	}
	d.Expires = d.Expires.UTC()
	return d, nil
}

// encode is a request or a decision as it is written.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	if b.Len() > maxFile {
		return nil, fmt.Errorf("it has %d bytes, more than %d", b.Len(), maxFile)
	}
	return b.Bytes(), nil
}

// words say what is asked for, in sentences that a person decides by.
func words(r Request, expires time.Time) string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", label, oneLine(text))
		}
	}
	line("what", r.What())
	line("scope", r.Scope)
	if r.Duration > 0 {
		line("for", r.Duration.String())
	}
	line("tells", strings.Join(set(r.Consumers), ", "))
	if r.Compromised {
		line("compromised", "the old value is revoked at once, and whoever still uses it is cut off")
	}
	line("reason", r.Reason)
	line("ticket", r.Ticket)
	line("asked by", r.Requester.describe())
	line("until", expires.Format("2006-01-02 15:04Z"))
	return b.String()
}

// Text is the request as a person decides by it. What its hash is of is told from the intent, whatever the file's own
// words are; the rest is what the file says.
func (a Asked) Text() string {
	r := Request{Intent: a.Means(), Requester: a.By, Reason: a.Reason, Ticket: a.Ticket, Compromised: a.Compromised}
	out := words(r, a.Expires)
	for _, name := range slices.Sorted(maps.Keys(a.By.Claims)) {
		if text, ok := a.By.Claims[name].(string); ok && text != "" {
			out += "claim " + oneLine(name) + ": " + oneLine(text) + "\n"
		}
	}
	return out + "manifest: " + r.Manifest + "\nintent: " + a.Hash + "\n"
}

// oneLine keeps a text from looking like another line of what a person decides by.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// describe names who asks, as well as it is known.
func (r Requester) describe() string {
	if r.Who == "" {
		if r.Object != "" {
			return "nobody verified; Rekey is signed in as " + r.Object
		}
		return "nobody verified"
	}
	out := r.Who
	if r.Actor != "" {
		out += ", started by " + r.Actor
	}
	return out + " (verified by its job's token)"
}
