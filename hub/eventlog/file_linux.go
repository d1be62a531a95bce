package eventlog

import "syscall"

// Sync is fdatasync: the length is part of what it makes durable, the times are not.
func (f diskFile) Sync() error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}
