package blob

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

var guidForm = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// leaseWords are a lease's status and state.
func leaseWords(b *world.Blob, now time.Time) (status, state string) {
	state = b.Lease.State(now)
	if b.Lease.Holds(now) {
		return "locked", state
	}
	return "unlocked", state
}

func noLease() *fault {
	return unmet("LeaseNotPresentWithBlobOperation", "There is currently no lease on the blob.")
}

// leased holds a request to the blob's lease: a write needs its id while it holds, and an id that is given must be its.
func (c *call) leased(b *world.Blob, write bool) *fault {
	id := c.r.Header.Get("X-Ms-Lease-Id")
	if c.route.op == "LeaseBlob" {
		return nil
	}
	holds := b.Lease.Holds(c.now)
	switch {
	case id == "" && holds && write:
		return unmet("LeaseIdMissing", "There is currently a lease on the blob and no lease ID was specified in the request.")
	case id == "":
		if write && b.Lease.State(c.now) == "expired" {
			b.Lease = world.BlobLease{} // whoever had it cannot renew it any more
		}
		return nil
	case !guidForm.MatchString(id):
		return invalidHeader("x-ms-lease-id", id)
	case holds && !strings.EqualFold(id, b.Lease.ID):
		return unmet("LeaseIdMismatchWithBlobOperation", "The lease ID specified did not match the lease ID for the blob.")
	case !holds && strings.EqualFold(id, b.Lease.ID):
		return unmet("LeaseLost", "A lease ID was specified, but the lease for the blob has expired.")
	case !holds:
		return noLease()
	}
	return nil
}

func mismatch() *fault {
	return conflict("LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID for the blob.")
}

func notPresent() *fault {
	return conflict("LeaseNotPresentWithLeaseOperation", "There is currently no lease on the blob.")
}

func (c *call) lease() (int, []byte, *fault) {
	b, f := c.blob(true)
	if f != nil {
		return 0, nil, f
	}
	action := strings.ToLower(c.r.Header.Get("X-Ms-Lease-Action"))
	do, ok := map[string]func(*world.Blob) (int, *fault){
		"acquire": c.acquire, "renew": c.renew, "change": c.change, "release": c.release, "break": c.breakLease,
	}[action]
	if !ok {
		return 0, nil, invalidHeader("x-ms-lease-action", action)
	}
	id := c.r.Header.Get("X-Ms-Lease-Id")
	if action == "renew" || action == "change" || action == "release" {
		if id == "" {
			return 0, nil, missingHeader("x-ms-lease-id")
		}
	}
	for _, name := range []string{"x-ms-lease-id", "x-ms-proposed-lease-id"} {
		if v := c.r.Header.Get(name); v != "" && !guidForm.MatchString(v) {
			return 0, nil, invalidHeader(name, v)
		}
	}
	status, f := do(b)
	if f != nil {
		return 0, nil, f
	}
	c.stamp(b.ETag, b.Modified) // a lease is no change of the blob
	if b.Lease.ID != "" && action != "break" {
		c.header.Set("X-Ms-Lease-Id", b.Lease.ID)
	}
	return status, nil, nil
}

func (c *call) acquire(b *world.Blob) (int, *fault) {
	v := c.r.Header.Get("X-Ms-Lease-Duration")
	if v == "" {
		return 0, missingHeader("x-ms-lease-duration")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n != -1 && (n < 15 || n > 60) {
		return 0, invalidHeader("x-ms-lease-duration", v)
	}
	id := strings.ToLower(c.r.Header.Get("X-Ms-Proposed-Lease-Id"))
	same := strings.EqualFold(id, b.Lease.ID)
	switch b.Lease.State(c.now) {
	case "leased":
		if !same {
			return 0, conflict("LeaseAlreadyPresent", "There is already a lease present.")
		}
	case "breaking":
		if same {
			return 0, conflict("LeaseIsBreakingAndCannotBeAcquired", "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken.")
		}
		return 0, conflict("LeaseAlreadyPresent", "There is already a lease present.")
	}
	if id == "" {
		id = c.w.NewID()
	}
	b.Lease = world.BlobLease{ID: id, Seconds: n, Since: c.now}
	return http.StatusCreated, nil
}

func (c *call) renew(b *world.Blob) (int, *fault) {
	switch state := b.Lease.State(c.now); {
	case state == "available" || !c.names(b):
		return 0, mismatch()
	case state == "breaking" || state == "broken":
		return 0, conflict("LeaseIsBrokenAndCannotBeRenewed", "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.")
	}
	b.Lease.Since = c.now
	return http.StatusOK, nil
}

// names says whether the request has the id of the blob's lease.
func (c *call) names(b *world.Blob) bool {
	return b.Lease.ID != "" && strings.EqualFold(c.r.Header.Get("X-Ms-Lease-Id"), b.Lease.ID)
}

func (c *call) change(b *world.Blob) (int, *fault) {
	proposed := strings.ToLower(c.r.Header.Get("X-Ms-Proposed-Lease-Id"))
	if proposed == "" {
		return 0, missingHeader("x-ms-proposed-lease-id")
	}
	switch b.Lease.State(c.now) {
	case "breaking":
		return 0, conflict("LeaseIsBreakingAndCannotBeChanged", "The lease ID matched, but the lease is currently in breaking state and cannot be changed.")
	case "leased":
	default:
		return 0, notPresent()
	}
	if !c.names(b) && !strings.EqualFold(proposed, b.Lease.ID) {
		return 0, mismatch()
	}
	b.Lease.ID = proposed
	return http.StatusOK, nil
}

func (c *call) release(b *world.Blob) (int, *fault) {
	if !c.names(b) {
		return 0, mismatch()
	}
	b.Lease = world.BlobLease{}
	return http.StatusOK, nil
}

// breakLease ends a lease without its id: at once, or when the time that is left or asked for is over, whichever is
// the shorter.
func (c *call) breakLease(b *world.Blob) (int, *fault) {
	left := time.Duration(0)
	switch b.Lease.State(c.now) {
	case "available":
		return 0, notPresent()
	case "leased":
		if b.Lease.Seconds > 0 {
			left = b.Lease.Ends().Sub(c.now)
		}
	case "breaking":
		left = b.Lease.Breaks.Sub(c.now)
	}
	if v := c.r.Header.Get("X-Ms-Lease-Break-Period"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 60 {
			return 0, invalidHeader("x-ms-lease-break-period", v)
		}
		asked := time.Duration(n) * time.Second
		infinite := b.Lease.Seconds < 0 && b.Lease.State(c.now) == "leased"
		if infinite || asked < left {
			left = asked
		}
	}
	b.Lease.Breaks = c.now.Add(left)
	c.header.Set("X-Ms-Lease-Time", strconv.Itoa(int((left+time.Second-1)/time.Second)))
	return http.StatusAccepted, nil
}
