package blob

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	tenantID = "11111111-1111-4111-8111-111111111111"
	writerID = "aaaaaaaa-0000-4000-8000-000000000001"
	readerID = "aaaaaaaa-0000-4000-8000-000000000002"
	ownerID  = "aaaaaaaa-0000-4000-8000-000000000003"
	at       = "/ledger/run/1"
)

// bench is one account with an empty container, a writer and a reader of its data, and an owner of the subscription.
type bench struct {
	*Service
	t   *testing.T
	now time.Time
}

func newBench(t *testing.T) *bench {
	x := &bench{t: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	account := &world.StorageAccount{Name: "stledger", SubscriptionID: "s", ResourceGroup: "g", TenantID: tenantID, Containers: []*world.BlobContainer{{Name: "ledger"}}}
	assign := func(principal, role, scope string) *world.RoleAssignment {
		return &world.RoleAssignment{Name: principal, PrincipalID: principal, RoleID: role, Scope: scope}
	}
	w := world.New(world.State{
		Storage: world.Storage{StorageAccounts: []*world.StorageAccount{account}},
		RoleAssignments: []*world.RoleAssignment{
			assign(writerID, world.RoleBlobDataContributor, account.ResourceID()), assign(readerID, world.RoleBlobDataReader, account.ResourceID()+"/blobServices/default/containers/ledger"),
			assign(ownerID, world.RoleOwner, "/subscriptions/s"),
		},
	}, func() time.Time { return x.now })
	for name, id := range map[string]string{"writer": writerID, "reader": readerID, "owner": ownerID} {
		w.AddToken(name, world.Token{Tenant: tenantID, ObjectID: id, Audience: audience, Expires: x.now.AddDate(1, 0, 0)})
	}
	x.Service = New(w)
	return x
}

type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are in pairs.
func (x *bench) do(as, method, target, body string, headers ...string) reply {
	x.t.Helper()
	r := httptest.NewRequest(method, "https://stledger.blob.core.windows.net"+target, nil)
	wire.WithBody(r, []byte(body))
	r.Header.Set("x-ms-version", "2025-01-05")
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	x.ServeHTTP(rec, r)
	return reply{x.t, method + " " + target, rec.Code, rec.Header(), rec.Body.String()}
}

func (r reply) is(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: %d %s; want %d", r.what, r.status, r.body, status)
	}
	return r
}

func (r reply) refused(status int, code string) {
	r.t.Helper()
	inBody := r.body == "" || strings.Contains(r.body, "<Error><Code>"+code+"</Code><Message>")
	if r.status != status || r.header.Get("x-ms-error-code") != code || !inBody {
		r.t.Errorf("%s: %d %s %s; want %d %s", r.what, r.status, r.header.Get("x-ms-error-code"), r.body, status, code)
	}
}

func (x *bench) put(body string, headers ...string) reply {
	x.t.Helper()
	return x.do("writer", "PUT", at, body, append([]string{"x-ms-blob-type", "BlockBlob"}, headers...)...)
}

func TestABlobIsWrittenReadAndRemoved(t *testing.T) {
	x := newBench(t)
	made := x.put("hello", "x-ms-meta-Run", "7", "Content-Type", "text/plain").is(201)
	if made.header.Get("ETag") == "" || made.header.Get("x-ms-request-id") == "" || made.header.Get("x-ms-version") != "2025-01-05" {
		t.Error(made.header)
	}
	got := x.do("reader", "GET", at, "").is(200)
	if got.body != "hello" || got.header.Get("Content-Type") != "text/plain" || got.header.Get("x-ms-meta-run") != "7" || got.header.Get("ETag") != made.header.Get("ETag") || got.header.Get("x-ms-blob-type") != "BlockBlob" {
		t.Errorf("%q %v", got.body, got.header)
	}
	if head := x.do("reader", "HEAD", at, "").is(200); head.header.Get("Content-Length") != "5" {
		t.Error(head.header)
	}
	if part := x.do("reader", "GET", at, "", "x-ms-range", "bytes=1-2").is(206); part.body != "el" || part.header.Get("Content-Range") != "bytes 1-2/5" {
		t.Errorf("%q %v", part.body, part.header)
	}
	x.do("reader", "GET", at, "", "Range", "bytes=9-").refused(416, "InvalidRange")
	x.do("writer", "PUT", at+"?comp=metadata", "", "x-ms-meta-other", "8").is(200)
	if m := x.do("reader", "GET", at+"?comp=metadata", "").is(200); m.header.Get("x-ms-meta-run") != "" || m.header.Get("x-ms-meta-other") != "8" || m.header.Get("ETag") == made.header.Get("ETag") {
		t.Error(m.header)
	}
	x.do("writer", "DELETE", at, "").is(202)
	x.do("writer", "DELETE", at, "").refused(404, "BlobNotFound")
	x.do("reader", "HEAD", at, "").refused(404, "BlobNotFound")
	x.put("x", "Content-MD5", "AAAA").refused(400, "Md5Mismatch")
	x.do("writer", "PUT", at, "x").refused(400, "MissingRequiredHeader")
	x.do("writer", "PUT", at, "x", "x-ms-blob-type", "PageBlob").refused(501, "NotImplemented")
	x.do("writer", "PUT", at+"?comp=block&blockid=AA", "x").refused(501, "NotImplemented")
}

func TestOnlyWhoHasARoleForDataIsServed(t *testing.T) {
	x := newBench(t)
	x.put("hello").is(201)
	for why, c := range map[string]struct {
		as, method, target string
		status             int
		code               string
		headers            []string
	}{
		"nobody":               {"", "GET", at, 401, "NoAuthenticationInformation", nil},
		"an unknown token":     {"nonsense", "GET", at, 401, "InvalidAuthenticationInfo", nil},
		"a key":                {"", "GET", at, 403, "KeyBasedAuthenticationNotPermitted", []string{"Authorization", "SharedKey a:b"}},
		"an owner":             {"owner", "GET", at, 403, "AuthorizationPermissionMismatch", nil},
		"an owner's container": {"owner", "GET", "/ledger?restype=container", 403, "AuthorizationPermissionMismatch", nil},
		"a reader that writes": {"reader", "DELETE", at, 403, "AuthorizationPermissionMismatch", nil},
		"a reader elsewhere":   {"reader", "GET", "/other/x", 403, "AuthorizationPermissionMismatch", nil},
		"no container":         {"writer", "GET", "/other/x", 404, "ContainerNotFound", nil},
		"no version":           {"writer", "GET", at, 400, "InvalidHeaderValue", []string{"x-ms-version", ""}},
		"an old version":       {"writer", "GET", at, 400, "InvalidHeaderValue", []string{"x-ms-version", "2009-09-19"}},
	} {
		t.Run(why, func(t *testing.T) {
			x := *x
			x.t = t
			r := x.do(c.as, c.method, c.target, "", c.headers...)
			r.refused(c.status, c.code)
			if c.status == 401 && !strings.Contains(r.header.Get("WWW-Authenticate"), tenantID+"/oauth2/authorize resource_id=https://storage.azure.com") {
				t.Error(r.header.Get("WWW-Authenticate"))
			}
		})
	}
	x.now = x.now.AddDate(1, 0, 0)
	x.do("writer", "GET", at, "").refused(401, "InvalidAuthenticationInfo")
}

func TestConditionsKeepWritersApart(t *testing.T) {
	x := newBench(t)
	x.put("x", "If-Match", `"0x1"`).refused(412, "ConditionNotMet")
	first := x.put("one", "If-None-Match", "*").is(201).header.Get("ETag")
	x.put("two", "If-None-Match", "*").refused(409, "BlobAlreadyExists")
	second := x.put("two", "If-Match", first).is(201).header.Get("ETag")
	if first == second {
		t.Error("the ETag stays the same")
	}
	x.put("three", "If-Match", first).refused(412, "ConditionNotMet")
	x.do("writer", "DELETE", at, "", "If-Match", first).refused(412, "ConditionNotMet")
	x.do("reader", "GET", at, "", "If-Match", first).refused(412, "ConditionNotMet")
	if r := x.do("reader", "GET", at, "", "If-None-Match", second); r.status != 304 || r.body != "" {
		t.Errorf("%d %q", r.status, r.body)
	}
	x.do("reader", "GET", at, "", "If-None-Match", first).is(200)
	date := x.now.Format(http.TimeFormat)
	x.do("reader", "GET", at, "", "If-Modified-Since", date).is(304)
	x.now = x.now.Add(time.Minute)
	x.put("four").is(201)
	x.do("writer", "DELETE", at, "", "If-Unmodified-Since", date).refused(412, "ConditionNotMet")
	if got := x.do("reader", "GET", at, "").is(200).body; got != "four" {
		t.Errorf("in the end it is %q", got)
	}
}

func TestAnAppendBlobGrowsAtItsEndAlone(t *testing.T) {
	x := newBench(t)
	x.do("writer", "PUT", at, "x", "x-ms-blob-type", "AppendBlob").refused(400, "InvalidHeaderValue")
	add := func(body string, headers ...string) reply {
		return x.do("writer", "PUT", at+"?comp=appendblock", body, headers...)
	}
	add("x").refused(404, "BlobNotFound")
	tag := x.do("writer", "PUT", at, "", "x-ms-blob-type", "AppendBlob").is(201).header.Get("ETag")
	one := add("hello ", "x-ms-blob-condition-appendpos", "0", "If-Match", tag).is(201)
	if one.header.Get("x-ms-blob-append-offset") != "0" || one.header.Get("x-ms-blob-committed-block-count") != "1" {
		t.Error(one.header)
	}
	add("again", "x-ms-blob-condition-appendpos", "0").refused(412, "AppendPositionConditionNotMet")
	add("again", "If-Match", tag).refused(412, "ConditionNotMet")
	add("world", "x-ms-blob-condition-maxsize", "10").refused(412, "MaxBlobSizeConditionNotMet")
	add("world", "x-ms-blob-condition-appendpos", "x").refused(400, "InvalidHeaderValue")
	two := add("world", "x-ms-blob-condition-maxsize", "11", "x-ms-blob-condition-appendpos", "6").is(201)
	if two.header.Get("x-ms-blob-append-offset") != "6" {
		t.Error(two.header)
	}
	if got := x.do("reader", "GET", at, "").is(200); got.body != "hello world" || got.header.Get("x-ms-blob-type") != "AppendBlob" || got.header.Get("x-ms-blob-committed-block-count") != "2" {
		t.Errorf("%q %v", got.body, got.header)
	}
	add("").refused(400, "InvalidHeaderValue")
	add(strings.Repeat("x", oldAppend+1), "x-ms-version", "2021-12-02").refused(413, "RequestBodyTooLarge")
	x.w.StorageAccounts[0].Containers[0].Blobs[0].Blocks = maxBlocks
	add("x").refused(409, "BlockCountExceedsLimit")
	x.put("block").is(201)
	add("x").refused(409, "InvalidBlobType")
}

func TestContainersAndBlobsAreListedPageByPage(t *testing.T) {
	x := newBench(t)
	x.do("writer", "PUT", "/ledger?restype=container", "").refused(409, "ContainerAlreadyExists")
	x.do("writer", "PUT", "/No?restype=container", "").refused(400, "InvalidResourceName")
	x.do("writer", "PUT", "/archive?restype=container", "").is(201)
	x.do("writer", "GET", "/archive?restype=container", "").is(200)
	r := x.do("writer", "GET", "/?comp=list&maxresults=1", "").is(200)
	if !strings.Contains(r.body, "<Containers><Container><Name>archive</Name>") || !strings.Contains(r.body, "<NextMarker>ledger</NextMarker>") {
		t.Error(r.body)
	}
	for _, name := range []string{"b/2", "a/1", "a/2"} {
		x.do("writer", "PUT", "/ledger/"+name, "x", "x-ms-blob-type", "BlockBlob", "x-ms-meta-k", "<v>").is(201)
	}
	one := x.do("reader", "GET", "/ledger?restype=container&comp=list&prefix=a/&maxresults=1&include=metadata", "").is(200)
	for _, want := range []string{`<?xml version="1.0"`, `ContainerName="ledger"`, "<Name>a/1</Name>", "<Content-Length>1</Content-Length>", "<BlobType>BlockBlob</BlobType>", "<LeaseState>available</LeaseState>", "<Metadata><k>&lt;v&gt;</k></Metadata>", "<NextMarker>a/2</NextMarker>"} {
		if !strings.Contains(one.body, want) {
			t.Errorf("no %s in %s", want, one.body)
		}
	}
	two := x.do("reader", "GET", "/ledger?restype=container&comp=list&prefix=a/&maxresults=1&marker=a/2", "").is(200)
	if !strings.Contains(two.body, "<Name>a/2</Name>") || !strings.Contains(two.body, "<NextMarker></NextMarker>") || strings.Contains(two.body, "b/2") {
		t.Error(two.body)
	}
	x.do("writer", "GET", "/?comp=list&maxresults=0", "").refused(400, "OutOfRangeQueryParameterValue")
	x.do("writer", "DELETE", "/archive?restype=container", "").is(202)
	x.do("writer", "GET", "/archive?restype=container", "").refused(404, "ContainerNotFound")
}

func TestOperationsAreNamed(t *testing.T) {
	x := newBench(t)
	for target, want := range map[string]string{
		"GET /?comp=list": "ListContainers", "PUT /c?restype=container": "CreateContainer", "GET /c?restype=container&comp=list": "ListBlobs",
		"PUT /c/b": "PutBlob", "PUT /c/b/d?comp=appendblock": "AppendBlock", "PUT /c/b?comp=lease": "LeaseBlob", "HEAD /c/b": "HeadBlob",
		"DELETE /c": "unknown", "PUT /c/b?comp=block": "unknown", "GET /": "unknown", "POST /c/b": "unknown",
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := x.Operation(httptest.NewRequest(method, "https://a.blob.core.windows.net"+path, nil)); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	r := httptest.NewRequest("GET", "https://nobody.blob.core.windows.net/c/b", bytes.NewReader(nil))
	rec := httptest.NewRecorder()
	if x.ServeHTTP(rec, r); rec.Code != 404 || !strings.Contains(rec.Body.String(), "no storage account answers") {
		t.Error(rec.Code, rec.Body)
	}
}
