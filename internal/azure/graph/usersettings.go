package graph

import (
	"fmt"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// UserSettings are the block "serviceAccount" of a credential: a user's password.
type UserSettings struct {
	User     string `yaml:"user,required" is:"username" doc:"The user's sign-in name. It must be a user of the cloud alone."`
	ClientID string `yaml:"clientId,required" is:"guid" doc:"The public client app registration that the user signs in through to prove a password. It needs no permission and no consent."`
	Length   int    `yaml:"length" default:"40" doc:"How many characters a new password has: 16 to 200."`
	Adopt    bool   `yaml:"adopt" doc:"true: the secret holds the account's present password, which somebody else has put there. It is replaced at once."`
}

// UserKind is what a manifest can say about a service account's password.
func UserKind() manifest.Kind {
	return manifest.Kind{
		Name:     "serviceAccount",
		Doc:      "The password of a service account, a user of Microsoft Entra ID. A user has one password, so there is no overlap: whoever uses it is cut off until they have read the new one.",
		Password: true,
		OneSlot:  true,
		New:      func() manifest.Settings { return &UserSettings{} },
	}
}

// SignsIn implements manifest.SignIn.
func (s *UserSettings) SignsIn() string { return s.User }

// Check implements manifest.Settings.
func (s *UserSettings) Check(report func(path, text string), in manifest.Context) {
	if s.Length != 0 && (s.Length < 16 || s.Length > 200) {
		report("length", fmt.Sprintf("%d is not between 16 and 200", s.Length))
	}
	if in.Strategy == manifest.Extend {
		report("", "a password has no date that could be moved: take out 'strategy: extend', and it is replaced")
	}
}
