package explore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// keeper keeps an exploration in a file, so that hours of it can be interrupted.
type keeper struct {
	f *os.File
}

// keptLine is one line of the file: a world that was found, or worlds that were gone through.
type keptLine struct {
	World    *keptWorld `json:"world,omitempty"`
	Expanded []string   `json:"expanded,omitempty"` // keys
	Played   int        `json:"played,omitempty"`
}

// keptWorld is a node with what differs from the world that it started from.
type keptWorld struct {
	Key      string            `json:"key"`
	Path     []string          `json:"path"`
	At       time.Time         `json:"at"`
	Seed     uint32            `json:"seed"`
	PATs     []*world.PAT      `json:"pats"`
	Secrets  []*world.Secret   `json:"secrets"`
	Apps     []*world.App      `json:"apps,omitempty"`
	Users    []*world.User     `json:"users,omitempty"`
	Pending  []keptRequest     `json:"pending,omitempty"`
	Persons  int               `json:"persons,omitempty"`
	MayHold  bool              `json:"mayHold,omitempty"`
	Excused  map[string]string `json:"excused,omitempty"`
	LastCalm time.Time         `json:"lastCalm,omitzero"`
	// Told is what a tell can change, where anybody is told.
	Told *keptTold `json:"told,omitempty"`
}

type keptTold struct {
	Held          []invariant.Held
	Organizations []*world.Organization
	Consumers     world.Consumers
	Vaults        []*world.Vault
}

type keptRequest struct {
	Due    time.Time   `json:"due"`
	Label  string      `json:"label"`
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
	Token  string      `json:"token"`
	Who    world.Token `json:"who"`
	From   int         `json:"from"`
}

// resume opens the file and brings the search to where it was. origin is the world that it began with.
func resume(path string, x *search, origin *node) (*keeper, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	expanded := map[string]bool{}
	var nodes []*node
	lines := bufio.NewScanner(bytes.NewReader(old))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l keptLine
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // cut off when it was interrupted
		}
		if l.World != nil {
			nodes = append(nodes, l.World.node(origin))
		}
		for _, key := range l.Expanded {
			expanded[key] = true
		}
		x.played = max(x.played, l.Played)
	}
	var frontier []*node
	for _, n := range append(x.frontier, nodes...) {
		if !x.seen[n.key] {
			x.seen[n.key] = true
			x.worlds++
		}
		if !expanded[n.key] {
			frontier = append(frontier, n)
		}
	}
	x.frontier = frontier
	k := &keeper{f}
	_, err = fmt.Fprintln(f) // what was cut off ends here
	return k, err
}

func (k *keeper) write(l keptLine) {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = k.f.Write(append(b, '\n'))
	}
	if err != nil {
		panic(err) // an exploration that cannot be kept must not look as if it were
	}
}

func (k *keeper) expanded(x *search, nodes []*node) {
	l := keptLine{Played: x.played}
	for _, n := range nodes {
		l.Expanded = append(l.Expanded, n.key)
	}
	k.write(l)
}

func (k *keeper) found(n *node) {
	w := &keptWorld{
		Key: n.key, Path: n.path(), At: n.at, Seed: n.state.Seed, PATs: n.state.Organizations[0].PATs, Secrets: prod(&n.state).Secrets, Apps: n.state.Apps, Users: n.state.Users,
		Persons: n.persons, MayHold: n.mayHold, Excused: n.excused, LastCalm: n.lastCalm,
	}
	if len(n.promise.Consumers) > 0 {
		w.Told = &keptTold{n.held, n.state.Organizations, n.state.Consumers, n.state.Vaults}
	}
	for _, p := range n.pending {
		w.Pending = append(w.Pending, keptRequest{Due: p.due, Label: p.label, Method: p.req.Method, URL: p.req.URL.String(), Header: p.req.Header,
			Body: p.body, Token: p.token, Who: p.who, From: p.from})
	}
	k.write(keptLine{World: w})
}

func (w *keptWorld) node(origin *node) *node {
	state := origin.state.Clone()
	state.Seed, state.Organizations[0].PATs, prod(&state).Secrets = w.Seed, w.PATs, w.Secrets
	if w.Apps != nil {
		state.Apps = w.Apps
	}
	if w.Users != nil {
		state.Users = w.Users
	}
	var held []invariant.Held
	if w.Told != nil {
		held, state.Organizations, state.Consumers, state.Vaults = w.Told.Held, w.Told.Organizations, w.Told.Consumers, w.Told.Vaults
	}
	n := &node{state: state, held: held, at: w.At, persons: w.Persons, mayHold: w.MayHold, excused: w.Excused, lastCalm: w.LastCalm, foreign: origin.foreign, manifest: origin.manifest, promise: origin.promise,
		key: w.Key, step: w.Path[len(w.Path)-1]}
	for _, step := range w.Path[:len(w.Path)-1] {
		n.from = &node{from: n.from, step: step}
	}
	for _, p := range w.Pending {
		req, err := http.NewRequestWithContext(context.Background(), p.Method, p.URL, nil)
		if err != nil {
			panic(err)
		}
		req.Header = p.Header
		n.pending = append(n.pending, &pending{due: p.Due, label: p.Label, req: req, body: p.Body, token: p.Token, who: p.Who, from: p.From})
	}
	return n
}
