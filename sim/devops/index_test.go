package devops_test

import (
	"fmt"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

// patOf is a PAT that the test puts into the world itself, as a world file would.
func patOf(e *env, value string) *world.PAT {
	e.tokens++
	return &world.PAT{
		AuthorizationID: fmt.Sprintf("11111111-1111-4111-8111-%012d", e.tokens), OwnerID: alice, Name: value,
		Scope: "vso.code", ValidFrom: start, ValidTo: start.Add(day), Token: value,
	}
}

func TestPatsThatOthersPutIntoTheWorldAreFound(t *testing.T) {
	e := newEnv(t)
	o := e.w.Organizations[0]
	e.get(whoami, basic("first-value")).want(302)
	o.PATs = append(o.PATs, patOf(e, "first-value"))
	e.get(whoami, basic("first-value")).want(200)
	o.PATs = []*world.PAT{patOf(e, "second-value")}
	e.get(whoami, basic("second-value")).want(200)
	e.get(whoami, basic("first-value")).want(302)
	o.PATs[0] = patOf(e, "third-value")
	e.get(whoami, basic("second-value")).want(302)
	e.get(whoami, basic("third-value")).want(200)
	o.PATs = nil
	e.get(whoami, basic("third-value")).want(302)
}

func TestAPatMadeHereIsFoundBesideOnesPutIntoTheWorld(t *testing.T) {
	e := newEnv(t)
	o := e.w.Organizations[0]
	o.PATs = append(o.PATs, patOf(e, "first-value"))
	v, id := e.newPat(e.owner(), "x", "vso.code", day)
	o.PATs = append(o.PATs, patOf(e, "second-value"))
	for _, value := range []string{"first-value", v, "second-value"} {
		e.get(whoami, basic(value)).want(200)
	}
	e.get(pats+v71+"&authorizationId="+id, e.owner()).pat()
}

func crowd(b *testing.B) *env {
	e := newEnv(b)
	for i := range 20000 {
		e.w.Organizations[0].PATs = append(e.w.Organizations[0].PATs, patOf(e, fmt.Sprintf("value-%05d", i)))
	}
	return e
}

func BenchmarkACallWithOneOf20000Pats(b *testing.B) {
	e := crowd(b)
	auth := basic("value-19999")
	for b.Loop() {
		e.get(whoami, auth).want(200)
	}
}

func BenchmarkAPageOf100Of20000Pats(b *testing.B) {
	e := crowd(b)
	auth := e.owner()
	for b.Loop() {
		e.get(pats+v71+"&$top=100", auth).want(200)
	}
}
