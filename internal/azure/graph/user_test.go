package graph_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	batch  = "svc-batch@contoso.onmicrosoft.com"
	public = "2bfcc342-eb74-4427-832c-db82f28995f4"
)

// slotOver is a user's password in a world, changed before.
func slotOver(t *testing.T, change func(*world.World)) (*sim.Server, *graph.User) {
	t.Helper()
	s, client := over(t, func(w *world.World) {
		w.Apps[len(w.Apps)-1].ApplicationPermissions = []string{"User.Read.All", "User-PasswordProfile.ReadWrite.All"}
		if change != nil {
			change(w)
		}
	})
	return s, graph.NewUser(client, authority, graph.UserSettings{User: batch, ClientID: public, Length: 40})
}

func userIn(w *world.World) *world.User {
	for _, u := range w.Users {
		if u.UPN == batch {
			return u
		}
	}
	return nil
}

func made(t *testing.T, u *graph.User, seed byte) secret.Value {
	t.Helper()
	source := rand.NewChaCha8([32]byte{seed})
	v, err := u.Make(func(b []byte) { _, _ = source.Read(b) })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func works(t *testing.T, u *graph.User, v secret.Value) (bool, error) {
	t.Helper()
	c, err := u.Check(t.Context(), v)
	return c.Works, err
}

func TestAPasswordIsSetAndProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := slotOver(t, nil)
		w := s.World()
		old := secret.New([]byte(userIn(w).Password))
		if ok, err := works(t, u, old); !ok || err != nil {
			t.Fatalf("the present one: %v %v", ok, err)
		}
		l, err := u.List(t.Context())
		if err != nil || len(l.Issued) != 1 || l.Issued[0].ID != userIn(w).ID || l.Date.IsZero() || l.Issued[0].Shape != u.Shape() {
			t.Fatalf("%+v %v", l, err)
		}
		next := made(t, u, 1)
		if ok, err := works(t, u, next); ok || err != nil {
			t.Fatalf("before it is set: %v %v", ok, err)
		}
		for range 2 { // repeating it is harmless
			if date, err := u.Set(t.Context(), next); err != nil || date.IsZero() {
				t.Fatal(date, err)
			}
			if ok, err := works(t, u, next); !ok || err != nil {
				t.Fatalf("after it was set: %v %v", ok, err)
			}
		}
		if ok, err := works(t, u, old); ok || err != nil {
			t.Fatalf("the old one: %v %v", ok, err)
		}
		if userIn(w).PasswordExpired {
			t.Error("the user would have to change it")
		}
	})
}

func TestAPasswordThatTravelsIsProvedEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, u := slotOver(t, func(w *world.World) {
			w.Knobs.Entra.Regions, w.Knobs.Entra.NewPasswordDelay = 3, world.Duration(30*time.Second)
		})
		next := made(t, u, 2)
		if _, err := u.Set(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if ok, _ := works(t, u, next); ok {
			t.Error("it counts as working while a region refuses it")
		}
		time.Sleep(31 * time.Second)
		if ok, err := works(t, u, next); !ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
	})
}

func TestWhatSettingAPasswordAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world.World)
		faults []sim.Fault
		value  string
		kind   driver.Kind
		hint   string
	}{
		{"a password that is too weak", nil, nil, "weak", driver.Rejected, "does not take the password"},
		{"no permission", func(w *world.World) { w.Apps[len(w.Apps)-1].ApplicationPermissions = []string{"User.Read.All"} }, nil, "", driver.Denied, "User-PasswordProfile.ReadWrite.All"},
		{"a tenant that wants a role besides", func(w *world.World) { w.Knobs.Graph.PasswordNeedsRole = true }, nil, "", driver.Denied, "User Administrator"},
		{"an administrator", func(w *world.World) {
			w.DirectoryRoleAssignments = append(w.DirectoryRoleAssignments, &world.DirectoryRoleAssignment{ID: w.NewID(), TenantID: world.TenantID, RoleID: world.RoleGlobalAdministrator, PrincipalID: userIn(w).ID})
		}, nil, "", driver.Denied, "Privileged Authentication Administrator"},
		{"a user that is gone", func(w *world.World) { userIn(w).UPN = "elsewhere@contoso.onmicrosoft.com" }, nil, "", driver.Missing, "correct the user"},
		{"an answer that is lost", nil, []sim.Fault{{Service: "graph", Operation: "UpdateUser", Do: sim.DoLost}}, "", driver.Ambiguous, ""},
		{"a service that is away", nil, []sim.Fault{{Service: "graph", Operation: "UpdateUser", Do: sim.DoAnswer, Status: 503, Body: `{"error":{"code":"serviceNotAvailable"}}`}}, "", driver.Ambiguous, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, u := slotOver(t, c.change)
				if err := s.AddFaults(c.faults...); err != nil {
					t.Fatal(err)
				}
				v := made(t, u, 3)
				if c.value != "" {
					v = secret.New([]byte(c.value))
				}
				_, err := u.Set(t.Context(), v)
				var text string
				if err != nil {
					text = fmt.Sprintf("%v %+v", err, err)
				}
				if k := driver.KindOf(err); k != c.kind || !strings.Contains(hintOf(err), c.hint) {
					t.Errorf("%v (%q), want %v", err, hintOf(err), c.kind)
				}
				_ = v.Use(func(b []byte) error {
					if strings.Contains(text, string(b)) {
						t.Error("the error holds the password")
					}
					return nil
				})
			})
		})
	}
}

func hintOf(err error) string {
	if e, ok := err.(*driver.Error); ok {
		return e.Hint
	}
	return ""
}

func TestWhatASignInSaysOfAPassword(t *testing.T) {
	for _, c := range []struct {
		code         int
		works, error bool
	}{
		{50126, false, false}, {50056, false, false}, {50055, false, false}, {50144, false, false},
		{50076, true, false}, {50079, true, false}, {50072, true, false}, {50074, true, false}, {53003, true, false}, {65001, true, false}, {530034, true, false},
		{50053, false, true}, {50057, false, true}, {50034, false, true}, {7000218, false, true}, {700016, false, true}, {50196, false, true}, {99, false, true},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &badinput.Service{Status: http.StatusBadRequest, Body: fmt.Appendf(nil, `{"error":"invalid_grant","error_description":"AADSTS%d: %s","error_codes":[%d]}`, c.code, mark, c.code)}
				got, err := fromUser(s).Check(t.Context(), secret.New([]byte("x")))
				if got.Works != c.works || (err != nil) != c.error || err == nil && !got.Works && got.Why == "" {
					t.Errorf("%+v %v", got, err)
				}
				if err != nil {
					words(t, err)
				}
			})
		})
	}
}

// Somebody who must pass a second factor has given the right password when he is asked for it.
func TestAnAccountThatMustPassASecondFactorIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := slotOver(t, func(w *world.World) { userIn(w).MFARequired = true })
		if ok, err := works(t, u, secret.New([]byte(userIn(s.World()).Password))); !ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
		if ok, err := works(t, u, secret.New([]byte("wrong"))); ok || err != nil {
			t.Errorf("a wrong one: %v %v", ok, err)
		}
	})
}

func TestAUserOfADirectoryOnPremisesIsLeftAlone(t *testing.T) {
	s := &badinput.Service{Body: []byte(`{"id":"x","onPremisesSyncEnabled":true}`)}
	if _, err := fromUser(s).List(t.Context()); !strings.Contains(hintOf(err), "cloud alone") {
		t.Error(err)
	}
	s = &badinput.Service{Body: []byte(`{"id":"x","accountEnabled":false}`)}
	if l, err := fromUser(s).List(t.Context()); err != nil || len(l.Notes) != 1 {
		t.Error(l, err)
	}
}

func TestPasswordsAreStrongAndDiffer(t *testing.T) {
	for _, length := range []int{16, 40, 200} {
		u := graph.NewUser(nil, authority, graph.UserSettings{User: batch, Length: length})
		seen, chars := map[string]bool{}, map[byte]int{}
		var mu sync.Mutex
		for i := range 300 {
			v := made(t, u, byte(i))
			_ = v.Use(func(b []byte) error {
				mu.Lock()
				defer mu.Unlock()
				seen[string(b)] = true
				for _, c := range b {
					chars[c]++
				}
				classes := 0
				for _, set := range []string{"ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "-_.!~"} {
					if strings.ContainsAny(string(b), set) {
						classes++
					}
				}
				if len(b) != length || classes != 4 {
					t.Errorf("%d characters of %d classes", len(b), classes)
				}
				return nil
			})
		}
		if len(seen) < 256 || len(chars) < 60 {
			t.Errorf("%d different ones of %d characters", len(seen), len(chars))
		}
	}
	u := graph.NewUser(nil, authority, graph.UserSettings{User: batch, Length: 40})
	for _, x := range []byte{0, 255} {
		if _, err := u.Make(func(b []byte) { copy(b, bytes.Repeat([]byte{x}, len(b))) }); err == nil {
			t.Errorf("a source that gives nothing but %d makes a password", x)
		}
	}
}
