package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// Quotas are the limits that the services keep, with what was accepted under each since the start, in the order of
// their scopes.
func (s *Server) Quotas() []wire.Quota {
	var out []wire.Quota
	for _, service := range s.services {
		if l, ok := service.(wire.Limited); ok {
			out = append(out, l.Quotas()...)
		}
	}
	slices.SortFunc(out, func(a, b wire.Quota) int { return cmp.Compare(a.Scope, b.Scope) })
	return out
}

// Floor is the least time in which the services' limits let through what was accepted since an earlier look at them,
// and the limit that says so; an empty scope if none does.
func (s *Server) Floor(since []wire.Quota) (least time.Duration, binds wire.Quota) {
	for _, q := range s.Quotas() {
		var before wire.Quota
		if i := slices.IndexFunc(since, func(b wire.Quota) bool { return b.Scope == q.Scope }); i >= 0 {
			before = since[i]
		}
		if f := q.Floor(before); f > least {
			least, binds = f, q
		}
	}
	return least, binds
}
