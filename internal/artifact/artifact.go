// Package artifact is the evidence of one run as one file: who ran it, why and from where, what was done to which
// credential, how that ended, and the run's entries of the ledger with the proofs that they are there.
//
// It is not the ledger and no input to anything: no run reads one. What always holds: it is made of ids, names, times and
// reasons, and of nothing that holds a secret; what only the environment says is marked as that; the statement's digest
// is in the ledger, so that whoever has the public key can tell whether a byte of it was changed.
package artifact

import (
	_ "embed"
	"encoding/json"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
)

// Version is the version of an artefact. Within it members of the statement are added and never renamed.
const Version = "rekey.artifact/1"

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema, draft 2020-12, of an artefact.
func Schema() []byte { return append([]byte(nil), schema...) }

// Artifact is the whole file.
type Artifact struct {
	Schema string `json:"schema"`
	// Statement is a Statement as it was written. Its digest is that of these bytes without the blanks between them.
	Statement json.RawMessage `json:"statement"`
	Ledger    Ledger          `json:"ledger"`
}

// Ledger is the run's part of the ledger.
type Ledger struct {
	// Durable says that the entries lie in a ledger, and not here alone.
	Durable bool `json:"durable"`
	// Checkpoint covers the entries; without a key nobody has signed it.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Entries are the run's, in order; the last one has the statement's digest.
	Entries []ledger.Placed `json:"entries"`
	// Problem says why there is no checkpoint or no proof.
	Problem string `json:"problem,omitempty"`
}

// Statement says what a run was.
type Statement struct {
	Run     string `json:"run"`
	Command string `json:"command"`
	Version string `json:"version"` // of the program
	// Requests are the ids of the approved requests that the run acted on.
	Requests []string `json:"requests"`
	// Program is what was run under a role, if that is what the run was for.
	Program     *Program    `json:"program,omitempty"`
	Who         Who         `json:"who"`
	Why         Why         `json:"why"`
	Environment Environment `json:"environment"`
	StartedAt   time.Time   `json:"startedAt"`
	// ActivatedAt is when the first elevation began, if there was one.
	ActivatedAt time.Time `json:"activatedAt,omitzero"`
	CompletedAt time.Time `json:"completedAt"`
	// PrivilegedSeconds is how long each elevation lasted, added up.
	PrivilegedSeconds int          `json:"privilegedSeconds"`
	Elevations        []Elevation  `json:"elevations"`
	Credentials       []Credential `json:"credentials"`
	// Outcome is that of the exit code: done, person, failed; or interrupted.
	Outcome string `json:"outcome"`
	// Entries is how many entries of the ledger came before the one that has this statement's digest.
	Entries int `json:"entries"`
}

// Program is a program that somebody ran under a role. What it was told is not kept: that can be secret.
type Program struct {
	Name string `json:"name"`
	// ExitCode is as a shell has it: 128 and the signal's number for one that a signal ended.
	ExitCode int `json:"exitCode"`
}

// Who is the identity that ran.
type Who struct {
	Identity string `json:"identity"` // the kind that the manifest names
	// Verified says that the ids are those for which the identity platform has issued a token in this run; else they are
	// what the manifest says.
	Verified bool   `json:"verified"`
	ClientID string `json:"clientId,omitempty"`
	ObjectID string `json:"objectId,omitempty"`
	Tenant   string `json:"tenant,omitempty"`
}

// Why is what a person gave on the command line. Each decision has its own reason beside it.
type Why struct {
	Reason string `json:"reason,omitempty"`
	Ticket string `json:"ticket,omitempty"`
}

// Elevation is privilege that the run had for a time.
type Elevation struct {
	Role    string    `json:"role"`
	Scope   string    `json:"scope"`
	Kind    string    `json:"kind"` // the way that it was taken in
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`           // when it was given back, or its end
	End     time.Time `json:"end,omitzero"` // when it was to end by itself
	Seconds int       `json:"privilegedSeconds"`
	// Standing says that it was there anyway: nothing was taken.
	Standing bool `json:"standing,omitempty"`
}

// Credential is what became of one credential.
type Credential struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
	// Outcome is done, waiting, held or failed; Code, Why and Do are of the last decision.
	Outcome string `json:"outcome"`
	Code    string `json:"code,omitempty"`
	Why     string `json:"why,omitempty"`
	Do      string `json:"do,omitempty"`
	// What follows is of the version that was newest when the run last looked.
	Generation  string    `json:"generation,omitempty"`
	Publication string    `json:"publication,omitempty"`
	IssuerID    string    `json:"issuerId,omitempty"`
	VaultID     string    `json:"version,omitempty"` // the vault's id of the version
	Expires     time.Time `json:"expires,omitzero"`
	Predecessor string    `json:"predecessor,omitempty"`
	RevokeAfter time.Time `json:"revokeAfter,omitzero"`

	Effects   []Effect          `json:"effects"`
	Consumers []report.Consumer `json:"consumers"`
	Checks    []report.Check    `json:"checks"`
	Notes     []string          `json:"notes,omitempty"`
	Error     *report.Error     `json:"error,omitempty"`
}

// Effect is something that the run set out to do, and how that ended.
type Effect struct {
	Effect string    `json:"effect"`
	At     time.Time `json:"at"`
	// Outcome is done, failed, unknown (the answer was lost), recovered (it was, and the effect had happened), or intended:
	// there is no word on its end.
	Outcome     string    `json:"outcome"`
	Target      string    `json:"target"`
	Reason      string    `json:"reason,omitempty"`
	Generation  string    `json:"generation,omitempty"`
	Publication string    `json:"publication,omitempty"`
	IssuerID    string    `json:"issuerId,omitempty"`
	VaultID     string    `json:"version,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
	Said        string    `json:"said,omitempty"`
	Code        string    `json:"code,omitempty"`
	Error       string    `json:"error,omitempty"`
}
