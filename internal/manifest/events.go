package manifest

import "time"

// EventSink is something that every entry of the ledger is handed on to: exactly one of its blocks is set.
type EventSink struct {
	Name    string       `yaml:"-"`
	Monitor *MonitorSink `yaml:"monitor" one:"kind of sink" doc:"A stream of a data collection rule of Azure Monitor."`
	Webhook *WebhookSink `yaml:"webhook" one:"kind of sink" doc:"An HTTP receiver that is sent a signed event for each entry."`
	Lines   *LinesSink   `yaml:"lines" one:"kind of sink" doc:"Lines of JSON."`
}

// MonitorSink is a stream of a data collection rule.
type MonitorSink struct {
	Endpoint string `yaml:"endpoint,required" is:"ingestion" doc:"The address of the data collection endpoint, or the rule's own, without a path."`
	Rule     string `yaml:"rule,required" is:"collection-rule" doc:"The immutable id of the data collection rule, dcr- and 32 digits. Rekey's identity needs the role Monitoring Metrics Publisher on the rule."`
	Stream   string `yaml:"stream,required" is:"stream" doc:"A stream that the rule declares, such as Custom-RekeyEvents_CL. docs/events.md has its columns."`
}

// WebhookSink is a receiver of events.
type WebhookSink struct {
	URL        string        `yaml:"url,required" is:"receiver" doc:"Where events are sent by POST: https, or http on this very machine (localhost, 127.0.0.1, [::1])."`
	SigningKey SecretRef     `yaml:"signingKey,required" doc:"The secret whose value signs every event: 24 bytes at least, or 'whsec_' and such bytes in base64."`
	Timeout    time.Duration `yaml:"timeout" default:"1m" doc:"How long the receiver may take to answer one event, 2m at most."`
}

// LinesSink is where lines are written.
type LinesSink struct {
	File   string `yaml:"file" one:"place of the lines" doc:"The file that lines are added to, relative to this file."`
	Stdout bool   `yaml:"stdout" one:"place of the lines" doc:"true: they are printed at the end of the run. With --json they go to stderr."`
}

// longestTimeout is how long a receiver may take.
const longestTimeout = 2 * time.Minute

// events holds the sinks against the rest.
func (k *checker) events() {
	sinks := k.section("events")[:len(k.m.Events)]
	for i, s := range sinks {
		if w := k.m.Events[i].Webhook; w != nil && w.Timeout > longestTimeout {
			k.fail(s, "webhook.timeout", "%s is longer than %s", FormatDuration(w.Timeout), FormatDuration(longestTimeout))
		}
		if w := k.m.Events[i].Webhook; w != nil {
			if v, ok := k.m.Vault(w.SigningKey.Vault); ok && v.Elevation != "" {
				k.fail(s, "webhook.signingKey", "vault %s is read under a role that is taken for a run, and events are sent once that was given back: keep the key in another vault", quote(v.Name))
			}
		}
	}
	if len(sinks) > 0 && k.m.Ledger.Folder+k.m.Ledger.Blob == "" && k.root.get("ledger") == nil {
		k.fail(subject{nil, &entry{key: k.root, value: k.root}}, "events", "events are taken from the ledger, so that none is lost: name one under ledger; a folder is enough")
	}
}
