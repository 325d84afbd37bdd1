package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// deploy is the program that a command runs: it hands what is on its input to what runs at $RECEIVER. It is as careless
// with what it prints as such programs are.
func deploy() {
	os.Exit(deploying(os.Args[1:]))
}

func deploying(args []string) int {
	value, err := io.ReadAll(os.Stdin)
	if err != nil || len(value) == 0 {
		fmt.Fprintln(os.Stderr, "nothing to deploy", err)
		return 2
	}
	if strings.Contains(strings.Join(append(os.Environ(), args...), " "), string(value)) {
		fmt.Fprintln(os.Stderr, "the value is where everybody sees it")
		return 2
	}
	path := "/value/" + os.Getenv("REKEY_PUBLICATION")
	if slices.Contains(args, "--check") {
		path = "/works"
	}
	resp, err := http.Post(os.Getenv("RECEIVER")+path, "text/plain", bytes.NewReader(value))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return 0
	case http.StatusServiceUnavailable:
		return 75
	}
	fmt.Fprintf(os.Stderr, "cannot deploy %s: %s\n", value, resp.Status)
	return 1
}

// deploys takes what deploy hands over, and tries it.
func (r *receiver) deploys(w http.ResponseWriter, req *http.Request) bool {
	publication, ours := strings.CutPrefix(req.URL.Path, "/value/")
	switch {
	case ours:
		value, err := io.ReadAll(req.Body)
		if err != nil || publication == "" {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		r.taken[publication]++
		if !r.deaf {
			r.held = string(value)
		}
	case req.URL.Path == "/works":
		value, err := io.ReadAll(req.Body)
		if err != nil || r.held != string(value) || signsIn(r.s.Transport(), "contoso", r.held) != nil {
			w.WriteHeader(http.StatusConflict)
		}
	default:
		return false
	}
	return true
}

// cmdDeployed wants a number of publications to have been deployed, and what is deployed to be the newest value of a
// secret and to sign in to an organisation: deployed COUNT ORGANISATION VAULT/SECRET. With a word alone, deaf or hearing,
// what deploy hands over is taken well from then on, and nothing is done with it, or it is again.
func cmdDeployed(ts *testscript.TestScript, neg bool, args []string) {
	r := running(ts).receiver
	if len(args) == 1 && (args[0] == "deaf" || args[0] == "hearing") {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.deaf = args[0] == "deaf"
		return
	}
	if _, err := strconv.Atoi(args[0]); err != nil {
		ts.Fatalf("usage: deployed COUNT ORGANISATION VAULT/SECRET, or deployed deaf|hearing")
	}
	cmdReceived(ts, neg, args)
}
