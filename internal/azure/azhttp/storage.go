package azhttp

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/driver"
)

// storageVersion is the newest version of the Blob service that every sovereign cloud is known to have.
const storageVersion = "2023-11-03"

// Storage is the Blob service of Azure Storage as one identity: what its clients share. It is no storage library.
type Storage struct{ pl runtime.Pipeline }

// NewStorage makes a client whose calls cred signs in, with options that Client.Renewing made. Nothing is sent.
func NewStorage(signedIn policy.ClientOptions, cred azcore.TokenCredential) *Storage {
	bearer := runtime.NewBearerTokenPolicy(cred, []string{"https://storage.azure.com/.default"}, nil)
	return &Storage{runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &signedIn)}
}

// StorageCall is one call. A PUT is a write.
type StorageCall struct {
	Op, Method, Address string
	Header              map[string]string
	Body                []byte // of a PUT; its type is that of bytes
	// Also is a status that is no success and is answered all the same; 0 for none.
	Also int
}

// Do sends a call. Whoever calls closes the answer's body. A refusal is an error with the service's code, and nothing else
// of its text.
func (s *Storage) Do(ctx context.Context, c StorageCall) (*http.Response, error) {
	write := c.Method == http.MethodPut
	req, err := runtime.NewRequest(ctx, c.Method, c.Address)
	if err != nil {
		return nil, &driver.Error{Kind: driver.Rejected, Op: c.Op, Detail: "the address is none"}
	}
	h := req.Raw().Header
	h.Set("X-Ms-Version", storageVersion)
	switch {
	case len(c.Body) > 0:
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(c.Body)), "application/octet-stream"); err != nil {
			return nil, &driver.Error{Kind: driver.Rejected, Op: c.Op, Detail: "it cannot be sent"}
		}
	case write:
		h.Set("Content-Length", "0")
	}
	for name, value := range c.Header {
		h.Set(name, value)
	}
	resp, err := s.pl.Do(req)
	if err != nil {
		return nil, Failure(c.Op, write, resp, err)
	}
	if resp.StatusCode/100 == 2 && !SignInPage(resp) || resp.StatusCode == c.Also {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, StorageRefusal(c.Op, write, resp)
}

// StorageRefusal makes an error of an answer.
func StorageRefusal(op string, write bool, resp *http.Response) error {
	err := Failure(op, write, resp, nil)
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	if code := Code(resp.Header.Get("X-Ms-Error-Code")); code != "" {
		e.Code = code
	}
	switch {
	case e.Kind == driver.Denied:
		e.Hint = "the identity needs the role Storage Blob Data Contributor on the container, and the network of the storage account must let this machine in"
	case e.Code == "ContainerNotFound":
		e.Hint = "make the container that the manifest names; Rekey makes none"
	}
	return e
}
