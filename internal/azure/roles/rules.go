package roles

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

// rule is one rule of a role management policy (facts 2.4).
type rule struct {
	ID             string   `json:"id"`
	MaximumLength  string   `json:"maximumDuration"`
	Enabled        []string `json:"enabledRules"`
	IsEnabled      bool     `json:"isEnabled"`
	ApprovalWanted struct {
		Required bool `json:"isApprovalRequired"`
	} `json:"setting"`
}

// rules bind a request: an administrator's assignment, or a person's activation.
type rules []rule

func (rs rules) of(id string) (rule, bool) {
	i := slices.IndexFunc(rs, func(r rule) bool { return r.ID == id })
	if i < 0 {
		return rule{}, false
	}
	return rs[i], true
}

// allow refuses what the rules will refuse, and says which.
func (rs rules) allow(right driver.Right, ask driver.Ask, self bool) error {
	who := "Admin"
	if self {
		who = "EndUser"
	}
	refuse := func(rule, hint, format string, args ...any) error {
		return &driver.Error{Kind: driver.Rejected, Op: "ask for " + right.String(), Code: rule, Detail: fmt.Sprintf(format, args...), Hint: hint, Person: true}
	}
	if r, ok := rs.of("Expiration_" + who + "_Assignment"); ok {
		if most, known := parseISO(r.MaximumLength); known && ask.For > most {
			return refuse("ExpirationRule", "ask for "+most.String()+" at most, or have the role's settings in PIM changed", "%s is longer than the %s that its policy allows", ask.For, most)
		}
	}
	if r, ok := rs.of("Enablement_" + who + "_Assignment"); ok {
		switch {
		case slices.Contains(r.Enabled, "MultiFactorAuthentication") && !self:
			return refuse("MfaRule", "take the second factor out of the rules for active assignments of this role in PIM, or have a person activate it (pimActivation)", "its policy wants a second factor of whoever assigns it, which no application can give")
		case slices.Contains(r.Enabled, "Ticketing") && ask.Ticket == "":
			return refuse("TicketingRule", "name one with --ticket", "its policy wants the number of a ticket")
		}
	}
	if r, ok := rs.of("AuthenticationContext_" + who + "_Assignment"); ok && r.IsEnabled && self {
		return refuse("AcrsRule", "activate it in the portal, where that can be asked of you, or have the role's settings in PIM changed", "its policy wants an authentication context, which cannot be given here")
	}
	return nil
}

// known words of a refusal's text (facts 2.2). Nothing else of it is repeated.
var ruleWords = []string{"ExpirationRule", "JustificationRule", "MfaRule", "TicketingRule", "EligibilityRule", "ApprovalRule", "AdminRequestRule", "ActivationDayRule"}

// explain says what a person can do about a request that was refused.
func explain(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	switch {
	case e.Code == rulesFailed && strings.Contains(e.Detail, "EligibilityRule"):
		out.Person, out.Hint = true, "somebody has to make you eligible for the role there"
	case e.Code == rulesFailed:
		out.Person, out.Hint = true, "change what is asked for, or the role's settings in PIM"
	case e.Code == "RoleAssignmentRequestAcrsValidationFailed":
		out.Person, out.Hint = true, "its policy wants an authentication context: activate it in the portal"
	case e.Code == "AadPremiumLicenseRequired":
		out.Person, out.Hint = true, "the tenant has no Privileged Identity Management: use a timed role assignment (kind: "+TimedKind+")"
	}
	return &out
}

var isoForm = regexp.MustCompile(`^P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$`)

// parseISO reads the durations that policies have: PT8H, P180D.
func parseISO(s string) (time.Duration, bool) {
	m := isoForm.FindStringSubmatch(s)
	if m == nil || s == "P" || strings.HasSuffix(s, "T") {
		return 0, false
	}
	var out time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + m[i+1])
		out += time.Duration(n) * unit
	}
	return out, true
}
