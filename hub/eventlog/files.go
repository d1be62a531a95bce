package eventlog

import (
	"cmp"
	"container/list"
	"errors"
	"os"
	"sync"
	"syscall"
)

// Files are the file descriptors of the logs of a process. A segment that nobody used for
// longest is closed where another is opened, and opened again when it is wanted. What the
// process may not open, because it has as many files as it may, is tried again with a
// descriptor that was kept for it: the log goes on when others have taken all there are.
type Files struct {
	max, reserve int

	mu    sync.Mutex // guards the fields below; taken with a segment's fileMu held, never the other way
	open  list.List  // of *segment; those in front were used least lately
	spare []*os.File
}

// NewFiles keeps up to max segments open, 0: 256, and so many descriptors besides in
// reserve.
func NewFiles(max, reserve int) *Files {
	f := &Files{max: cmp.Or(max, 256), reserve: reserve}
	f.refill()
	return f
}

// Close gives up the reserve. The logs are closed.
func (f *Files) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.spare {
		s.Close()
	}
	f.spare, f.reserve = nil, 0
}

// refill brings the reserve back to its size, if there are descriptors again.
func (f *Files) refill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.spare) < f.reserve {
		s, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		f.spare = append(f.spare, s)
	}
}

// giveUp closes a segment that nobody uses, or else one of the reserve; false: neither is
// there.
func (f *Files) giveUp() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closeOne() {
		return true
	}
	n := len(f.spare)
	if n == 0 {
		return false
	}
	f.spare[n-1].Close()
	f.spare = f.spare[:n-1]
	return true
}

// opened takes note of a segment whose file was just opened, and closes others that are too
// many. Its fileMu is held.
func (f *Files) opened(s *segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.used.Store(true)
	s.place = f.open.PushBack(s)
	for f.open.Len() > f.max && f.closeOne() {
	}
}

// closed forgets a segment. Its fileMu is held.
func (f *Files) closed(s *segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.place != nil {
		f.open.Remove(s.place)
		s.place = nil
	}
}

// closeOne closes the file that was not used for longest. One that is in use, or that is
// written, stays. mu is held.
func (f *Files) closeOne() bool {
	for range 2 * f.open.Len() { // the first time round takes the marks of use away
		at := f.open.Front()
		s := at.Value.(*segment)
		if s.used.Swap(false) || s.held.Load() || !s.fileMu.TryLock() {
			f.open.MoveToBack(at)
			continue
		}
		f.open.Remove(at)
		s.file.Close() // nothing that was written to it waits for a sync
		s.file, s.place = nil, nil
		s.fileMu.Unlock()
		return true
	}
	return false
}

// frugal is a file system that opens with the help of Files.
type frugal struct {
	fileSystem
	files *Files
}

func (f frugal) Open(path string) (file, error) {
	return opening(f.files, func() (file, error) { return f.fileSystem.Open(path) })
}

func (f frugal) Create(path string) (file, error) {
	return opening(f.files, func() (file, error) { return f.fileSystem.Create(path) })
}

func (f frugal) ReadFile(path string) ([]byte, error) {
	return opening(f.files, func() ([]byte, error) { return f.fileSystem.ReadFile(path) })
}

func (f frugal) ReadDir(path string) ([]string, error) {
	return opening(f.files, func() ([]string, error) { return f.fileSystem.ReadDir(path) })
}

func (f frugal) SyncDir(path string) error {
	_, err := opening(f.files, func() (struct{}, error) { return struct{}{}, f.fileSystem.SyncDir(path) })
	return err
}

// opening tries as long as it lacks a descriptor and one can be given up for it.
func opening[T any](f *Files, open func() (T, error)) (T, error) {
	for {
		v, err := open()
		if err == nil {
			f.refill()
			return v, nil
		}
		if !noDescriptor(err) || !f.giveUp() {
			return v, err
		}
	}
}

// noDescriptor reports an error that goes away when files are closed.
func noDescriptor(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
