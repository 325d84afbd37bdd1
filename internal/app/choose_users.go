package app

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// users are those of the directory that Rekey's identity may read.
var users = &Listing{
	Name: "users", Short: "the users that Rekey's identity sees",
	ByHand: "type the user's sign-in name; to list users, Rekey's identity needs the application permission User.Read.All of Microsoft Graph",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.graphClient().Users(ctx, q.heard)
		var out []Choice
		for _, x := range all {
			if !isUsername.MatchString(x.User) || strings.ContainsFunc(x.User, unprintable) {
				continue
			}
			c := Choice{ID: x.User, Unfit: x.Elsewhere, About: []About{{"called", x.Name}}}
			if x.Disabled {
				c.About = append(c.About, About{"disabled", "yes"})
			}
			if name := q.App.rotatesPasswordOf(x.User); name != "" {
				c.Unfit = "credential " + name + " of the manifest is its password"
			}
			out = append(out, c)
		}
		return out, err
	},
}

// administrators are those who can be made owners of an application, which takes their ids.
var administrators = &Listing{
	Name: "administrators", ByHand: "type the Object ID of the user's page; to find users by name, Rekey's identity needs the application permission User.Read.All of Microsoft Graph",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.graphClient().Users(ctx, q.heard)
		var out []Choice
		for _, x := range all {
			if isGUID.MatchString(x.ID) {
				out = append(out, Choice{ID: x.ID, Name: x.User, About: []About{{"called", x.Name}}})
			}
		}
		return out, err
	},
}

// askOwners is for who wants it: nobody is asked.
func askOwners() Question {
	return Question{Flag: "owners", Usage: "administrators who are made owners of the app registration when the credential is replaced: object ids or sign-in names, with commas between", Form: isGUID, Many: true, List: administrators, None: "leave its owners alone", Silent: true}
}

// owners are the lines of those who were named.
func (q *Asked) owners() (lines []string) {
	if ids := q.Of("owners"); ids != "" {
		lines = []string{"  owners: [" + strings.ReplaceAll(ids, ",", ", ") + "]"}
	}
	return lines
}

// rotatesPasswordOf is the credential that is a user's password; "" if none is.
func (a *App) rotatesPasswordOf(user string) string {
	for _, c := range a.cfg.Manifest.Credentials {
		if s, ok := c.Settings.(*graph.UserSettings); ok && strings.EqualFold(s.User, user) {
			return c.Name
		}
	}
	return ""
}

// passwordVaults are all vaults: a password that an account of the manifest signs in with is kept where that is.
var passwordVaults = &Listing{Name: "vaults", ByHand: vaults.ByHand, list: vaultsBut(func(*App, string) string { return "" })}

// passwordSecrets are a vault's secrets. The one that the user itself signs in with is right here.
var passwordSecrets = &Listing{
	Name: "secrets", ByHand: vaultSecrets.ByHand,
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := vaultSecrets.list(ctx, q)
		for i := range all {
			if q.App.passwordOf(q.Of("user")) == (manifest.SecretRef{Vault: q.manifestVault(), Secret: all[i].ID}) {
				all[i].Unfit = ""
			}
		}
		return all, err
	},
}

// manifestVault is the manifest's name of the vault that was chosen; "" if it has none.
func (q *Asked) manifestVault() string {
	if v, ok := q.App.cfg.Manifest.Vault(q.Of("vault")); ok {
		return v.Name
	}
	return q.App.vaultNamed(q.Of("vault"))
}

// passwordOf is where an account of the manifest has a user's password.
func (a *App) passwordOf(user string) manifest.SecretRef {
	for _, acc := range a.cfg.Manifest.Accounts {
		if strings.EqualFold(acc.Username, user) && acc.Password != nil {
			return *acc.Password
		}
	}
	return manifest.SecretRef{}
}

// clientOf is the client that users sign in through: the user's own in the manifest, else the only one that there is.
func (a *App) clientOf(user string) string {
	var all []string
	for _, acc := range a.cfg.Manifest.Accounts {
		if strings.EqualFold(acc.Username, user) {
			return acc.ClientID
		}
		all = append(all, strings.ToLower(acc.ClientID))
	}
	for _, c := range a.cfg.Manifest.Credentials {
		if s, ok := c.Settings.(*graph.UserSettings); ok {
			all = append(all, strings.ToLower(s.ClientID))
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return sole(len(all), func() string { return all[0] })
}

var (
	isTrue     = regexp.MustCompile(`^true$`)
	isExternal = regexp.MustCompile(`^external$`)
)

// only is a question's one choice besides none.
func only(id, name, text string) *Listing {
	return &Listing{Name: "answers", list: func(context.Context, *Asked) ([]Choice, error) {
		return []Choice{{ID: id, About: []About{{name, text}}}}, nil
	}}
}

// addServiceAccount adds a user's password. That nothing else runs is a person's word, so it is asked for.
func addServiceAccount() Addition {
	kept := places()
	kept[0].List = passwordVaults
	kept[1].List = passwordSecrets
	kept[1].Default = func(_ context.Context, q *Asked) (string, error) {
		if at := q.App.passwordOf(q.Of("user")); at.Secret != "" && at.Vault == q.manifestVault() {
			return at.Secret, nil
		}
		if q.Of("adopt") != "" {
			return "", nil
		}
		return q.Of(Name), nil
	}
	questions := []Question{
		{Flag: "user", Ask: "Which user?", Usage: "the user, by sign-in name: a user of the cloud alone", Form: isUsername, List: users},
		{
			Flag: "client-id", Ask: "The client id of the public client application that it signs in through?", Usage: "the client id of a public client app registration of the tenant, to prove a password by signing in; it needs no permission", Form: isGUID, List: applications,
			Default: func(_ context.Context, q *Asked) (string, error) { return q.App.clientOf(q.Of("user")), nil },
		},
		{Flag: "adopt", Ask: "Is its present password in a secret of a vault?", Usage: "true: the secret holds the present password, which is replaced at once; without it, a new one is set and whoever signs in with the present one is cut off", Form: isTrue,
			List: only("true", "yes:", "the next apply replaces it"), None: "set a new one"},
		named("the name for the credential", func(q *Asked) string {
			local, _, _ := strings.Cut(q.Of("user"), "@")
			return local + "-password"
		}),
		{Flag: "concurrency", Ask: "A user has one password. Is it sure that no two runs are under way at once?", Usage: "external: something else sees to it that no two runs are under way at once; asked for where the manifest does not say it yet", Form: isExternal,
			List: only("external", "yes:", "something else sees to it, such as the CI system"), Skip: func(q *Asked) bool { return q.App.cfg.Manifest.Concurrency != "" }},
	}
	return Addition{
		Command: "service-account", Short: "add the password of a service account, a user of Microsoft Entra ID",
		Long: `Add service-account writes the password of a user into the manifest. A user has one password, so there is no overlap:
whoever uses it is cut off until they have read the new one, and no two runs may be under way at once. With --adopt true
the secret holds the present password already. Listed are the users that Rekey's identity may read, and no password.`,
		Examples: []string{
			"rekey add service-account",
			"rekey add service-account batch-password --user svc-batch@contoso.onmicrosoft.com --client-id 00000000-0000-0000-0000-000000000000 --vault prod --secret batch-password --concurrency external",
		},
		Questions: append(append(questions, kept...), times("30d", "5d", "")...),
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			block := []string{"serviceAccount:", "  user: " + manifest.Scalar(q.Of("user")), "  clientId: " + manifest.Scalar(q.Of("client-id")) + readable(q.known["client-id"].Name)}
			if q.Of("adopt") != "" {
				block = append(block, "  adopt: true")
			}
			adds, err := q.credential(block)
			if err == nil && q.Of("concurrency") != "" {
				adds = append(adds, manifest.Addition{Lines: []string{"concurrency: " + q.Of("concurrency")}})
			}
			return adds, err
		},
	}
}
