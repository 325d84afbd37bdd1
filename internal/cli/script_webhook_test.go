package cli_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// receiver is what a webhook's events are sent to: it verifies them, and reads the value in the vault that they name.
type receiver struct {
	s *simulator

	mu     sync.Mutex
	status int // what it answers in place of taking an event; 0: it takes them
	taken  map[string]int
	held   string
	deaf   bool // what deploy hands over is taken, and nothing is done with it
	wrong  error
	handed []string // ids of what the ledger recorded
}

// cmdReceiver has a webhook's receiver listen on this machine, at $RECEIVER, from the first time on, and answer with a
// status; 0 has it take what it is sent: receiver STATUS.
func cmdReceiver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: receiver STATUS")
	}
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	s := running(ts)
	if s.receiver == nil {
		s.receiver = &receiver{s: s, taken: map[string]int{}}
		server := httptest.NewServer(s.receiver)
		ts.Defer(server.Close)
		ts.Setenv("RECEIVER", server.URL)
	}
	s.receiver.mu.Lock()
	defer s.receiver.mu.Unlock()
	s.receiver.status = status
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status != 0 {
		w.WriteHeader(r.status)
		return
	}
	if r.deploys(w, req) {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = r.verify(req.Header, body)
	}
	if err == nil {
		err = r.take(body)
	}
	if err != nil {
		r.wrong = err
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// verify is written from the Standard Webhooks specification, and not from the product.
func (r *receiver) verify(h http.Header, body []byte) error {
	key, err := readSecret(r.s, "https://kv-rekey.vault.azure.net/secrets/webhook-signing-key")
	if err != nil {
		return err
	}
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return errors.New("an event without the time, or an old one")
	}
	m := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(m, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	for s := range strings.FieldsSeq(h.Get("webhook-signature")) {
		if got, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,")); err == nil && hmac.Equal(got, m.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature that is right")
}

func (r *receiver) take(body []byte) error {
	var e struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			SecretID string `json:"secretId"`
			Value    string `json:"value"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	if strings.HasSuffix(e.Type, ".ledger.v1") {
		r.handed = append(r.handed, e.ID)
	}
	if !strings.HasSuffix(e.Type, ".published.v1") {
		return nil
	}
	if r.taken[e.ID]++; r.taken[e.ID] > 1 {
		return nil // a repetition
	}
	r.held = e.Data.Value
	if r.held != "" {
		return nil
	}
	var err error
	r.held, err = readSecret(r.s, e.Data.SecretID)
	return err
}

// cmdReceived wants a receiver to have taken a number of publications, and to sign in to an organisation with the
// newest value of a secret: received COUNT ORGANISATION VAULT/SECRET.
func cmdReceived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: received COUNT ORGANISATION VAULT/SECRET")
	}
	s := running(ts)
	vault, name, _ := strings.Cut(args[2], "/")
	newest, err := readSecret(s, "https://"+vault+".vault.azure.net/secrets/"+name)
	ts.Check(err)
	s.receiver.mu.Lock()
	defer s.receiver.mu.Unlock()
	ts.Check(s.receiver.wrong)
	if n := strconv.Itoa(len(s.receiver.taken)); n != args[0] || s.receiver.held != newest {
		ts.Fatalf("%s publications were taken, and it holds the newest value: %v", n, s.receiver.held == newest)
	}
	ts.Check(signsIn(s.Transport(), args[1], s.receiver.held))
}
