package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const (
	// cache is how long who is told by a webhook may go on with what it held, unless the manifest says so.
	cache = time.Hour
	// longest is how long a receiver may take: less than one tell may.
	longest = 2 * time.Minute
)

// Settings are the block "webhook" of a consumer.
type Settings struct {
	URL           string             `yaml:"url,required" doc:"Where events are sent by POST: https, or http on this very machine (localhost, 127.0.0.1, [::1])."`
	SigningKey    manifest.SecretRef `yaml:"signingKey,required" doc:"The secret whose value signs every event: 24 bytes at least, or 'whsec_' and such bytes in base64."`
	IncludeSecret bool               `yaml:"includeSecret" doc:"true: the event carries the value itself, and whoever keeps requests keeps it. Without it, it carries the secret's address in the vault, and the receiver reads it there."`
	Timeout       time.Duration      `yaml:"timeout" default:"1m" doc:"How long the receiver may take to answer, 2m at most."`
}

// Kind is what a manifest can say about a webhook.
func Kind() manifest.Kind {
	return manifest.Kind{Name: "webhook", Consumer: true, Cache: cache,
		Doc: "An HTTP receiver that is sent a signed event for each new value.",
		New: func() manifest.Settings { return new(Settings) }}
}

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), in manifest.Context) {
	if s.Timeout > longest {
		report("timeout", fmt.Sprintf("%s is longer than %s", manifest.FormatDuration(s.Timeout), manifest.FormatDuration(longest)))
	}
	if s.URL != "" {
		if _, why := address(s.URL); why != "" {
			report("url", why)
		}
	}
	if s.IncludeSecret {
		in.Warn("includeSecret", "whoever logs or keeps the requests to this receiver keeps the value: without includeSecret the receiver reads it from the vault")
	}
}

// Location implements manifest.Located.
func (s *Settings) Location() string {
	u, why := address(s.URL)
	if why != "" {
		return ""
	}
	return u.String()
}

// address is where events are sent, or why nothing is sent there. Its texts do not repeat it: there may be a password
// or a signature in it.
func address(s string) (u *url.URL, why string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Hostname() == "":
		return nil, "must be an address like https://HOST/PATH"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, "must have no user name, query or fragment: what authorizes a request does not belong into a manifest, and the receiver knows Rekey by its signature"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, "must be https: what is sent in the clear can be read and changed on its way; http is for this very machine alone"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "must be https"
	}
	u.Host = strings.ToLower(u.Host)
	return u, ""
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
