package cli_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// handmade is a world in which people have made what Rekey is to take over: a PAT and a client secret that end soon,
// with their values in vaults. Rekey may see what is there.
func handmade(s *world.State) {
	born := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	token := world.Canary + "HAND" + strings.Repeat("HANDMADE", 8) + "AZDOHAND"
	contoso := s.Organizations[0]
	contoso.PATs = append(contoso.PATs,
		&world.PAT{AuthorizationID: "00000000-0000-4000-8000-00000000a001", OwnerID: s.Users[0].ID, Name: "build agents", Scope: "vso.code vso.packaging", ValidFrom: born, ValidTo: born.Add(30 * 24 * time.Hour), Token: token},
		&world.PAT{AuthorizationID: "00000000-0000-4000-8000-00000000a002", OwnerID: s.Users[0].ID, Name: "evil\x1b]0;owned\x07\u202egpj.exe\u009b31m", Scope: "vso.build", ValidFrom: born, ValidTo: born.Add(30 * 24 * time.Hour), Token: world.Canary + "EVIL" + strings.Repeat("EVILEVIL", 8) + "AZDOEVIL"})
	s.Organizations[0].Projects = append(s.Organizations[0].Projects, &world.Project{ID: "00000000-0000-4000-8000-00000000b001", Name: "evil\x1b]0;owned\x07"})
	s.Vaults[0].Secrets = append(s.Vaults[0].Secrets, &world.Secret{Name: "build-agents-pat", Versions: []*world.SecretVersion{{
		ID: "a001a001a001a001a001a001a001a001", Value: token, Created: born, Updated: born,
	}}})
	for _, a := range s.Apps {
		if a.ClientID == world.AppReporting {
			a.Secrets[0].Start, a.Secrets[0].End = born, born.Add(60*24*time.Hour)
		}
	}
	reader := *s.RoleAssignments[0]
	reader.Name, reader.RoleID, reader.Scope = "0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2d01", world.RoleReader, "/subscriptions/"+world.SubscriptionID
	s.RoleAssignments = append(s.RoleAssignments, &reader)
}

// crowded is a world with more projects than an answer or a screen holds.
func crowded(s *world.State) {
	for i := range 250 {
		s.Organizations[0].Projects = append(s.Organizations[0].Projects, &world.Project{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: fmt.Sprintf("team-%03d", i)})
	}
}

var plainDate = regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b`)

// cmdDates takes the days out of a file: dates FILE.
func cmdDates(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: dates FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(plainDate.ReplaceAllString(ts.ReadFile(args[0]), "<day>")), 0o600))
}
