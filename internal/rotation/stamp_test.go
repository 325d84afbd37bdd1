package rotation_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func TestAStampIsReadableAndReadBack(t *testing.T) {
	s := Stamp{Credential: CredentialID(strings.Repeat("a", 40)), Hash: "0a1b2c3d", Generation: "01kaqk3w00zzzzzzzz"}
	want := "rekey/" + strings.Repeat("a", 40) + "/0a1b2c3d/01kaqk3w00zzzzzzzz"
	if s.String() != want || len(want) > 75 {
		t.Errorf("got %s, want %s", s, want)
	}
	if back, ok := ParseStamp(want); !ok || back != s {
		t.Errorf("read back as %+v, %v", back, ok)
	}
}

func TestWhatAPersonTypedIsNoStamp(t *testing.T) {
	const good = "rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz"
	if _, ok := ParseStamp(good); !ok {
		t.Fatal("the good one is no stamp")
	}
	for _, name := range []string{
		"", "rekey", "rekey/", "rekey///", good + "/", good + " ", " " + good, "/" + good, good[:len(good)-1], good + "z",
		"Rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz", "rekey/Pat/0a1b2c3d/01kaqk3w00zzzzzzzz", "rekey//0a1b2c3d/01kaqk3w00zzzzzzzz",
		"rekey/pat/0A1B2C3D/01kaqk3w00zzzzzzzz", "rekey/pat/0a1b2c3/01kaqk3w00zzzzzzzz", "rekey/pat/0a1b2c3g/01kaqk3w00zzzzzzzz",
		"rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzi", "rekey/pat/0a1b2c3d/01KAQK3W00ZZZZZZZZ", "rekey/p_t/0a1b2c3d/01kaqk3w00zzzzzzzz",
		"rekey/" + strings.Repeat("a", 41) + "/0a1b2c3d/01kaqk3w00zzzzzzzz", "rekey/pat/0a1b2c3\xe9/01kaqk3w00zzzzzzzz",
	} {
		if s, ok := ParseStamp(name); ok {
			t.Errorf("%q is read as %+v", name, s)
		}
		if LooksStamped(name) != strings.HasPrefix(name, "rekey/") {
			t.Errorf("%q: looks stamped %v", name, LooksStamped(name))
		}
	}
}

func TestAHashIsOfTheSecretWhateverTheCase(t *testing.T) {
	a := Target{Vault: "kv-pat-prod.vault.azure.net", Name: "devops-pat-token"}
	// The first eight digits of sha256("kv-pat-prod.vault.azure.net/devops-pat-token"): stamps in the wild hold it.
	if a.Hash() != "5d7e2da0" {
		t.Errorf("hash %s", a.Hash())
	}
	if b := (Target{Vault: "KV-Pat-Prod.vault.azure.net", Name: "DevOps-PAT-token"}); b.Hash() != a.Hash() {
		t.Errorf("%s and %s differ", a, b)
	}
	for _, b := range []Target{{a.Vault, "devops-pat-token2"}, {"kv-pat-test.vault.azure.net", a.Name}} {
		if b.Hash() == a.Hash() {
			t.Errorf("%s and %s are the same", a, b)
		}
	}
}

func TestGenerationsSortByTimeAndHoldIt(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var times []time.Time
	for range 500 {
		times = append(times, t0.Add(time.Duration(r.Int64N(int64(20000*day))).Truncate(time.Millisecond)))
	}
	slices.SortFunc(times, time.Time.Compare)
	var last Generation
	for i, at := range times {
		g := NewGeneration(at, [5]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
		if !g.Time().Equal(at) {
			t.Fatalf("%s holds %s, want %s", g, g.Time(), at)
		}
		if i > 0 && at.After(times[i-1]) && g <= last {
			t.Fatalf("%s of %s sorts before %s of %s", g, at, last, times[i-1])
		}
		if _, ok := ParseStamp("rekey/pat/0a1b2c3d/" + string(g)); !ok {
			t.Fatalf("%s is no generation", g)
		}
		last = g
	}
	if g := NewGeneration(t0, [5]byte{1}); g == NewGeneration(t0, [5]byte{2}) || g == NewGeneration(t0, [5]byte{4: 1}) {
		t.Error("other random bits give the same generation")
	}
	if got := Generation("nonsense").Time(); !got.IsZero() {
		t.Errorf("a malformed generation holds %s", got)
	}
}

func FuzzParseStamp(f *testing.F) {
	f.Add("rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz")
	f.Add("rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz/")
	f.Add("rekey/////")
	for _, b := range badinput.Broken("rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz") {
		f.Add(string(b))
	}
	for _, name := range []string{"rekey/../0a1b2c3d/01kaqk3w00zzzzzzzz", "Rekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz", "rekey/pat/0A1B2C3D/01kaqk3w00zzzzzzzz", "rekey/p\u200bat/0a1b2c3d/01kaqk3w00zzzzzzzz", "\u202erekey/pat/0a1b2c3d/01kaqk3w00zzzzzzzz", "rekey/pat\n/0a1b2c3d/01kaqk3w00zzzzzzzz", "rekey/pat/0a1b2c3d/zzzzzzzzzzzzzzzzzz"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var s Stamp
		var ok bool
		badinput.Bounded(t, len(name), func() { s, ok = ParseStamp(name) })
		if !ok {
			if s != (Stamp{}) {
				t.Errorf("%q is no stamp and gives %+v", name, s)
			}
			return
		}
		if s.String() != name || len(name) > 75 || !LooksStamped(name) || !ValidCredentialID(string(s.Credential)) {
			t.Errorf("%q is read as %+v", name, s)
		}
		s.Generation.Time()
	})
}
