package eventlog

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// faultFS is a disk in memory that knows what a power failure leaves: the
// content that was synced, the names whose folder was synced, and a random part
// of the rest.
type faultFS struct {
	mu    sync.Mutex
	files map[string]*faultInode // names as processes see them
	safe  map[string]*faultInode // names that are on the disk
	dirs  map[string]bool

	syncs   atomic.Int64
	space   atomic.Int64 // bytes left, negative: no limit
	opens   atomic.Int64 // files that may still be opened, negative: no limit
	badSync atomic.Bool  // syncs fail
	onSync  atomic.Pointer[func()]
}

type faultInode struct {
	data []byte // as processes see it
	disk []byte // as synced
}

type faultFile struct {
	fs *faultFS
	n  *faultInode
}

func newFaultFS() *faultFS {
	f := &faultFS{files: map[string]*faultInode{}, safe: map[string]*faultInode{}, dirs: map[string]bool{"/": true}}
	f.space.Store(-1)
	f.opens.Store(-1)
	return f
}

// descriptor is the error of a process that has too many files open.
func (f *faultFS) descriptor(op, path string) error {
	switch n := f.opens.Load(); {
	case n == 0:
		return &fs.PathError{Op: op, Path: path, Err: syscall.EMFILE}
	case n > 0:
		f.opens.Add(-1)
	}
	return nil
}

// powerFail returns the disk as it may look after a power failure: of each
// file, the unsynced writes are there, missing or torn.
func (f *faultFS) powerFail(rnd *rand.Rand) *faultFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := newFaultFS()
	out.dirs = maps.Clone(f.dirs)
	names := maps.Clone(f.safe)
	for name, n := range f.files { // unsynced names may have made it
		if rnd.Intn(2) == 0 {
			names[name] = n
		}
	}
	done := map[*faultInode]*faultInode{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if done[n] == nil {
			done[n] = &faultInode{data: n.afterFailure(rnd)}
			done[n].disk = slices.Clone(done[n].data)
		}
		out.files[name], out.safe[name] = done[n], done[n]
	}
	return out
}

func (n *faultInode) afterFailure(rnd *rand.Rand) []byte {
	size := len(n.disk)
	if len(n.data) != size && rnd.Intn(3) > 0 {
		size = len(n.disk) + rnd.Intn(max(len(n.data)-len(n.disk), 0)+1)
	}
	out := make([]byte, size)
	copy(out, n.disk)
	const block = 512
	for at := 0; at < size; at += block {
		end := min(at+block, size)
		if rnd.Intn(2) == 0 && at < len(n.data) {
			copy(out[at:end], n.data[at:min(end, len(n.data))])
		}
	}
	return out
}

func notThere(op, path string) error {
	return &fs.PathError{Op: op, Path: path, Err: fs.ErrNotExist}
}

func (f *faultFS) Open(path string) (file, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.files[path]
	if !ok {
		return nil, notThere("open", path)
	}
	if err := f.descriptor("open", path); err != nil {
		return nil, err
	}
	return &faultFile{fs: f, n: n}, nil
}

func (f *faultFS) Create(path string) (file, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dirs[filepath.Dir(path)] {
		return nil, notThere("create", path)
	}
	if err := f.descriptor("create", path); err != nil {
		return nil, err
	}
	if f.space.Load() == 0 {
		return nil, &fs.PathError{Op: "create", Path: path, Err: syscall.ENOSPC}
	}
	n, ok := f.files[path]
	if !ok {
		n = new(faultInode)
		f.files[path] = n
	}
	n.data = nil
	return &faultFile{fs: f, n: n}, nil
}

func (f *faultFS) ReadFile(path string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.files[path]
	if !ok {
		return nil, notThere("read", path)
	}
	if err := f.descriptor("read", path); err != nil {
		return nil, err
	}
	return slices.Clone(n.data), nil
}

func (f *faultFS) ReadDir(path string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dirs[path] {
		return nil, notThere("readdir", path)
	}
	var names []string
	for name := range f.files {
		if filepath.Dir(name) == path {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *faultFS) MkdirAll(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := path; !f.dirs[p]; p = filepath.Dir(p) {
		f.dirs[p] = true
	}
	return nil
}

func (f *faultFS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.files[from]
	if !ok {
		return notThere("rename", from)
	}
	f.files[to] = n
	delete(f.files, from)
	return nil
}

func (f *faultFS) Remove(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.files[path]; !ok {
		return notThere("remove", path)
	}
	delete(f.files, path)
	return nil
}

func (f *faultFS) SyncDir(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.descriptor("open", path); err != nil {
		return err
	}
	if f.badSync.Load() {
		return syscall.EIO
	}
	in := func(name string) bool { return filepath.Dir(name) == path }
	maps.DeleteFunc(f.safe, func(name string, _ *faultInode) bool { return in(name) && f.files[name] == nil })
	for name, n := range f.files {
		if in(name) {
			f.safe[name] = n
		}
	}
	return nil
}

func (h *faultFile) ReadAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if off >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[off:])
	if n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

func (h *faultFile) WriteAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	var err error
	grow := max(0, off+int64(len(b))-int64(len(h.n.data)))
	if space := h.fs.space.Load(); space >= 0 && grow > space {
		b = b[:int64(len(b))-(grow-space)]
		grow = space
		err = &fs.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	if h.fs.space.Load() >= 0 {
		h.fs.space.Add(-grow)
	}
	if need := int(off) + len(b); need > len(h.n.data) {
		h.n.data = append(h.n.data, make([]byte, need-len(h.n.data))...)
	}
	copy(h.n.data[off:], b)
	return len(b), err
}

func (h *faultFile) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if size > int64(len(h.n.data)) {
		h.n.data = append(h.n.data, make([]byte, size-int64(len(h.n.data)))...)
	}
	if h.fs.space.Load() >= 0 {
		h.fs.space.Add(int64(len(h.n.data)) - size)
	}
	h.n.data = h.n.data[:size]
	return nil
}

func (h *faultFile) Sync() error {
	if hook := h.fs.onSync.Load(); hook != nil {
		(*hook)()
	}
	if h.fs.badSync.Load() {
		return syscall.EIO
	}
	h.fs.syncs.Add(1)
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	h.n.disk = slices.Clone(h.n.data)
	return nil
}

func (h *faultFile) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return int64(len(h.n.data)), nil
}

func (h *faultFile) Close() error { return nil }

// edit changes a file behind the log's back, on the disk too.
func (f *faultFS) edit(path string, change func(b []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.files[path]
	n.data = change(slices.Clone(n.data))
	n.disk = slices.Clone(n.data)
}

// copyOf is the same disk, apart from this one.
func (f *faultFS) copyOf() *faultFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := newFaultFS()
	out.dirs = maps.Clone(f.dirs)
	for name, n := range f.files {
		c := &faultInode{data: slices.Clone(n.data), disk: slices.Clone(n.data)}
		out.files[name], out.safe[name] = c, c
	}
	return out
}

func (f *faultFS) list(suffix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for n := range f.files {
		if strings.HasSuffix(n, suffix) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func segmentName(base int64) string { return fmt.Sprintf("/hub/0000/%020d.seg", base) }
