package explore

import (
	"context"
	"sync"
)

// turns lets one of several processes go on at a time: who is next is decided at each point.
type turns struct {
	mu     sync.Mutex
	order  []int // who takes the first step, the second ...; who took the last one goes on to its end
	n      int
	away   []bool // left, or on a machine that sleeps
	holder int    // who is between two points; -1 for nobody
	last   int
	change chan struct{} // closed when somebody else may go on
}

func newTurns(order []int, processes int) *turns {
	return &turns{order: order, away: make([]bool, processes), holder: -1, change: make(chan struct{})}
}

// whose is who takes the next step; -1 if all are away.
func (t *turns) whose() int {
	for t.n < len(t.order) {
		if who := t.order[t.n]; !t.away[who] {
			return who
		}
		t.n++
	}
	if !t.away[t.last] {
		return t.last
	}
	for i, away := range t.away {
		if !away {
			return i
		}
	}
	return -1
}

// wait ends i's step and returns when it may take another one.
func (t *turns) wait(i int, ctx context.Context) {
	if len(t.away) == 1 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(i)
	for t.holder != -1 || t.whose() != i {
		change := t.change
		t.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			t.mu.Lock()
			return
		}
		t.mu.Lock()
	}
	t.holder, t.last = i, i
	t.n++
}

// leave lets the others go on without i: it has ended, or its machine sleeps.
func (t *turns) leave(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away[i] = true
	t.release(i)
}

// comeBack is the end of a machine's sleep.
func (t *turns) comeBack(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away[i] = false
}

func (t *turns) release(i int) {
	if t.holder == i {
		t.holder = -1
	}
	close(t.change)
	t.change = make(chan struct{})
}
