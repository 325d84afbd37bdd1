package keyvault

import (
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

type state int

const (
	live state = iota
	deleting
	deleted
	recovering
)

func (c *call) stateOf(s *world.Secret) state {
	k := c.w.Knobs.KeyVault
	switch {
	case !s.Deleted.IsZero() && c.now.Before(s.Deleted.Add(time.Duration(k.DeleteTakes))):
		return deleting
	case !s.Deleted.IsZero():
		return deleted
	case !s.Recovered.IsZero() && c.now.Before(s.Recovered.Add(time.Duration(k.RecoverTakes))):
		return recovering
	}
	return live
}

// find looks a secret up whatever its state, nil if there is none. The service itself purges a deleted one when its
// time has come, which here is when it is next asked for.
func (c *call) find(name string) *entry {
	e := c.index.byName[strings.ToLower(name)]
	if e != nil && c.over(e.secret) {
		c.index.remove(e)
		return nil
	}
	return e
}

func (c *call) over(s *world.Secret) bool {
	return !s.Deleted.IsZero() && !c.now.Before(purgeDate(c.vault, s))
}

func (c *call) findLive(name string) *entry {
	if e := c.find(name); e != nil && c.stateOf(e.secret) == live {
		return e
	}
	return nil
}

// set makes a new version, every time: a repeated PUT is a second version.
func (c *call) set() (any, *fault) {
	in, f := c.input()
	if f != nil {
		return nil, f
	}
	if in.Value == nil {
		return nil, badParameter("The property value is required.")
	}
	e := c.find(c.route.name)
	if e != nil {
		name := e.secret.Name
		switch c.stateOf(e.secret) {
		case deleting:
			return nil, conflict("ObjectIsBeingDeleted", "Secret "+name+" is currently being deleted and cannot be re-created; retry later.")
		case deleted:
			return nil, deletedButRecoverable(name)
		case recovering:
			return nil, beingRecovered(name)
		}
	}
	v := &world.SecretVersion{ID: c.w.NewVersion(), Value: *in.Value, Created: c.now, Updated: c.now}
	in.applyTo(v)
	s := &world.Secret{Name: c.route.name}
	if e != nil {
		s = e.secret
	}
	s.Versions = append(s.Versions, v)
	if e == nil {
		c.index.add(s)
	}
	b := c.bundleOf(s, v, true)
	b.Value = &v.Value
	return b, nil
}

// get ignores nbf and exp, which only inform; a disabled version is refused.
func (c *call) get() (any, *fault) {
	e := c.findLive(c.route.name)
	if e == nil {
		return nil, notFound(c.nameOrID())
	}
	v := e.version(c.route.version)
	if v == nil {
		return nil, notFound(c.nameOrID())
	}
	if v.Disabled {
		return nil, &fault{status: http.StatusForbidden, code: "Forbidden", inner: "SecretDisabled",
			message: "Operation get is not allowed on a disabled secret."}
	}
	b := c.bundleOf(e.secret, v, true)
	b.Value = &v.Value
	return b, nil
}

// update answers without the value.
func (c *call) update() (any, *fault) {
	in, f := c.input()
	if f != nil {
		return nil, f
	}
	e := c.findLive(c.route.name)
	if e == nil {
		return nil, notFound(c.nameOrID())
	}
	v := e.version(c.route.version)
	if v == nil {
		return nil, notFound(c.nameOrID())
	}
	c.keepForLists(v)
	in.applyTo(v)
	v.Updated = c.now
	return c.bundleOf(e.secret, v, true), nil
}

func (c *call) nameOrID() string {
	if c.route.version == "" {
		return c.route.name
	}
	return c.route.name + "/" + c.route.version
}

func deletedButRecoverable(name string) *fault {
	return conflict("ObjectIsDeletedButRecoverable", "Secret "+name+" is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.")
}

func beingRecovered(name string) *fault {
	return conflict("ObjectIsBeingRecovered", "Secret "+name+" is currently being recovered and cannot be re-created; retry later.")
}

func beingDeleted() *fault {
	return conflict("ObjectIsBeingDeleted", "Secret is currently being deleted.")
}
