package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/ledger"
)

func TestAKeyIsReadAsItIsWritten(t *testing.T) {
	private, public, err := ledger.MakeKey("prod-ledger")
	if err != nil {
		t.Fatal(err)
	}
	k, err := ledger.ParseKey("\n" + private + "\r\n")
	if err != nil || k.Name() != "prod-ledger" {
		t.Errorf("%v", err)
	}
	secret := strings.SplitN(private, "+", 5)[4]
	if s := fmt.Sprintf("%v %+v %#v %s", k, k, *k, k); strings.Contains(s, secret) {
		t.Errorf("it prints itself: %s", s)
	}
	if v, err := ledger.ParseVerifiers(public + "\n"); err != nil || len(v) != 1 {
		t.Errorf("%v", err)
	}
	if _, err := ledger.ParseVerifiers(private); err == nil || !strings.Contains(err.Error(), "the key that signs") || strings.Contains(err.Error(), secret) {
		t.Errorf("the key that signs is taken to verify: %v", err)
	}
	for _, bad := range []string{"", "x", public, private[:len(private)-2], strings.Replace(private, "prod", "test", 1)} {
		if _, err := ledger.ParseKey(bad); err == nil || strings.Contains(err.Error(), secret[:10]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "../x", "A", "-x", ".x", strings.Repeat("x", 64)} {
		if _, _, err := ledger.MakeKey(name); err == nil {
			t.Errorf("a key can be called %q", name)
		}
	}
}
