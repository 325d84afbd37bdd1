package engine

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// fallback is the value that would be published again, as this run has read it from its own version.
type fallback struct {
	value secret.Value
	tags  map[string]string // of its version
	// probed is the wall clock when the probe that it passed was asked for.
	probed time.Time
	// sent says that this run has sent it to the store.
	sent bool
	// why is what this run says of a rollback by itself, and told says that it is there, so that it is said.
	why  error
	told bool
}

// readFallback reads the value of an older generation, and probes it at the issuer.
func (p *pass) readFallback(ctx context.Context, of rotation.Generation) error {
	r, err := p.c.Store.Earlier(ctx, p.c.Spec.Target.Name, func(tags map[string]string) bool {
		rec, err := rotation.ParseRecord(tags[rotation.RecordTag])
		return err == nil && rec.Generation == of
	})
	out := rotation.Fallback{Generation: of}
	switch {
	case driver.KindOf(err) == driver.Missing:
		out.Why = "no version of the secret has it any more"
	case err != nil:
		p.obs.Fallback = failed[rotation.Fallback](err, p.now())
		return err
	case !r.Secret.Enabled:
		out.Why = "the version that has it is disabled"
	case r.Value.Empty():
		out.Why = "the version that should have it has no value"
	default:
		p.back.value.Wipe()
		p.back.value, p.back.tags, p.back.probed = r.Value, r.Secret.Tags, p.wall()
		checked, err := p.c.Issuer.Check(ctx, r.Value)
		if err != nil {
			p.obs.Fallback = failed[rotation.Fallback](err, p.now())
			return err
		}
		out.Check = checked.Check
	}
	p.obs.Fallback = rotation.Known(out)
	return nil
}

// restore publishes again what was there before. Nothing is issued, so there is nothing that a way out could leave
// behind; a PUT whose answer is lost is looked for by the next decision, and sent again by another run at most.
func (p *pass) restore(ctx context.Context, d rotation.Decision, a rotation.Restore) error {
	if p.back.sent {
		return &driver.Error{Kind: driver.Ambiguous, Op: "roll back " + p.c.Spec.Target.String(), Detail: "the answer was lost, and it is not there yet",
			Hint: "the next run looks for it, and rolls back again if it did not arrive"}
	}
	// Nothing is published over what another run has put there since.
	if !p.justPublished || p.age(p.readAt) > freshFor {
		if err := p.readSecret(ctx, false); err != nil {
			return err
		}
	}
	newest, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag])
	if err != nil || newest.IssuerID != a.Record.Predecessor {
		p.again()
		return nil
	}
	r := a.Record
	r.Publication = rotation.NewPublication(p.now(), p.random())
	r.RevokeAfter = p.now().Add(p.c.Spec.Overlap)
	r = p.witnessed(r)
	tag, err := r.Encode()
	if err != nil {
		return err
	}
	put := driver.Put{Name: p.c.Spec.Target.Name, Value: p.back.value, Tags: p.restoredTags(), ContentType: p.c.ContentType, Expires: r.Expires}
	put.Tags[rotation.RecordTag] = tag
	e := ledger.Entry{Effect: "rollback", Target: p.c.Spec.Target.String(), Reason: d.Why,
		Generation: string(r.Generation), Publication: string(r.Publication), IssuerID: r.IssuerID, Expires: r.Expires}
	var done driver.Reading
	var stale bool
	err = p.effect(e, func(e *ledger.Entry) error {
		// Here and not earlier, because a process can be suspended anywhere, the ledger's write included: another run may
		// have published since, and revoked what this one would publish.
		if stale = p.age(p.back.probed) > maxCheckAge || p.outdated(a); stale {
			return driver.Errorf(driver.Unavailable, "roll back "+p.c.Spec.Target.String(), "", "the last probe is %s old; this process was suspended or the network hung, and another run may have acted meanwhile",
				p.age(p.back.probed).Round(time.Second))
		}
		p.back.sent, p.back.why = true, p.rolledBack(d, a)
		bounded, cancel := context.WithTimeout(ctx, maxIssueAge-p.age(p.back.probed))
		defer cancel()
		put.Within = max(maxCheckAge-p.age(p.back.probed), time.Nanosecond)
		var err error
		done, err = p.c.Store.Put(bounded, put)
		e.Version = done.Secret.Version
		return err
	})
	switch {
	case stale:
		p.again()
		return nil
	case err == nil, done.Secret.Version != "":
	case driver.KindOf(err) == driver.Ambiguous:
		p.obs.Attempt = &rotation.Attempt{Generation: r.Generation, PutSent: true, PutAt: p.now()}
		p.sent = append(p.sent, r.Generation)
		p.obs.Direct, p.obs.Secret = false, rotation.Fact[rotation.Secret]{}
		return nil // Decide looks whether it was committed
	default:
		return err
	}
	p.back.told = true
	p.obs.Attempt, p.obs.Fallback = nil, rotation.Fact[rotation.Fallback]{}
	p.obs.Versions.Value = append(p.obs.Versions.Value, r)
	if err != nil {
		return err
	}
	return p.readPublished(ctx, r, p.back.value)
}

// restoredTags are the newest version's, but for those that say something of the value itself, such as its public key:
// these are as they were beside the value that is published again.
func (p *pass) restoredTags() map[string]string {
	const ours = rotation.RecordTag + "-"
	out := p.tags()
	maps.DeleteFunc(out, func(name, _ string) bool { return strings.HasPrefix(name, ours) })
	for name, v := range p.back.tags {
		if strings.HasPrefix(name, ours) {
			out[name] = v
		}
	}
	return out
}

// rolledBack is what a run says at its end that rolled back by itself: whoever waits for a replacement must hear that
// there is none.
func (p *pass) rolledBack(d rotation.Decision, a rotation.Restore) error {
	if a.ByHand {
		return nil
	}
	return &driver.Error{Kind: driver.Rejected, Op: fmt.Sprintf("replace credential %s", p.c.Spec.Name), Detail: d.Why,
		Hint: "consumers are told the old value again; find out why they do not work with a new one before the next try"}
}
