package scenario

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// hostile are names that somebody can give to a token, a tag or himself.
var hostile = map[string]string{
	"quotes":                   `a"b'c` + "`" + `d\`,
	"line breaks":              "a\r\nrekey: error: nothing is well\n\n",
	"a path":                   "../../../../tmp/x",
	"an absolute path":         "/etc/passwd\x00.txt",
	"colours":                  "\x1b[31mred\x1b[0m\x1b[2J\x1b[H",
	"a title and a bell":       "\x1b]0;owned\x07",
	"a link":                   "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
	"commands of one byte":     "\u009b31m\u009d0;x\u009c\u0085\u0090",
	"the other direction":      "\u202egpj.exe\u202c\u2066x\u2069\u200f",
	"nothing to see":           "a\u200b\u200c\u200d\ufeff\u2060\u00adb\U000e0041",
	"separators":               "a\u2028b\u2029c",
	"broken text":              "a\xff\xc3b",
	"NUL":                      "a\x00b",
	"a formula":                "=cmd|' /C calc'!A0",
	"another formula":          "@SUM(1+1)*cmd|' /C calc'!A0",
	"percents":                 "%s%n%!d(x)%99999999d",
	"a tab and a column":       "a\tb\vc\x1fd",
	"JSON":                     `","name":"x"},{"`,
	"markup":                   "<script>alert(1)</script>&amp;",
	"private and unpaired":     "\ue000\uf8ff",
	"a name that is all marks": strings.Repeat("e\u0301\u0302\u0303", 60),
}

// all is every one of them in a row.
func all() string {
	var b strings.Builder
	for _, k := range slices.Sorted(keys(hostile)) {
		b.WriteString(hostile[k])
	}
	return b.String()
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// book is a name that no screen holds. The one of a megabyte is internal/printable's: here each run is searched.
var book = "rekey/" + strings.Repeat("\x1b[31mlong ", 1<<14)

// theAdopted is the token that Rekey takes over, and which has the name under test.
const theAdopted = "b0b0b0b0-0000-4000-8000-000000000000"

// fullOf is a world whose account has tokens with all these names, plain and as if they were stamped, and whose secret
// has such tags.
func fullOf(adopted string) func(*world.State) {
	return func(s *world.State) {
		org := s.Organizations[0]
		for _, p := range org.PATs {
			if p.AuthorizationID == theAdopted {
				p.Name = adopted
			}
		}
		owner := org.PATs[0].OwnerID
		n := 0
		add := func(name string) {
			n++
			p := *org.PATs[0]
			p.AuthorizationID, p.OwnerID, p.Name, p.Token = fmt.Sprintf("cafe0000-0000-4000-8000-%012d", n), owner, name, tokenOf(1000+n)
			org.PATs = append(org.PATs, &p)
		}
		for _, k := range slices.Sorted(keys(hostile)) {
			add(hostile[k])
			add("rekey/" + hostile[k])
		}
		add(book)
		tags := map[string]string{"owner": "a person"}
		for i, k := range slices.Sorted(keys(hostile)) {
			if i < 12 {
				tags[hostile[k]] = hostile[k]
			}
		}
		v := s.Vaults[slices.IndexFunc(s.Vaults, func(v *world.Vault) bool { return v.Name == "kv-pat-prod" })]
		born := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)
		v.Secrets = append(v.Secrets, &world.Secret{Name: secretName, Versions: []*world.SecretVersion{{
			ID: strings.Repeat("e", 32), Value: tokenOf(0), Created: born, Updated: born, Tags: tags,
		}}})
	}
}

// shown runs the program once as a person does, and once with --json and --verbose, and wants both to be fit for a
// terminal. The effects of the first are not those of the second.
func (b *bed) shown(args ...string) (text, doc string) {
	b.Helper()
	for _, more := range [][]string{nil, {"--json", "--verbose"}} {
		var stdout, stderr buffer
		env := cli.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Version: "v0.0.0-test", Transport: &network{inner: b.sim.Transport(), hooks: b.home.hook, stop: func() {}},
			Getenv: func(name string) string { return map[string]string{"REKEY_CLIENT_SECRET": secretRekey}[name] }}
		b.mu.Lock()
		b.running++
		b.mu.Unlock()
		b.consumer.wake()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			cli.Main(b.Context(), env, slices.Concat(args, more, []string{"-f", b.file()}))
		}()
		<-ended
		b.mu.Lock()
		b.running--
		b.lastRun = time.Now()
		b.outputs = append(b.outputs, stdout.String(), stderr.String())
		b.mu.Unlock()
		what := strings.Join(slices.Concat(args, more), " ")
		b.fitForATerminal(what+", stderr", stderr.String(), more == nil)
		b.fitForATerminal(what+", stdout", stdout.String(), more == nil)
		if more == nil {
			text = stdout.String() + stderr.String()
			continue
		}
		if doc = stdout.String(); doc != "" && !json.Valid([]byte(doc)) {
			b.Errorf("%s: stdout is no JSON: %.300q", what, doc)
		}
	}
	return text, doc
}

// fitForATerminal fails the test if an output commands a terminal, is not text, or has lines that nobody can read.
func (b *bed) fitForATerminal(what, out string, short bool) {
	b.Helper()
	if !utf8.ValidString(out) {
		b.Errorf("%s is not UTF-8", what)
	}
	if i := strings.IndexFunc(out, func(r rune) bool {
		return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
	}); i >= 0 {
		b.Errorf("%s holds %q: %.200q", what, out[i:i+min(4, len(out)-i)], out[max(0, i-100):])
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "nothing is well") && strings.HasPrefix(line, "rekey: error") {
			b.Errorf("%s has a line that a name made: %.200q", what, line)
		}
		if short && len(line) > 9000 {
			b.Errorf("%s has a line of %d bytes", what, len(line))
		}
	}
}

// ofRun is the name of a run's artefact.
var ofRun = regexp.MustCompile(`^[0-9a-z]{18}\.json$`)

// onlyOurFiles fails the test if anything was written but the ledger and runs' artefacts, or if a line of the one is not
// one entry, or an artefact holds what commands a terminal.
func (b *bed) onlyOurFiles() {
	b.Helper()
	for name, raw := range b.artifacts() {
		b.fitForATerminal("artefact "+name, string(raw), false)
	}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(b.dir, path); err == nil && !slices.Contains([]string{".", "rekey.yaml", "ledger", filepath.Join("ledger", ledger.File), filepath.Join("ledger", string(ledger.Checkpoints)), filepath.Join("ledger", string(ledger.Tree)), "artifacts"}, rel) && !(filepath.Dir(rel) == "artifacts" && ofRun.MatchString(filepath.Base(rel))) {
			b.Errorf("the file %q was made", rel)
		}
		return err
	})
	if err != nil {
		b.Error(err)
	}
	raw, err := os.ReadFile(b.ledger())
	if err != nil {
		b.Fatal(err)
	}
	b.fitForATerminal("the ledger", string(raw), false)
	for line := range strings.Lines(string(raw)) {
		if !json.Valid([]byte(line)) || !strings.HasPrefix(line, `{"schema":1,`) {
			b.Errorf("a line of the ledger is no entry: %.200q", line)
		}
	}
}

// asRead is a name as it comes out of an answer: each byte that is not UTF-8 is replaced on the way.
func asRead(name string) string { return string([]rune(name)) }

func TestNamesThatPeopleGiveCannotBreakAnOutput(t *testing.T) {
	for what, name := range map[string]string{"every name in a row": all(), "a book": strings.TrimPrefix(book, "rekey/")} {
		t.Run(what, func(t *testing.T) {
			playIn(t, fullOf(name), func(b *bed) {
				b.consumer.probe("")
				b.write(func(s *settings) { s.pat = "adopt: {id: " + theAdopted + "}" })
				b.shown("plan")
				b.shown("status")
				_, doc := b.shown("apply", "--verify", "--all")
				var run report.Run
				if err := json.Unmarshal([]byte(doc), &run); err != nil {
					b.Fatal(err)
				}
				shown := map[string]bool{}
				for _, x := range run.Strangers {
					shown[x.Name] = true
				}
				for _, k := range slices.Sorted(keys(hostile)) {
					if !shown[asRead("rekey/"+hostile[k])] {
						b.Errorf("--json does not carry the true name of %s", k)
					}
				}
				if !shown[book] {
					b.Error("--json does not carry the name that is a book")
				}
				delete(b.bystanders, theAdopted) // from here on it is Rekey's
				b.pass(time.Hour)
				b.shown("rotate", credential)
				b.shown("status")
				b.shown("plan", "--all")
				b.shown("retire", credential) // nobody is there to confirm it
				b.pass(day + time.Minute)
				b.shown("apply")
				if b.pat(theAdopted).Revoked.IsZero() {
					b.Error("what was adopted and replaced is alive")
				}
				if !slices.ContainsFunc(b.entries(), func(e ledger.Entry) bool {
					return e.Effect == "revoke" && e.Phase == ledger.Done && e.Target == asRead(name)
				}) {
					b.Error("the ledger does not carry the true name of what was revoked")
				}
				b.shown("status")
				b.onlyOurFiles()
			})
		})
	}
}

func TestATableHasARowForEachTokenWhateverItIsCalled(t *testing.T) {
	playIn(t, fullOf(all()), func(b *bed) {
		b.consumer.probe("")
		b.write(func(s *settings) { s.pat = "adopt: {id: " + theAdopted + "}" })
		b.apply().is(report.Done, "current")
		text, _ := b.shown("retire", credential)
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		rows := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "valid until") })
		if len(rows) != 1 || !strings.HasPrefix(rows[0], "  "+theAdopted+"  ") {
			b.Errorf("%d rows of %d lines: %.300q", len(rows), len(lines), text)
		}
		delete(b.bystanders, theAdopted) // from here on it is Rekey's
		b.consumer.excused("the credential's life ends", func() { b.shown("retire", credential, "--yes") })
		b.consumer.forget()
	})
}

func TestWhatAServiceSaysInPlaceOfAnAnswerIsNotRepeated(t *testing.T) {
	body := func(s string) string {
		b, err := json.Marshal(map[string]any{
			"error":             map[string]any{"code": s, "message": s, "innererror": map[string]any{"code": s}},
			"error_description": "AADSTS50126: " + s, "typeKey": s, "typeName": s, "message": s, "patTokenError": s, "value": s,
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const signIn = "any of the identity platform's"
	quoted := secretRekey + " " + tokenOf(0)
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"every name in a row", all(), 200}, {"every name in a row", all(), 400}, {"every name in a row", all(), 401}, {"every name in a row", all(), 403},
		{"every name in a row", all(), 500},
		{"secrets that were sent", quoted, 200}, {"secrets that were sent", quoted, 400}, {"secrets that were sent", quoted, 401},
		{"a book", book[:64<<10], 200}, {"a book", book[:64<<10], 403},
	} {
		t.Run(fmt.Sprintf("%s, status %d", c.name, c.status), func(t *testing.T) {
			play(t, func(b *bed) {
				b.write(func(s *settings) { s.lifetime, s.rotateBefore = "60d", "5d" })
				b.apply().is(report.Done, "current")
				header := map[string]string{"Content-Type": "application/json", "X-Ms-Error-Code": c.text[:min(len(c.text), 4000)], "Date": c.text[:min(len(c.text), 4000)]}
				for _, operation := range []string{"", "GetSecrets", "GetSecret", "SetSecret", "UpdateSecret", "ListPats", "CreatePat", "ConnectionData", signIn} {
					b.sim.ClearFaults()
					b.pass(day + time.Hour) // past what earlier failures ask for
					f := sim.Fault{Operation: operation, Do: sim.DoAnswer, Status: c.status, Body: sim.Text(body(c.text)), Headers: header}
					if operation == signIn {
						f.Service, f.Operation = "entra", ""
					}
					b.faults(f)
					if operation == "" || operation == "GetSecrets" {
						b.shown("status")
						b.shown("plan")
					}
					b.shown("rotate", credential, "--wait", "1s")
					b.struck()
				}
				b.onlyOurFiles()
			})
		})
	}
}

func TestARecordThatAPersonEditedIsNotRepeatedToATerminal(t *testing.T) {
	for _, k := range slices.Sorted(keys(hostile)) {
		t.Run(k, func(t *testing.T) {
			play(t, func(b *bed) {
				b.apply().is(report.Done, "current")
				honest := b.newest().Tags[rotation.RecordTag]
				for _, tag := range []string{hostile[k], honest + ";" + hostile[k] + "=x"} {
					b.edit(func(_ *world.World, s *world.Secret) { last(s).Tags[rotation.RecordTag] = tag })
					b.apply().is(report.Held, "")
					b.shown("plan")
				}
				b.edit(func(_ *world.World, s *world.Secret) { last(s).Tags[rotation.RecordTag] = honest })
				b.apply().is(report.Done, "current").did()
				b.onlyOurFiles()
			})
		})
	}
}
