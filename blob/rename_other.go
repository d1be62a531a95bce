//go:build !linux && !windows

package blob

import "errors"

// renameNoReplace is not there.
func renameNoReplace(_, _ string) error { return errors.ErrUnsupported }
