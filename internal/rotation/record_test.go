package rotation_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	. "github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// full is a record with every field at its longest.
func full() Record {
	return Record{
		Generation: "01kaqk3w00zzzzzzzz", IssuerID: "b3c1f0de-9a77-4a3e-8b55-0c1d2e3f4a5b", Publication: "01kaqk3x9800000000", Shape: "0a1b2c3d",
		Expires: time.Unix(4102444800, 0).UTC(), Predecessor: "ffffffff-9a77-4a3e-8b55-0c1d2e3f4a5b", PredecessorExpires: time.Unix(4102444801, 0).UTC(),
		RevokeAfter: time.Unix(4102444802, 0).UTC(), Compromised: true, Failures: 99, NotBefore: time.Unix(4102444803, 0).UTC(),
		LedgerSize: 999999999, LedgerRoot: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
	}
}

// golden is the record's form on the wire. Every published secret carries it: a change of it needs a new version.
var golden = strings.Join([]string{
	"1",                                      // version of the form
	"g=01kaqk3w00zzzzzzzz",                   // generation
	"i=b3c1f0de-9a77-4a3e-8b55-0c1d2e3f4a5b", // the issuer's id
	"p=01kaqk3x9800000000",                   // publication
	"s=0a1b2c3d",                             // shape
	"x=4102444800",                           // expires
	"o=ffffffff-9a77-4a3e-8b55-0c1d2e3f4a5b", // predecessor
	"y=4102444801",                           // predecessor expires
	"r=4102444802",                           // revoke after
	"c=1",                                    // compromised
	"f=99",                                   // failures
	"n=4102444803",                           // not before
	"l=999999999.47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", // ledger's size and root
}, ";")

func TestTheFullRecordHasItsFormAndFitsATag(t *testing.T) {
	got, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	if len(got) > 256 {
		t.Errorf("%d bytes, more than a tag is known to hold", len(got))
	}
	back, err := ParseRecord(golden)
	if err != nil || !reflect.DeepEqual(back, full()) {
		t.Errorf("read back as %+v, %v", back, err)
	}
}

func TestAnyRecordSurvivesItsTag(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	when := func() time.Time {
		if r.IntN(3) == 0 {
			return time.Time{}
		}
		return time.Unix(1+r.Int64N(4102444800), 0).UTC()
	}
	for range 2000 {
		want := Record{Generation: gen(t0.Add(time.Duration(r.Int64N(int64(10000*day)))), byte(r.IntN(256))), IssuerID: full().IssuerID,
			Publication: NewPublication(t0, [5]byte{byte(r.IntN(256))}), Expires: t0.Add(time.Duration(r.IntN(1e9)) * time.Second),
			RevokeAfter: when(), NotBefore: when(), Compromised: r.IntN(2) == 0, Failures: r.IntN(100)}
		if r.IntN(2) == 0 {
			want.Predecessor, want.PredecessorExpires = full().Predecessor, when()
		}
		if r.IntN(2) == 0 {
			want.Shape, want.LedgerSize, want.LedgerRoot = shape, 1+r.Int64N(1e9), full().LedgerRoot
		}
		tag, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseRecord(tag); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nread as %+v, %v\nwant    %+v", tag, got, err, want)
		}
	}
}

func TestARecordThatCouldNotBeReadIsNotWritten(t *testing.T) {
	for name, f := range map[string]func(*Record){
		"no generation":              func(r *Record) { r.Generation = "" },
		"a malformed generation":     func(r *Record) { r.Generation = "01kaqk3w00zzzzzzz;" },
		"no publication":             func(r *Record) { r.Publication = "" },
		"no issued credential":       func(r *Record) { r.IssuerID = "" },
		"no expiry":                  func(r *Record) { r.Expires = time.Time{} },
		"an expiry before 1970":      func(r *Record) { r.Expires = time.Unix(-1, 0) },
		"a separator in an id":       func(r *Record) { r.IssuerID = "a;g=b" },
		"an equals sign in an id":    func(r *Record) { r.Predecessor = "a=b" },
		"a separator in the shape":   func(r *Record) { r.Shape = "a;b" },
		"a separator in the root":    func(r *Record) { r.LedgerRoot = "a;b" },
		"longer than a tag can hold": func(r *Record) { r.IssuerID = strings.Repeat("x", 100) },
	} {
		t.Run(name, func(t *testing.T) {
			r := full()
			f(&r)
			if tag, err := r.Encode(); err == nil {
				t.Errorf("written as %s", tag)
			}
		})
	}
}

func TestARecordIsReadWholeOrNotAtAll(t *testing.T) {
	without := func(field string) string {
		var keep []string
		for _, f := range strings.Split(golden, ";") {
			if !strings.HasPrefix(f, field) {
				keep = append(keep, f)
			}
		}
		return strings.Join(keep, ";")
	}
	for name, s := range map[string]string{
		"empty":                    "",
		"only a version":           "1",
		"a newer version":          "2" + golden[1:],
		"no generation":            without("g="),
		"no issued credential":     without("i="),
		"no publication":           without("p="),
		"no expiry":                without("x="),
		"an unknown field":         golden + ";z=1",
		"a field twice":            golden + ";f=1",
		"a field without a value":  golden + ";z=",
		"a field without a sign":   golden + ";z",
		"a stray separator":        golden + ";",
		"a malformed generation":   strings.Replace(golden, "g=01k", "g=01K", 1),
		"a short publication":      strings.Replace(golden, "p=01k", "p=01", 1),
		"an equals sign in an id":  strings.Replace(golden, "i=b3", "i=b=", 1),
		"a time in words":          strings.Replace(golden, "x=4", "x=t", 1),
		"a time before 1970":       strings.Replace(golden, "r=4", "r=-4", 1),
		"a time after 9999":        strings.Replace(golden, "r=4", "r=4999999999", 1),
		"not quite compromised":    strings.Replace(golden, "c=1", "c=0", 1),
		"failures in words":        strings.Replace(golden, "f=99", "f=ten", 1),
		"fewer than no failures":   strings.Replace(golden, "f=99", "f=-9", 1),
		"a ledger without root":    strings.Replace(golden, "l=999999999.", "l=999999999", 1),
		"a ledger without entries": strings.Replace(golden, "l=999999999", "l=0", 1),
		"far too long":             golden + ";i" + strings.Repeat("x", 2000),
		"a person's own tag":       "rotated by hand",
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := ParseRecord(s); err == nil {
				t.Errorf("read %q as %+v", s, r)
			} else if len(err.Error()) > 300 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(golden)
	f.Add("1;g=01kaqk3w00zzzzzzzz;i=x;p=01kaqk3x9800000000;x=1")
	f.Add("1;l=1.;;g")
	f.Add("2;g=x")
	for _, b := range badinput.Broken(golden) {
		f.Add(string(b))
	}
	for _, edit := range []string{"x=99999999999999999999", "x=-1", "x=0", "x=1e9", "f=9223372036854775808", "l=9.", "c=2", "g=\x00", "i=\x1b[31m", "i=\xff", "i=" + strings.Repeat("x", 900), "x=2026-12-01T00:00:00Z", "x=１"} {
		f.Add(golden + ";" + edit)
		f.Add("1;g=01kaqk3w00zzzzzzzz;p=01kaqk3x9800000000;" + edit)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r Record
		var err error
		badinput.Bounded(t, len(s), func() { r, err = ParseRecord(s) })
		if err != nil {
			if len(err.Error()) > 1000 || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		tag, err := r.Encode()
		if err != nil {
			if len(s) <= 256 {
				t.Errorf("%q is read and cannot be written: %v", s, err)
			}
			return
		}
		back, err := ParseRecord(tag)
		if err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%q\nread as  %+v\nbut then %+v, %v", s, r, back, err)
		}
	})
}

// FuzzRecordEncode: whatever an issuer's id is, a record that can be written is read back as it was.
func FuzzRecordEncode(f *testing.F) {
	for _, id := range []string{"", "id", "a;c=1", "a=b", "a\n", "\x00", "\xff", "\u202e", strings.Repeat("x", 300), ";", "1;g=x"} {
		f.Add(id, id)
	}
	f.Fuzz(func(t *testing.T, id, predecessor string) {
		r := full()
		r.IssuerID, r.Predecessor = id, predecessor
		tag, err := r.Encode()
		if err != nil {
			return
		}
		if back, err := ParseRecord(tag); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%+v\nread back as %+v, %v", r, back, err)
		}
	})
}
