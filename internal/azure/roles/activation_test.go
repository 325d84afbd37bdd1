package roles

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	person   = "svc-devops-pat@contoso.onmicrosoft.com" // who signs in without a second factor, as a test can
	personID = "ff477466-a73a-42ae-9376-b5bb89bac062"
	approver = "4d72fd10-46ca-41d8-be4e-493356bab8a9"
)

// user signs a person in.
type user struct{ b *bed }

func (u user) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	w := u.b.sim.World()
	w.Lock()
	password := w.Users[0].Password
	w.Unlock()
	token, err := simulated.Token(u.b.sim, url.Values{"grant_type": {"password"}, "client_id": {world.ClientAzureCLI}, "username": {person}, "password": {password}, "scope": o.Scopes})
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Minute)}, err
}

func (b *bed) activated() *PIM {
	client := azhttp.NewClient(b.sim.Transport(), nil)
	cred := azhttp.NewCredential("user", user{b})
	s := settings()
	s.Who = func(context.Context) (Principal, error) { return Principal{ID: personID, Type: "User"}, nil }
	return NewActivation(azhttp.NewResources(client.Renewing(client.Options(cloud.AzurePublic), cred), cred), s)
}

// eligible makes the person eligible, under a policy.
func eligible(policy *world.RolePolicy) func(*world.State) {
	return func(s *world.State) {
		at := world.Place{Realm: world.RealmAzure, Scope: scope(), RoleID: world.RoleKeyVaultOfficer, PrincipalID: personID}
		s.RoleSchedules = append(s.RoleSchedules, &world.RoleSchedule{Name: "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c0e1", Place: at, PrincipalType: "User", Eligible: true,
			Created: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), Updated: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC)})
		if policy != nil {
			policy.Place = at
			s.RolePolicies = append(s.RolePolicies, policy)
		}
	}
}

func TestAPersonActivatesAndGivesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, eligible(nil))
		e := b.activated()
		got := b.take(e, ask("run1", time.Hour))
		if got.State != driver.Elevated || got.Until.Sub(got.Date) != time.Hour {
			t.Errorf("%+v", got)
		}
		// A second request could end the first.
		if again := b.take(e, ask("run2", 2*time.Hour)); !again.Shared("run2") || !again.Until.Equal(got.Until) {
			t.Errorf("%+v", again)
		}
		<-time.After(6 * time.Minute)
		if left := b.release(e, got, "run1"); left.State != driver.NotElevated {
			t.Errorf("%+v", left)
		}
	})
}

func TestWhoIsNotEligibleIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		err := b.activated().Preflight(t.Context(), ask("run1", time.Hour))
		if err == nil || !strings.Contains(why(err), "EligibilityRule") || !strings.Contains(why(err), "make you eligible") {
			t.Error(err)
		}
	})
}

func TestAnActivationWaitsForWhoApprovesIt(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world.PIMKnobs)
		want   driver.ElevationState
	}{
		"approved": {func(k *world.PIMKnobs) { k.ApprovalAfter = world.Duration(3 * time.Minute) }, driver.Elevated},
		"denied": {func(k *world.PIMKnobs) {
			k.ApprovalAfter, k.ApprovalDenies = world.Duration(3*time.Minute), true
		}, driver.Refused},
		"nobody decides": {func(*world.PIMKnobs) {}, driver.Asked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, func(s *world.State) {
					eligible(&world.RolePolicy{Approvers: []string{approver}})(s)
					c.change(&s.Knobs.PIM)
				})
				e := b.activated()
				got := b.take(e, ask("run1", time.Hour))
				if got.State != driver.Asked || !got.Approval {
					t.Fatalf("%+v", got)
				}
				<-time.After(4 * time.Minute)
				looked, err := e.Look(t.Context(), got)
				if err != nil || looked.State != c.want {
					t.Fatalf("%+v, %v", looked, err)
				}
				if c.want == driver.Refused && looked.Why == "" {
					t.Error("it does not say what became of it")
				}
				if c.want != driver.Asked {
					return
				}
				// It is taken back, so that nobody approves it for a run that is over.
				if left := b.release(e, looked, "run1"); left.State != driver.NotElevated {
					t.Errorf("%+v", left)
				}
				if looked, err = e.Look(t.Context(), looked); err != nil || looked.State != driver.Refused {
					t.Errorf("%+v, %v", looked, err)
				}
			})
		})
	}
}

// administrator may assign roles of the directory and memberships of groups.
const administrator = "privileged"

func (b *bed) directory(d Directory) *PIM {
	client := azhttp.NewClient(b.sim.Transport(), nil)
	cred := azhttp.NewCredential(administrator, &simulated.SignIn{Sim: b.sim, App: administrator})
	d.Who = func(context.Context) (Principal, error) {
		return Principal{ID: world.RekeyPrincipal, Type: "ServicePrincipal"}, nil
	}
	return NewDirectory(azhttp.NewDirectory(client.Renewing(client.Options(cloud.AzurePublic), cred), cred), d, false)
}

func privileged(s *world.State) {
	secret := "Pr18Q~" + world.Canary + "PrivilegedPrivileged123"
	s.Apps = append(s.Apps, &world.App{ID: "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c0f1", ClientID: "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c0f2", TenantID: world.TenantID, Name: administrator, ServicePrincipalID: "5f0a4f5e-7a2f-4f0b-9f0e-64a1c6f2c0f3", ClientSecret: secret,
		Secrets:                []*world.PasswordCredential{{KeyID: "p", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: secret}},
		ApplicationPermissions: []string{"RoleAssignmentSchedule.ReadWrite.Directory", "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup", "RoleManagement.Read.Directory", "RoleManagementPolicy.Read.Directory", "RoleManagementPolicy.Read.AzureADGroup"}})
}

func TestARoleOfTheDirectoryAndAGroupAreTakenForATime(t *testing.T) {
	for name, d := range map[string]Directory{
		"a role":  {Role: "User Administrator"},
		"a group": {Group: "33c8e2a0-27d2-4a50-9380-948a2bdb9b92", Access: "member"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, privileged)
				e := b.directory(d)
				got := b.take(e, ask("run1", time.Hour))
				if got.State != driver.Elevated || got.Until.Sub(got.Date) != time.Hour || got.ID == "" {
					t.Errorf("%+v", got)
				}
				<-time.After(6 * time.Minute)
				found, err := e.Find(t.Context())
				if err != nil || len(found) != 1 || found[0].Runs[0] != "run1" {
					t.Errorf("found %+v, %v", found, err)
				}
				if left := b.release(e, got, "run1"); left.State != driver.NotElevated {
					t.Errorf("%+v", left)
				}
				if found, err := e.Find(t.Context()); err != nil || len(found) != 0 {
					t.Errorf("found %+v, %v", found, err)
				}
			})
		})
	}
}

func TestALostAnswerOfGraphIsFoundByItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, privileged)
		e := b.directory(Directory{Role: "User Administrator"})
		if err := b.sim.AddFaults(lost("graph", "CreateDirectoryAssignmentRequest")); err != nil {
			t.Fatal(err)
		}
		got, err := e.Take(t.Context(), ask("run1", time.Hour))
		if driver.KindOf(err) != driver.Ambiguous {
			t.Fatalf("%+v, %v", got, err)
		}
		looked, err := e.Look(t.Context(), got)
		if err != nil || looked.State != driver.Elevated || strings.HasPrefix(looked.ID, lostID) {
			t.Errorf("%+v, %v", looked, err)
		}
	})
}
