package pipelines

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rekeyhq/rekey/internal/secret"
)

// document is an object of the service, of which every member that is not changed goes back byte for byte.
type document map[string]json.RawMessage

// text is a member that is a text; "" if it is not there or something else.
func (d document) text(member string) string {
	var s string
	if json.Unmarshal(d[member], &s) != nil {
		return ""
	}
	return s
}

// key is how a member is spelt there: real objects spell some both ways.
func (d document) key(member string) (string, bool) {
	if _, ok := d[member]; ok {
		return member, true
	}
	for k := range d {
		if strings.EqualFold(k, member) {
			return k, true
		}
	}
	return member, false
}

// object is a member that is an object; nil if it is not.
func (d document) object(member string) document {
	var o document
	if json.Unmarshal(d[member], &o) != nil {
		return nil
	}
	return o
}

// list is a member that is a list of objects; nil if it is not.
func (d document) list(member string) []document {
	var l []document
	if json.Unmarshal(d[member], &l) != nil {
		return nil
	}
	return l
}

// set puts a value of ours in. It cannot fail: texts, documents and lists of them are all that is put.
func (d document) set(member string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("pipelines: %T cannot be encoded", v))
	}
	d[member] = b
}

// setSecret puts a value in. Whoever calls it wipes what is made of it.
func (d document) setSecret(member string, v secret.Value) error {
	return v.Use(func(b []byte) error {
		quoted, err := json.Marshal(string(b))
		d[member] = quoted
		return err
	})
}

func wipe(b []byte) { clear(b) }
