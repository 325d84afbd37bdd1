package cli_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdReads has a consumer read a version of a secret of kv-pat-prod over the wire, counted back from the newest, which is
// 0, and use it for what it is for: reads SECRET VERSION password|passphrase|key.
func cmdReads(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: reads SECRET VERSION password|passphrase|key")
	}
	back, err := strconv.Atoi(args[1])
	ts.Check(err)
	s := running(ts)
	w := s.World()
	w.Lock()
	var id, client, secret string
	for _, a := range w.Apps {
		if a.Name == "consumer" {
			client, secret = a.ClientID, a.ClientSecret
		}
	}
	for _, x := range w.Vaults[0].Secrets {
		if n := len(x.Versions) - 1 - back; x.Name == args[0] && n >= 0 {
			id = x.Versions[n].ID
		}
	}
	w.Unlock()
	if id == "" || client == "" {
		ts.Fatalf("no version %s of %s, or nobody to read it", args[1], args[0])
	}
	path := "/" + id
	if back == 0 {
		path = "" // as consumers do
	}
	status, value, tags, err := readAs(s.Transport(), client, secret, "https://kv-pat-prod.vault.azure.net/secrets/"+args[0]+path)
	ts.Check(err)
	if neg {
		if status != http.StatusForbidden {
			ts.Fatalf("version %s of %s answers %d", args[1], args[0], status)
		}
		return
	}
	if status != http.StatusOK {
		ts.Fatalf("version %s of %s answers %d", args[1], args[0], status)
	}
	ts.Check(usable(args[2], value, tags))
}

// readAs signs an application in and reads an address of a vault.
func readAs(network http.RoundTripper, client, secret, address string) (status int, value string, tags map[string]string, err error) {
	web := http.Client{Transport: network}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {"https://vault.azure.net/.default"}}
	resp, err := web.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		return 0, "", nil, err
	}
	req, err := http.NewRequest(http.MethodGet, address+"?api-version=7.4", nil)
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Access)
	got, err := web.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer got.Body.Close()
	var body struct {
		Value string            `json:"value"`
		Tags  map[string]string `json:"tags"`
	}
	b, err := io.ReadAll(got.Body)
	if err == nil {
		err = json.Unmarshal(b, &body)
	}
	return got.StatusCode, body.Value, body.Tags, err
}

var (
	passwords   = regexp.MustCompile(`^[A-Za-z0-9!#()*,\-./:;<=>?@\[\]^_{|}~]{40}$`)
	passphrases = regexp.MustCompile(`^([bdfghjklmnprstvz][aiou]){3}(-([bdfghjklmnprstvz][aiou]){3}){6}$`)
)

// usable uses a value of the example.
func usable(kind, value string, tags map[string]string) error {
	switch {
	case kind == "password" && passwords.MatchString(value), kind == "passphrase" && passphrases.MatchString(value):
		return nil
	case kind != "key":
		return fmt.Errorf("it is no %s of the example's", kind)
	}
	// One service signs with the value, and another one, which may read the secret's tags alone, verifies.
	block, _ := pem.Decode([]byte(value))
	if block == nil {
		return fmt.Errorf("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("message"))
	signature, err := key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return err
	}
	der, err := base64.StdEncoding.DecodeString(tags["rekey-public-key"])
	if err != nil {
		return err
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	fingerprint := sha256.Sum256(der)
	if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), sum[:], signature) || tags["rekey-fingerprint"] != "SHA256:"+base64.StdEncoding.EncodeToString(fingerprint[:]) {
		return fmt.Errorf("the tags are of another key")
	}
	return nil
}
