package graph

import (
	"net/http"
	"slices"
	"strings"
)

var ownerSet = set{context: "directoryObjects", kind: "DirectoryObject", filters: []string{"id"}, known: func(string) bool { return true }}

// ownersOf finds the object that a path names, for a caller who may read it.
func (c *call) ownersOf() (holder, *fault) {
	h, f := c.find()
	switch {
	case f != nil && c.readsAll():
		return h, f
	case f != nil || !c.readable(h):
		return h, denied()
	}
	return h, nil
}

func (c *call) listOwners() (int, any, *fault) {
	h, f := c.ownersOf()
	if f != nil {
		return 0, nil, f
	}
	s := ownerSet
	path, _, _ := strings.Cut(c.op.path, "/")
	s.path = path + "/" + h.id() + "/owners"
	return c.page(s, c.ownerBodies(h))
}

func (c *call) ownerBodies(h holder) []entity {
	out := []entity{}
	for _, id := range *h.owners() {
		if e := c.directoryObject(id); e != nil {
			out = append(out, e)
		}
	}
	return out
}

func (c *call) listOwnerRefs() (int, any, *fault) {
	h, f := c.ownersOf()
	if f != nil {
		return 0, nil, f
	}
	refs := []entity{}
	for _, id := range *h.owners() {
		refs = append(refs, entity{"@odata.id": Root + "/directoryObjects/" + id})
	}
	return http.StatusOK, entity{"@odata.context": Root + "/$metadata#Collection($ref)", "value": refs}, nil
}

// addOwner makes a user or a service principal an owner.
func (c *call) addOwner() (int, any, *fault) {
	h, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	if c.w.Knobs.Graph.OwnersNeedDirectory && !c.has("Directory.Read.All", "Directory.ReadWrite.All", asUser) {
		return 0, nil, denied()
	}
	id, f := c.reference()
	if f != nil {
		return 0, nil, f
	}
	e := c.fullObject(id)
	switch kind := e.text("@odata.type"); {
	case e == nil:
		return 0, nil, notFound(id)
	case kind != "#microsoft.graph.user" && kind != "#microsoft.graph.servicePrincipal":
		name := strings.TrimPrefix(kind, "#microsoft.graph.")
		name = strings.ToUpper(name[:1]) + name[1:]
		return 0, nil, badRequest("The reference target '%s_%s' of type '%s' is invalid for the 'owners' reference.", name, id, name)
	case h.owned(id):
		return 0, nil, badRequest("One or more added object references already exist for the following modified properties: 'owners'.")
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	*h.owners() = append(*h.owners(), e.text("id"))
	return http.StatusNoContent, nil, nil
}

// reference is the id at the end of the address in a body.
func (c *call) reference() (string, *fault) {
	var body struct {
		ID string `json:"@odata.id"`
	}
	if _, f := c.decode("Reference", map[string]any{}); f != nil {
		return "", f
	}
	if f := c.unmarshal(&body); f != nil {
		return "", f
	}
	rest, ok := strings.CutPrefix(strings.ToLower(body.ID), "https://graph.microsoft.com/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 || !guidForm.MatchString(rest[i+1:]) {
		return "", badRequest("Invalid URL value specified for property '@odata.id'.")
	}
	return rest[i+1:], nil
}

func (c *call) removeOwner() (int, any, *fault) {
	h, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	id := c.keys[1].value
	if !h.owned(id) {
		return 0, nil, notFound(id)
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	*h.owners() = slices.DeleteFunc(slices.Clone(*h.owners()), func(o string) bool { return strings.EqualFold(o, id) })
	return http.StatusNoContent, nil, nil
}
