package hook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	vaultHost = "kv-pat-prod.vault.azure.net"
	keyName   = "signing-key"
	key       = "whsec_" + "UkVLRVlDQU5BUlktYS1rZXktb2YtdGhpcnR5LWJ5dGVz" // 33 bytes
	wrongKey  = "another key, which the receiver does not know"
)

var target = rotation.Target{Vault: vaultHost, Name: "origin"}

// bed is an Azure with the secret that receivers are told of, and with the keys that they know.
type bed struct {
	*testing.T
	srv      *sim.Server
	receiver *receiver // nil for a command
	// faults of the receiver's own calls, and how many of them reached it.
	mu     sync.Mutex
	faults map[string][]fault
	sent   map[string]int
}

// fault is a fault and for which calls of its method it waits.
type fault struct {
	f          drivertest.Fault
	nth, times int
}

func newBed(t *testing.T) *bed {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{T: t, srv: s, faults: map[string][]fault{}, sent: map[string]int{}}
	b.put(target.Name, "the value before all others", map[string]string{"owner": "a team"})
	b.put(keyName, key, nil)
	b.put("wrong-key", wrongKey, nil)
	return b
}

// put makes a new version of a secret.
func (b *bed) put(name, value string, tags map[string]string) {
	w := b.srv.World()
	w.Lock()
	defer w.Unlock()
	v := &world.SecretVersion{ID: w.NewVersion(), Value: value, Created: w.Now(), Updated: w.Now(), Tags: tags}
	for _, x := range w.Vaults[0].Secrets {
		if x.Name == name {
			x.Versions = append(x.Versions, v)
			return
		}
	}
	w.Vaults[0].Secrets = append(w.Vaults[0].Secrets, &world.Secret{Name: name, Versions: []*world.SecretVersion{v}})
}

// newest is a secret's newest version.
func (b *bed) newest(name string) world.SecretVersion {
	w := b.srv.World()
	w.Lock()
	defer w.Unlock()
	for _, x := range w.Vaults[0].Secrets {
		if x.Name == name {
			v := *x.Versions[len(x.Versions)-1]
			v.Tags = maps.Clone(v.Tags)
			return v
		}
	}
	return world.SecretVersion{}
}

// rest is everything that is kept beside value, record and mark.
func (b *bed) rest() string {
	tags := b.newest(target.Name).Tags
	delete(tags, rotation.RecordTag)
	delete(tags, "rekey-told-receiver")
	return fmt.Sprint(tags)
}

// publish makes a publication of a value, as the engine does before it tells anybody.
func (b *bed) publish(p rotation.Publication, v secret.Value) {
	now := b.now()
	r, err := rotation.Record{Generation: rotation.NewGeneration(now, [5]byte{1}), IssuerID: "i", Publication: p, Expires: now.AddDate(0, 1, 0), RevokeAfter: now}.Encode()
	if err != nil {
		b.Fatal(err)
	}
	tags := b.newest(target.Name).Tags
	tags[rotation.RecordTag] = r
	_ = v.Use(func(x []byte) error { b.put(target.Name, string(x), tags); return nil })
}

func (b *bed) now() time.Time {
	w := b.srv.World()
	w.Lock()
	defer w.Unlock()
	return w.Now()
}

// published is a consumer whose every tell comes after a publication.
type published struct {
	*hook.Consumer
	b *bed
}

func (p published) Tell(ctx context.Context, publication rotation.Publication, v secret.Value) (rotation.ConsumerState, error) {
	if ctx.Err() == nil {
		p.b.publish(publication, v)
	}
	return p.Consumer.Tell(ctx, publication, v)
}

// store is the vault, as the administrator sees it.
func (b *bed) store() (*keyvault.Vault, policy.ClientOptions) {
	b.Helper()
	client := azhttp.NewClient(b, nil)
	cred := azhttp.NewCredential("administrator", &simulated.SignIn{Sim: b.srv, App: "administrator"})
	v, err := keyvault.New(vaultHost, cred, client.Renewing(client.Options(cloud.AzurePublic), cred))
	if err != nil {
		b.Fatal(err)
	}
	// A client's first call goes without a token, to be told where to sign in; faults are for those that follow.
	if _, err := v.Read(b.Context(), "nothing"); err != nil {
		b.Fatal(err)
	}
	return v, client.Options(cloud.AzurePublic)
}

// due counts a call of the receiver's, and gives the fault that it has.
func (b *bed) due(method string) drivertest.Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent[method]++
	for i := range b.faults[method] {
		if f := &b.faults[method][i]; f.nth > 1 {
			f.nth--
		} else if f.times > 0 {
			f.times--
			return f.f
		}
	}
	return 0
}

// service has faults of "Read" and "Preflight" happen in the vault, and all others at the receiver.
func (b *bed) service() drivertest.Service {
	secrets := func() []string {
		w := b.srv.World()
		w.Lock()
		defer w.Unlock()
		return w.Secrets()
	}
	return drivertest.Service{
		Now: b.now, Advance: b.srv.World().Advance, Secrets: secrets,
		Sent: func(method string) int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.sent[method]
		},
		Fault: func(method string, f drivertest.Fault, nth, times int) {
			if method != "Read" && method != "Preflight" {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.faults[method] = append(b.faults[method], fault{f, nth, times})
				return
			}
			x := sim.Fault{Service: "keyvault", Operation: "GetSecret", Nth: nth, Times: times}
			quoted, _ := json.Marshal("refused: " + strings.Join(secrets(), " "))
			switch f {
			case drivertest.Lost:
				x.Do = sim.DoLost
			case drivertest.Cut:
				x.Do = sim.DoCut
			case drivertest.Throttled:
				x.Do = sim.DoThrottle
			case drivertest.Unavailable:
				x.Do, x.Status = sim.DoAnswer, 503
			case drivertest.Truncated:
				x.Do = sim.DoTruncate
			case drivertest.Malformed:
				x.Do = sim.DoMalform
			case drivertest.Page:
				x.Do = sim.DoSignIn
			case drivertest.Denied:
				x.Do, x.Status, x.Body = sim.DoAnswer, 403, sim.Text(fmt.Sprintf(`{"error":{"code":"Forbidden","message":%s}}`, quoted))
			default:
				b.Fatalf("no %v of a read", f)
			}
			if err := b.srv.AddFaults(x); err != nil {
				b.Fatal(err)
			}
		},
	}
}
