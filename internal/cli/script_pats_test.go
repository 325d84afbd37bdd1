package cli_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdPAT has a person make PATs of the account in the portal, or revoke one: pat ORGANISATION SCOPES NAME [COUNT], where
// COUNT makes so many that are called NAME 1, NAME 2 ...; pat ORGANISATION revoke NAME.
func cmdPAT(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: pat ORGANISATION SCOPES NAME [COUNT]")
	}
	w := running(ts).World()
	w.Lock()
	defer w.Unlock()
	org := organisation(ts, w, args[0])
	if args[1] == "revoke" {
		for _, p := range org.PATs {
			if strings.Contains(p.Name, args[2]) && p.Revoked.IsZero() {
				p.Revoked = w.Now()
			}
		}
		return
	}
	names := []string{args[2]}
	if len(args) > 3 {
		var n int
		if _, err := fmt.Sscan(args[3], &n); err != nil {
			ts.Fatalf("%v", err)
		}
		names = nil
		for i := range n {
			names = append(names, fmt.Sprintf("%s %d", args[2], i+1))
		}
	}
	for _, name := range names {
		org.PATs = append(org.PATs, &world.PAT{
			AuthorizationID: w.NewID(), OwnerID: w.Users[0].ID, Name: name, Scope: strings.ReplaceAll(args[1], ",", " "), AllOrgs: args[1] == "all",
			ValidFrom: w.Now(), ValidTo: w.Now().Add(90 * 24 * time.Hour), Token: w.MintPAT(),
		})
	}
}

// cmdHolds signs in to an organisation with the newest value of a secret, as its user would, and wants it to be a PAT
// with these scopes: holds ORGANISATION VAULT/SECRET SCOPES.
func cmdHolds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: holds ORGANISATION VAULT/SECRET SCOPES")
	}
	s := running(ts)
	w := s.World()
	w.Lock()
	vault, secret, _ := strings.Cut(args[1], "/")
	value, scope := "", ""
	if _, newest := w.SecretAt("https://"+vault+".vault.azure.net/secrets/"+secret, w.Now()); newest != nil {
		value = newest.Value
	}
	for _, p := range organisation(ts, w, args[0]).PATs {
		if p.Token == value {
			scope = p.Scope
		}
	}
	w.Unlock()
	err := signsIn(s.Transport(), args[0], value)
	if works := value != "" && err == nil && scope == strings.ReplaceAll(args[2], ",", " "); works == neg {
		ts.Fatalf("it is there: %v; signing in: %v; its scopes are %q", value != "", err, scope)
	}
}

// cmdAlive wants so many of the account's PATs to be alive: alive ORGANISATION COUNT.
func cmdAlive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: alive ORGANISATION COUNT")
	}
	w := running(ts).World()
	w.Lock()
	defer w.Unlock()
	n := 0
	for _, p := range organisation(ts, w, args[0]).PATs {
		if p.Revoked.IsZero() && w.Now().Before(p.ValidTo) {
			n++
		}
	}
	if fmt.Sprint(n) != args[1] {
		ts.Fatalf("%d PATs are alive, want %s", n, args[1])
	}
}

func organisation(ts *testscript.TestScript, w *world.World, name string) *world.Organization {
	for _, o := range w.Organizations {
		if o.Name == name {
			return o
		}
	}
	ts.Fatalf("no organisation %s", name)
	return nil
}
