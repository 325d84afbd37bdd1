package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// playSecret is play with a client secret of the application reporting-shared, which two teams use by secrets of
// their own, and which has others that look like Rekey's.
func playSecret(t *testing.T, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	t.Parallel()
	stageSecret(t, change, scenario)
}

func stageSecret(t *testing.T, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	manifest := usual()
	manifest.secret = true
	stage(t, manifest, func(s *world.State) {
		reporting := appOf(s, world.AppReporting)
		reporting.Owners = append(reporting.Owners, rekeySP)
		appOf(s, rekeyClient).ApplicationPermissions = []string{"Application.ReadWrite.OwnedBy"}
		old := rotation.NewGeneration(time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), [5]byte{1, 2, 3, 4, 5})
		elsewhere := rotation.Target{Vault: prodHost, Name: "another-secret"}
		for i, name := range []string{
			rotation.Stamp{Credential: "another", Hash: elsewhere.Hash(), Generation: old}.String(),
			rotation.Stamp{Credential: credential, Hash: elsewhere.Hash(), Generation: old}.String(),
			rotation.Stamp{Credential: "another", Hash: target.Hash(), Generation: old}.String(), // a hash that collides
			"rekey/" + credential + "/typed-by-hand",
		} {
			reporting.Secrets = append(reporting.Secrets, &world.PasswordCredential{
				KeyID: fmt.Sprintf("c0c0c0c0-0000-4000-8000-00000000000%d", i), Name: name, Value: fmt.Sprintf("Ot%d8Q~%sOtherOtherOtherOther%d", i, world.Canary, i),
				Start: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2000, 11, 1, 0, 0, 0, 0, time.UTC),
			})
		}
		if change != nil {
			change(s)
		}
	}, scenario)
}

func appOf(s *world.State, clientID string) *world.App {
	return s.Apps[slices.IndexFunc(s.Apps, func(a *world.App) bool { return a.ClientID == clientID })]
}

// secrets are the application's client secrets in the form of PATs, removed ones too: those are remembered from when
// they were last looked at, which the consumer's probes do after each change.
func (b *bed) secrets() (out []world.PAT) {
	b.world(func(w *world.World) {
		there := map[string]bool{}
		for _, p := range appOf(&w.State, world.AppReporting).Secrets {
			there[p.KeyID] = true
			b.issued[p.KeyID] = world.PAT{AuthorizationID: p.KeyID, Name: p.Name, ValidFrom: p.Start, ValidTo: p.End, Token: p.Value}
		}
		for id, p := range b.issued {
			if !there[id] && p.Revoked.IsZero() {
				p.Revoked = w.Now()
				b.issued[id] = p
			}
			out = append(out, b.issued[id])
		}
	})
	return out
}

// signIn signs in as the application, as a service of one of its teams would.
func (c *consumer) signIn(value string) error {
	c.b.secrets()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {world.AppReporting}, "client_secret": {value}, "scope": {"https://graph.microsoft.com/.default"}}
	req, _ := http.NewRequest(http.MethodPost, "https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out struct {
		Token string `json:"access_token"`
	}
	if err := c.send(req, &out); err != nil {
		return err
	}
	if out.Token == "" {
		return fmt.Errorf("there is no token")
	}
	return nil
}
