//go:build !windows

package approval

import "os"

// syncFolder makes a new name in a folder last.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
