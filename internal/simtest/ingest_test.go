package simtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestEventsAreIngestedInTheFormOfTheFile(t *testing.T) {
	r := record(t, func(s *world.State) {
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{
			Name: "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e91", Scope: s.CollectionRules[0].ResourceID(), RoleID: world.RoleMetricsPublisher,
			PrincipalID: app(t, *s, "administrator").ServicePrincipalID, PrincipalType: "ServicePrincipal",
		})
	})
	post := func(who, body string, packed bool) (int, string) {
		t.Helper()
		b := []byte(body)
		if packed {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			must(w.Write(b))(t)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			b = z.Bytes()
		}
		req := must(http.NewRequest("POST", world.EventsEndpoint+"/dataCollectionRules/"+world.EventsRule+"/streams/"+world.EventsStream+"?api-version=2023-01-01", bytes.NewReader(b)))(t)
		req.Header.Set("Authorization", "Bearer "+r.token(who, "https://monitor.azure.com/.default"))
		req.Header.Set("Content-Type", "application/json")
		if packed {
			req.Header.Set("Content-Encoding", "gzip")
		}
		client := r.client()
		if packed { // the book reads what is not packed alone
			client = &http.Client{Transport: r.base}
		}
		resp := must(client.Do(req))(t)
		defer resp.Body.Close()
		must(io.Copy(io.Discard, resp.Body))(t)
		return resp.StatusCode, resp.Header.Get("x-ms-error-code")
	}
	for _, packed := range []bool{false, true} {
		if status, code := post("administrator", `[{"Kind":"rotated","Run":"1"}]`, packed); status != http.StatusNoContent {
			t.Errorf("%d %s", status, code)
		}
	}
	if status, code := post("consumer", `[{"Kind":"rotated"}]`, false); status != http.StatusForbidden {
		t.Errorf("%d %s", status, code)
	}
	w := r.sim.World()
	w.Lock()
	defer w.Unlock()
	if got := w.Records(w.CollectionRules[0], world.EventsStream); len(got) != 2 || got[1].Fields["Kind"] != "rotated" {
		t.Errorf("%d records", len(got))
	}
	r.hold("Upload 204", "Upload 403")
}
