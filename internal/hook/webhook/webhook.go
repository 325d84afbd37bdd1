// Package webhook tells an HTTP receiver of each publication, by a signed event: a CloudEvents 1.0 document in JSON,
// with the headers webhook-id, webhook-timestamp and webhook-signature of Standard Webhooks.
//
// It is not for messages to people, and it receives nothing. What always holds: the event's id is the publication, and
// the same publication is the same document however often it is sent, so that a receiver can tell a repetition; the
// value is in it only where the manifest says so; nothing is sent in the clear to another machine, and no redirect is
// followed; any status from 200 to 299 means that the receiver has taken the event, and nothing that it answers besides
// is read.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// Published is the type of the event that hands a publication over.
	Published = "com.github.rekeyhq.rekey.published.v1"
	// Preflight is the type of an event that asks whether events are taken. There is nothing to do on it.
	Preflight = "com.github.rekeyhq.rekey.preflight.v1"

	// shortestKey is the least that Standard Webhooks asks of a key, in bytes.
	shortestKey = 24
	keyPrefix   = "whsec_"
)

// Webhook is a hook.Receiver.
type Webhook struct {
	pl       runtime.Pipeline
	at       *url.URL
	settings Settings
	keys     driver.Store
	source   string // of its preflights
}

var _ hook.Receiver = (*Webhook)(nil)

// New makes a receiver of a credential that is kept in the given secret. keys is the vault of the signing key. The
// settings were checked. Nothing is sent.
func New(opts policy.ClientOptions, s Settings, keys driver.Store, of rotation.Target) *Webhook {
	u, why := address(s.URL)
	if why != "" {
		u = &url.URL{}
	}
	return &Webhook{pl: runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{}, &opts), at: u, settings: s, keys: keys,
		source: hook.Handover{Secret: of}.SecretID()}
}

// Place implements hook.Receiver.
func (w *Webhook) Place() string {
	if w.settings.IncludeSecret {
		return "webhook " + w.at.String() + ", which is sent the value itself"
	}
	return "webhook " + w.at.String()
}

// Key implements hook.Receiver.
func (w *Webhook) Key() string {
	return w.at.String() + " " + strconv.FormatBool(w.settings.IncludeSecret)
}

// Weak implements hook.Receiver: that an event was taken says nothing of what came of it.
func (w *Webhook) Weak() bool { return true }

// Try implements hook.Receiver.
func (w *Webhook) Try(context.Context, hook.Handover) (string, error) { return "", nil }

// event is a CloudEvents document.
type event struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject,omitempty"`
	Time            string `json:"time,omitempty"`
	DataContentType string `json:"datacontenttype,omitempty"`
	Data            *data  `json:"data,omitempty"`
}

// data is what a receiver is told. Value is JSON text.
type data struct {
	Credential  string          `json:"credential"`
	Consumer    string          `json:"consumer"`
	Publication string          `json:"publication"`
	SecretID    string          `json:"secretId"`
	Value       json.RawMessage `json:"value,omitempty"`
}

// Preflight implements hook.Receiver. It sends an event on which there is nothing to do: a receiver that is not there,
// or does not know the signature, shows before anything is issued.
func (w *Webhook) Preflight(ctx context.Context) error {
	op := "prepare " + w.Place()
	id := "preflight-" + rand.Text()
	body, err := json.Marshal(event{SpecVersion: "1.0", ID: id, Source: w.source, Type: Preflight})
	if err != nil {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the event cannot be made"}
	}
	err = w.send(ctx, op, id, body)
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Ambiguous {
		e.Kind = driver.Unavailable // nothing was to be changed
	}
	return err
}

// Hand implements hook.Receiver.
func (w *Webhook) Hand(ctx context.Context, h hook.Handover) error {
	op := "tell " + w.Place()
	d := &data{Credential: h.Credential, Consumer: h.Consumer, Publication: string(h.Publication), SecretID: h.SecretID()}
	if w.settings.IncludeSecret {
		if err := h.Value.Use(func(b []byte) (err error) {
			if !utf8.Valid(b) {
				return errors.New("the value is not text")
			}
			d.Value, err = json.Marshal(string(b))
			return err
		}); err != nil {
			return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the value cannot be written as JSON", Person: true,
				Hint: "take includeSecret out of the manifest, and have the receiver read the value from the vault"}
		}
		defer clear(d.Value)
	}
	body, err := json.Marshal(event{SpecVersion: "1.0", ID: string(h.Publication), Source: h.SecretID(), Type: Published, Subject: h.Credential,
		Time: rotation.Generation(h.Publication).Time().Format(time.RFC3339), DataContentType: "application/json", Data: d})
	if err != nil {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the event cannot be made"}
	}
	defer clear(body)
	return w.send(ctx, op, string(h.Publication), body)
}

// Send has an event taken that is another one's: signed as ours are, with the same id however often it is sent.
func (w *Webhook) Send(ctx context.Context, id string, body []byte) error {
	return w.send(ctx, "send an event to webhook "+w.at.String(), id, body)
}

// send signs an event and has it taken.
func (w *Webhook) send(ctx context.Context, op, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, w.settings.Timeout)
	defer cancel()
	at := strconv.FormatInt(time.Now().Unix(), 10)
	signature, err := w.sign(ctx, op, id+"."+at+".", body)
	if err != nil {
		return err
	}
	req, err := runtime.NewRequest(ctx, http.MethodPost, w.at.String())
	if err == nil {
		err = req.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/cloudevents+json; charset=utf-8")
	}
	if err != nil {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
	}
	for name, v := range map[string]string{"webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature} {
		req.Raw().Header.Set(name, v)
	}
	resp, err := w.pl.Do(req)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode >= 200 && resp.StatusCode < 300 && !azhttp.SignInPage(resp) {
			return nil
		}
	}
	return w.failure(op, resp, err)
}

// failure is what an answer other than success means. Its body is not read.
func (w *Webhook) failure(op string, resp *http.Response, err error) error {
	out := azhttp.Failure(op, true, resp, err)
	var e *driver.Error
	if !errors.As(out, &e) || resp == nil {
		return out
	}
	switch {
	case azhttp.SignInPage(resp):
		e.Kind, e.Detail = driver.Ambiguous, "it answered with a page for people, or leads to another address, which is not followed"
		e.Hint = "name the receiver's own address in the manifest, and check that no proxy or sign-in page answers in its place"
	case e.Kind == driver.Denied:
		e.Person = true
		e.Hint = "have the receiver verify webhook-signature with the key in secret " + w.settings.SigningKey.Secret + ", and compare this machine's clock with its own"
	case e.Kind == driver.Missing:
		e.Person, e.Hint = true, "check the address in the manifest, and that the receiver takes POST there"
	case e.Kind == driver.Rejected:
		e.Hint = "look into the receiver's own log: it refused the event"
	}
	return e
}

// sign makes the header webhook-signature of what is signed: id, time and body.
func (w *Webhook) sign(ctx context.Context, op, prefix string, body []byte) (string, error) {
	ref := w.settings.SigningKey
	unfit := func(kind driver.Kind, detail string) error {
		return &driver.Error{Kind: kind, Op: op, Detail: fmt.Sprintf("the signing key, secret %s of vault %s, %s", ref.Secret, w.keys.Host(), detail), Person: true,
			Hint: "set it to the key that the receiver verifies with: " + strconv.Itoa(shortestKey) + " random bytes at least, or " + keyPrefix + " and such bytes in base64"}
	}
	r, err := w.keys.Read(ctx, ref.Secret)
	defer r.Value.Wipe()
	switch {
	case err != nil:
		var e *driver.Error
		if errors.As(err, &e) {
			with := *e
			with.Person = e.Kind == driver.Denied && e.Hint != ""
			return "", &with
		}
		return "", err
	case r.Secret.State != rotation.Present:
		return "", unfit(driver.Missing, "is not there")
	case !r.Secret.Enabled:
		return "", unfit(driver.Rejected, "is disabled")
	}
	signature, ok := signed(r.Value, prefix, body)
	if !ok {
		return "", unfit(driver.Rejected, "is too short, or no base64")
	}
	return signature, nil
}

// signed is the signature of prefix and body with a key; ok is false for a key that is none.
func signed(key secret.Value, prefix string, body []byte) (signature string, ok bool) {
	_ = key.Use(func(b []byte) error {
		if encoded, is := bytes.CutPrefix(b, []byte(keyPrefix)); is {
			b = make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
			n, err := base64.StdEncoding.Decode(b, encoded)
			if err != nil {
				return err
			}
			b = b[:n]
			defer clear(b)
		}
		if ok = len(b) >= shortestKey; !ok {
			return nil
		}
		m := hmac.New(sha256.New, b)
		m.Write([]byte(prefix))
		m.Write(body)
		signature = "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
		return nil
	})
	return signature, ok
}
