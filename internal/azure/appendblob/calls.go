package appendblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// view is what was read of a blob.
type view struct {
	there  bool
	data   []byte
	size   int64 // of all of it
	blocks int
}

// read reads up to n bytes of a blob from one on, and how long all of it is.
func (h *Home) read(ctx context.Context, address string, from int64, n int) (view, error) {
	op := "read the ledger at " + address
	resp, err := h.storage.Do(ctx, azhttp.StorageCall{Op: op, Method: http.MethodGet, Address: address, Also: http.StatusRequestedRangeNotSatisfiable,
		Header: map[string]string{"X-Ms-Range": fmt.Sprintf("bytes=%d-%d", from, from+int64(n)-1)}})
	if codeOf(err) == "BlobNotFound" {
		return view{}, nil
	}
	if err != nil {
		return view{}, err
	}
	defer resp.Body.Close()
	if past := resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && resp.Header.Get("X-Ms-Error-Code") == "InvalidRange"; !past && resp.StatusCode != http.StatusPartialContent {
		return view{}, azhttp.StorageRefusal(op, false, resp)
	}
	v, err := viewOf(resp, from, n)
	if err != nil {
		return view{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: err.Error()}
	}
	return v, nil
}

var errAnswer = errors.New("the answer makes no sense: check that no proxy answers in the service's place")

// viewOf reads an answer to a range.
func viewOf(resp *http.Response, from int64, n int) (view, error) {
	if kind := resp.Header.Get("X-Ms-Blob-Type"); kind != "" && kind != "AppendBlob" {
		return view{}, errors.New("it is no append blob: Rekey has not made it; take another prefix, or delete it if it is nobody's")
	}
	v := view{there: true}
	span, total, ok := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if !ok || err != nil || size < 0 {
		return view{}, errAnswer
	}
	v.size = size
	if blocks := resp.Header.Get("X-Ms-Blob-Committed-Block-Count"); blocks != "" {
		if v.blocks, err = strconv.Atoi(blocks); err != nil || v.blocks < 0 {
			return view{}, errAnswer
		}
	}
	if span == "*" {
		if from < size {
			return view{}, errAnswer
		}
		return v, nil
	}
	want := min(int64(n), size-from)
	if want <= 0 || span != fmt.Sprintf("%d-%d", from, from+want-1) {
		return view{}, errAnswer
	}
	v.data = make([]byte, want)
	if _, err := io.ReadFull(resp.Body, v.data); err != nil {
		return view{}, errors.New("the answer broke off")
	}
	return v, nil
}

// create makes an append blob, if there is none.
func (h *Home) create(ctx context.Context, address string) error {
	err := h.send(ctx, "begin the ledger at "+address, address, map[string]string{"X-Ms-Blob-Type": "AppendBlob", "If-None-Match": "*",
		"X-Ms-Blob-Content-Type": "application/octet-stream"}, nil)
	if codeOf(err) == "BlobAlreadyExists" {
		return nil
	}
	return err
}

// put adds a block at the place where the blob is to end.
func (h *Home) put(ctx context.Context, address string, block []byte, at int64) error {
	return h.send(ctx, "write the ledger at "+address, address+"?comp=appendblock", map[string]string{"X-Ms-Blob-Condition-Appendpos": strconv.FormatInt(at, 10)}, block)
}

func (h *Home) send(ctx context.Context, op, address string, header map[string]string, body []byte) error {
	resp, err := h.storage.Do(ctx, azhttp.StorageCall{Op: op, Method: http.MethodPut, Address: address, Header: header, Body: body})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return azhttp.StorageRefusal(op, true, resp)
	}
	return nil
}
