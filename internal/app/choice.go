package app

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// Choice is something that a manifest can name, as a person is shown it. Nothing of it is a secret's value.
type Choice struct {
	ID   string // as the manifest names it
	Name string // what people call it; "" if that is its id
	// About is what else is known of it.
	About []About
	// Unfit is why it cannot be chosen; "" if it can.
	Unfit string

	data   any
	listed bool
}

// About is one thing that is known of a choice.
type About struct{ Name, Text string }

// Listing is one kind of thing that is there to be chosen from. It only reads, and only names and dates.
type Listing struct {
	Name, Short string
	// Needs are the questions that must be answered first.
	Needs []Question
	// ByHand is what a person can do who may not list it.
	ByHand string

	list func(context.Context, *Asked) ([]Choice, error)
}

// Question is one thing that must be known before lines of a manifest can be written.
type Question struct {
	Flag, Ask, Usage string
	// Form is how the manifest names it: what has it is taken as it is, and anything else is looked for by name. Nil:
	// anything is taken as it is.
	Form *regexp.Regexp
	// Many says that several can be chosen, which are said with commas between.
	Many bool
	// List is what there is to choose from; nil where there is nothing to list.
	List *Listing
	// Listed says whether the list is of use, after other answers; nil for always.
	Listed func(*Asked) bool
	// Default is offered where nothing is said, and taken without a question where Silent is set; nil or "" for none.
	Default func(context.Context, *Asked) (string, error)
	Silent  bool
	// None is what it means to choose nothing; "" where something must be chosen.
	None string
	// Skip says that there is nothing to ask, after other answers; nil for never.
	Skip func(*Asked) bool
}

// Asked is the answers so far.
type Asked struct {
	App *App
	// Heard is told how many things were listed so far; nil for nobody.
	Heard func(n int)

	said  map[string]string
	known map[string]Choice
	lists map[string][]Choice
	by    map[string]Question
}

// Ask begins: nothing is answered yet.
func (a *App) Ask(questions []Question) *Asked {
	q := &Asked{App: a, said: map[string]string{}, known: map[string]Choice{}, lists: map[string][]Choice{}, by: map[string]Question{}}
	for _, x := range questions {
		q.by[x.Flag] = x
	}
	return q
}

// Of is an answer; "" for none.
func (q *Asked) Of(flag string) string { return q.said[flag] }

// Say takes an answer in the form that the manifest has.
func (q *Asked) Say(flag, value string) { q.said[flag] = value }

// Choose takes a choice as the answer. Of one that was typed only the id is known.
func (q *Asked) Choose(flag string, c Choice) {
	if q.said[flag] = c.ID; c.listed {
		q.known[flag] = c
	}
}

// ChooseAll takes several choices of a list as the answer.
func (q *Asked) ChooseAll(flag string, all []Choice) {
	var ids []string
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	q.said[flag] = strings.Join(ids, ",")
}

// Choices lists what there is to choose from, once.
func (q *Asked) Choices(ctx context.Context, x Question) ([]Choice, error) {
	if all, ok := q.lists[x.Flag]; ok {
		return all, nil
	}
	all, err := x.List.choices(ctx, q)
	if err == nil {
		q.lists[x.Flag] = all
	}
	return all, err
}

// Word is how the command line names it.
func (x Question) Word() string {
	if x.Flag == Name {
		return "NAME"
	}
	return "--" + x.Flag
}

// Lists says whether there is a list to choose from.
func (x Question) Lists(q *Asked) bool { return x.List != nil && (x.Listed == nil || x.Listed(q)) }

// choices lists what there is, in the order of its names.
func (l *Listing) choices(ctx context.Context, q *Asked) ([]Choice, error) {
	all, err := l.list(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].listed = true
	}
	slices.SortStableFunc(all, func(a, b Choice) int {
		return strings.Compare(strings.ToLower(a.Shown()+"\n"+a.ID), strings.ToLower(b.Shown()+"\n"+b.ID))
	})
	return all, nil
}

// Choices lists what there is to see, in the order of its names.
func (l *Listing) Choices(ctx context.Context, q *Asked) ([]Choice, error) { return l.choices(ctx, q) }

// Shown is its name, or its id if it has none.
func (c Choice) Shown() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// Take takes what somebody typed or gave as a flag: in the form of the manifest as it is, anything else if exactly one
// choice has that name, or else has it in its name.
func (q *Asked) Take(ctx context.Context, x Question, typed string) error {
	if !x.Many {
		c, err := q.meant(ctx, x, typed)
		if err == nil {
			q.Choose(x.Flag, c)
		}
		return err
	}
	var all []Choice
	for part := range strings.SplitSeq(typed, ",") {
		c, err := q.meant(ctx, x, strings.TrimSpace(part))
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	q.ChooseAll(x.Flag, all)
	return nil
}

// meant is the choice that a text means.
func (q *Asked) meant(ctx context.Context, x Question, typed string) (Choice, error) {
	if x.Form == nil || x.Form.MatchString(typed) {
		return Choice{ID: typed}, nil
	}
	if x.List == nil {
		return Choice{}, fmt.Errorf("%s %q is not of the form that it must have: %s", x.Word(), typed, x.Usage)
	}
	all, err := q.Choices(ctx, x)
	if err != nil {
		return Choice{}, err
	}
	found := Matching(all, typed)
	switch {
	case len(found) == 0:
		return Choice{}, fmt.Errorf("%s %q: none of the %d that can be seen has that name, and it is no id", x.Word(), typed, len(all))
	case len(found) > 1:
		return Choice{}, fmt.Errorf("%s %q: %d have that in their names, such as %q and %q: give more of the name, or the id", x.Word(), typed, len(found), found[0].Shown(), found[1].Shown())
	case found[0].Unfit != "":
		return Choice{}, fmt.Errorf("%s %q cannot be chosen: %s", x.Word(), typed, found[0].Unfit)
	}
	return found[0], nil
}

// Matching are the choices that a text means: the one of that id, those of that name, else those that have it in name or
// id.
func Matching(all []Choice, text string) []Choice {
	text = strings.ToLower(text)
	for _, is := range []func(Choice) bool{
		func(c Choice) bool { return strings.ToLower(c.ID) == text },
		func(c Choice) bool { return strings.ToLower(c.Name) == text },
		func(c Choice) bool { return strings.Contains(strings.ToLower(c.Name+"\n"+c.ID), text) },
	} {
		var found []Choice
		for _, c := range all {
			if is(c) {
				found = append(found, c)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// choice is what is known of an answer; it is listed where only the id was said.
func (q *Asked) choice(ctx context.Context, flag string) (Choice, error) {
	if c, ok := q.known[flag]; ok {
		return c, nil
	}
	all, err := q.Choices(ctx, q.by[flag])
	if err != nil {
		return Choice{}, err
	}
	for _, c := range all {
		if strings.EqualFold(c.ID, q.said[flag]) {
			q.known[flag] = c
			return c, nil
		}
	}
	return Choice{}, fmt.Errorf("--%s %s is not among the %d that can be seen", flag, q.said[flag], len(all))
}

func (q *Asked) heard(n int) {
	if q.Heard != nil {
		q.Heard(n)
	}
}

// Addition is a kind of thing that can be added to a manifest.
type Addition struct {
	Command, Short, Long string
	Examples             []string
	Questions            []Question

	write func(context.Context, *Asked) ([]manifest.Addition, error)
}

// Name is the question for the name in the manifest, which each addition has.
const Name = "name"

// Write makes the entries of what was answered.
func (a Addition) Write(ctx context.Context, q *Asked) ([]manifest.Addition, error) {
	return a.write(ctx, q)
}

var (
	isGUID = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	isName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	unfit  = regexp.MustCompile(`[^a-z0-9]+`)
)

// named is the question for a name of a person's choice.
func named(what string, suggest func(*Asked) string) Question {
	return Question{
		Flag: Name, Ask: "Its name in the manifest?", Usage: what + ": lower-case letters, digits and '-'", Form: isName,
		Default: func(_ context.Context, q *Asked) (string, error) { return slug(suggest(q)), nil },
	}
}

// slug makes a name for the manifest of any name.
func slug(s string) string {
	s = strings.Trim(unfit.ReplaceAllString(strings.ToLower(s), "-"), "-")
	return strings.Trim(s[:min(len(s), 40)], "-")
}
