package appendblob

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func FuzzView(f *testing.F) {
	f.Add("bytes 0-3/4", "7", "AppendBlob", []byte("one\n"), int64(0), 4)
	f.Add("bytes */4", "", "", []byte{}, int64(4), 1)
	f.Add("bytes 0-9999999999/99999999999", "-1", "BlockBlob", []byte("x"), int64(0), 1<<20)
	f.Add("bytes 0-0/9223372036854775807", "99999999999999999999", "AppendBlob", []byte("x"), int64(9223372036854775806), 3)
	for _, b := range badinput.Broken("bytes 2-3/4") {
		f.Add(string(b), string(b), "AppendBlob", b, int64(2), 2)
	}
	f.Fuzz(func(t *testing.T, span, blocks, kind string, body []byte, from int64, n int) {
		if from < 0 || n <= 0 || n > 1<<20 {
			return
		}
		h := http.Header{}
		h.Set("Content-Range", span)
		h.Set("X-Ms-Blob-Committed-Block-Count", blocks)
		h.Set("X-Ms-Blob-Type", kind)
		var v view
		var err error
		badinput.Bounded(t, len(body)+n, func() {
			v, err = viewOf(&http.Response{StatusCode: http.StatusPartialContent, Header: h, Body: io.NopCloser(bytes.NewReader(body))}, from, n)
		})
		if err == nil && (!v.there || v.size < 0 || v.blocks < 0 || len(v.data) > n || !bytes.HasPrefix(body, v.data)) {
			t.Errorf("%+v", v)
		}
	})
}
