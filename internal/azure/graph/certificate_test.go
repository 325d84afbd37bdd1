package graph_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// playCertificate runs f with an issuer of certificates of signing-service, whose own one lies in the store if it is
// named, in a bubble.
func playCertificate(t *testing.T, current bool, f func(t *testing.T, s *sim.Server, store *vault, i *graph.Certificates)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, client := over(t, ours)
		store := &vault{s: s}
		if current {
			store.value = theirs(s)
		}
		f(t, s, store, graph.NewCertificates(client, authority, store, "n", graph.CertificateSettings{AppID: world.AppSigning}))
	})
}

func plainOf(v secret.Value) (s string) {
	_ = v.Use(func(b []byte) error { s = string(b); return nil })
	return s
}

func keyIDs(s *sim.Server) (out []string) {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	for _, k := range app(w, world.AppSigning).Certificates {
		out = append(out, k.KeyID)
	}
	return out
}

func TestACertificateIsKeptAsOthersReadIt(t *testing.T) {
	playCertificate(t, true, func(t *testing.T, s *sim.Server, store *vault, i *graph.Certificates) {
		issue, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		certs, key, err := azidentity.ParseCertificates([]byte(plainOf(issue.Value)), nil)
		if err != nil || len(certs) != 1 || key == nil {
			t.Fatalf("azidentity reads %d certificates: %v", len(certs), err)
		}
		if !certs[0].NotAfter.Equal(issue.Issued.To) || certs[0].NotBefore.After(time.Now().Add(-4*time.Minute)) || certs[0].Subject.CommonName != "c" {
			t.Errorf("%s is valid from %v to %v, and the issuer says %v", certs[0].Subject, certs[0].NotBefore, certs[0].NotAfter, issue.Issued.To)
		}
	})
}

// What the application has is somebody's: it is all there afterwards, whichever way is taken.
func TestACertificateIsAddedAndRemovedBesideTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		current  bool
		instead  string // what lies in the store
		patches  int
		settling time.Duration
	}{
		"with a proof, where the store has one of the application": {true, "", 0, 0},
		"in a new list, where the store has none":                  {false, "", 1, 15 * time.Second},
		"in a new list, where the store has something else":        {false, "no certificate", 1, 15 * time.Second},
		"in a new list, where the store has a stranger":            {false, "stranger", 1, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			playCertificate(t, c.current, func(t *testing.T, s *sim.Server, store *vault, i *graph.Certificates) {
				if c.instead != "" {
					store.value = c.instead
				}
				if c.instead == "stranger" { // what was added, and removed since
					x, err := i.Issue(t.Context(), request(time.Now(), 9))
					if err != nil {
						t.Fatal(err)
					}
					if err := i.Revoke(t.Context(), permitFor(t, x.Issued, time.Now()), time.Now()); err != nil {
						t.Fatal(err)
					}
					store.value = plainOf(x.Value)
					time.Sleep(6 * time.Minute) // long enough ago for every replica to know
				}
				before, patched := keyIDs(s), sent(s, "UpdateApplication")
				began := time.Now()
				issue, err := i.Issue(t.Context(), request(time.Now(), 1))
				if err != nil {
					t.Fatal(err)
				}
				checked, err := i.Check(t.Context(), issue.Value)
				if err != nil || !checked.Works || checked.Identity != world.AppSigning {
					t.Errorf("works %v (%s), %v", checked.Works, checked.Why, err)
				}
				if took := time.Since(began); took < c.settling || took > c.settling+10*time.Second {
					t.Errorf("it took %s", took)
				}
				if got := keyIDs(s); !slices.Equal(got, append(slices.Clone(before), issue.Issued.ID)) {
					t.Errorf("the application has %v, had %v", got, before)
				}
				if n := sent(s, "UpdateApplication") - patched; n != c.patches {
					t.Errorf("the list was replaced %d times", n)
				}
				if c.current {
					store.value = plainOf(issue.Value) // published
				}
				p := permitFor(t, issue.Issued, time.Now())
				if err := i.Revoke(t.Context(), p, time.Now()); err != nil {
					t.Fatal(err)
				}
				if got := keyIDs(s); !slices.Equal(got, before) {
					t.Errorf("the application has %v, had %v", got, before)
				}
			})
		})
	}
}

// A replica that has not heard yet of what was added a moment ago would have the new list take it away, or say that what
// is to be removed is gone.
func TestAListThatAReplicaIsBehindWithReplacesNothing(t *testing.T) {
	for reads := range 3 { // whose turn it is
		playCertificate(t, false, func(t *testing.T, s *sim.Server, _ *vault, i *graph.Certificates) {
			w := s.World()
			w.Lock()
			w.Knobs.Graph.ReplicationLag, w.Knobs.Graph.Replicas = world.Duration(8*time.Second), 2
			w.Unlock()
			before := keyIDs(s)
			first, err := i.Issue(t.Context(), request(time.Now().Add(-2*time.Hour), 1)) // whoever issues it has slept
			if err != nil {
				t.Fatal(err)
			}
			for range reads {
				if _, err := i.List(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			second, err := i.Issue(t.Context(), request(time.Now(), 2))
			if err != nil {
				t.Fatal(err)
			}
			if got := keyIDs(s); !slices.Equal(got, append(slices.Clone(before), first.Issued.ID, second.Issued.ID)) {
				t.Errorf("after %d reads the application has %v", reads, got)
			}
			if err := i.Revoke(t.Context(), permitFor(t, second.Issued, time.Now()), time.Now()); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(keyIDs(s), second.Issued.ID) {
				t.Errorf("after %d reads it was called removed, and it is there", reads)
			}
		})
	}
}

// Two that find no certificate in the store both replace the list. The one whose certificate is gone by that must not
// have it published.
func TestACertificateThatAnotherListTookAwayDoesNotWork(t *testing.T) {
	playCertificate(t, false, func(t *testing.T, s *sim.Server, _ *vault, i *graph.Certificates) {
		issue, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(9*time.Second, func() { // within the time that another one's list is good for
			w := s.World()
			w.Lock()
			defer w.Unlock()
			a := app(w, world.AppSigning)
			a.Certificates = a.Certificates[:1]
		})
		c, err := i.Check(t.Context(), issue.Value)
		if err != nil || c.Works || !strings.Contains(c.Why, "does not list it any more") {
			t.Errorf("works %v (%s), %v", c.Works, c.Why, err)
		}
	})
}

func TestAListThatClashesIsReadAnew(t *testing.T) {
	playCertificate(t, false, func(t *testing.T, s *sim.Server, _ *vault, i *graph.Certificates) {
		w := s.World()
		w.Lock()
		w.Knobs.Graph.WriteGap = world.Duration(3 * time.Second)
		a := app(w, world.AppSigning)
		a.Certificates[0].Name = "still theirs"
		w.Unlock()
		for n := range 2 {
			if _, err := i.Issue(t.Context(), request(time.Now(), byte(n))); err != nil {
				t.Fatal(err)
			}
		}
		if reads, patches := sent(s, "GetApplication"), sent(s, "UpdateApplication"); len(keyIDs(s)) != 3 || patches < 3 || reads < patches {
			t.Errorf("%d certificates after %d reads and %d lists", len(keyIDs(s)), reads, patches)
		}
	})
}

func TestAValueThatIsNoCertificateSaysWhatItIs(t *testing.T) {
	playCertificate(t, true, func(t *testing.T, s *sim.Server, store *vault, i *graph.Certificates) {
		one := store.value
		key, cert, _ := strings.Cut(one, "-----BEGIN CERTIFICATE-----")
		cert = "-----BEGIN CERTIFICATE-----" + cert
		for value, why := range map[string]string{
			"":              "no certificate with its private key in PEM",
			"hunter2":       "no certificate with its private key in PEM",
			key:             "no certificate of its private key",
			cert:            "no certificate with its private key in PEM",
			key + key:       "more than one private key",
			cert + key:      "", // in any order
			cert + one + "": "", // a chain
			"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n" + cert: "no RSA key",
			strings.Repeat("x", 30_000): "too long",
		} {
			c, err := i.Check(t.Context(), secret.New([]byte(value)))
			if err != nil || c.Works != (why == "") || !strings.Contains(c.Why, why) {
				t.Errorf("%.30q: works %v (%s), %v; want %q", value, c.Works, c.Why, err, why)
			}
		}
	})
}

func TestACertificateOfAnApplicationThatIsNotOursIsNotAdded(t *testing.T) {
	playCertificate(t, true, func(t *testing.T, s *sim.Server, _ *vault, i *graph.Certificates) {
		w := s.World()
		w.Lock()
		app(w, world.AppSigning).Owners = nil
		w.Unlock()
		_, err := i.Issue(t.Context(), request(time.Now(), 1))
		refusedWith(t, err, driver.Denied, false, "an owner of the app registration")
		if !driver.NotApplied(err) || len(keyIDs(s)) != 1 {
			t.Error("it may have been applied")
		}
	})
}

// A certificate that was just published proves nothing where a replica has not heard of it, and must not fall out of a
// list that this replica shows.
func TestAYoungCertificateIsNotTakenAwayWhereItIsNotKnownYet(t *testing.T) {
	for name, lag := range map[string]time.Duration{"soon known": 6 * time.Second, "not known for minutes": 4 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			playCertificate(t, true, func(t *testing.T, s *sim.Server, store *vault, i *graph.Certificates) {
				w := s.World()
				w.Lock()
				w.Knobs.Graph.ReplicationLag, w.Knobs.Graph.Replicas = world.Duration(lag), 1
				w.Unlock()
				first, err := i.Issue(t.Context(), request(time.Now(), 1))
				if err != nil {
					t.Fatal(err)
				}
				store.value = plainOf(first.Value)
				_, err = i.Issue(t.Context(), request(time.Now(), 2))
				if known := lag < time.Minute; known != (err == nil) || !known && (driver.KindOf(err) != driver.Unavailable || !driver.NotApplied(err)) {
					t.Errorf("the second one: %v", err)
				}
				if got := keyIDs(s); !slices.Contains(got, first.Issued.ID) || len(got) < 2 {
					t.Errorf("the application has %v", got)
				}
				if n := sent(s, "UpdateApplication"); n != 0 {
					t.Errorf("the list was replaced %d times", n)
				}
			})
		})
	}
}
