// Package blob keeps small files in a container of Azure Storage: created once, replaced only by who knows what is there,
// read whole, listed by the begin of their names.
//
// It is a thin client over azcore's pipeline, and not a storage library: it has no blocks, leases, copies or shared keys.
// What always holds: a write says on what condition it is made, so that of two that create one blob, one fails; a write
// whose answer was lost is looked for before it is called a failure; an answer is bounded and never becomes part of an
// error.
package blob

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

const (
	// MaxBlob bounds what is read, and maxNames how many names one list has.
	MaxBlob  = 1 << 20
	maxNames = 100_000
	maxPages = 1000
)

// Container is one container, as one identity.
type Container struct {
	storage *azhttp.Storage
	address *url.URL
}

// New makes a client of the container at https://ACCOUNT.blob.core.windows.net/CONTAINER. Nothing is sent.
func New(address string, cred azcore.TokenCredential, signedIn policy.ClientOptions) (*Container, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Count(strings.Trim(u.Path, "/"), "/") != 0 || strings.Trim(u.Path, "/") == "" {
		return nil, driver.Errorf(driver.Rejected, "set up the container of blobs", "", "its address must be like https://ACCOUNT.blob.core.windows.net/CONTAINER")
	}
	u.Path = "/" + strings.Trim(u.Path, "/")
	return &Container{azhttp.NewStorage(signedIn, cred), u}, nil
}

// Place is the container's address.
func (c *Container) Place() string { return c.address.String() }

// call is one request.
type call struct {
	op, method, name string
	query            url.Values
	body             []byte
	header           map[string]string
}

func (c *Container) send(ctx context.Context, x call) (*http.Response, error) {
	at := *c.address
	if x.name != "" {
		at.Path += "/" + x.name
	}
	at.RawQuery = x.query.Encode()
	return c.storage.Do(ctx, azhttp.StorageCall{Op: x.op, Method: x.method, Address: at.String(), Header: x.header, Body: x.body})
}

// Create writes a blob that must not be there. One that is there is a Conflict.
func (c *Container) Create(ctx context.Context, name string, b []byte) error {
	_, err := c.put(ctx, call{op: "create blob " + name, name: name, body: b, header: map[string]string{"If-None-Match": "*"}})
	return err
}

// Replace writes a blob that must still be as it was read with that tag, and gives its new tag.
func (c *Container) Replace(ctx context.Context, name, tag string, b []byte) (string, error) {
	return c.put(ctx, call{op: "replace blob " + name, name: name, body: b, header: map[string]string{"If-Match": tag}})
}

// put writes, and looks for a write whose answer was lost, or that was sent again after it had been applied.
func (c *Container) put(ctx context.Context, x call) (tag string, err error) {
	x.method = http.MethodPut
	x.header["X-Ms-Blob-Type"], x.header["Content-Type"] = "BlockBlob", "application/json"
	resp, err := c.send(ctx, x)
	if err == nil {
		resp.Body.Close()
		return resp.Header.Get("ETag"), nil
	}
	if driver.KindOf(err) != driver.Ambiguous {
		return "", err
	}
	if there, tag, rerr := c.Read(ctx, x.name); rerr == nil && bytes.Equal(there, x.body) {
		return tag, nil
	}
	return "", err
}

// Read gives a blob and its tag. One that is not there is Missing.
func (c *Container) Read(ctx context.Context, name string) (b []byte, tag string, err error) {
	op := "read blob " + name
	resp, err := c.send(ctx, call{op: op, method: http.MethodGet, name: name})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err = io.ReadAll(io.LimitReader(resp.Body, MaxBlob+1))
	switch {
	case err != nil:
		return nil, "", driver.Errorf(driver.Unavailable, op, "", "the answer broke off, or is larger than any honest one")
	case len(b) > MaxBlob:
		return nil, "", driver.Errorf(driver.Rejected, op, "", "it is larger than %d bytes", MaxBlob)
	}
	return b, resp.Header.Get("ETag"), nil
}

// page is a page of a list.
type page struct {
	XMLName xml.Name `xml:"EnumerationResults"`
	Names   []string `xml:"Blobs>Blob>Name"`
	Next    string   `xml:"NextMarker"`
}

// List gives the names of all blobs that begin with a prefix, in the order of the service, which is that of names.
func (c *Container) List(ctx context.Context, prefix string) ([]string, error) {
	op := "list blobs of " + c.Place()
	var out []string
	marker := ""
	for range maxPages {
		q := url.Values{"restype": {"container"}, "comp": {"list"}}
		if prefix != "" {
			q.Set("prefix", prefix)
		}
		if marker != "" {
			q.Set("marker", marker)
		}
		resp, err := c.send(ctx, call{op: op, method: http.MethodGet, query: q})
		if err != nil {
			return nil, err
		}
		p, err := decodePage(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, driver.Errorf(driver.Unavailable, op, "", "%s", err)
		}
		out = append(out, p.Names...)
		if p.Next == "" {
			return out, nil
		}
		if p.Next == marker || len(out) > maxNames {
			break
		}
		marker = p.Next
	}
	return nil, driver.Errorf(driver.Unavailable, op, "", "the list does not end")
}

// maxPage bounds a page: 5,000 names of a few hundred bytes with what is said of each, and more than any of ours.
const maxPage = 8 << 20

func decodePage(r io.Reader) (page, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPage+1))
	if err != nil || len(b) > maxPage {
		return page{}, fmt.Errorf("the answer broke off, or is larger than any honest one")
	}
	var p page
	if xml.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &p) != nil {
		return page{}, fmt.Errorf("the answer is not the XML that was expected")
	}
	return p, nil
}
