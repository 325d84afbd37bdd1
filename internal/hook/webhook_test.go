package hook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/hook/webhook"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim/world"
)

const receiverHost = "hooks.contoso.example"

// receiver takes events as an honest one would, and remembers them.
type receiver struct {
	b      *bed
	holds  string
	events []received
}

type received struct {
	header http.Header
	body   []byte
	event  map[string]any
}

// RoundTrip is the network: the simulated Azure, and the receiver's own host.
func (b *bed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != receiverHost {
		return b.srv.Transport().RoundTrip(r)
	}
	return b.receiver.serve(r)
}

func (x *receiver) serve(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	answer := func(status int, media, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {media}, "Retry-After": nil}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	var e map[string]any
	if err := json.Unmarshal(body, &e); err != nil {
		x.b.Errorf("not an event: %v", err)
	}
	quoted := "refused: " + string(body) + key
	if e["type"] == webhook.Published {
		switch f := x.b.due("Write"); f {
		case drivertest.Lost, drivertest.Truncated, drivertest.Malformed:
			// What breaks off before its status is there says nothing; what follows it is not read.
			x.take(r, body, e)
			return nil, errors.New("connection reset")
		case drivertest.Late:
			go func() {
				<-time.After(10 * time.Second)
				x.take(r, body, e)
			}()
			return nil, errors.New("connection reset")
		case drivertest.Cut:
			return nil, errors.New("connection reset")
		case drivertest.Hung:
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(3 * time.Hour):
			}
		case drivertest.Throttled:
			return answer(429, "text/plain", quoted)
		case drivertest.Unavailable:
			return answer(503, "text/plain", quoted)
		case drivertest.Page:
			return answer(200, "text/html", quoted)
		case drivertest.Refused:
			return answer(400, "text/plain", quoted)
		case drivertest.Denied:
			return answer(403, "text/plain", quoted)
		}
	}
	switch {
	case r.URL.Path != "/rekey":
		return answer(404, "text/plain", quoted)
	case verify(r.Header, body) != nil:
		return answer(401, "text/plain", quoted)
	}
	x.take(r, body, e)
	return answer(204, "", "")
}

// verify is how a receiver knows Rekey, written from the Standard Webhooks specification.
func verify(h http.Header, body []byte) error {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		return err
	}
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("sent at %q", h.Get("webhook-timestamp"))
	}
	m := hmac.New(sha256.New, raw)
	fmt.Fprintf(m, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	for s := range strings.FieldsSeq(h.Get("webhook-signature")) {
		got, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,"))
		if err == nil && strings.HasPrefix(s, "v1,") && hmac.Equal(got, m.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature that is right")
}

// take is what the receiver does: it takes the value from the event, or reads it in the vault that the event names.
func (x *receiver) take(r *http.Request, body []byte, e map[string]any) {
	x.b.mu.Lock()
	defer x.b.mu.Unlock()
	x.events = append(x.events, received{r.Header.Clone(), body, e})
	if e["type"] != webhook.Published {
		return
	}
	d, _ := e["data"].(map[string]any)
	if v, there := d["value"].(string); there {
		x.holds = v
	} else if d["secretId"] == "https://"+vaultHost+"/secrets/"+target.Name {
		x.holds = x.b.newest(target.Name).Value
	}
}

func (x *receiver) held() string {
	x.b.mu.Lock()
	defer x.b.mu.Unlock()
	return x.holds
}

// webhookTo makes a consumer; change may be nil.
func webhookTo(b *bed, change func(*webhook.Settings)) published {
	v, opts := b.store()
	s := webhook.Settings{URL: "https://" + receiverHost + "/rekey", SigningKey: manifest.SecretRef{Vault: "prod", Secret: keyName}, Timeout: time.Minute}
	of := target
	if change != nil {
		change(&s)
		if strings.HasSuffix(s.URL, "/nothing") {
			of.Name = "nothing"
		}
	}
	return published{hook.New("receiver", "devops-pat", v, of, webhook.New(opts, s, v, of)), b}
}

func withReceiver(t *testing.T) (*bed, *receiver) {
	b := newBed(t)
	x := &receiver{b: b}
	b.receiver = x
	return b, x
}

func TestAWebhookIsAConsumer(t *testing.T) {
	for name, with := range map[string]func(*webhook.Settings){
		"that is sent the vault's address": func(*webhook.Settings) {},
		"that is sent the value":           func(s *webhook.Settings) { s.IncludeSecret = true },
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				b, x := withReceiver(t)
				n := 0
				return drivertest.ConsumerBed{
					Consumer: webhookTo(b, with), Twin: webhookTo(b, with),
					Powerless: webhookTo(b, func(s *webhook.Settings) { with(s); s.SigningKey.Secret = "wrong-key" }),
					Absent:    webhookTo(b, func(s *webhook.Settings) { with(s); s.URL = "https://" + receiverHost + "/nothing" }),
					Service:   b.service(),
					Value: func() string {
						n++
						return fmt.Sprintf("value \"%d\" %s", n, world.Canary)
					},
					Holds: x.held, Rest: b.rest,
					Replace: func(v string) { x.holds = v },
					Weak:    true, Forgets: true, Lapse: simulated.Lapse,
				}
			})
		})
	}
}

// tells has an event sent, and gives it as it was received.
func tells(t *testing.T, change func(*webhook.Settings), test func(b *bed, x *receiver, send func() (rotation.ConsumerState, error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, x := withReceiver(t)
		w := webhookTo(b, change)
		test(b, x, func() (rotation.ConsumerState, error) {
			return w.Tell(t.Context(), first, secret.New([]byte("the value "+world.Canary)))
		})
	})
}

func TestAnEventIsACloudEventAndTheSameEachTime(t *testing.T) {
	tells(t, nil, func(b *bed, x *receiver, send func() (rotation.ConsumerState, error)) {
		for range 2 {
			if _, err := send(); err != nil {
				b.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		const want = `{"specversion":"1.0","id":"01aaaaaaaaaaaaaaaa","source":"https://kv-pat-prod.vault.azure.net/secrets/origin","type":"com.github.rekeyhq.rekey.published.v1",` +
			`"subject":"devops-pat","time":"2016-01-30T22:26:38Z","datacontenttype":"application/json",` +
			`"data":{"credential":"devops-pat","consumer":"receiver","publication":"01aaaaaaaaaaaaaaaa","secretId":"https://kv-pat-prod.vault.azure.net/secrets/origin"}}`
		if got := string(x.events[0].body); got != want || string(x.events[1].body) != want {
			b.Errorf("\n%s\n%s\nwant\n%s", got, x.events[1].body, want)
		}
		h, again := x.events[0].header, x.events[1].header
		if h.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" || h.Get("webhook-id") != string(first) || again.Get("webhook-id") != string(first) {
			b.Errorf("headers %v", h)
		}
		if h.Get("webhook-timestamp") == again.Get("webhook-timestamp") || h.Get("webhook-signature") == again.Get("webhook-signature") {
			b.Error("a repetition is signed as of the first time")
		}
	})
}

func TestTheValueIsInAnEventOnlyWhereTheManifestSaysSo(t *testing.T) {
	for _, include := range []bool{false, true} {
		tells(t, func(s *webhook.Settings) { s.IncludeSecret = include }, func(b *bed, x *receiver, send func() (rotation.ConsumerState, error)) {
			if _, err := send(); err != nil {
				b.Fatal(err)
			}
			if got := strings.Contains(fmt.Sprint(x.events), world.Canary); got != include {
				b.Errorf("includeSecret: %v; it is there: %v", include, got)
			}
			place := webhookTo(b, func(s *webhook.Settings) { s.IncludeSecret = include }).Place()
			if strings.Contains(place, "the value itself") != include {
				b.Errorf("the plan says %q", place)
			}
		})
	}
}

func TestAPreflightIsAnEventOnWhichThereIsNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, x := withReceiver(t)
		w := webhookTo(b, nil)
		for range 2 {
			if err := w.Preflight(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(x.events) != 2 || x.events[0].event["type"] != webhook.Preflight || x.events[0].event["id"] == x.events[1].event["id"] || x.events[0].event["id"] != x.events[0].header.Get("webhook-id") {
			t.Errorf("%d events, %s", len(x.events), x.events[0].body)
		}
	})
}

func TestASigningKeyThatIsNoneIsAPersonsToMend(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		kind  driver.Kind
	}{
		"too short":      {"hunter2", driver.Rejected},
		"no base64":      {"whsec_" + strings.Repeat("?", 40), driver.Rejected},
		"short base64":   {"whsec_aGVsbG8=", driver.Rejected},
		"not there":      {"", driver.Missing},
		"just any bytes": {strings.Repeat("k", 24), driver.Denied}, // sound, and not the one that the receiver knows
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := withReceiver(t)
				if c.value != "" {
					b.put("odd", c.value, nil)
				}
				err := webhookTo(b, func(s *webhook.Settings) { s.SigningKey.Secret = "odd" }).Preflight(t.Context())
				var e *driver.Error
				if !errors.As(err, &e) || e.Kind != c.kind || !e.Person || e.Hint == "" || c.value != "" && strings.Contains(e.Error()+e.Hint, c.value) {
					t.Errorf("%v, want %v", err, c.kind)
				}
			})
		})
	}
}

func TestAReceiverThatTakesTooLongIsNotWaitedFor(t *testing.T) {
	tells(t, func(s *webhook.Settings) { s.Timeout = 10 * time.Second }, func(b *bed, x *receiver, send func() (rotation.ConsumerState, error)) {
		b.faults["Write"] = []fault{{drivertest.Hung, 1, 1}}
		start := time.Now()
		_, err := send()
		if d := time.Since(start); driver.KindOf(err) != driver.Ambiguous || d > 11*time.Second {
			b.Errorf("%v after %v", err, d)
		}
	})
}

func TestWhereEventsAreSent(t *testing.T) {
	for url, want := range map[string]string{
		"https://hooks.contoso.example/rekey":    "",
		"https://hooks.contoso.example:8443/a/b": "",
		"http://localhost:8080/x":                "",
		"http://127.0.0.1:8080":                  "",
		"http://[::1]:8080/":                     "",
		"http://hooks.contoso.example/":          "must be https",
		"http://127.0.0.1.example/":              "must be https",
		"http://10.0.0.1/":                       "must be https",
		"ftp://hooks.contoso.example/":           "must be https",
		"https://user:hunter2@contoso.example/":  "must have no user name",
		"https://contoso.example/?sig=hunter2":   "must have no user name",
		"https://contoso.example/#hunter2":       "must have no user name",
		"hooks.contoso.example":                  "must be an address",
		"https://":                               "must be an address",
		"https:hooks.contoso.example":            "must be an address",
		"%zz":                                    "must be an address",
	} {
		var got string
		s := webhook.Settings{URL: url, Timeout: time.Minute}
		s.Check(func(path, text string) { got += path + " " + text }, manifest.Context{})
		if (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
		if located := s.Location() != ""; located != (want == "") {
			t.Errorf("%s is at %q", url, s.Location())
		}
	}
	if a, b := (&webhook.Settings{URL: "HTTPS://Hooks.Contoso.Example/Rekey"}).Location(), (&webhook.Settings{URL: "https://hooks.contoso.example/Rekey"}).Location(); a != b {
		t.Errorf("%q and %q are one place", a, b)
	}
}
