package automation

import "github.com/rekeyhq/rekey/internal/rotation"

// Said is what of a job's output is kept.
var Said = said

// FirstJob is the name of a publication's first job within its first two weeks.
func (r *Runbook) FirstJob(p rotation.Publication) string {
	return r.jobName(try{publication: p, n: 1})
}
