package entra

import (
	"slices"
	"strings"
)

// mostGroups is how many groups a token names; a user of more has a pointer to where they can be asked for.
const mostGroups = 200

// membership adds to an ID token what the app asks to be told of its user: the app roles that the user has, in
// person or by a group, and the groups, if the app's manifest says groupMembershipClaims.
func (s *Service) membership(t issue, claims map[string]any) {
	if t.client.app == nil {
		return
	}
	groups := []string{}
	for _, g := range s.w.Groups {
		if strings.EqualFold(g.TenantID, t.tenant.ID) && hasFold(g.Members, t.user.ID) {
			groups = append(groups, g.ID)
		}
	}
	var roles []string
	for _, r := range t.client.app.AppRoles {
		if slices.ContainsFunc(r.Assigned, func(id string) bool { return strings.EqualFold(id, t.user.ID) || hasFold(groups, id) }) {
			roles = append(roles, r.Name)
		}
	}
	if len(roles) > 0 {
		claims["roles"] = roles
	}
	switch {
	case t.client.app.GroupClaims == "" || len(groups) == 0:
	case len(groups) > mostGroups:
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": "https://graph.windows.net/" + t.tenant.ID + "/users/" + t.user.ID + "/getMemberObjects",
		}}
	default:
		claims["groups"] = groups
	}
}

func hasFold(list []string, id string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, id) })
}
