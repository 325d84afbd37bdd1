package simtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/rekeyhq/rekey/sim/world"
)

// blobs is Microsoft's client of the container that the built-in world has, for one who may write to it.
func blobs(t *testing.T, r *recorder) *container.Client {
	t.Helper()
	address := "https://" + world.LedgerAccount + ".blob.core.windows.net/"
	c := must(azblob.NewClient(address, r.signedIn("administrator"), &azblob.ClientOptions{ClientOptions: r.options()}))(t)
	return c.ServiceClient().NewContainerClient(world.LedgerContainer)
}

// writer lets the administrator write to the storage of the built-in world.
func writer(t *testing.T) func(*world.State) {
	return func(s *world.State) {
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{
			Name: "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e90", Scope: s.StorageAccounts[0].ResourceID(), RoleID: world.RoleBlobDataContributor,
			PrincipalID: app(t, *s, "administrator").ServicePrincipalID, PrincipalType: "ServicePrincipal",
		})
	}
}

// storageRefused wants an error of a status and code.
func storageRefused(t *testing.T, err error, status int, code bloberror.Code) {
	t.Helper()
	if e, ok := errors.AsType[*azcore.ResponseError](err); !ok || e.StatusCode != status || !bloberror.HasCode(err, code) {
		t.Errorf("%v; want %d %s", err, status, code)
	}
}

func body(s string) io.ReadSeekCloser { return streaming.NopCloser(strings.NewReader(s)) }

func TestMicrosoftsStorageClientWritesBlobs(t *testing.T) {
	r := record(t, writer(t))
	c, ctx := blobs(t, r), context.Background()
	one := c.NewBlockBlobClient("run/1")
	made := must(one.Upload(ctx, body("hello"), &blockblob.UploadOptions{Metadata: map[string]*string{"run": new("7")}}))(t)
	got := must(one.DownloadStream(ctx, nil))(t)
	if b := must(io.ReadAll(got.Body))(t); string(b) != "hello" || *got.ETag != *made.ETag || *got.Metadata["Run"] != "7" {
		t.Errorf("%q %v %v", b, got.ETag, got.Metadata)
	}
	if p := must(one.GetProperties(ctx, nil))(t); *p.ContentLength != 5 || *p.BlobType != blob.BlobTypeBlockBlob || *p.LeaseState != lease.StateTypeAvailable {
		t.Errorf("%+v", p)
	}
	anyone := azcore.ETagAny
	_, err := one.Upload(ctx, body("x"), &blockblob.UploadOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &anyone}}})
	storageRefused(t, err, http.StatusConflict, bloberror.BlobAlreadyExists)
	stale := azcore.ETag(`"0x1"`)
	_, err = one.Upload(ctx, body("x"), &blockblob.UploadOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &stale}}})
	storageRefused(t, err, http.StatusPreconditionFailed, bloberror.ConditionNotMet)

	log := c.NewAppendBlobClient("log")
	must(log.Create(ctx, nil))(t)
	must(log.AppendBlock(ctx, body("one"), nil))(t)
	at := func(n int64) *appendblob.AppendBlockOptions {
		return &appendblob.AppendBlockOptions{AppendPositionAccessConditions: &appendblob.AppendPositionAccessConditions{AppendPosition: &n}}
	}
	_, err = log.AppendBlock(ctx, body("two"), at(1))
	storageRefused(t, err, http.StatusPreconditionFailed, bloberror.AppendPositionConditionNotMet)
	if a := must(log.AppendBlock(ctx, body("two"), at(3)))(t); *a.BlobAppendOffset != "3" || *a.BlobCommittedBlockCount != 2 {
		t.Errorf("%+v", a)
	}

	var names []string
	for p := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: new(int32(1))}); p.More(); {
		for _, i := range must(p.NextPage(ctx))(t).Segment.BlobItems {
			names = append(names, *i.Name)
			if i.Properties.ETag == nil || i.Properties.LastModified == nil {
				t.Errorf("%+v", i.Properties)
			}
		}
	}
	if strings.Join(names, " ") != "log run/1" {
		t.Errorf("listed: %q", names)
	}
	must(one.Delete(ctx, nil))(t)
	_, err = one.GetProperties(ctx, nil)
	storageRefused(t, err, http.StatusNotFound, bloberror.BlobNotFound)
}

func TestMicrosoftsStorageClientLeases(t *testing.T) {
	r := record(t, writer(t))
	c, ctx := blobs(t, r), context.Background()
	one := c.NewBlockBlobClient("lock")
	must(one.Upload(ctx, body(""), nil))(t)
	mine := must(lease.NewBlobClient(one, &lease.BlobClientOptions{LeaseID: new("bbbbbbbb-0000-4000-8000-000000000001")}))(t)
	other := must(lease.NewBlobClient(one, nil))(t)
	must(mine.AcquireLease(ctx, 15, nil))(t)
	_, err := other.AcquireLease(ctx, 15, nil)
	storageRefused(t, err, http.StatusConflict, bloberror.LeaseAlreadyPresent)
	_, err = one.Upload(ctx, body("x"), nil)
	storageRefused(t, err, http.StatusPreconditionFailed, bloberror.LeaseIDMissing)
	must(one.Upload(ctx, body("x"), &blockblob.UploadOptions{AccessConditions: &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: mine.LeaseID()}}}))(t)
	must(mine.RenewLease(ctx, nil))(t)
	must(mine.ChangeLease(ctx, "bbbbbbbb-0000-4000-8000-000000000002", nil))(t)
	must(mine.ReleaseLease(ctx, nil))(t)
	must(other.AcquireLease(ctx, -1, nil))(t)
	if b := must(mine.BreakLease(ctx, nil))(t); *b.LeaseTime != 0 {
		t.Errorf("%d seconds are left of a lease that was broken at once", *b.LeaseTime)
	}
}

func TestAStrangerIsToldSoByTheBlobService(t *testing.T) {
	r := record(t, nil) // the owner of the subscription has no role for data
	_, err := blobs(t, r).NewBlockBlobClient("x").GetProperties(context.Background(), nil)
	storageRefused(t, err, http.StatusForbidden, bloberror.AuthorizationPermissionMismatch)
}
