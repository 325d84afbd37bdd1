package world

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Strict reads one JSON value into v and refuses members that v does not have, all of them at once and by their
// full path. Members are spelt exactly as v has them. What v holds and data leaves out stays.
func Strict(data []byte, v any) error {
	var tree any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("there is no JSON")
		}
		line := 1 + bytes.Count(data[:min(int(dec.InputOffset()), len(data))], []byte("\n"))
		if s, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = 1 + bytes.Count(data[:min(int(s.Offset), len(data))], []byte("\n"))
		}
		return fmt.Errorf("line %d: not JSON: %w", line, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	if unknown := unknownMembers(tree, reflect.TypeOf(v), ""); len(unknown) > 0 {
		return fmt.Errorf("unknown member %s", strings.Join(unknown, ", "))
	}
	return json.Unmarshal(data, v)
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// unknownMembers lists the paths of tree that t has no place for, in order.
func unknownMembers(tree any, t reflect.Type, path string) (unknown []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p := reflect.PointerTo(t); p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler) {
		return nil
	}
	switch tree := tree.(type) {
	case []any:
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return nil
		}
		for i, e := range tree {
			unknown = append(unknown, unknownMembers(e, t.Elem(), path+"["+strconv.Itoa(i)+"]")...)
		}
	case map[string]any:
		names := make([]string, 0, len(tree))
		for name := range tree {
			names = append(names, name)
		}
		slices.Sort(names)
		members := map[string]reflect.Type{}
		if t.Kind() == reflect.Struct {
			collectMembers(t, members)
		}
		for _, name := range names {
			at := strings.TrimPrefix(path+"."+name, ".")
			switch member, ok := members[name]; {
			case ok:
				unknown = append(unknown, unknownMembers(tree[name], member, at)...)
			case t.Kind() == reflect.Struct:
				unknown = append(unknown, at)
			case t.Kind() == reflect.Map:
				unknown = append(unknown, unknownMembers(tree[name], t.Elem(), at)...)
			}
		}
	}
	return unknown
}

// collectMembers finds a struct's members by their JSON names, embedded structs' too.
func collectMembers(t reflect.Type, members map[string]reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			collectMembers(f.Type, members)
		case !f.IsExported() || name == "-":
		case name == "":
			members[f.Name] = f.Type
		default:
			members[name] = f.Type
		}
	}
}
