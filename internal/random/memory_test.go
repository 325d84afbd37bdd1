package random_test

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// memory is a store in memory that can be told to fail. What a real one does is tested with the store.
type memory struct {
	driver.Store // what is not made here is not called
	now          time.Time
	secrets      map[string][]*version
	sent         map[string]int
	faults       map[string][]drivertest.Fault
}

type version struct {
	driver.Version
	value   string
	expires time.Time
}

func newMemory() *memory {
	return &memory{now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), secrets: map[string][]*version{}, sent: map[string]int{}, faults: map[string][]drivertest.Fault{}}
}

// fails counts a call and says how it fails.
func (m *memory) fails(method string) (before, after error) {
	m.sent[method]++
	if len(m.faults[method]) == 0 {
		return nil, nil
	}
	f := m.faults[method][0]
	m.faults[method] = m.faults[method][1:]
	err := &driver.Error{Kind: driver.Ambiguous, Op: method}
	switch f {
	case drivertest.Denied:
		err.Kind = driver.Denied
	case drivertest.Lost:
		return nil, err
	}
	return err, nil
}

func (m *memory) Host() string { return "kv-conformance.vault.azure.net" }

func (m *memory) Read(_ context.Context, name string) (driver.Reading, error) {
	m.sent["Read"]++
	all := m.secrets[name]
	if len(all) == 0 {
		return driver.Reading{Secret: rotation.Secret{State: rotation.Absent}, Date: m.now}, nil
	}
	v := all[len(all)-1]
	r := driver.Reading{Secret: rotation.Secret{State: rotation.Present, Version: v.ID, Enabled: v.Enabled, Created: v.Created, Tags: maps.Clone(v.Tags)}, Date: m.now}
	if v.Enabled {
		r.Value = secret.New([]byte(v.value))
	}
	return r, nil
}

func (m *memory) Put(_ context.Context, put driver.Put) (driver.Reading, error) {
	m.sent["Put"]++
	v := &version{Version: driver.Version{ID: fmt.Sprintf("%032d", len(m.secrets[put.Name])), Enabled: true, Created: m.now, Tags: maps.Clone(put.Tags)}, value: plain(put.Value), expires: put.Expires}
	m.secrets[put.Name] = append(m.secrets[put.Name], v)
	return driver.Reading{Secret: rotation.Secret{State: rotation.Present, Version: v.ID, Enabled: true, Created: v.Created, Tags: maps.Clone(v.Tags)}, Date: m.now}, nil
}

func (m *memory) Versions(_ context.Context, name string) (out []driver.Version, date time.Time, err error) {
	before, after := m.fails("Tags")
	if before != nil || after != nil {
		return nil, time.Time{}, cmpErr(before, after)
	}
	for _, v := range m.secrets[name] {
		out = append(out, v.Version)
	}
	return out, m.now, nil
}

func (m *memory) Disable(_ context.Context, name, id string) error {
	before, after := m.fails("Update")
	if before != nil {
		return before
	}
	for _, v := range m.secrets[name] {
		if v.ID == id {
			v.Enabled = false
			return after
		}
	}
	return &driver.Error{Kind: driver.Missing, Op: "disable"}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// plain reads a value; tests alone may.
func plain(v secret.Value) (s string) {
	_ = v.Use(func(b []byte) error { s = string(b); return nil })
	return s
}

func (m *memory) service() drivertest.Service {
	return drivertest.Service{
		Now:     func() time.Time { return m.now },
		Advance: func(d time.Duration) { m.now = m.now.Add(d) },
		Fault: func(method string, f drivertest.Fault, nth, times int) {
			for range times {
				m.faults[method] = append(m.faults[method], f)
			}
		},
		Sent: func(method string) int { return m.sent[method] },
		Secrets: func() (out []string) {
			for _, all := range m.secrets {
				for _, v := range all {
					out = append(out, v.value)
				}
			}
			return out
		},
	}
}
