//go:build !linux

package interop

import "errors"

func mountSmall(string) (unmount func() error, err error) {
	return nil, errors.ErrUnsupported
}
