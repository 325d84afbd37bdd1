package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// validates fails the test unless a document is what the schema says.
func validates(t *testing.T, b []byte) {
	t.Helper()
	if err := against(b); err != nil {
		t.Errorf("%v\n%s", err, b)
	}
}

func against(b []byte) error {
	s, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("artifact.json", s); err != nil {
		return err
	}
	compiled, err := c.Compile("artifact.json")
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return compiled.Validate(doc)
}

func TestTheSchemaNamesEveryMemberAndNoOther(t *testing.T) {
	var s struct {
		Properties map[string]json.RawMessage
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	of := func(raw json.RawMessage) (names []string, sub map[string]json.RawMessage) {
		var o struct{ Properties map[string]json.RawMessage }
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(o.Properties)), o.Properties
	}
	_, statement := of(s.Properties["statement"])
	for name, c := range map[string]struct {
		schema json.RawMessage
		is     reflect.Type
	}{
		"the artefact":  {Schema(), reflect.TypeFor[Artifact]()},
		"the statement": {s.Properties["statement"], reflect.TypeFor[Statement]()},
		"the ledger":    {s.Properties["ledger"], reflect.TypeFor[Ledger]()},
		"who":           {statement["who"], reflect.TypeFor[Who]()},
		"why":           {statement["why"], reflect.TypeFor[Why]()},
		"environment":   {statement["environment"], reflect.TypeFor[Environment]()},
		"credential":    {s.Defs["credential"], reflect.TypeFor[Credential]()},
		"effect":        {s.Defs["effect"], reflect.TypeFor[Effect]()},
		"program":       {statement["program"], reflect.TypeFor[Program]()},
		"elevation":     {s.Defs["elevation"], reflect.TypeFor[Elevation]()},
		"consumer":      {s.Defs["consumer"], reflect.TypeFor[report.Consumer]()},
		"check":         {s.Defs["check"], reflect.TypeFor[report.Check]()},
		"error":         {s.Defs["error"], reflect.TypeFor[report.Error]()},
		"entry":         {s.Defs["entry"], reflect.TypeFor[ledger.Placed]()},
	} {
		var want []string
		for i := range c.is.NumField() {
			name, _, _ := strings.Cut(c.is.Field(i).Tag.Get("json"), ",")
			want = append(want, name)
		}
		slices.Sort(want)
		if got, _ := of(c.schema); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the program %v", name, got, want)
		}
	}
}

// run is one whose evidence is written.
type run struct {
	ledger  *ledger.Ledger
	engine  *engine.Engine
	public  string
	entries []ledger.Entry
}

func newRun(t *testing.T) *run {
	t.Helper()
	private, public, err := ledger.MakeKey("prod-ledger")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.ParseKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := ledger.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	r := &run{ledger: ledger.New(folder, key), public: public}
	// Another run's entry lies between ours.
	other := ledger.New(folder, key)
	r.engine = engine.New(engine.Config{Ledger: r})
	for i, e := range []ledger.Entry{
		{Effect: "issue", Phase: ledger.Intended, Target: "rekey/devops-pat/00000000/x", Reason: "it is due"},
		{Effect: "issue", Phase: ledger.Done, Target: "rekey/devops-pat/00000000/x", Reason: "it is due", IssuerID: "id-2", Expires: noon.Add(time.Hour)},
		{Effect: "publish", Phase: ledger.Intended, Target: "kv/devops-pat", Version: ""},
		{Effect: "publish", Phase: ledger.Unknown, Target: "kv/devops-pat", Error: "the answer was lost"},
		{Effect: "revoke", Phase: ledger.Intended, Target: "old"},
	} {
		e.Run, e.Seq, e.Time, e.Credential = r.engine.RunID(), i+1, noon.Add(time.Duration(i)*time.Second), "devops-pat"
		if err := r.Append(e); err != nil {
			t.Fatal(err)
		}
		if err := other.Append(ledger.Entry{Run: "other", Seq: i + 1, Time: noon, Effect: "tell", Phase: ledger.Intended}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Append implements ledger.Log.
func (r *run) Append(e ledger.Entry) error {
	if e.Effect == Attested {
		e.Seq = len(r.entries) + 1
	}
	r.entries = append(r.entries, e)
	return r.ledger.Append(e)
}

// write writes its artefact, as the command line does.
func (r *run) write(t *testing.T) []byte {
	t.Helper()
	rec := rotation.Record{Generation: "01m7y2pqh4tqpq43th", IssuerID: "id-2", Publication: "01m7y2pqh4tqpq43tj", Expires: noon.Add(time.Hour), Predecessor: "id-1", RevokeAfter: noon.Add(time.Minute)}
	tag, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	results := []engine.Result{{Spec: rotation.Spec{Name: "devops-pat", Target: rotation.Target{Vault: "kv", Name: "devops-pat"}}, Err: driver.Errorf(driver.Ambiguous, "publish", "", "the answer was lost"),
		Secret:    rotation.Known(rotation.Secret{Version: "v2", Tags: map[string]string{rotation.RecordTag: tag}}),
		Consumers: []engine.Consumer{{ID: "pipe", Place: "a service connection"}},
		Checks:    []engine.Trial{{ID: "deploys", Place: "a program", Outcome: rotation.Known(rotation.Check{Why: "no <answer> &"})}},
	}}
	doc := report.NewRun("apply", r.engine.RunID(), results)
	doc.AddElevations([]elevation.Taken{
		{Right: driver.Right{Role: "Key Vault Secrets Officer", Place: "vault kv", How: "pim"}, From: noon, To: noon.Add(90 * time.Second), Until: noon.Add(time.Hour), Had: 90 * time.Second},
		{Right: driver.Right{Role: "Owner", Place: "vault kv", How: "timed"}, From: noon.Add(-time.Second), To: noon, Until: noon, Had: time.Second},
		{Right: driver.Right{Role: "Reader", Place: "vault kv"}, From: noon.Add(-time.Hour), To: noon, Standing: true},
	})
	s := Of(doc, results, r.entries)
	s.Version, s.Who, s.Outcome = "v1", Who{Identity: "managedIdentity", Verified: true, ClientID: "11111111-1111-4111-8111-111111111111"}, Failed
	s.Why = Why{Reason: "an audit of Müller & Söhne\u202e", Ticket: "OPS-1"}
	s.StartedAt, s.CompletedAt = noon, noon.Add(time.Minute)
	if s.PrivilegedSeconds != 91 || len(s.Elevations) != 3 || !s.ActivatedAt.Equal(noon.Add(-time.Second)) {
		t.Errorf("%d privileged seconds in %d elevations from %v on", s.PrivilegedSeconds, len(s.Elevations), s.ActivatedAt)
	}
	raw, digest, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.engine.Attest(noon, Name(s.Run), digest); err != nil {
		t.Fatal(err)
	}
	c, err := r.ledger.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.ledger.Segment(s.Run, c)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new", "artifacts")
	f, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(s.Run, Artifact{Version, raw, Ledger{Durable: true, Checkpoint: c.Note, Entries: entries}}); err != nil {
		t.Fatal(err)
	}
	f.Drop()
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 || all[0].Name() != Name(s.Run) {
		t.Errorf("the folder holds %v (%v), not the artefact alone", all, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, Name(s.Run)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keys(t *testing.T, public string) []ledger.Verifier {
	t.Helper()
	k, err := ledger.ParseVerifiers(public)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnArtefactFitsItsSchemaAndIsVerifiedByTheKeyAlone(t *testing.T) {
	r := newRun(t)
	b := r.write(t)
	validates(t, b)
	got, err := Verify(b, keys(t, r.public))
	if err != nil {
		t.Fatal(err)
	}
	if got.Run != r.engine.RunID() || got.Outcome != Failed || got.Entries != 6 || got.Checkpoint.Size != 11 {
		t.Errorf("verified as %+v", got)
	}
	_, s, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, e := range s.Credentials[0].Effects {
		outcomes = append(outcomes, e.Effect+" "+e.Outcome)
	}
	if want := []string{"issue done", "publish unknown", "revoke intended"}; !slices.Equal(outcomes, want) {
		t.Errorf("effects %q, want %q", outcomes, want)
	}
	if c := s.Credentials[0]; c.Generation == "" || c.Publication == "" || c.VaultID != "v2" || c.Predecessor != "id-1" || c.Error == nil {
		t.Errorf("the credential is %+v", c)
	}
}

// retouch changes an artefact's document.
func retouch(t *testing.T, b []byte, change func(a *Artifact)) []byte {
	t.Helper()
	a, _, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	change(&a)
	out, err := compact(a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatWasDoneToAnArtefactIsNamed(t *testing.T) {
	r, other := newRun(t), newRun(t)
	b, strange := r.write(t), other.write(t)
	says := func(from, to string) func(*Artifact) {
		return func(a *Artifact) {
			if !bytes.Contains(a.Statement, []byte(from)) {
				t.Fatalf("the statement has no %s", from)
			}
			a.Statement = bytes.Replace(a.Statement, []byte(from), []byte(to), 1)
		}
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"a reason that was changed":                    {retouch(t, b, says("an audit", "no audit")), "the statement is not the one"},
		"another client":                               {retouch(t, b, says("11111111-1111", "21111111-1111")), "the statement is not the one"},
		"another run":                                  {retouch(t, b, says(r.engine.RunID(), other.engine.RunID())), "is not the next one of run"},
		"an entry that was altered":                    {retouch(t, b, func(a *Artifact) { a.Ledger.Entries[1].Line += " " }), "the proof does not hold"},
		"an entry that was renumbered":                 {retouch(t, b, func(a *Artifact) { a.Ledger.Entries[1].Entry++ }), "the proof does not hold"},
		"an entry that was taken out":                  {retouch(t, b, func(a *Artifact) { a.Ledger.Entries = slices.Delete(a.Ledger.Entries, 1, 2) }), "5 entries before its statement, and 4 are here"},
		"the last entry taken out":                     {retouch(t, b, func(a *Artifact) { a.Ledger.Entries = a.Ledger.Entries[:5] }), "no digest of the statement"},
		"entries that were moved":                      {retouch(t, b, func(a *Artifact) { slices.Reverse(a.Ledger.Entries) }), "dropped, moved or put in"},
		"an entry twice":                               {retouch(t, b, func(a *Artifact) { a.Ledger.Entries = slices.Insert(a.Ledger.Entries, 1, a.Ledger.Entries[0]) }), "dropped, moved or put in"},
		"no entry":                                     {retouch(t, b, func(a *Artifact) { a.Ledger.Entries = []ledger.Placed{} }), "recorded nothing"},
		"a checkpoint that was altered":                {retouch(t, b, func(a *Artifact) { a.Ledger.Checkpoint = strings.Replace(a.Ledger.Checkpoint, "\n11\n", "\n12\n", 1) }), "checkpoint: its signature"},
		"no checkpoint":                                {retouch(t, b, func(a *Artifact) { a.Ledger.Checkpoint = "" }), "no checkpoint covered"},
		"no ledger":                                    {retouch(t, b, func(a *Artifact) { a.Ledger.Durable = false }), "no durable ledger"},
		"another key":                                  {strange, "not signed with the key that was given"},
		"a member more":                                {bytes.Replace(b, []byte(`"ledger": {`), []byte(`"by": "me", "ledger": {`), 1), "does not write"},
		"a statement twice":                            {bytes.Replace(b, []byte(`"ledger": {`), []byte(`"statement": {}, "ledger": {`), 1), "does not write"},
		"another file":                                 {[]byte(`{"schema":"rekey.run/1"}`), "not an artefact"},
		"what is cut off":                              {b[:len(b)/2], "not an artefact"},
		"a statement that is none":                     {retouch(t, b, func(a *Artifact) { a.Statement = []byte(`{}`) }), "names no run"},
		"as it was, with blanks elsewhere, is no harm": {bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n ")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Verify(c.b, keys(t, r.public))
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schema":"rekey.artifact/1","statement":{"run":"r"},"ledger":{"durable":false,"entries":[]}}`))
	for _, b := range badinput.Broken(`{"schema":"rekey.artifact/1","statement":{"run":"r","entries":1},"ledger":{"durable":true,"checkpoint":"x","entries":[{"entry":1,"line":"{}","proof":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]}]}}`) {
		f.Add(b)
	}
	_, public, err := ledger.MakeKey("k")
	if err != nil {
		f.Fatal(err)
	}
	k, err := ledger.ParseVerifiers(public)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			if _, err := Verify(b, k); err == nil {
				t.Error("it was verified")
			}
		})
	})
}
