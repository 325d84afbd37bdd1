package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Refusal is why a decision, a request or a job's token does not count. Code is a stable word for each reason.
type Refusal struct{ Code, Text string }

func (r *Refusal) Error() string { return r.Text }

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Verifier says whether the tenant signed a token, and what it claims. A token that it did not sign is a *Refusal; every
// other error means that nothing is known of it.
type Verifier interface {
	Verify(ctx context.Context, token string) (claims map[string]any, tenant string, err error)
}

// backdated is how far before the sign-in Entra ID dates its tokens, and what clocks may be apart beside it.
const backdated = 10 * time.Minute

// standard is what a decision is held to.
type standard struct {
	clientID string
	who      Approvers
	life     time.Duration
	// actors are the object ids of people by the names that CI systems know them by.
	actors map[string]string
	now    time.Time
	asks   []Requester // who asked first, and who asks now
}

// hold says whether a decision on a request counts, and who made it. intent is that of the request at hand.
func hold(ctx context.Context, v Verifier, a Asked, d Decision, intent string, s standard) (Decided, error) {
	switch {
	case a.Hash != intent:
		return Decided{}, refuse("intent", "request %s is for another intent", a.ID)
	case d.ID != a.ID:
		return Decided{}, refuse("replayed", "it was made for another request, %s", d.ID)
	case d.Hash != a.Hash:
		return Decided{}, refuse("intent", "it was made for another intent")
	case !d.Expires.Equal(a.Expires):
		return Decided{}, refuse("edited", "it does not end when its request does")
	case !s.now.Before(a.Expires):
		return Decided{}, refuse("expired", "it expired at %s", a.Expires.Format(time.RFC3339))
	}
	claims, tenant, err := v.Verify(ctx, d.Token)
	if err != nil {
		return Decided{}, err
	}
	text := func(name string) string { s, _ := claims[name].(string); return s }
	if !slices.Equal(texts(claims["aud"]), []string{s.clientID}) {
		return Decided{}, refuse("audience", "its token is for another application than the manifest's approvers.clientId")
	}
	if tenant == "" || !strings.EqualFold(text("tid"), tenant) {
		return Decided{}, refuse("tenant", "its token is of another tenant")
	}
	if text("nonce") != Nonce(a.Hash, a.ID, d.Decision, d.Reason, a.Expires) {
		return Decided{}, refuse("nonce", "its token was not made for this request, this word, this reason and this end")
	}
	at, ok := moment(claims["iat"])
	switch {
	case !ok:
		return Decided{}, refuse("time", "its token does not say when it was made")
	case at.Before(a.Asked.Add(-backdated)):
		return Decided{}, refuse("time", "somebody signed in before it was asked for")
	case at.After(s.now.Add(backdated)), at.After(a.Expires):
		return Decided{}, refuse("time", "somebody signed in after it ended, or in the future")
	case a.Expires.After(at.Add(s.life + backdated)):
		return Decided{}, refuse("life", "it lives for longer after the sign-in than the manifest allows")
	}
	if err := s.may(claims); err != nil {
		return Decided{}, err
	}
	by := Decided{By: text("preferred_username"), Object: strings.ToLower(text("oid")), Reason: d.Reason, At: at}
	if by.Object == "" {
		return Decided{}, refuse("person", "its token names no person")
	}
	if by.By == "" {
		by.By = by.Object
	}
	return by, s.another(by)
}

// may says whether the person has what an approver must have.
func (s standard) may(claims map[string]any) error {
	roles, groups := texts(claims["roles"]), texts(claims["groups"])
	has := func(want, have []string) bool {
		return slices.ContainsFunc(want, func(w string) bool {
			return slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(w, h) })
		})
	}
	if has(s.who.Roles, roles) || has(s.who.Groups, groups) {
		return nil
	}
	names, _ := claims["_claim_names"].(map[string]any)
	_, over := names["groups"]
	if over = over || claims["hasgroups"] == true; over && len(s.who.Groups) > 0 {
		return refuse("overage", "the person is in more groups than a token can name: give them an app role of the application, and name it under approvers.roles")
	}
	return refuse("group", "the person has none of the roles and is in none of the groups that may approve (%s)", strings.Join(slices.Concat(s.who.Roles, s.who.Groups), ", "))
}

// another says whether the person is somebody else than who asks.
func (s standard) another(by Decided) error {
	for _, r := range s.asks {
		if strings.EqualFold(r.Object, by.Object) {
			return refuse("requester", "%s asked for it, and nobody approves what they asked for", by.By)
		}
		if object := s.actors[r.Actor]; r.Actor != "" && strings.EqualFold(object, by.Object) {
			return refuse("requester", "%s started the job that asked for it (%s), and nobody approves what they asked for", by.By, r.Actor)
		}
	}
	return nil
}

// unknownActor says that nobody can tell whether the person who started a job approves it; "" if somebody can.
func (s standard) unknownActor() string {
	for _, r := range s.asks {
		if r.Actor != "" && s.actors[r.Actor] == "" {
			return fmt.Sprintf("the manifest's approvers.actors does not say who %s is, so nothing keeps them from approving their own job", r.Actor)
		}
		if r.CI != "" && r.Actor == "" {
			return "the job's token names nobody who started it, so nothing keeps them from approving their own job"
		}
	}
	return ""
}

// texts is a claim that is a text or a list of texts; everything else is nothing.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	return nil
}

// moment is a claim that is a time: whole seconds since 1970.
func moment(claim any) (time.Time, bool) {
	v, ok := claim.(float64)
	if !ok || v < 0 || v > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(v), 0).UTC(), true
}

// RefusalOf is the refusal in an error, nil if it is none.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	errors.As(err, &r)
	return r
}
