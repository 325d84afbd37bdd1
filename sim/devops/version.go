package devops

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Microsoft serves 7.2 as a preview only, everywhere; 7.1 is the newest release.
const (
	newestVersion  = "7.2"
	releaseVersion = "7.1"
)

// resource is how one resource is versioned.
type resource struct {
	latest      int  // newest resource version: the N of -preview.N
	released    bool // served without -preview up to the newest release
	plainByKnob bool // served without -preview where the knob says so
}

// version is a negotiated api-version.
type version struct {
	text         string // as the Content-Type of the answer echoes it
	major, minor int
}

func (v version) atLeast(major, minor int) bool {
	return v.major > major || v.major == major && v.minor >= minor
}

var versionForm = regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})(-preview(?:\.(\d{1,4}))?)?$`)

// requestedVersion is what the caller asked for: a query member, or a parameter of Accept, which is where
// Microsoft's own clients put it.
func (c *call) requestedVersion() string {
	if v := c.query.get("api-version"); v != "" {
		return v
	}
	for _, media := range strings.Split(strings.Join(c.r.Header.Values("Accept"), ","), ",") {
		for _, param := range strings.Split(media, ";") {
			k, v, _ := strings.Cut(strings.TrimSpace(param), "=")
			if strings.EqualFold(k, "api-version") {
				return strings.Trim(v, `"`)
			}
		}
	}
	return ""
}

// negotiate settles the api-version of the call, or refuses the call and returns false.
func (c *call) negotiate(res resource) bool {
	asked := c.requestedVersion()
	if asked == "" {
		if c.r.Method != http.MethodGet && c.r.Method != http.MethodOptions {
			c.fail(http.StatusBadRequest, webAPI("VssVersionNotSpecifiedException"),
				fmt.Sprintf(`No api-version was supplied for the "%s" request. The version must be supplied either as part of the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").`, c.r.Method))
			return false
		}
		c.version = version{text: fmt.Sprintf("%s-preview.%d", newestVersion, res.latest), major: 7, minor: 2}
		if res.released {
			c.version = version{text: releaseVersion, major: 7, minor: 1}
		}
		return true
	}
	m := versionForm.FindStringSubmatch(strings.ToLower(asked))
	if m == nil {
		c.fail(http.StatusBadRequest, webAPI("VssInvalidApiResourceVersionException"),
			fmt.Sprintf(`Invalid api version string: "%s". Api version string must be in the format: {Major}.{Minor}[-preview[.{ResourceVersion}]].`, asked))
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	v := version{text: m[1] + "." + m[2], major: major, minor: minor}
	preview, number := m[3] != "", res.latest
	if m[4] != "" {
		number, _ = strconv.Atoi(m[4])
	}
	if v.atLeast(7, 3) || number > res.latest {
		latest := newestVersion
		if number > res.latest {
			latest = fmt.Sprintf("%s-preview.%d", newestVersion, res.latest)
		}
		c.fail(http.StatusBadRequest, webAPI("VssVersionOutOfRangeException"),
			fmt.Sprintf("The requested REST API version of %s is out of range for this server. The latest REST API version this server supports is %s.", asked, latest))
		return false
	}
	plain := res.released && !v.atLeast(7, 2) || res.plainByKnob && c.knobs.AcceptPlainVersion
	if !preview && !plain {
		c.fail(http.StatusBadRequest, webAPI("VssInvalidPreviewVersionException"),
			fmt.Sprintf(`The requested version "%s" of the resource is under preview. The -preview flag must be supplied in the api-version for such requests. For example: "%s-preview"`, v.text, v.text))
		return false
	}
	if preview {
		v.text = fmt.Sprintf("%s-preview.%d", v.text, number)
	}
	c.version = v
	return true
}
