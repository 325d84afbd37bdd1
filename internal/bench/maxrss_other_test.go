//go:build !linux

package bench

import "os"

// maxRSS is not known here: other systems count it in other units, or not at all.
func maxRSS(*os.ProcessState) int64 { return 0 }
