package blob_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"context"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/blob"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// bearer is an identity that has a token.
type bearer string

func (b bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b)}, nil
}

const address = "https://" + world.LedgerAccount + ".blob.core.windows.net/" + world.LedgerContainer

// rekey is the managed identity's container.
func rekey(t *testing.T) (*blob.Container, *sim.Server) {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m := s.World().ManagedIdentities[0]
	token, _, err := s.Entra().IssueAppToken(m.ID, m.ClientID, m.TenantID, m.Name, "https://storage.azure.com/")
	if err != nil {
		t.Fatal(err)
	}
	return container(t, address, token, s.Transport()), s
}

func container(t testing.TB, address, token string, rt http.RoundTripper) *blob.Container {
	t.Helper()
	c, err := blob.New(address, bearer(token), azhttp.NewClient(rt, nil).Options(cloud.AzurePublic))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestABlobIsCreatedOnceAndReplacedByWhoKnowsIt(t *testing.T) {
	c, _ := rekey(t)
	ctx := t.Context()
	if _, _, err := c.Read(ctx, "a.json"); driver.KindOf(err) != driver.Missing {
		t.Errorf("reading what is not there: %v", err)
	}
	if err := c.Create(ctx, "a.json", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(ctx, "a.json", []byte("two")); driver.KindOf(err) != driver.Conflict {
		t.Errorf("creating it again: %v", err)
	}
	b, tag, err := c.Read(ctx, "a.json")
	if err != nil || string(b) != "one" || tag == "" {
		t.Fatalf("%s %q %v", b, tag, err)
	}
	if _, err := c.Replace(ctx, "a.json", tag, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(ctx, "a.json", tag, []byte("four")); driver.KindOf(err) != driver.Conflict {
		t.Errorf("replacing what changed since: %v", err)
	}
	if b, _, _ = c.Read(ctx, "a.json"); string(b) != "three" {
		t.Errorf("it holds %s", b)
	}
}

func TestAListHasAllPagesOfAPrefix(t *testing.T) {
	c, s := rekey(t)
	w := s.World()
	w.Lock()
	box := w.StorageAccounts[0].Containers[0]
	var want []string
	for i := range 6000 {
		name := fmt.Sprintf("a-%04d.json", i)
		want = append(want, name)
		box.Blobs = append(box.Blobs, &world.Blob{Name: name, ETag: `"0x1"`})
	}
	box.Blobs = append(box.Blobs, &world.Blob{Name: "b.json", ETag: `"0x1"`})
	w.Unlock()
	got, err := c.List(t.Context(), "a-")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d names, %v", len(got), err)
	}
}

func TestAWriteWhoseAnswerWasLostIsLookedFor(t *testing.T) {
	c, s := rekey(t)
	if err := s.AddFaults(sim.Fault{Service: "blob", Nth: 1, Do: "lost"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), "a.json", []byte("one")); err != nil {
		t.Errorf("it was written, and: %v", err)
	}
	if err := s.AddFaults(sim.Fault{Service: "blob", Nth: 1, Do: "cut"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), "b.json", []byte("one")); driver.KindOf(err) != driver.Ambiguous {
		t.Errorf("it was not written: %v", err)
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	c, s := rekey(t)
	w := s.World()
	w.RoleAssignments = slices.DeleteFunc(w.RoleAssignments, func(a *world.RoleAssignment) bool { return a.RoleID == world.RoleBlobDataContributor })
	err := c.Create(t.Context(), "a.json", []byte("one"))
	if e, ok := err.(*driver.Error); !ok || e.Kind != driver.Denied || !strings.Contains(e.Hint, "Storage Blob Data Contributor") {
		t.Errorf("%v", err)
	}
}

func TestAnAddressThatIsNoContainerIsRefused(t *testing.T) {
	for _, bad := range []string{"", "http://a.blob.core.windows.net/c", "https://a.blob.core.windows.net", "https://a.blob.core.windows.net/c/d", "https://a.blob.core.windows.net/c?sig=x", "https://u:p@a.blob.core.windows.net/c"} {
		if _, err := blob.New(bad, bearer("t"), policy.ClientOptions{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzBlobs: what the service answers to a list and to a read.
func FuzzBlobs(f *testing.F) {
	honest := `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://a.blob.core.windows.net/" ContainerName="c"><Blobs><Blob><Name>a.json</Name><Properties><Etag>0x1</Etag></Properties></Blob></Blobs><NextMarker></NextMarker></EnumerationResults>`
	for _, s := range []string{honest, "", "<", honest[:80], strings.Replace(honest, "<NextMarker>", "<NextMarker>a.json", 1), strings.Repeat("<Blobs>", 10_000),
		`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><EnumerationResults><Blobs><Blob><Name>&b;</Name></Blob></Blobs></EnumerationResults>`,
		strings.Replace(honest, "a.json", strings.Repeat("x", 100_000), 1), "\xef\xbb\xbf" + honest, "\xff\xfe" + honest} {
		f.Add([]byte(s), 200)
		f.Add([]byte(s), 403)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 || bytes.Contains(body, []byte("Service")) && status == 201 {
			return
		}
		s := &badinput.Service{Status: status, Body: body}
		badinput.Bounded(t, 4*len(body), func() {
			c := container(t, address, "t", s)
			if names, err := c.List(t.Context(), ""); err != nil && (driver.KindOf(err) == 0 || len(names) > 0) {
				t.Errorf("%v", err)
			}
		})
		s.Within(t)
		r := &badinput.Service{Status: status, Body: body}
		b, _, err := container(t, address, "t", r).Read(t.Context(), "a.json")
		if err == nil && !bytes.Equal(b, body) || err != nil && driver.KindOf(err) == 0 {
			t.Errorf("%v", err)
		}
		r.Within(t)
	})
}
