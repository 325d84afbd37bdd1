package roles

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// quoted is what the fuzzed bodies quote; no error may repeat it.
const quoted = badinput.Secret

func words(t *testing.T, err error) { t.Helper(); hostile.Fit(t, err, 1500) }

// FuzzRoles: what is answered to who takes a role, looks at it, finds it and gives it back.
func FuzzRoles(f *testing.F) {
	role := "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
	for _, honest := range []string{
		`{"name":"n","properties":{"principalId":"a7bd7cea-133a-46cf-b58b-cab861acfaaf","roleDefinitionId":"` + role + `","scope":"/x","description":"rekey until 2026-11-21T15:00:00Z (run a until 2026-11-21T15:00:00Z): ` + quoted + `"}}`,
		`{"name":"n","properties":{"status":"Provisioned","requestType":"AdminAssign","justification":"rekey run a: ` + quoted + `","scheduleInfo":{"startDateTime":"2026-11-21T15:00:00Z","expiration":{"type":"AfterDuration","duration":"PT30M"}}}}`,
		`{"id":"n","status":"PendingApproval","action":"selfActivate","justification":"rekey run a","createdDateTime":"2026-11-21T15:00:00Z","scheduleInfo":{"expiration":{"duration":"PT30M"}}}`,
		`{"value":[{"name":"b86a8fe4-44ce-4948-aee5-eccb2c155cd7","properties":{"roleName":"Owner","principalId":"a7bd7cea-133a-46cf-b58b-cab861acfaaf","roleDefinitionId":"` + role + `","endDateTime":"2026-11-21T15:00:00Z","permissions":[{"actions":["*"]}]}}]}`,
		`{"value":[{"properties":{"roleDefinitionId":"` + role + `","effectiveRules":[{"id":"Expiration_Admin_Assignment","maximumDuration":"PT8H"},{"id":"Enablement_Admin_Assignment","enabledRules":["Ticketing"]}]}}],"nextLink":"https://management.azure.com/x"}`,
		`{"error":{"code":"RoleAssignmentRequestPolicyValidationFailed","message":"The following policy rules failed: [\"ExpirationRule\"] ` + quoted + `"}}`,
		`{"error":{"code":"RoleAssignmentExists","message":"` + quoted + `"}}`,
	} {
		for _, b := range badinput.Broken(honest) {
			f.Add(b, 200)
		}
		f.Add([]byte(honest), 201)
		f.Add([]byte(honest), 400)
		f.Add([]byte(honest), 409)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 499 || status == 429 || status == 408 {
			status = 200 // what is waited for takes time
		}
		synctest.Test(t, func(t *testing.T) {
			s := &badinput.Service{Body: body, Status: status}
			arm := azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{})
			graph := azhttp.NewDirectory(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{})
			who := settings()
			other := who
			other.Role = "Website Contributor"
			badinput.Bounded(t, 60*len(body), func() {
				for _, e := range []driver.Elevator{NewTimed(arm, who, time.Hour), NewTimed(arm, other, time.Hour), NewAssignment(arm, who), NewActivation(arm, who),
					NewDirectory(graph, Directory{Role: "User Administrator", Who: who.Who}, false), NewDirectory(graph, Directory{Group: "g", Access: "member", Who: who.Who}, true)} {
					asked(t, e)
				}
				x := NewSurvey(arm, scope())
				if _, err := x.Vault(t.Context()); err != nil {
					words(t, err)
				}
				if _, err := x.Holders(t.Context()); err != nil {
					words(t, err)
				}
				if _, err := x.Eligible(t.Context()); err != nil {
					words(t, err)
				}
			})
		})
	})
}

// asked is everything that an Elevator can be asked.
func asked(t *testing.T, e driver.Elevator) {
	t.Helper()
	a := ask("run1", time.Hour)
	if err := e.Preflight(t.Context(), a); err != nil {
		words(t, err)
	}
	got, err := e.Take(t.Context(), a)
	if err != nil {
		words(t, err)
	}
	if err == nil && got.State == driver.Elevated && !got.Standing && got.Until.IsZero() {
		t.Errorf("%T: a right without an end: %+v", e, got)
	}
	if _, err := e.Look(t.Context(), got); err != nil {
		words(t, err)
	}
	if _, err := e.Release(t.Context(), got, "run1"); err != nil {
		words(t, err)
	}
	found, err := e.Find(t.Context())
	if err != nil {
		words(t, err)
	}
	for _, f := range found {
		if _, err := e.End(t.Context(), f); err != nil {
			words(t, err)
		}
	}
}

// FuzzAssignmentMark: a description is anything that a person, or another program, wrote.
func FuzzAssignmentMark(f *testing.F) {
	f.Add("rekey until 2026-11-21T15:00:00Z (run a until 2026-11-21T15:00:00Z, run b until 2026-11-21T14:00:00Z): why")
	f.Add("rekey until 2026-11-21T15:00:00Z (run a until 2026-11-21T15:00:00Z)")
	f.Add("somebody's own words")
	f.Fuzz(func(t *testing.T, s string) {
		badinput.Bounded(t, len(s), func() {
			leases, ours := parseMark(s)
			if !ours {
				return
			}
			again, still := parseMark(markOf(leases, ""))
			if !still || len(again) != min(len(leases), maxLeases) || !end(again).Equal(end(leases)) {
				t.Errorf("%q is read as %v, and that as %v", s, leases, again)
			}
		})
	})
}
