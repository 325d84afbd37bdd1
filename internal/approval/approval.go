// Package approval decides by the manifest's policy whether something may be done, and keeps what people decide where the
// policy says to ask them.
//
// It is not the core, which knows nothing of it: who uses a Desk asks it before the first effect of what was
// decided. It opens no connection: where requests lie (Box) and whose keys sign (Verifier) are ports.
//
// What always holds: what no rule allows is denied, and a rule that cannot be evaluated denies. A decision counts only if
// it is a token that the tenant signed for exactly this request, this word and this reason, while the request lives, for
// somebody who has the role or the group and is not who asks. A request stands for its intent alone: with another
// credential, kind of action, role, scope, duration, consumer or manifest it is another request.
package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Kinds of action that a request can name.
const (
	Issue    = "issue"    // make, publish and set a new value
	Extend   = "extend"   // move the date of the current one
	Adopt    = "adopt"    // take over what exists
	Amend    = "amend"    // correct a record
	Tell     = "tell"     // hand the value to consumers
	Revoke   = "revoke"   // end a credential
	Retire   = "retire"   // end all of a credential's
	Rollback = "rollback" // publish the value before again
	Elevate  = "elevate"  // take a role for a time
)

// Kinds are all of them.
var Kinds = []string{Adopt, Amend, Elevate, Extend, Issue, Retire, Revoke, Rollback, Tell}

// Intent is what a request stands for, and nothing of times and observations. Its lists are sets.
type Intent struct {
	Credentials []string `json:"credentials"`
	Kinds       []string `json:"kinds"`
	Role        string   `json:"role"`
	Scope       string   `json:"scope"`
	// Duration is how long a role is taken for, or a new value lives.
	Duration  time.Duration `json:"-"`
	Consumers []string      `json:"consumers"`
	// Manifest is the digest of the manifest's bytes.
	Manifest string `json:"manifest"`
}

// canonical is an Intent as it is hashed: members in the order of their names, sets in order.
type canonical struct {
	Consumers   []string `json:"consumers"`
	Credentials []string `json:"credentials"`
	Duration    string   `json:"duration"`
	Kinds       []string `json:"kinds"`
	Manifest    string   `json:"manifest"`
	Role        string   `json:"role"`
	Scope       string   `json:"scope"`
	V           int      `json:"v"`
}

// Canonical is the intent as the JSON that is hashed.
func (i Intent) Canonical() []byte {
	b, err := json.Marshal(canonical{
		set(i.Consumers), set(i.Credentials), i.Duration.String(), set(i.Kinds), i.Manifest, i.Role, i.Scope, 1,
	})
	if err != nil {
		panic(err) // texts and a number
	}
	return b
}

// Hash is the intent's SHA-256, in hex.
func (i Intent) Hash() string {
	sum := sha256.Sum256(i.Canonical())
	return hex.EncodeToString(sum[:])
}

func set(list []string) []string {
	out := slices.Sorted(slices.Values(list))
	if out = slices.Compact(out); out == nil {
		return []string{}
	}
	return out
}

// plain is an intent whose sets are in order.
func (i Intent) plain() Intent {
	i.Credentials, i.Kinds, i.Consumers = set(i.Credentials), set(i.Kinds), set(i.Consumers)
	return i
}

// Requester is who asks. What a job's token says is here only if the token was verified.
type Requester struct {
	// CI is "github" or "pipelines", Who the token's subject; both are empty outside of a job.
	CI  string `json:"ci,omitempty"`
	Who string `json:"who,omitempty"`
	// Actor is the person who started the job, as the CI system names them.
	Actor       string         `json:"actor,omitempty"`
	Branch      string         `json:"branch,omitempty"`
	PullRequest string         `json:"pullRequest,omitempty"`
	Environment string         `json:"environment,omitempty"`
	Claims      map[string]any `json:"claims,omitempty"`
	// Object is the object id that Rekey itself is signed in as. Nobody verified it, and it allows nothing: it is here
	// so that the same person is refused as an approver.
	Object string `json:"object,omitempty"`
}

// Request asks whether something may be done.
type Request struct {
	Intent
	Requester
	Reason      string
	Ticket      string
	Compromised bool
	Now         time.Time
}

// Outcomes of a request.
const (
	Allow = "allow"
	Deny  = "deny"
	Ask   = "ask" // a person must decide
)

// Verdict is what became of a request.
type Verdict struct {
	Outcome string
	// Rule is the rule that matched; "" if none did.
	Rule string
	// Why is a sentence for people, and Do what they can do about it.
	Why, Do string
	// ID names the request that waits, or was decided; "" if the rule alone decided, or if nothing was written yet.
	ID string
	// Decided is the person's word; nil if a rule alone decided.
	Decided *Decided
}

// Decided is a verified decision.
type Decided struct {
	By     string // as the directory names them
	Object string // their object id
	Reason string
	At     time.Time // when they signed in
}

// What is the intent in words: "issue, tell devops-pat", "elevate as Key Vault Secrets Officer".
func (i Intent) What() string {
	words := []string{strings.Join(set(i.Kinds), ", ")}
	if len(i.Credentials) > 0 {
		words = append(words, strings.Join(set(i.Credentials), ", "))
	}
	if i.Role != "" {
		words = append(words, "as", i.Role)
	}
	return strings.Join(words, " ")
}
