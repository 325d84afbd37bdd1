package wire

import "time"

// Quota is one of the limits that a service keeps: so many in each window.
type Quota struct {
	Scope  string // "vault kv-pat-prod, new versions"
	N      int
	Window time.Duration
	// Used is how much was accepted under it since the service began.
	Used int
}

// Limited is a Service that keeps limits.
type Limited interface {
	// Quotas are its limits with what was accepted under them; a limit that nothing fell under is left out.
	Quotas() []Quota
}

// Floor is the least time in which a quota lets what was used since an earlier look through, however well it is asked.
func (q Quota) Floor(since Quota) time.Duration {
	used := q.Used - since.Used
	if used <= 0 {
		return 0
	}
	return time.Duration((used-1)/q.N) * q.Window
}
