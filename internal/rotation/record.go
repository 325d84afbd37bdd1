package rotation

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RecordTag is the name of the one tag that holds the record.
const RecordTag = "rekey"

// MaxTags is how many tags a Key Vault secret can have (facts: about-secrets.md).
const MaxTags = 15

// maxRecord is the longest tag value that every version of Key Vault is known to take.
const maxRecord = 256

// Record is Rekey's state about a secret. It is written in the same PUT as the value, so that there is never a value
// without its record or the other way round: that PUT is the commit.
type Record struct {
	Generation  Generation
	IssuerID    string // the issuer's id of the credential whose value this is
	Publication Publication
	Shape       string    // what was asked of the issuer (scopes, organisation, account), hashed
	Expires     time.Time // as the issuer returned it
	// Predecessor is the issuer's id of what this publication replaced, "" for none.
	Predecessor        string
	PredecessorExpires time.Time
	// RevokeAfter is when everything that this publication superseded may be revoked. Absolute, because a run that
	// computes it anew from a changed manifest could shorten it.
	RevokeAfter time.Time
	// Compromised says that it was issued because a person reported the one before. RevokeAfter is when they asked:
	// what was there by then ends without an overlap.
	Compromised bool
	Failures    int
	NotBefore   time.Time
	LedgerSize  int64
	LedgerRoot  string // base64url without padding, 43 characters
}

const recordVersion = "1"

// Encode gives the tag's value, at most 256 bytes: "1;g=...;i=...". One letter a field, absent when empty, so that a
// person who opens the portal can still tell what is what, and the worst case fits.
func (r Record) Encode() (string, error) {
	var b strings.Builder
	b.WriteString(recordVersion)
	put := func(key byte, v string) {
		if v != "" {
			b.WriteByte(';')
			b.WriteByte(key)
			b.WriteByte('=')
			b.WriteString(v)
		}
	}
	put('g', string(r.Generation))
	put('i', r.IssuerID)
	put('p', string(r.Publication))
	put('s', r.Shape)
	put('x', unix(r.Expires))
	put('o', r.Predecessor)
	put('y', unix(r.PredecessorExpires))
	put('r', unix(r.RevokeAfter))
	if r.Compromised {
		put('c', "1")
	}
	if r.Failures > 0 {
		put('f', strconv.Itoa(r.Failures))
	}
	put('n', unix(r.NotBefore))
	if r.LedgerSize > 0 {
		put('l', strconv.FormatInt(r.LedgerSize, 10)+"."+r.LedgerRoot)
	}
	s := b.String()
	if strings.ContainsAny(r.IssuerID+r.Predecessor+r.Shape+r.LedgerRoot, ";=") {
		return "", fmt.Errorf("record of generation %s: an id contains a separator", r.Generation)
	}
	if len(s) > maxRecord {
		return "", fmt.Errorf("record of generation %s is %d bytes, over the %d that a tag is known to hold", r.Generation, len(s), maxRecord)
	}
	// What cannot be read would hold the credential until a person mends the tag.
	if _, err := ParseRecord(s); err != nil {
		return "", fmt.Errorf("record of generation %s is incomplete: %w", r.Generation, err)
	}
	return s, nil
}

// ParseRecord reads the tag's value. It is strict: a record that a newer Rekey wrote, or that a person edited, is an
// error, and the credential is held, because acting on half a record could revoke what is in use.
func ParseRecord(s string) (Record, error) {
	if len(s) > 4*maxRecord {
		return Record{}, fmt.Errorf("tag %q is %d bytes long, not a record", RecordTag, len(s))
	}
	version, rest, _ := strings.Cut(s, ";")
	if version != recordVersion {
		return Record{}, fmt.Errorf("tag %q is of version %.8q; this Rekey reads version %s", RecordTag, version, recordVersion)
	}
	var r Record
	seen := map[string]bool{}
	for field := range strings.SplitSeq(rest, ";") {
		key, v, ok := strings.Cut(field, "=")
		if !ok || v == "" || strings.Contains(v, "=") || seen[key] {
			return Record{}, fmt.Errorf("tag %q has a malformed or repeated field %.20q", RecordTag, field)
		}
		seen[key] = true
		var err error
		switch key {
		case "g":
			r.Generation = Generation(v)
		case "i":
			r.IssuerID = v
		case "p":
			r.Publication = Publication(v)
		case "s":
			r.Shape = v
		case "x":
			r.Expires, err = parseUnix(v)
		case "o":
			r.Predecessor = v
		case "y":
			r.PredecessorExpires, err = parseUnix(v)
		case "r":
			r.RevokeAfter, err = parseUnix(v)
		case "c":
			r.Compromised = v == "1"
			if !r.Compromised {
				err = fmt.Errorf("%.20q is not 1", v)
			}
		case "f":
			r.Failures, err = strconv.Atoi(v)
		case "n":
			r.NotBefore, err = parseUnix(v)
		case "l":
			size, root, ok := strings.Cut(v, ".")
			r.LedgerRoot = root
			if r.LedgerSize, err = strconv.ParseInt(size, 10, 64); err == nil && (!ok || r.LedgerSize <= 0) {
				err = fmt.Errorf("%.60q is not size.root", v)
			}
		default:
			err = fmt.Errorf("unknown field")
		}
		if err != nil {
			return Record{}, fmt.Errorf("tag %q, field %.4q: %w", RecordTag, key, err)
		}
	}
	switch {
	case !validID(string(r.Generation)):
		return Record{}, fmt.Errorf("tag %q has no valid generation", RecordTag)
	case !validID(string(r.Publication)):
		return Record{}, fmt.Errorf("tag %q has no valid publication", RecordTag)
	case r.IssuerID == "":
		return Record{}, fmt.Errorf("tag %q names no issued credential", RecordTag)
	case r.Expires.IsZero():
		return Record{}, fmt.Errorf("tag %q has no expiry", RecordTag)
	case r.Failures < 0:
		return Record{}, fmt.Errorf("tag %q counts fewer than no failures", RecordTag)
	}
	return r, nil
}

func unix(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

func parseUnix(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 253402300799 {
		return time.Time{}, fmt.Errorf("%.20q is not a time in Unix seconds", s)
	}
	return time.Unix(n, 0).UTC(), nil
}
