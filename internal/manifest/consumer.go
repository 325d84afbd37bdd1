package manifest

// allConsumers checks a credential's consumers. Where aliases made too much, the list is not there.
func (k *checker) allConsumers(s subject, c *Credential) {
	e := s.node.value.get("consumers")
	if e == nil || len(c.Consumers) == 0 {
		return
	}
	at := &place{up: s.at, key: "consumers"}
	for i := range c.Consumers {
		entry := e.value.real().entries[i]
		k.consumer(subject{&place{up: at, key: entry.key.text}, &entry}, c, &c.Consumers[i])
	}
}

func (k *checker) consumer(s subject, c *Credential, x *Consumer) {
	kind, ok := k.consumers[x.Kind]
	if !ok {
		return
	}
	switch {
	case kind.Cache == 0 && x.Cache != 0:
		k.fail(s, "cache", "%s keeps nothing of what it held before", quote(x.Kind))
		x.Cache = 0
	case x.Cache == 0:
		x.Cache = kind.Cache
		if own, ok := x.Settings.(Cached); ok {
			x.Cache = own.DefaultCache()
		}
	}
	if c.Overlap != 0 && x.Cache > c.Overlap {
		k.fail(s, "cache", "the overlap of %s is shorter than the %s for which %s may go on using the old one: lengthen the overlap, or say a shorter cache if that is so",
			FormatDuration(c.Overlap), FormatDuration(x.Cache), quote(x.Name))
	}
	for _, where := range locations(x.Settings) {
		if where != "" {
			id := x.Kind + " " + where
			if first, taken := k.told[id]; taken {
				k.fail(s, "", "it is told by %s too, on line %d, column %d: whatever one tells it, the other undoes", first.what, first.at.line, first.at.col)
			} else {
				k.told[id] = owner{s.at.String(), s.node.key}
			}
		}
	}
	if keeps, ok := x.Settings.(Keeping); ok {
		path, ref := keeps.Keeps()
		k.claim(s, x.Kind+"."+path, ref)
		k.notPending(s, x.Kind+"."+path, ref)
	}
	in := k.context(c)
	in.Consumer = x.Name
	k.settings(s, x.Kind, x.Settings, in)
}

// locations are what settings name; none if nothing can undo it.
func locations(s Settings) []string {
	switch l := s.(type) {
	case Located:
		return []string{l.Location()}
	case LocatedAll:
		return l.Locations()
	}
	return nil
}
