package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
)

// Holder says whom a credential signs in: the object id, and what kind of principal it is, as role assignments name it.
// Both are read out of a token for scope, which this process has just got of Entra ID and hands to nobody as proof.
func Holder(ctx context.Context, cred azcore.TokenCredential, scope string) (id, kind string, err error) {
	t, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return "", "", err
	}
	parts := strings.Split(t.Token, ".")
	var claims struct {
		ObjectID string `json:"oid"`
		Type     string `json:"idtyp"`
		Scopes   string `json:"scp"`
	}
	unknown := driver.Errorf(driver.Rejected, "find out whom Rekey is signed in as", "", "the token does not say")
	if len(parts) != 3 {
		return "", "", unknown
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.ObjectID == "" {
		return "", "", unknown
	}
	kind = "ServicePrincipal"
	// A token of a person for a program has scopes; one of an application has none, and says so only where it is asked to.
	if claims.Type == "user" || claims.Type == "" && claims.Scopes != "" {
		kind = "User"
	}
	return claims.ObjectID, kind, nil
}
