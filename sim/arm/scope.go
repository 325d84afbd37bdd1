package arm

import (
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/sim/gateway"
)

// within says whether scope a is at scope b or below it.
func within(a, b string) bool {
	a, b = strings.ToLower(strings.TrimRight(a, "/")), strings.ToLower(strings.TrimRight(b, "/"))
	return a == b || strings.HasPrefix(a, b+"/")
}

func sameScope(a, b string) bool { return within(a, b) && within(b, a) }

// checkScope wants what the path names as a scope to exist: the root, a subscription, a group, a vault or something
// in one (which is not looked at, as the real service does not), or a resource of a kind that is not simulated.
func (c *call) checkScope() *fault {
	segs := strings.Split(strings.Trim(c.route.scope, "/"), "/")
	switch {
	case c.route.scope == "":
		return nil
	case c.Sub == nil:
		return gateway.NotSimulated("The simulator has no scope but the root, subscriptions and what is in them: %s", c.route.scope)
	case len(segs) == 2:
		return nil
	case c.route.group == "":
		return gateway.Refusal(http.StatusBadRequest, "InvalidScope", "The scope '%s' is not valid.", c.route.scope)
	}
	if f := c.checkGroup(); f != nil {
		return f
	}
	if len(segs) >= 8 && strings.EqualFold(segs[5]+"/"+segs[6], vaultType) && c.vault(segs[7]) == nil {
		return resourceNotFound(vaultType, segs[7], c.route.group)
	}
	return nil
}
