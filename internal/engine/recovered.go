package engine

import (
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// recovered records of this run's effects whose answers were lost which of them are now seen to have happened. That one
// is not seen says nothing: it may come late. Nothing is decided by it, so that one which cannot be recorded is left out.
func (p *pass) recovered() {
	p.unsure = slices.DeleteFunc(p.unsure, func(e ledger.Entry) bool {
		if !p.happened(&e) {
			return false
		}
		e.Time, e.Phase, e.Code, e.Error, e.Reason = p.now(), ledger.Recovered, "", "", "its answer was lost; it was looked for, and had happened"
		if _, err := p.record(e); err != nil {
			p.cfg.Log.Debug("what became of an effect is not recorded", "effect", e.Effect, "error", err)
		}
		return true
	})
}

// happened says whether what was observed since shows that an effect was applied.
func (p *pass) happened(e *ledger.Entry) bool {
	switch e.Effect {
	case "issue":
		i := slices.IndexFunc(p.obs.Issued.Value, func(i rotation.Issued) bool { return i.Name == e.Target })
		if i >= 0 {
			e.IssuerID, e.Expires = p.obs.Issued.Value[i].ID, p.obs.Issued.Value[i].To
		}
		return i >= 0
	case "revoke":
		return p.obs.Issued.Known && e.IssuerID != "" && !slices.ContainsFunc(p.obs.Issued.Value, func(i rotation.Issued) bool { return i.ID == e.IssuerID })
	case "publish", "rollback", "amend":
		return p.obs.Direct && recorded(p.obs.Secret.Value.Tags, *e)
	case "prepare":
		return recorded(p.obs.Slot.Pending.Value.Tags, *e)
	case "tell":
		i := slices.IndexFunc(p.c.Consumers, func(c driver.Consumer) bool { return strings.HasPrefix(e.Target, c.ID()+", ") })
		return i >= 0 && i < len(p.obs.Consumers) && p.obs.Consumers[i].Known && string(p.obs.Consumers[i].Value.Publication) == e.Publication
	}
	return false
}

// recorded says whether a secret's record is the one that an effect was to write.
func recorded(tags map[string]string, e ledger.Entry) bool {
	r, err := rotation.ParseRecord(tags[rotation.RecordTag])
	return err == nil && string(r.Publication) == e.Publication && string(r.Generation) == e.Generation && (e.Effect != "amend" || r.Expires.Equal(e.Expires))
}
