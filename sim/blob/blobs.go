package blob

import (
	"crypto/md5"
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func kindOf(b *world.Blob) string {
	if b.Append {
		return "AppendBlob"
	}
	return "BlockBlob"
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// place is where a blob of the path's name is or would be.
func (c *call) place() (i int, b *world.Blob) {
	i, found := slices.BinarySearchFunc(c.container.Blobs, c.route.blob, func(b *world.Blob, name string) int { return strings.Compare(b.Name, name) })
	if found {
		b = c.container.Blobs[i]
	}
	return i, b
}

// blob is the one that the path names, if the request's conditions hold of it.
func (c *call) blob(write bool) (*world.Blob, *fault) {
	_, b := c.place()
	if b == nil {
		return nil, noBlob()
	}
	if f := c.conditions(b, write); f != nil {
		return nil, f
	}
	return b, c.leased(b, write)
}

// conditions judges If-Match and its like.
func (c *call) conditions(b *world.Blob, write bool) *fault {
	h := c.r.Header
	failed := unmet("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
	not := failed
	if !write {
		not = &fault{http.StatusNotModified, "ConditionNotMet", failed.message}
	}
	matches := func(list string) bool {
		return slices.ContainsFunc(strings.Split(list, ","), func(t string) bool {
			t = strings.TrimSpace(t)
			return t == "*" || b != nil && strings.Trim(t, `"`) == b.ETag
		})
	}
	if v := h.Get("If-Match"); v != "" && (b == nil || !matches(v)) {
		return failed
	}
	if b == nil {
		return nil
	}
	if v := h.Get("If-None-Match"); v != "" && matches(v) {
		return not
	}
	second := b.Modified.Truncate(time.Second)
	if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && second.After(t) {
		return failed
	}
	if t, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !second.After(t) {
		return not
	}
	return nil
}

// touch gives a blob another ETag.
func (c *call) touch(b *world.Blob) {
	b.ETag, b.Modified = c.tag(), c.now
	c.stamp(b.ETag, b.Modified)
	c.header.Set("X-Ms-Request-Server-Encrypted", "true")
}

// intact holds the body to its checksum, if it has one.
func (c *call) intact() *fault {
	sum := md5.Sum(c.body)
	have := base64.StdEncoding.EncodeToString(sum[:])
	if want := c.r.Header.Get("Content-Md5"); want != "" && want != have {
		return &fault{http.StatusBadRequest, "Md5Mismatch", "The MD5 value specified in the request did not match with the MD5 value calculated by the server."}
	}
	c.header.Set("Content-Md5", have)
	return nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// metadata are the request's own words on the blob. HTTP does not keep the case of their names; they are kept in lower
// case here.
func (c *call) metadata() (map[string]string, *fault) {
	var out map[string]string
	for k, v := range c.r.Header {
		name, ok := strings.CutPrefix(strings.ToLower(k), "x-ms-meta-")
		if !ok {
			continue
		}
		if !nameForm.MatchString(name) {
			return nil, &fault{http.StatusBadRequest, "InvalidMetadata", "The metadata specified is invalid. It has characters that are not permitted."}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = strings.Join(v, ",")
	}
	return out, nil
}

func (c *call) putBlob() (int, []byte, *fault) {
	kind := c.r.Header.Get("X-Ms-Blob-Type")
	switch {
	case kind == "":
		return 0, nil, missingHeader("x-ms-blob-type")
	case kind != "BlockBlob" && kind != "AppendBlob":
		return 0, nil, &fault{http.StatusNotImplemented, "NotImplemented", "The simulator does not have blobs of the type " + kind + "."}
	case kind == "AppendBlob" && len(c.body) > 0:
		return 0, nil, invalidHeader("Content-Length", strconv.Itoa(len(c.body)))
	case c.r.Header.Get("X-Ms-Copy-Source") != "":
		return 0, nil, &fault{http.StatusNotImplemented, "NotImplemented", "The simulator does not copy blobs."}
	}
	i, b := c.place()
	if b != nil && c.r.Header.Get("If-None-Match") == "*" {
		return 0, nil, conflict("BlobAlreadyExists", "The specified blob already exists.")
	}
	if f := c.conditions(b, true); f != nil {
		return 0, nil, f
	}
	if b != nil {
		if f := c.leased(b, true); f != nil {
			return 0, nil, f
		}
	} else if c.r.Header.Get("X-Ms-Lease-Id") != "" {
		return 0, nil, noLease()
	}
	if f := c.intact(); f != nil {
		return 0, nil, f
	}
	m, f := c.metadata()
	if f != nil {
		return 0, nil, f
	}
	if b == nil {
		b = &world.Blob{Name: c.route.blob, Created: c.now}
		c.container.Blobs = slices.Insert(c.container.Blobs, i, b)
	}
	b.Append, b.Data, b.Blocks, b.Metadata = kind == "AppendBlob", slices.Clone(c.body), 0, m
	b.ContentType = "application/octet-stream"
	for _, h := range []string{"Content-Type", "X-Ms-Blob-Content-Type"} {
		if v := c.r.Header.Get(h); v != "" {
			b.ContentType = v
		}
	}
	c.touch(b)
	return http.StatusCreated, nil, nil
}

const (
	maxAppend = 100 << 20 // since 2022-11-02
	oldAppend = 4 << 20
	maxBlocks = 50_000
)

func (c *call) appendBlock() (int, []byte, *fault) {
	b, f := c.blob(true)
	if f != nil {
		return 0, nil, f
	}
	limit := maxAppend
	if c.r.Header.Get("X-Ms-Version") < "2022-11-02" {
		limit = oldAppend
	}
	switch {
	case !b.Append:
		return 0, nil, conflict("InvalidBlobType", "The blob type is invalid for this operation.")
	case len(c.body) == 0:
		return 0, nil, invalidHeader("Content-Length", "0")
	case len(c.body) > limit:
		return 0, nil, &fault{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit."}
	case b.Blocks >= maxBlocks:
		return 0, nil, conflict("BlockCountExceedsLimit", "The committed block count cannot exceed the maximum limit of 50,000 blocks.")
	}
	for _, x := range []struct {
		header, code, message string
		holds                 func(n int) bool
	}{
		{"x-ms-blob-condition-appendpos", "AppendPositionConditionNotMet", "The append position condition specified was not met.", func(n int) bool { return len(b.Data) == n }},
		{"x-ms-blob-condition-maxsize", "MaxBlobSizeConditionNotMet", "The max blob size condition specified was not met.", func(n int) bool { return len(b.Data)+len(c.body) <= n }},
	} {
		v := c.r.Header.Get(x.header)
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return 0, nil, invalidHeader(x.header, v)
		}
		if !x.holds(n) {
			return 0, nil, unmet(x.code, x.message)
		}
	}
	if f := c.intact(); f != nil {
		return 0, nil, f
	}
	c.header.Set("X-Ms-Blob-Append-Offset", strconv.Itoa(len(b.Data)))
	b.Data, b.Blocks = append(b.Data, c.body...), b.Blocks+1
	c.header.Set("X-Ms-Blob-Committed-Block-Count", strconv.Itoa(b.Blocks))
	c.touch(b)
	return http.StatusCreated, nil, nil
}

func (c *call) setMetadata() (int, []byte, *fault) {
	b, f := c.blob(true)
	if f != nil {
		return 0, nil, f
	}
	m, f := c.metadata()
	if f != nil {
		return 0, nil, f
	}
	b.Metadata = m
	c.touch(b)
	return http.StatusOK, nil, nil
}

func (c *call) deleteBlob() (int, []byte, *fault) {
	b, f := c.blob(true)
	if f != nil {
		return 0, nil, f
	}
	c.container.Blobs = slices.DeleteFunc(c.container.Blobs, func(x *world.Blob) bool { return x == b })
	c.header.Set("X-Ms-Delete-Type-Permanent", "true")
	return http.StatusAccepted, nil, nil
}

// describe sets the headers of a blob that is read.
func (c *call) describe(b *world.Blob) {
	c.stamp(b.ETag, b.Modified)
	status, state := leaseWords(b, c.now)
	for k, v := range map[string]string{
		"Content-Type": b.ContentType, "Accept-Ranges": "bytes", "X-Ms-Blob-Type": kindOf(b), "X-Ms-Creation-Time": b.Created.UTC().Format(http.TimeFormat),
		"X-Ms-Lease-Status": status, "X-Ms-Lease-State": state, "X-Ms-Server-Encrypted": "true",
	} {
		c.header.Set(k, v)
	}
	if state == "leased" {
		c.header.Set("X-Ms-Lease-Duration", map[bool]string{true: "infinite", false: "fixed"}[b.Lease.Seconds < 0])
	}
	if b.Append {
		c.header.Set("X-Ms-Blob-Committed-Block-Count", strconv.Itoa(b.Blocks))
	}
	for k, v := range b.Metadata {
		c.header.Set("X-Ms-Meta-"+k, v)
	}
}

// headBlob tells the length of a body that it does not have.
func (c *call) headBlob() (int, []byte, *fault) {
	b, f := c.blob(false)
	if f != nil {
		return 0, nil, f
	}
	c.describe(b)
	if c.route.op == "GetBlobMetadata" {
		return http.StatusOK, nil, nil
	}
	return http.StatusOK, slices.Clone(b.Data), nil // the server sends the length alone
}

var rangeForm = regexp.MustCompile(`^bytes=(\d{1,15})-(\d{0,15})$`)

func (c *call) getBlob() (int, []byte, *fault) {
	b, f := c.blob(false)
	if f != nil {
		return 0, nil, f
	}
	c.describe(b)
	asked := c.r.Header.Get("X-Ms-Range")
	if asked == "" {
		asked = c.r.Header.Get("Range")
	}
	m := rangeForm.FindStringSubmatch(asked)
	if m == nil {
		return http.StatusOK, append([]byte{}, b.Data...), nil
	}
	from, _ := strconv.Atoi(m[1])
	to := len(b.Data) - 1
	if m[2] != "" {
		last, _ := strconv.Atoi(m[2])
		to = min(to, last)
	}
	if from > to {
		c.header.Set("Content-Range", "bytes */"+strconv.Itoa(len(b.Data)))
		return 0, nil, &fault{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range specified is invalid for the current size of the resource."}
	}
	c.header.Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(to)+"/"+strconv.Itoa(len(b.Data)))
	return http.StatusPartialContent, slices.Clone(b.Data[from : to+1]), nil
}
