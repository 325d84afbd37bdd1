package arm

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
)

const timeForm = "1/2/2006 3:04:05 PM"

// audiences are what a token must be for. Issued audiences carry no trailing slash.
var audiences = []string{"https://management.azure.com", "https://management.core.windows.net"}

// challenge tells a client the tenant: that of the subscription in the path, or else of the world's first.
func (c *call) challenge(f *fault) string {
	tenant := "common"
	if len(c.w.Tenants) > 0 {
		tenant = c.w.Tenants[0].ID
	}
	if c.sub != nil {
		tenant = c.sub.TenantID
	}
	return fmt.Sprintf(`Bearer authorization_uri="https://login.windows.net/%s", error="invalid_token", error_description="%s"`, tenant, f.reason)
}

func unauthorized(code, message, reason string) *fault {
	return &fault{status: http.StatusUnauthorized, code: code, message: message, reason: reason, gateway: true}
}

func (c *call) authenticate() *fault {
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.",
			"The authentication failed because of missing 'Authorization' header.")
	}
	t, ok := c.w.TokenOf(raw)
	if !ok {
		c.w.Remember(raw)
		return unauthorized("InvalidAuthenticationToken", "The access token is invalid.", "The access token is invalid.")
	}
	c.token = t
	wire.CallFrom(c.r.Context()).Principal = cmp.Or(t.Name, t.ObjectID)
	audience := strings.TrimRight(t.Audience, "/")
	if !strings.EqualFold(audience, audiences[0]) && !strings.EqualFold(audience, audiences[1]) {
		const reason = "The access token has been obtained for wrong audience or resource"
		return unauthorized("InvalidAuthenticationTokenAudience",
			reason+fmt.Sprintf(" '%s'. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.core.windows.net','https://management.azure.com/','https://management.azure.com'.", t.Audience), reason+".")
	}
	if !c.now.Before(t.Expires) {
		return unauthorized("ExpiredAuthenticationToken",
			fmt.Sprintf("The access token expiry UTC time '%s' is earlier than current UTC time '%s'.", t.Expires.UTC().Format(timeForm), c.now.Format(timeForm)),
			"The access token has expired.")
	}
	return nil
}

var guidForm = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// checkSubscription holds the subscription of the path to the world and to the token's tenant.
func (c *call) checkSubscription() *fault {
	id := c.route.sub
	switch {
	case id == "":
		return nil
	case !guidForm.MatchString(id):
		return gatewayFault(http.StatusBadRequest, "InvalidSubscriptionId", fmt.Sprintf("The provided subscription identifier '%s' is malformed or invalid.", id))
	case c.sub == nil:
		return gatewayFault(http.StatusNotFound, "SubscriptionNotFound", fmt.Sprintf("The subscription '%s' could not be found.", id))
	case !strings.EqualFold(c.sub.TenantID, c.token.Tenant):
		const reason = "The access token is from the wrong issuer"
		return unauthorized("InvalidAuthenticationTokenTenant",
			reason+fmt.Sprintf(" 'https://sts.windows.net/%s/'. It must match the tenant 'https://sts.windows.net/%s/' associated with this subscription.", c.token.Tenant, c.sub.TenantID), reason+".")
	}
	return nil
}

func (c *call) allowed(action, scope string) bool {
	return c.w.Allowed(c.token.ObjectID, action, scope)
}

// authorize refuses with the gateway's words. For role assignments they speak of conditions too (facts 2.1).
func (c *call) authorize(action, scope string) *fault {
	if c.allowed(action, scope) {
		return nil
	}
	client := c.token.AppID
	if c.token.User {
		client = c.token.Name
	}
	why := "authorization"
	if strings.HasPrefix(action, "Microsoft.Authorization/roleAssignments/") && !strings.HasSuffix(action, "/read") {
		why = "authorization or an ABAC condition not fulfilled"
	}
	return gatewayFault(http.StatusForbidden, "AuthorizationFailed",
		fmt.Sprintf("The client '%s' with object id '%s' does not have %s to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
			client, c.token.ObjectID, why, action, cmp.Or(scope, "/")))
}
