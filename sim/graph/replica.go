package graph

import (
	"slices"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// version is an application as it was until some time; nil, if it was not there.
type version struct {
	until time.Time
	app   *world.App
}

// replica is how late the replica is that answers this request.
func (c *call) replica() time.Duration {
	lag := time.Duration(c.w.Knobs.Graph.ReplicationLag)
	n := uint64(max(c.w.Knobs.Graph.Replicas, 0))
	if lag == 0 || n < 2 {
		return lag
	}
	i := c.reads % n
	c.reads++
	return lag * time.Duration(i) / time.Duration(n-1)
}

// seen is an application as it was at an instant, nil if it was not there. It must not be changed.
func (s *Service) seen(a *world.App, at time.Time) *world.App {
	for _, v := range s.versions[a] {
		if at.Before(v.until) {
			return v.app
		}
	}
	if !a.Deleted.IsZero() {
		return nil
	}
	return a
}

// change is called before an application is changed. It refuses what comes too soon after the last change, and keeps
// for replicas and lists what it was.
func (c *call) change(a *world.App) *fault {
	k := c.w.Knobs.Graph
	if last, ok := c.written[a]; ok && c.now.Before(last.Add(time.Duration(k.WriteGap))) {
		return concurrency()
	}
	if k.WriteGap > 0 {
		c.written[a] = c.now
	}
	c.keep(a, a)
	c.forget(a)
	return nil
}

// keep remembers what an application was until now.
func (c *call) keep(a, was *world.App) {
	k := c.w.Knobs.Graph
	longest := time.Duration(max(k.ReplicationLag, k.ListLag))
	if longest == 0 {
		delete(c.versions, a)
		return
	}
	if was != nil {
		was = was.Clone()
	}
	kept := slices.DeleteFunc(c.versions[a], func(v version) bool { return v.until.Before(c.now.Add(-longest)) })
	c.versions[a] = append(kept, version{c.now, was})
}

// forget drops the removed credentials that nobody takes any more.
func (c *call) forget(a *world.App) {
	if c.w.Knobs.Graph.KeepRemoved {
		return
	}
	over := func(removed time.Time) bool { return !c.now.Before(removed.Add(c.removalDelay())) }
	a.RemovedSecrets = slices.DeleteFunc(a.RemovedSecrets, func(p *world.PasswordCredential) bool { return over(p.Removed) })
	a.RemovedCertificates = slices.DeleteFunc(a.RemovedCertificates, func(k *world.KeyCredential) bool { return over(k.Removed) })
}

func (c *call) removalDelay() time.Duration { return time.Duration(c.w.Knobs.Entra.RemovalDelay) }
