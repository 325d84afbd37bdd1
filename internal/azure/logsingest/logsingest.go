// Package logsingest sends events to the Logs Ingestion API of Azure Monitor: records for the stream of a data collection
// rule, at its endpoint.
//
// It queries nothing and makes no table. What always holds: a call is under 1 MB, packed and unpacked; records go in their
// order; 204 says that they were taken, and not that a query finds them. What the stream has no column for is dropped by
// the service without a word, so that each record has the whole entry in Detail too.
package logsingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/events"
)

const (
	apiVersion = "2023-01-01"
	// most is how large the records of one call are together at most, unpacked.
	most = 900 << 10
	// sendFor bounds one call.
	sendFor = 30 * time.Second
)

// scopes are what a token is asked for, by the sign-in host of the cloud.
var scopes = map[string]string{
	cloud.AzurePublic.ActiveDirectoryAuthorityHost:     "https://monitor.azure.com/.default",
	cloud.AzureGovernment.ActiveDirectoryAuthorityHost: "https://monitor.azure.us/.default",
	cloud.AzureChina.ActiveDirectoryAuthorityHost:      "https://monitor.azure.cn/.default",
}

// Stream is a sink: one stream of one rule.
type Stream struct {
	name, address string
	pl            runtime.Pipeline
}

var _ events.Sink = (*Stream)(nil)

// New makes a sink whose calls cred signs in, with options that azhttp.Client.Renewing made. Nothing is sent.
func New(name, endpoint, rule, stream string, signedIn policy.ClientOptions, cred azcore.TokenCredential) *Stream {
	bearer := runtime.NewBearerTokenPolicy(cred, []string{scopes[signedIn.Cloud.ActiveDirectoryAuthorityHost]}, nil)
	return &Stream{name: name, address: fmt.Sprintf("%s/dataCollectionRules/%s/streams/%s?api-version=%s", endpoint, rule, stream, apiVersion),
		pl: runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &signedIn)}
}

// Name implements events.Sink.
func (s *Stream) Name() string { return s.name }

// record is an event as a row.
type record struct {
	TimeGenerated time.Time
	ID            string `json:"Id"`
	Kind          string // effect and phase
	Credential    string
	Run           string
	Effect        string
	Phase         string
	Target        string
	Reason        string
	Error         string
	Detail        string // the whole entry, as JSON
}

func recordOf(e events.Event) ([]byte, error) {
	x := e.Entry
	return json.Marshal(record{e.Time, e.ID, x.Effect + " " + string(x.Phase), x.Credential, x.Run, x.Effect, string(x.Phase), x.Target, x.Reason, x.Error, string(e.Data)})
}

// Send implements events.Sink.
func (s *Stream) Send(ctx context.Context, all []events.Event) (taken int, err error) {
	for taken < len(all) {
		body, n, err := pack(all[taken:])
		if err != nil {
			return taken, err
		}
		if err := s.post(ctx, body); err != nil {
			return taken, err
		}
		taken += n
	}
	return taken, nil
}

// pack makes an array of as many of the first events as fit into one call.
func pack(all []events.Event) (body []byte, n int, err error) {
	for _, e := range all {
		r, err := recordOf(e)
		if err != nil {
			return nil, 0, fmt.Errorf("write event %s: %w", e.ID, err)
		}
		if n > 0 && len(body)+len(r)+2 > most {
			break
		}
		if n++; n == 1 {
			body = append(body, '[')
		} else {
			body = append(body, ',')
		}
		body = append(body, r...)
	}
	return append(body, ']'), n, nil
}

func (s *Stream) post(ctx context.Context, body []byte) error {
	const op = "send events to Azure Monitor"
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, werr := z.Write(body)
	req, err := runtime.NewRequest(ctx, http.MethodPost, s.address)
	if err = errors.Join(werr, z.Close(), err); err == nil {
		err = req.SetBody(streaming.NopCloser(bytes.NewReader(packed.Bytes())), "application/json")
	}
	if err != nil {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
	}
	req.Raw().Header.Set("Content-Encoding", "gzip")
	resp, err := s.pl.Do(req)
	if err != nil {
		return azhttp.Failure(op, true, resp, err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	out := azhttp.Failure(op, true, resp, nil)
	var e *driver.Error
	if errors.As(out, &e) {
		if code := azhttp.Code(resp.Header.Get("X-Ms-Error-Code")); code != "" {
			e.Code = code
		}
		switch e.Kind {
		case driver.Denied:
			e.Hint = "the identity needs the role Monitoring Metrics Publisher on the data collection rule; it takes up to half an hour until that is known"
		case driver.Missing:
			e.Hint = "check the endpoint, the rule's immutable id and the stream in the manifest: the stream must be one that the rule declares"
		}
	}
	return out
}
