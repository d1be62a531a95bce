//go:build !linux

package interop

import "errors"

func mountSmall(string, int) (unmount func() error, err error) {
	return nil, errors.ErrUnsupported
}
