package world

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Storage is what is kept in storage accounts, and what was handed to Azure Monitor.
type Storage struct {
	StorageAccounts []*StorageAccount `json:"storageAccounts,omitempty"`
	CollectionRules []*CollectionRule `json:"dataCollectionRules,omitempty"`
}

// StorageAccount is a storage account with its blob containers.
type StorageAccount struct {
	Name           string           `json:"name"`
	SubscriptionID string           `json:"subscriptionId"`
	ResourceGroup  string           `json:"resourceGroup"`
	Location       string           `json:"location"`
	TenantID       string           `json:"tenantId"`
	Containers     []*BlobContainer `json:"containers,omitempty"`
}

// ResourceID is the account's ARM id.
func (a *StorageAccount) ResourceID() string {
	return "/subscriptions/" + a.SubscriptionID + "/resourceGroups/" + a.ResourceGroup + "/providers/Microsoft.Storage/storageAccounts/" + a.Name
}

// BlobContainer is a container with its blobs, in the order of their names.
type BlobContainer struct {
	Name     string    `json:"name"`
	ETag     string    `json:"etag,omitempty"` // without quotes
	Modified time.Time `json:"lastModified,omitzero"`
	Blobs    []*Blob   `json:"blobs,omitempty"`
}

// Blob is a block blob or an append blob.
type Blob struct {
	Name        string            `json:"name"`
	Append      bool              `json:"append,omitempty"`
	Data        []byte            `json:"data,omitempty"`
	Blocks      int               `json:"blocks,omitempty"` // appended so far
	ContentType string            `json:"contentType,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	ETag        string            `json:"etag"` // without quotes
	Created     time.Time         `json:"created"`
	Modified    time.Time         `json:"lastModified"`
	Lease       BlobLease         `json:"lease,omitzero"`
}

// BlobLease is the lease of a blob; without an id there is none.
type BlobLease struct {
	ID string `json:"id,omitempty"`
	// Seconds are how long it lasts, -1 without end.
	Seconds int       `json:"seconds,omitempty"`
	Since   time.Time `json:"since,omitzero"`  // acquired or renewed
	Breaks  time.Time `json:"breaks,omitzero"` // when it is broken
}

// Ends is when a lease runs out; zero for one without end.
func (l BlobLease) Ends() time.Time {
	if l.Seconds < 0 {
		return time.Time{}
	}
	return l.Since.Add(time.Duration(l.Seconds) * time.Second)
}

// State is what a lease is at a time: available, leased, expired, breaking, broken.
func (l BlobLease) State(now time.Time) string {
	switch {
	case l.ID == "":
		return "available"
	case !l.Breaks.IsZero() && !now.Before(l.Breaks):
		return "broken"
	case !l.Breaks.IsZero():
		return "breaking"
	case !l.Ends().IsZero() && !now.Before(l.Ends()):
		return "expired"
	}
	return "leased"
}

// Holds says whether a lease keeps others from writing.
func (l BlobLease) Holds(now time.Time) bool {
	s := l.State(now)
	return s == "leased" || s == "breaking"
}

// CollectionRule is a data collection rule with what was ingested by it.
type CollectionRule struct {
	Name           string `json:"name"`
	ImmutableID    string `json:"immutableId"` // dcr- and 32 hex characters
	SubscriptionID string `json:"subscriptionId"`
	ResourceGroup  string `json:"resourceGroup"`
	Location       string `json:"location"`
	TenantID       string `json:"tenantId"`
	// Endpoint is the first label of the host that takes its data: "dce-rekey-a1b2" of
	// dce-rekey-a1b2.westeurope-1.ingest.monitor.azure.com.
	Endpoint string             `json:"endpoint"`
	Streams  []CollectionStream `json:"streams"`
	Ingested []*IngestedRecord  `json:"ingested,omitempty"`
}

// CollectionStream is a stream that a rule declares. What a record has beside its columns is dropped.
type CollectionStream struct {
	Name    string   `json:"name"` // Custom-...
	Columns []string `json:"columns"`
}

// IngestedRecord is one record that was taken. It can be queried from Visible on.
type IngestedRecord struct {
	Stream   string         `json:"stream"`
	Received time.Time      `json:"received"`
	Visible  time.Time      `json:"visible"`
	Fields   map[string]any `json:"fields"`
}

// ResourceID is the rule's ARM id.
func (r *CollectionRule) ResourceID() string {
	return "/subscriptions/" + r.SubscriptionID + "/resourceGroups/" + r.ResourceGroup + "/providers/Microsoft.Insights/dataCollectionRules/" + r.Name
}

// Records are what a query of a stream finds by now. Locked.
func (w *World) Records(r *CollectionRule, stream string) (out []*IngestedRecord) {
	for _, x := range r.Ingested {
		if strings.EqualFold(x.Stream, stream) && !w.Now().Before(x.Visible) {
			out = append(out, x)
		}
	}
	return out
}

// AllowedService says whether a principal may do an action at a service that asks for actions of both planes, as
// storage does for containers. A role without any data action does not count: whether Owner alone is enough is not
// known. Changes reach it as late as any data plane. Locked.
func (w *World) AllowedService(principal, action, scope string) bool {
	return w.allowed(principal, Deed{Action: action}, scope, w.Now(), time.Duration(w.Knobs.ARM.RBACDelay), func(r Role) bool {
		return len(r.DataActions) > 0 && r.Grants(action) || matchAny(r.DataActions, action) && !matchAny(r.NotDataActions, action)
	})
}

// AllowedIngestion says whether a principal may hand data to a rule. Locked.
func (w *World) AllowedIngestion(principal, scope string) bool {
	const action = "Microsoft.Insights/Telemetry/Write"
	delay := time.Duration(max(w.Knobs.ARM.RBACDelay, w.Knobs.Monitor.RoleDelay))
	return w.allowed(principal, Deed{Action: action}, scope, w.Now(), delay, func(r Role) bool {
		return matchAny(r.DataActions, action) && !matchAny(r.NotDataActions, action)
	})
}

func (s Storage) clone() Storage {
	s.StorageAccounts = cloneAll(s.StorageAccounts, func(a *StorageAccount) {
		a.Containers = cloneAll(a.Containers, func(c *BlobContainer) {
			c.Blobs = cloneAll(c.Blobs, func(b *Blob) { b.Data, b.Metadata = slices.Clone(b.Data), maps.Clone(b.Metadata) })
		})
	})
	s.CollectionRules = cloneAll(s.CollectionRules, func(r *CollectionRule) {
		r.Streams = slices.Clone(r.Streams)
		for i := range r.Streams {
			r.Streams[i].Columns = slices.Clone(r.Streams[i].Columns)
		}
		r.Ingested = cloneAll(r.Ingested, func(x *IngestedRecord) { x.Fields = cloneJSON(x.Fields).(map[string]any) })
	})
	return s
}

func cloneJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for k, e := range out {
			out[k] = cloneJSON(e)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i, e := range out {
			out[i] = cloneJSON(e)
		}
		return out
	}
	return v
}

// redact takes out what was handed over: it may hold what nobody should see.
func (s Storage) redact() {
	for _, a := range s.StorageAccounts {
		for _, c := range a.Containers {
			for _, b := range c.Blobs {
				b.Data = nil
			}
		}
	}
	for _, r := range s.CollectionRules {
		for _, x := range r.Ingested {
			x.Fields = map[string]any{}
		}
	}
}

func (v *validation) storage(s State) {
	owned := func(at, tenant, subscription, group string) {
		v.refer("tenant", at+".tenantId", tenant)
		v.refer("subscription", at+".subscriptionId", subscription)
		v.refer("resource group", at+".resourceGroup", subscription+"/"+group)
	}
	for i, a := range s.StorageAccounts {
		at := v.entry("storageAccounts", i, a == nil)
		if a == nil {
			continue
		}
		v.unique("storage account", at+".name", a.Name)
		owned(at, a.TenantID, a.SubscriptionID, a.ResourceGroup)
		for j, c := range a.Containers {
			here := v.entry(at+".containers", j, c == nil)
			if c == nil {
				continue
			}
			v.unique("container of "+at, here+".name", c.Name)
			for k, b := range c.Blobs {
				if deep := v.entry(here+".blobs", k, b == nil); b != nil {
					v.need(deep+".name", b.Name)
					v.need(deep+".etag", b.ETag)
				}
			}
		}
	}
	for i, r := range s.CollectionRules {
		at := v.entry("dataCollectionRules", i, r == nil)
		if r == nil {
			continue
		}
		v.unique("data collection rule", at+".immutableId", r.ImmutableID)
		v.need(at+".endpoint", r.Endpoint)
		owned(at, r.TenantID, r.SubscriptionID, r.ResourceGroup)
		for j, x := range r.Streams {
			v.need(at+".streams["+strconv.Itoa(j)+"].name", x.Name)
		}
		for j, x := range r.Ingested {
			v.entry(at+".ingested", j, x == nil)
		}
	}
}
