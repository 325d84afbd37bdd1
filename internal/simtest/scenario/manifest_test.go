package scenario

import (
	"fmt"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// settings are what scenarios change in the manifest.
type settings struct {
	lifetime, rotateBefore, overlap string
	schedule                        string
	ledger                          string
	account                         string // the block under the account's name
	pat                             string // more of the block "pat"
	more                            string // more of the credential
	secret                          bool   // it is a client secret and no PAT
	certificate                     bool   // it is an application's certificate
	made                            string // it is a value of our own making: its settings
	elevation                       string // how the vault's role is taken: an elevation without role, scope and broker
	right                           string // an elevation of that name, for a consumer
}

// usual is replaced after four days, and lives on for one.
func usual() settings {
	return settings{lifetime: "6d", rotateBefore: "2d", overlap: "24h", schedule: "6h", ledger: "./ledger", account: byPassword(svcPAT, "svc-devops-pat-password")}
}

func byPassword(user, secret string) string {
	return fmt.Sprintf("{clientId: 2bfcc342-eb74-4427-832c-db82f28995f4, username: %s, password: {vault: rekey, secret: %s}}", user, secret)
}

func byCache(user string) string {
	return fmt.Sprintf("{clientId: 2bfcc342-eb74-4427-832c-db82f28995f4, username: %s, tokenCache: {vault: rekey, secret: svc-msal}}", user)
}

func (s settings) yaml() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("version: 1")
	line("tenant: contoso.onmicrosoft.com")
	line("identity:")
	line("  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}", rekeyClient)
	line("accounts:")
	line("  svc-devops-pat: %s", s.account)
	line("vaults:")
	line("  rekey: {name: kv-rekey}")
	if s.elevation == "" {
		line("  prod: {name: kv-pat-prod}")
	} else {
		line("  prod: {name: kv-pat-prod, elevation: writer}")
	}
	line("  apps: {name: kv-apps}")
	if s.elevation != "" || s.right != "" {
		line("brokers:")
		line("  broker: {identity: {clientSecret: {clientId: %s, env: BROKER_CLIENT_SECRET}}}", world.AppBroker)
		line("elevations:")
	}
	if s.right != "" {
		line("  right: {broker: broker, %s}", s.right)
	}
	if s.elevation != "" {
		line("  writer: {role: Key Vault Secrets Officer, scope: %s, broker: broker, %s}", prodScope, s.elevation)
	}
	line("schedule: %s", s.schedule)
	line("ledger: %s", s.ledger)
	line("credentials:")
	line("  %s:", credential)
	if s.certificate {
		line("    appCertificate:")
		line("      appId: %s", world.AppSigning)
	} else if s.made != "" {
		line("    random:")
		line("      %s", s.made)
	} else if s.secret {
		line("    appSecret:")
		line("      appId: %s", world.AppReporting)
	} else {
		line("    pat:")
		line("      account: svc-devops-pat")
		line("      organization: contoso")
		line("      scopes: [vso.code, vso.packaging]")
	}
	for l := range strings.SplitSeq(s.pat, "\n") {
		if l != "" {
			line("      %s", l)
		}
	}
	line("    lifetime: %s", s.lifetime)
	line("    rotateBefore: %s", s.rotateBefore)
	line("    overlap: %s", s.overlap)
	line("    store: {vault: prod, secret: %s}", secretName)
	for l := range strings.SplitSeq(s.more, "\n") {
		if l != "" {
			line("    %s", l)
		}
	}
	return b.String()
}
