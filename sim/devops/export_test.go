package devops

import (
	"maps"
	"slices"
)

// SQLTime is the rounding of dates, for its own tests.
var SQLTime = sqlTime

// PatErrors are the names of all refusals that the service makes.
func PatErrors() []string { return slices.Sorted(maps.Keys(patErrors)) }
