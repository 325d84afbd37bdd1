package blob

import (
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// tag is a new ETag, without its quotes.
func (c *call) tag() string { return "0x8D" + strings.ToUpper(c.w.NewVersion()[:12]) }

func quote(tag string) string { return `"` + tag + `"` }

var containerForm = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`)

func (c *call) createContainer() (int, []byte, *fault) {
	switch {
	case c.container != nil:
		return 0, nil, conflict("ContainerAlreadyExists", "The specified container already exists.")
	case !containerForm.MatchString(c.route.container):
		return 0, nil, &fault{http.StatusBadRequest, "InvalidResourceName", "The specified resource name contains invalid characters."}
	}
	c.container = &world.BlobContainer{Name: c.route.container, ETag: c.tag(), Modified: c.now}
	c.account.Containers = append(c.account.Containers, c.container)
	slices.SortFunc(c.account.Containers, func(a, b *world.BlobContainer) int { return strings.Compare(a.Name, b.Name) })
	c.stamp(c.container.ETag, c.container.Modified)
	return http.StatusCreated, nil, nil
}

// stamp sets what every answer about one thing carries.
func (c *call) stamp(tag string, modified time.Time) {
	c.header.Set("ETag", quote(tag))
	c.header.Set("Last-Modified", modified.UTC().Format(http.TimeFormat))
}

func (c *call) getContainer() (int, []byte, *fault) {
	c.stamp(c.container.ETag, c.container.Modified)
	for k, v := range map[string]string{"X-Ms-Lease-Status": "unlocked", "X-Ms-Lease-State": "available", "X-Ms-Has-Immutability-Policy": "false", "X-Ms-Has-Legal-Hold": "false"} {
		c.header.Set(k, v)
	}
	return http.StatusOK, nil, nil
}

func (c *call) deleteContainer() (int, []byte, *fault) {
	c.account.Containers = slices.DeleteFunc(c.account.Containers, func(x *world.BlobContainer) bool { return x == c.container })
	return http.StatusAccepted, nil, nil
}

// properties are what lists say of a container or a blob.
type properties struct {
	LastModified  string `xml:"Last-Modified"`
	Etag          string
	CreationTime  string `xml:"Creation-Time,omitempty"`
	ContentLength *int   `xml:"Content-Length"`
	ContentType   string `xml:"Content-Type,omitempty"`
	BlobType      string `xml:",omitempty"`
	LeaseStatus   string
	LeaseState    string
}

type item struct {
	Name       string
	Properties properties
	Metadata   *meta `xml:",omitempty"`
}

type meta struct {
	Members []member `xml:",any"`
}

type member struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// listing is the answer of both lists.
type listing struct {
	XMLName         xml.Name `xml:"EnumerationResults"`
	ServiceEndpoint string   `xml:",attr"`
	ContainerName   string   `xml:",attr,omitempty"`
	Prefix          string   `xml:",omitempty"`
	Marker          string   `xml:",omitempty"`
	MaxResults      int      `xml:",omitempty"`
	Containers      *struct {
		Container []item
	} `xml:",omitempty"`
	Blobs *struct {
		Blob []item
	} `xml:",omitempty"`
	NextMarker string
}

// cut reads the query of a list and cuts it to its page: those from the marker on.
func (c *call) cut(names []string) (l listing, from, to int, f *fault) {
	q := c.r.URL.Query()
	l = listing{ServiceEndpoint: "https://" + c.account.Name + ".blob.core.windows.net/", Prefix: q.Get("prefix"), Marker: q.Get("marker")}
	size := 5000
	if v := q.Get("maxresults"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return l, 0, 0, &fault{http.StatusBadRequest, "OutOfRangeQueryParameterValue", "One of the query parameters specified in the request URI is outside the permissible range."}
		}
		l.MaxResults, size = n, min(n, size)
	}
	from, _ = slices.BinarySearch(names, l.Marker)
	to = min(from+size, len(names))
	if to < len(names) {
		l.NextMarker = names[to]
	}
	return l, from, to, nil
}

func (c *call) listContainers() (int, []byte, *fault) {
	var found []*world.BlobContainer
	var names []string
	for _, x := range c.account.Containers {
		if strings.HasPrefix(x.Name, c.r.URL.Query().Get("prefix")) {
			found, names = append(found, x), append(names, x.Name)
		}
	}
	l, from, to, f := c.cut(names)
	if f != nil {
		return 0, nil, f
	}
	l.Containers = &struct{ Container []item }{}
	for _, x := range found[from:to] {
		l.Containers.Container = append(l.Containers.Container, item{Name: x.Name, Properties: properties{
			LastModified: x.Modified.UTC().Format(http.TimeFormat), Etag: quote(x.ETag), LeaseStatus: "unlocked", LeaseState: "available",
		}})
	}
	c.header.Set("Content-Type", "application/xml")
	return http.StatusOK, xmlOf(l), nil
}

func (c *call) listBlobs() (int, []byte, *fault) {
	q := c.r.URL.Query()
	if q.Get("delimiter") != "" {
		return 0, nil, &fault{http.StatusNotImplemented, "NotImplemented", "The simulator lists blobs without a delimiter."}
	}
	var found []*world.Blob
	var names []string
	for _, x := range c.container.Blobs {
		if strings.HasPrefix(x.Name, q.Get("prefix")) {
			found, names = append(found, x), append(names, x.Name)
		}
	}
	l, from, to, f := c.cut(names)
	if f != nil {
		return 0, nil, f
	}
	l.ContainerName, l.Blobs = c.container.Name, &struct{ Blob []item }{}
	withMetadata := slices.Contains(strings.Split(q.Get("include"), ","), "metadata")
	for _, x := range found[from:to] {
		status, state := leaseWords(x, c.now)
		i := item{Name: x.Name, Properties: properties{
			LastModified: x.Modified.UTC().Format(http.TimeFormat), Etag: x.ETag, CreationTime: x.Created.UTC().Format(http.TimeFormat), ContentLength: new(len(x.Data)),
			ContentType: x.ContentType, BlobType: kindOf(x), LeaseStatus: status, LeaseState: state,
		}}
		if withMetadata {
			i.Metadata = &meta{}
			for _, k := range sortedKeys(x.Metadata) {
				i.Metadata.Members = append(i.Metadata.Members, member{XMLName: xml.Name{Local: k}, Value: x.Metadata[k]})
			}
		}
		l.Blobs.Blob = append(l.Blobs.Blob, i)
	}
	c.header.Set("Content-Type", "application/xml")
	return http.StatusOK, xmlOf(l), nil
}
