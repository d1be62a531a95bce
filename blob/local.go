package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tempPrefix begins the names of files that are being written. List does not
// show them, and no key may have a segment that begins with it.
const tempPrefix = ".tmp-"

// Local is a Store in a folder. Keys are relative paths; folders appear with
// the first blob in them. Processes on one machine may share it: Create rests
// on link(2), which never replaces a file.
type Local struct {
	dir string

	still sync.RWMutex // held for reading while a name comes, changes or goes
}

// NewLocal returns the store in dir, which need not exist yet.
func NewLocal(dir string) *Local { return &Local{dir: filepath.Clean(dir)} }

// Hold lets no blob appear, change or go through this store until it is released; who
// wants that waits.
func (l *Local) Hold() (release func()) {
	l.still.Lock()
	return l.still.Unlock
}

// Unfinished says whether a file of that name is a blob that is being written.
func Unfinished(name string) bool { return strings.HasPrefix(name, tempPrefix) }

// Dir is the folder of the store.
func (l *Local) Dir() string { return l.dir }

// Path is the file that holds key.
func (l *Local) Path(key string) (string, error) {
	if key == "" || strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.ContainsRune(key, 0) {
		return "", fmt.Errorf("blob key %q is not a relative path", key)
	}
	for seg := range strings.SplitSeq(key, "/") {
		if seg == "" || seg == "." || seg == ".." || Unfinished(seg) {
			return "", fmt.Errorf("blob key %q has the segment %q", key, seg)
		}
	}
	return filepath.Join(l.dir, filepath.FromSlash(key)), nil
}

// Create implements Store.
func (l *Local) Create(ctx context.Context, key string, body io.Reader) (Info, error) {
	path, err := l.Path(key)
	if err != nil {
		return Info{}, err
	}
	if _, err := os.Lstat(path); err == nil {
		return Info{}, fmt.Errorf("create %s: %w", key, ErrExists)
	}
	tmp, err := l.writeTemp(ctx, path, body)
	if err != nil {
		return Info{}, fmt.Errorf("create %s: %w", key, err)
	}
	defer os.Remove(tmp)
	if err = l.link(tmp, path); UnsupportedLink(err) {
		if err = l.renameNew(tmp, path); errors.Is(err, errors.ErrUnsupported) {
			err = l.copyExclusive(tmp, path)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return Info{}, fmt.Errorf("create %s: %w", key, ErrExists)
	case err != nil:
		return Info{}, fmt.Errorf("create %s: %w", key, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return Info{}, fmt.Errorf("create %s: %w", key, err)
	}
	return l.Stat(ctx, key)
}

// Replace implements Store.
func (l *Local) Replace(ctx context.Context, key string, body io.Reader) (Info, error) {
	path, err := l.Path(key)
	if err != nil {
		return Info{}, err
	}
	tmp, err := l.writeTemp(ctx, path, body)
	if err != nil {
		return Info{}, fmt.Errorf("replace %s: %w", key, err)
	}
	if err := l.rename(tmp, path); err != nil {
		os.Remove(tmp)
		return Info{}, fmt.Errorf("replace %s: %w", key, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return Info{}, fmt.Errorf("replace %s: %w", key, err)
	}
	return l.Stat(ctx, key)
}

// writeTemp writes body durably to a hidden file beside path.
func (l *Local) writeTemp(ctx context.Context, path string, body io.Reader) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if err := makeDirs(dir); err != nil {
		return "", err
	}
	var id [8]byte
	rand.Read(id[:])
	tmp := filepath.Join(dir, tempPrefix+hex.EncodeToString(id[:]))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		os.Remove(tmp)
		return "", err
	}
	return tmp, nil
}

// makeDirs creates dir and its parents and makes the new entries durable.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// RemoveUnfinished removes what writes left that were interrupted before a time, and
// returns how many files that were. Writes of other processes may be under way: the
// time lies long before now.
func (l *Local) RemoveUnfinished(ctx context.Context, before time.Time) (int, error) {
	n := 0
	err := filepath.WalkDir(l.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // gone since its folder was read
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !e.Type().IsRegular() || !Unfinished(e.Name()) {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !info.ModTime().Before(before) {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		n++
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("remove unfinished blobs of %s: %w", l.dir, err)
	}
	return n, nil
}

// UnsupportedLink says of an error that the file system has no hard links.
func UnsupportedLink(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EMLINK)
}

func (l *Local) link(from, to string) error {
	l.still.RLock()
	defer l.still.RUnlock()
	return os.Link(from, to)
}

func (l *Local) rename(from, to string) error {
	l.still.RLock()
	defer l.still.RUnlock()
	return os.Rename(from, to)
}

func (l *Local) remove(path string) error {
	l.still.RLock()
	defer l.still.RUnlock()
	return os.Remove(path)
}

// renameNew serves file systems without hard links: the blob gets its name whole, where
// the system can rename without replacing.
func (l *Local) renameNew(from, to string) error {
	l.still.RLock()
	defer l.still.RUnlock()
	return renameNoReplace(from, to)
}

// copyExclusive serves what is left: the name is won first, so that for a moment readers
// may see an unfinished blob. After an error the name stays, for readers may have seen it
// and other writers have taken it for won; a reader of a commit meets a torn last line.
func (l *Local) copyExclusive(from, to string) error {
	l.still.RLock()
	defer l.still.RUnlock()
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}

// Open implements Store.
func (l *Local) Open(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	path, err := l.Path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, notFound("open", key, err)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", key, ErrNotFound)
	}
	if off > 0 {
		if _, err := f.Seek(off, io.SeekStart); err != nil {
			f.Close()
			return nil, fmt.Errorf("open %s at %d: %w", key, off, err)
		}
	}
	if n < 0 {
		return f, nil
	}
	return &limited{io.LimitReader(f, n), f}, nil
}

type limited struct {
	io.Reader
	io.Closer
}

func notFound(doing, key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%s %s: %w", doing, key, ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", doing, key, err)
}

// Stat implements Store.
func (l *Local) Stat(ctx context.Context, key string) (Info, error) {
	path, err := l.Path(key)
	if err != nil {
		return Info{}, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return Info{}, notFound("stat", key, err)
	}
	if st.IsDir() {
		return Info{}, fmt.Errorf("stat %s: %w", key, ErrNotFound)
	}
	return Info{Key: key, Size: st.Size(), Modified: st.ModTime()}, nil
}

// Delete implements Store.
func (l *Local) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	for _, key := range keys {
		path, err := l.Path(key)
		if err == nil {
			err = l.remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			errs = append(errs, fmt.Errorf("delete %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// List implements Store.
func (l *Local) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		dir := ""
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			dir = prefix[:i+1]
		}
		l.walk(ctx, dir, prefix, after, yield)
	}
}

// walk yields the blobs under dir ("" or ending in a slash); it reports whether
// the caller wants more.
func (l *Local) walk(ctx context.Context, dir, prefix, after string, yield func(Info, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Info{}, err)
		return false
	}
	f, err := os.Open(filepath.Join(l.dir, filepath.FromSlash(dir)))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return true
		}
		yield(Info{}, fmt.Errorf("list %s: %w", dir, err))
		return false
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			return true
		}
		yield(Info{}, fmt.Errorf("list %s: %w", dir, err))
		return false
	}
	type child struct {
		key   string // folders end in a slash, so that they sort as the keys in them
		entry fs.DirEntry
	}
	kids := make([]child, 0, len(entries))
	for _, e := range entries {
		if Unfinished(e.Name()) {
			continue
		}
		key := dir + e.Name()
		if e.IsDir() {
			key += "/"
			if !strings.HasPrefix(key, prefix) && !strings.HasPrefix(prefix, key) {
				continue
			}
			if key < after && !strings.HasPrefix(after, key) {
				continue
			}
		} else if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		kids = append(kids, child{key, e})
	}
	slices.SortFunc(kids, func(a, b child) int { return strings.Compare(a.key, b.key) })
	for _, k := range kids {
		if k.entry.IsDir() {
			if !l.walk(ctx, k.key, prefix, after, yield) {
				return false
			}
			continue
		}
		st, err := k.entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			continue
		}
		if err != nil {
			yield(Info{}, fmt.Errorf("list %s: %w", k.key, err))
			return false
		}
		if !st.Mode().IsRegular() {
			continue
		}
		if !yield(Info{Key: k.key, Size: st.Size(), Modified: st.ModTime()}, nil) {
			return false
		}
	}
	return true
}
