// Package secret holds one credential's value in memory and keeps it out of everything else.
//
// It is not an encryption: it guards against our own mistakes (a %v, a log field, a JSON encoder, a panic's dump),
// not against somebody who reads the process's memory. The HTTP and TLS layers keep copies that nobody can wipe, and
// encoding/json makes a transient string; neither can be helped here.
//
// What always holds: a Value prints as [secret] in every way that there is to print, and refuses to be encoded, so
// that a value that slips into a job, a record or a response fails loudly, instead of a placeholder being stored and
// published as the credential.
package secret

import (
	"crypto/subtle"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// ErrEncode is what every attempt to encode a Value returns.
var ErrEncode = errors.New("a secret value refuses to be encoded")

// Value is one credential. The zero Value is empty. The bytes are reachable by a closure alone, because fmt and
// reflection print unexported fields without asking their methods.
type Value struct {
	_   [0]func() // not comparable: == does not take constant time
	use func(func([]byte))
}

// New moves b into a Value and wipes b.
func New(b []byte) Value {
	held := make([]byte, len(b))
	copy(held, b)
	clear(b)
	return Value{use: func(f func([]byte)) {
		if f == nil { // Wipe
			clear(held)
			held = nil
			return
		}
		f(held)
	}}
}

// Use calls f with the bytes. f must not keep them. It is the only way to read a Value, so that readers can be found.
func (v Value) Use(f func(b []byte) error) error {
	if v.use == nil {
		return f(nil)
	}
	var err error
	v.use(func(b []byte) { err = f(b) })
	return err
}

// Empty says whether there is no value.
func (v Value) Empty() bool {
	n := 0
	_ = v.Use(func(b []byte) error { n = len(b); return nil })
	return n == 0
}

// Wipe zeroes the bytes; every copy of the handle sees it.
func (v Value) Wipe() {
	if v.use != nil {
		v.use(nil)
	}
}

// Equal compares in constant time.
func (v Value) Equal(o Value) bool {
	same := false
	_ = v.Use(func(a []byte) error {
		return o.Use(func(b []byte) error {
			same = subtle.ConstantTimeCompare(a, b) == 1
			return nil
		})
	})
	return same
}

const shown = "[secret]"

func (v Value) String() string               { return shown }
func (v Value) GoString() string             { return shown }
func (v Value) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(shown)) }
func (v Value) LogValue() slog.Value         { return slog.StringValue(shown) }
func (v Value) MarshalJSON() ([]byte, error) { return nil, ErrEncode }
func (v Value) MarshalText() ([]byte, error) { return nil, ErrEncode }
func (v Value) MarshalYAML() (any, error)    { return nil, ErrEncode }
func (v Value) GobEncode() ([]byte, error)   { return nil, ErrEncode }
func (v Value) Value() (driver.Value, error) { return nil, ErrEncode }

// UnmarshalJSON takes a JSON string, or null for no value, so that an answer's struct has a Value where the secret is
// and no string of ours ever holds it.
func (v *Value) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New("a secret value must be a JSON string") // err could quote the input
	}
	if s == nil {
		*v = Value{}
		return nil
	}
	*v = New([]byte(*s))
	return nil
}
