package manifest_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// pat looks like the settings of a personal access token, so that the files here look like the real thing.
type pat struct {
	Account      string       `yaml:"account,required" ref:"accounts" doc:"The user that owns it."`
	Organization string       `yaml:"organization,required" pattern:"^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$" says:"must be the name of an organisation" doc:"The organisation."`
	Scopes       manifest.Set `yaml:"scopes,required" doc:"What it may do."`
	Adopt        *adopt       `yaml:"adopt" doc:"An existing token to take over."`
	Uses         int          `yaml:"uses" default:"3" doc:"A number."`
}

type adopt struct {
	ID   string `yaml:"id" is:"guid" one:"way to name the token" doc:"Its id."`
	Name string `yaml:"name" one:"way to name the token" doc:"Its name."`
}

var scopes = []string{"vso.code", "vso.code_write", "vso.packaging", "vso.packaging_write", "vso.build"}

func (p *pat) Check(report func(path, text string), in manifest.Context) {
	for i, s := range p.Scopes {
		if s != "" && !slices.Contains(scopes, s) {
			report(fmt.Sprintf("scopes[%d]", i), fmt.Sprintf("unknown scope %q%s", s, manifest.DidYouMean(s, scopes)))
		}
	}
	if p.Adopt != nil && in.Strategy == manifest.Extend {
		in.Warn("adopt", "an adopted token is extended under its old name")
	}
}

// random is a second kind: nothing in the package knows how many there are.
type random struct {
	Length int `yaml:"length" default:"32" doc:"How long it is."`
}

func (r *random) Check(report func(path, text string), in manifest.Context) {
	if r.Length != 0 && r.Length < 16 {
		report("length", "shorter than 16")
	}
}

// hook is a kind of consumer that keeps what it read for an hour, mail one that keeps nothing.
type hook struct {
	Room string `yaml:"room,required" doc:"Where it is."`
}

func (h *hook) Check(report func(path, text string), in manifest.Context) {
	if h.Room == "cellar" {
		report("room", in.Consumer+" of "+in.Credential+" is too cold")
	}
	if h.Room == "attic" {
		in.Warn("room", "it is draughty")
	}
}

func (h *hook) Location() string { return strings.ToLower(h.Room) }

type mail struct {
	Say manifest.Argv `yaml:"say" doc:"A program that writes it."`
}

func (*mail) Check(func(path, text string), manifest.Context) {}

// drawer keeps the value in a secret of its own.
type drawer struct {
	In manifest.SecretRef `yaml:"in,required" doc:"Where it is kept."`
}

func (*drawer) Check(func(path, text string), manifest.Context) {}

func (d *drawer) Keeps() (string, manifest.SecretRef) { return "in.secret", d.In }

func kinds() []manifest.Kind {
	return []manifest.Kind{
		{Name: "pat", Doc: "An Azure DevOps personal access token.", Probes: []string{"connectionData", "projects"},
			New: func() manifest.Settings { return new(pat) }},
		{Name: "random", Doc: "A random value.", New: func() manifest.Settings { return new(random) }},
		{Name: "hook", Consumer: true, Cache: time.Hour, Doc: "A hook on the wall.", New: func() manifest.Settings { return new(hook) }},
		{Name: "mail", Consumer: true, Doc: "A letter.", New: func() manifest.Settings { return new(mail) }},
		{Name: "drawer", Consumer: true, Doc: "A drawer.", New: func() manifest.Settings { return new(drawer) }},
	}
}
