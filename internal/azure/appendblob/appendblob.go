// Package appendblob is the home of a ledger in a container of Azure Storage: an append blob for each part, that several
// runners write to at once and do not know of each other.
//
// It reads no entry, makes no container and is no store of credentials. What always holds: a block is sent only for the
// place that the blob ended at when it was looked at, so that none is written over, between or twice, however often it is
// sent; an answer that was lost is looked for before anything is sent again; what returned no error is in the blob, and
// whole. A blob takes 50,000 blocks: what comes after goes on in the next one, which counts only once this one is full.
package appendblob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
)

const (
	// maxBlocks is how many blocks an append blob takes.
	maxBlocks = 50_000
	// maxTries bounds the answers that were lost or bad in a row, and maxTurns the times that others were faster.
	maxTries = 6
	maxTurns = 200
	// appendFor bounds one entry: a run does not go on without it.
	appendFor = 3 * time.Minute
)

// Home is a ledger below an address in a container.
type Home struct {
	ctx     context.Context
	base    string
	storage *azhttp.Storage

	mu    sync.Mutex
	tails map[ledger.Part]*tail
}

var _ ledger.Home = (*Home)(nil)

// tail is where a part ends, as far as this process knows.
type tail struct {
	n      int   // the last blob, from 1 on
	before int64 // the bytes in those before it
	at     int64 // where the last one ends
	there  bool
	full   bool
	cut    bool // it ends within a line
}

// New makes a home at https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX, whose calls cred signs in, with options that
// azhttp.Client.Renewing made. Nothing is sent. A run that is interrupted still records what it did: ctx carries values
// and no end.
func New(ctx context.Context, address string, signedIn policy.ClientOptions, cred azcore.TokenCredential) *Home {
	return &Home{ctx: context.WithoutCancel(ctx), base: strings.TrimSuffix(address, "/"), tails: map[ledger.Part]*tail{}, storage: azhttp.NewStorage(signedIn, cred)}
}

// name is the address of a part's n-th blob.
func (h *Home) name(p ledger.Part, n int) string {
	if n == 1 {
		return h.base + "/" + string(p)
	}
	return fmt.Sprintf("%s/%s.%d", h.base, p, n)
}

// find looks where a part ends.
func (h *Home) find(ctx context.Context, p ledger.Part) (*tail, error) {
	t := &tail{n: 1}
	for {
		v, err := h.read(ctx, h.name(p, t.n), 0, 1)
		if err != nil {
			return nil, err
		}
		if !v.there {
			return t, nil
		}
		if t.there, t.at, t.full = true, v.size, v.blocks >= maxBlocks; v.size > 0 {
			last, err := h.read(ctx, h.name(p, t.n), v.size-1, 1)
			if err != nil {
				return nil, err
			}
			t.cut = len(last.data) != 1 || last.data[0] != '\n'
		}
		if !t.full {
			return t, nil
		}
		if next, err := h.read(ctx, h.name(p, t.n+1), 0, 1); err != nil || !next.there {
			return t, err
		}
		t.next()
	}
}

// next goes on in the next blob. Whether the one before was cut off within a line is remembered.
func (t *tail) next() {
	*t = tail{n: t.n + 1, before: t.before + t.at, cut: t.cut}
}

// Append implements ledger.Home.
func (h *Home) Append(p ledger.Part, b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, cancel := context.WithTimeout(h.ctx, appendFor)
	defer cancel()
	t := h.tails[p]
	if t == nil {
		var err error
		if t, err = h.find(ctx, p); err != nil {
			return err
		}
		h.tails[p] = t
	}
	err := h.append(ctx, p, t, b)
	if err != nil {
		delete(h.tails, p) // look anew before anything else is written
	}
	return err
}

func (h *Home) append(ctx context.Context, p ledger.Part, t *tail, b []byte) error {
	failed, turns := 0, 0
	for {
		if t.full {
			t.next()
		}
		if !t.there {
			if err := h.create(ctx, h.name(p, t.n)); err != nil {
				if failed++; failed == maxTries || !passing(err) || pause(ctx, failed) != nil {
					return err
				}
				continue // whether it was made is seen when it is made again
			}
			t.there = true
		}
		block := b
		if t.cut {
			block = append([]byte{'\n'}, b...)
		}
		err := h.put(ctx, h.name(p, t.n), block, t.at)
		code := codeOf(err)
		switch {
		case err == nil:
			t.at, t.cut = t.at+int64(len(block)), false
			return nil
		case code == "BlockCountExceedsLimit":
			if turns++; turns == maxTurns {
				return err
			}
			if err := h.catchUp(ctx, p, t); err != nil {
				return err
			}
			t.full = true
			continue
		case code == "AppendPositionConditionNotMet":
			turns++
		case passing(err):
			failed++
		default:
			return err
		}
		if failed == maxTries || turns == maxTurns {
			return err
		}
		if failed > 0 && pause(ctx, failed) != nil {
			return err
		}
		// It may be there: as the answer that was lost, or as the block of another one.
		there, lerr := h.look(ctx, p, t, block)
		switch {
		case lerr != nil && passing(lerr):
			return errors.Join(err, lerr)
		case lerr != nil:
			return lerr
		case there:
			return nil
		}
	}
}

// look finds out what is at the place that a block was sent for, and says whether it is that block.
func (h *Home) look(ctx context.Context, p ledger.Part, t *tail, block []byte) (bool, error) {
	v, err := h.read(ctx, h.name(p, t.n), t.at, max(len(block), 4<<10))
	switch {
	case err != nil:
		return false, err
	case !v.there || v.size < t.at:
		return false, gone(h.name(p, t.n))
	case v.size == t.at:
		return false, nil // nobody has written there: whichever of those that were sent comes first is taken, and no other
	}
	ours := bytes.HasPrefix(v.data, block)
	last := v.data
	if v.size > t.at+int64(len(v.data)) {
		tail, err := h.read(ctx, h.name(p, t.n), v.size-1, 1)
		if err != nil {
			return false, err
		}
		last = tail.data
	}
	t.at, t.full = v.size, v.blocks >= maxBlocks
	t.cut = !bytes.HasSuffix(last, []byte{'\n'})
	return ours, nil
}

// catchUp looks where a full blob ends, which nobody will write to any more.
func (h *Home) catchUp(ctx context.Context, p ledger.Part, t *tail) error {
	_, err := h.look(ctx, p, t, nil)
	return err
}

// Keep implements ledger.Home. What is kept is added at the end or not at all: it can be worked out anew.
func (h *Home) Keep(p ledger.Part, b []byte, at int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, cancel := context.WithTimeout(h.ctx, appendFor)
	defer cancel()
	t, err := h.find(ctx, p)
	if err != nil {
		return err
	}
	if t.full {
		t.next()
	}
	end := t.before + t.at
	if at > end || at+int64(len(b)) <= end {
		return nil // there is a gap, or others have kept the same
	}
	if !t.there {
		if err := h.create(ctx, h.name(p, t.n)); err != nil {
			return err
		}
	}
	err = h.put(ctx, h.name(p, t.n), b[end-at:], t.at)
	if code := codeOf(err); code == "AppendPositionConditionNotMet" || code == "BlockCountExceedsLimit" {
		return nil
	}
	return err
}

// passing says whether an error may be another one, or none, a moment later.
func passing(err error) bool {
	switch driver.KindOf(err) {
	case driver.Ambiguous, driver.Unavailable, driver.Throttled:
		return true
	}
	return false
}

func codeOf(err error) string {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// gone is said of a blob that is not there any more, or has become shorter: somebody has changed the ledger.
func gone(name string) error {
	return &driver.Error{Kind: driver.Missing, Op: "write the ledger at " + name, Detail: "it was there, and is gone or shorter now", Person: true,
		Hint: "find out who deletes from the container, and set a policy on it that forbids that; rekey ledger verify names what is missing"}
}

// pause waits before the try after the failed-th.
func pause(ctx context.Context, failed int) error {
	t := time.NewTimer(azhttp.Backoff(failed))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
