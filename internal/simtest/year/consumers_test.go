package year

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// tellable are the kinds of credentials whose values consumers use, with what against.
var tellable = map[string]func(*fleet, *cred) world.Target{
	"pat": func(f *fleet, c *cred) world.Target {
		return world.Target{Organization: f.orgs[f.accounts[c.account].org]}
	},
	invariant.AppSecret: func(_ *fleet, c *cred) world.Target {
		return world.Target{ClientID: c.appID(), TenantID: world.TenantID}
	},
}

// consumers gives a third of the credentials one or two consumers, of all kinds in turn.
func (f *fleet) consumers(s *world.State, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	n := 0
	for _, c := range f.creds {
		use := tellable[c.kind]
		if use == nil || rng.IntN(3) > 0 {
			continue
		}
		for range 1 + rng.IntN(2) {
			k := consumer.Kinds[n%len(consumer.Kinds)]
			for k.With != "" && k.With != c.kind {
				n++
				k = consumer.Kinds[n%len(consumer.Kinds)]
			}
			one := k.Make(s, consumer.Making{N: n, Secret: "https://" + f.vaults[c.vault] + ".vault.azure.net/secrets/" + c.secret, Use: use(f, c), Value: fmt.Sprintf("Hand.%s.%d", world.Canary, n), Rekey: rekeySP, At: born})
			one.Cache = pick(rng, time.Hour, time.Hour, 6*time.Hour)
			c.consumers = append(c.consumers, one)
			n++
		}
	}
}

// toldText is the credential's block of consumers in the manifest.
func (c *cred) toldText() string {
	if len(c.consumers) == 0 {
		return ""
	}
	var y strings.Builder
	y.WriteString("    consumers:\n")
	for _, one := range c.consumers {
		fmt.Fprintf(&y, "      %s:\n        %s\n        cache: %dh\n", one.ID, one.Block, one.Cache/time.Hour)
	}
	return y.String()
}

// toldDeeds are what people do to consumers.
var toldDeeds = []deed{
	{"types a value of their own into a consumer", told, func(h *hand) {
		one, k := h.consumer()
		k.Put(&h.w.State, one.At, "typed by hand "+h.w.Letters(12))
		if len(k.Tries) == 0 { // nothing shows that it does not work
			h.excuse(one.At, "typed another value")
		}
	}},
	{"puts the value before back into a consumer", func(l *life, now time.Time) bool { return told(l, now) && several(l, now) }, func(h *hand) {
		one, k := h.consumer()
		all := h.l.secret().Versions
		value := all[len(all)-2].Value
		k.Put(&h.w.State, one.At, value)
		h.excuse(one.At, "put an older value back")
		if p := h.l.byValue(value); p != nil {
			h.excuse(invariant.BlamePerson(one.At, p.AuthorizationID), "put it back")
		}
	}},
	{"takes the mark off a consumer", told, func(h *hand) {
		if one, k := h.consumer(); k.Unmark != nil {
			k.Unmark(&h.w.State, one.At)
		}
	}},
	{"deletes a consumer, and makes it again", told, func(h *hand) {
		one, k := h.consumer()
		restore := k.Remove(&h.w.State, one.At)
		h.excuse(one.At, "deleted it")
		y := h.y
		y.people.later(time.Now().Add(between(h.rng, time.Hour, 2*day)), func() {
			w := y.srv.World()
			w.Lock()
			y.mu.Lock()
			restore(&w.State)
			y.mu.Unlock()
			w.Unlock()
		})
	}},
}

// told says whether all that are told are there.
func told(l *life, _ time.Time) bool {
	for _, c := range l.promise().Consumers {
		if x := l.history.Holding(c.At); x == nil || !x.There {
			return false
		}
	}
	return len(l.promise().Consumers) > 0
}

// consumer picks one of the credential's.
func (h *hand) consumer() (consumer.One, consumer.Kind) {
	one := pick(h.rng, h.l.promise().Consumers...)
	return one, consumer.Of(one.Kind)
}

// beside is what no tell may change, of all consumers' services.
func (f *fleet) beside(s *world.State) map[string]map[string]string {
	at := map[string][]string{}
	for _, c := range f.creds {
		for _, one := range c.consumers {
			at[one.Kind] = append(at[one.Kind], one.At)
		}
	}
	out := map[string]map[string]string{}
	for kind, told := range at {
		out[kind] = consumer.Of(kind).Rest(s, told)
	}
	return out
}

// besideIsAsItWas looks for what a tell has changed that is none of its business. What is gone was deleted by a person.
// The world and the year are locked.
func (y *year) besideIsAsItWas(s *world.State) {
	now := y.fleet.beside(s)
	for kind, all := range y.beside {
		for at, was := range all {
			if is := now[kind][at]; is != "" && is != was {
				y.beside[kind][at] = is
				y.breaks(broken{invariant.Violation{Invariant: invariant.Foreign.Name, What: fmt.Sprintf("%s %s: what is not the credential's was changed", kind, at)}, -1, nil})
			}
		}
	}
}

func TestTheYearTellsEveryKindOfConsumer(t *testing.T) {
	t.Parallel()
	f := newFleet(1, 90, 24*time.Hour)
	f.world(1)
	var told []string
	for _, c := range f.creds {
		for _, one := range c.consumers {
			told = append(told, one.Kind)
		}
	}
	for _, k := range app.Kinds() {
		if k.Consumer && !slices.Contains(told, k.Name) && consumer.Outside[k.Name] == "" {
			t.Errorf("nobody in the fleet has the consumer %q", k.Name)
		}
	}
	if n := len(told); n < 20 {
		t.Errorf("the fleet has %d consumers", n)
	}
}
