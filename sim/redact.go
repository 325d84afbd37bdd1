package sim

import (
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// sensitive are the query members that never reach the request log, in lower case.
var sensitive = map[string]bool{
	"code": true, "client_secret": true, "password": true, "refresh_token": true, "assertion": true,
	"client_assertion": true, "token": true, "access_token": true, "id_token": true, "device_code": true,
	"code_verifier": true, "sig": true,
}

// logQuery is a raw query without its sensitive members and without any value that carries the canary. The rest
// keeps its order and its encoding.
func logQuery(raw string) string {
	if raw == "" {
		return ""
	}
	kept := make([]string, 0, 4)
	for member := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(member, "=")
		if sensitive[strings.ToLower(unescape(key))] || strings.Contains(unescape(key+"="+value), world.Canary) {
			continue
		}
		kept = append(kept, member)
	}
	return strings.Join(kept, "&")
}

// logPath is a path in which segments that carry the canary are blanked.
func logPath(path string) string {
	if !strings.Contains(path, world.Canary) {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.Contains(s, world.Canary) {
			segments[i] = "[secret]"
		}
	}
	return strings.Join(segments, "/")
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
