package arm

import "strings"

// consumer is a resource that uses credentials, as lists of resources show it. Its provider answers for the rest.
type consumer struct{ kind, id, name, group, location string }

// consumers are those of the subscription, or of the group if the path names one.
func (c *call) consumers() []consumer {
	var out []consumer
	add := func(subscription string, x consumer) {
		if strings.EqualFold(subscription, c.Sub.ID) && (c.route.group == "" || strings.EqualFold(x.group, c.route.group)) {
			out = append(out, x)
		}
	}
	for _, a := range c.W.AutomationAccounts {
		add(a.SubscriptionID, consumer{"Microsoft.Automation/automationAccounts", a.ResourceID(), a.Name, a.ResourceGroup, a.Location})
	}
	for _, x := range c.W.Connections {
		add(x.SubscriptionID, consumer{"Microsoft.Web/connections", x.ResourceID(), x.Name, x.ResourceGroup, x.Location})
	}
	for _, x := range c.W.Sites {
		kind, name := "Microsoft.Web/sites", x.Name
		if x.Slot != "" {
			kind, name = kind+"/slots", name+"/"+x.Slot
		}
		add(x.SubscriptionID, consumer{kind, x.ResourceID(), name, x.ResourceGroup, x.Location})
	}
	return out
}
