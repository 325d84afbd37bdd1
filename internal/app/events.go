package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/rekeyhq/rekey/internal/azure/logsingest"
	"github.com/rekeyhq/rekey/internal/events"
	"github.com/rekeyhq/rekey/internal/hook/webhook"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Sinks are what the manifest hands its events on to. Lines for the standard output go to out.
func (a *App) Sinks(out io.Writer) (all []events.Sink, err error) {
	for _, s := range a.cfg.Manifest.Events {
		switch {
		case s.Monitor != nil:
			all = append(all, logsingest.New(s.Name, s.Monitor.Endpoint, s.Monitor.Rule, s.Monitor.Stream, a.client.Renewing(a.options(), a.cred), a.cred))
		case s.Webhook != nil:
			keys, err := a.store(s.Webhook.SigningKey.Vault)
			if err != nil {
				return nil, err
			}
			set := webhook.Settings{URL: s.Webhook.URL, SigningKey: s.Webhook.SigningKey, Timeout: s.Webhook.Timeout}
			all = append(all, receiver{s.Name, webhook.New(a.options(), set, keys, rotation.Target{})})
		case s.Lines != nil && s.Lines.Stdout:
			all = append(all, events.Stream(s.Name, out))
		case s.Lines != nil:
			all = append(all, events.File(s.Name, a.Path(s.Lines.File)))
		}
	}
	return all, nil
}

// EventSource says where events come from.
func (a *App) EventSource() string { return cmp.Or(a.cfg.Manifest.Ledger.Blob, "rekey:ledger") }

// receiver sends events to a webhook, one in each request.
type receiver struct {
	name string
	w    *webhook.Webhook
}

func (r receiver) Name() string { return r.name }

func (r receiver) Send(ctx context.Context, all []events.Event) (taken int, err error) {
	for _, e := range all {
		body, err := json.Marshal(e)
		if err != nil {
			return taken, fmt.Errorf("write event %s: %w", e.ID, err)
		}
		if err := r.w.Send(ctx, e.ID, body); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}
