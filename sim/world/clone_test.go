package world

import (
	"reflect"
	"testing"
	"time"
)

// fill sets everything below v to something, so that a member that is added later is part of these tests.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Interface:
		v.Set(reflect.ValueOf([]any{"x"})) // JSON
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(7)
	default:
		panic("no value for a " + v.Kind().String())
	}
}

// shared names what two equal values share that either could change.
func shared(a, b reflect.Value, path string) string {
	switch a.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.Pointer() == b.Pointer() {
			return path
		}
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		return shared(a.Elem(), b.Elem(), path)
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return ""
		}
		for i := range a.NumField() {
			if s := shared(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name); s != "" {
				return s
			}
		}
	case reflect.Slice:
		return shared(a.Index(0), b.Index(0), path+"[0]")
	case reflect.Map:
		k := a.MapKeys()[0]
		return shared(a.MapIndex(k), b.MapIndex(k), path+"[]")
	}
	return ""
}

func TestAClonedStateIsEqualAndSharesNothing(t *testing.T) {
	var s State
	fill(reflect.ValueOf(&s).Elem())
	c := s.Clone()
	if !reflect.DeepEqual(s, c) {
		t.Error("the clone is not equal")
	}
	if at := shared(reflect.ValueOf(s), reflect.ValueOf(c), "State"); at != "" {
		t.Errorf("both have the same %s", at)
	}
}

func TestACloneOfNothingIsNothing(t *testing.T) {
	if c := (State{}).Clone(); !reflect.DeepEqual(c, State{}) {
		t.Errorf("%+v", c)
	}
}
