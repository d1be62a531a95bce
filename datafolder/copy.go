package datafolder

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"spate/blob"
)

// source is a file that is to be copied.
type source struct {
	path  string // below the folder, with slashes
	bytes int64
	mode  fs.FileMode
}

// found lists the files below root, without what keep turns down. Of a file that is in
// lengths, so many bytes are meant.
func found(root string, lengths map[string]int64, keep func(path string) bool) (list []source, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case !keep(rel):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return nil
		}
		if err := regular(path, e.Type()); err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		s := source{rel, st.Size(), st.Mode().Perm()}
		if n, ok := lengths[rel]; ok {
			s.bytes = n
		}
		list = append(list, s)
		return nil
	})
	return list, err
}

// regular refuses what is no file.
func regular(path string, mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: a backup takes files and folders alone, so mount what it leads to there", path)
	}
	return fmt.Errorf("%s is no file and no folder (%s)", path, mode)
}

// ofInstance says whether a path below a data folder is part of what an instance has: not
// its lock, not where it runs, and no blob that is being written.
func ofInstance(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return top != lockName && top != runName && !blob.Unfinished(path[strings.LastIndex(path, "/")+1:])
}

const runName = "run"

// copyFiles copies files from one folder to another, durably, and returns what it copied.
// The folders get the permissions that those below like have. check is asked whether a
// file is what it should be.
func copyFiles(ctx context.Context, from, to, like string, list []source, check func(File) error) ([]File, error) {
	if err := makeFolders(like, to, list); err != nil {
		return nil, err
	}
	done := make([]File, len(list))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range 4 { // a disk syncs several files in the time of one
		workers.Go(func() {
			for i := range next {
				f, err := copyFile(ctx, from, to, list[i])
				if err == nil && check != nil {
					err = check(f)
				}
				if err != nil {
					stop(err)
				}
				done[i] = f
			}
		})
	}
	for i := range list {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return done, syncFolders(to)
}

// makeFolders makes the folders of the files, as open to others as those below like.
func makeFolders(like, to string, list []source) error {
	made := map[string]bool{".": true}
	var folder func(dir string) error
	folder = func(dir string) error {
		if made[dir] {
			return nil
		}
		made[dir] = true
		if err := folder(filepath.Dir(dir)); err != nil {
			return err
		}
		st, err := os.Stat(filepath.Join(like, dir))
		if err != nil {
			return err
		}
		return makeFolder(filepath.Join(to, dir), st.Mode().Perm())
	}
	for _, s := range list {
		if err := folder(filepath.Dir(filepath.FromSlash(s.path))); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder makes a folder with these permissions, whatever the mask of the process is.
func makeFolder(dir string, mode fs.FileMode) error {
	if err := os.Mkdir(dir, mode|0o700); err != nil {
		return err
	}
	return os.Chmod(dir, mode|0o700)
}

func copyFile(ctx context.Context, from, to string, s source) (File, error) {
	done := File{Path: s.path, Bytes: s.bytes, Mode: fmt.Sprintf("%04o", s.mode)}
	name := filepath.FromSlash(s.path)
	in, err := os.Open(filepath.Join(from, name))
	if err != nil {
		return done, err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(to, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return done, err
	}
	sum := crc32.New(castagnoli)
	n, err := io.Copy(io.MultiWriter(out, sum), stoppable{ctx, io.LimitReader(in, s.bytes)})
	if err == nil && n != s.bytes {
		err = fmt.Errorf("%s has %d bytes of %d", in.Name(), n, s.bytes)
	}
	if err == nil {
		err = out.Chmod(s.mode)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return done, fmt.Errorf("copying %s: %w", s.path, err)
	}
	done.CRC = fmt.Sprintf("%08x", sum.Sum32())
	return done, nil
}

// stoppable is a reader that ends with a context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.r.Read(b)
}

// syncFolders makes the names below a folder durable.
func syncFolders(root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncFolder(path)
	})
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// target makes the folder that files are copied to; it may be there if it is empty. undo
// takes away what was put there.
func target(dir, from string, mode fs.FileMode) (path string, undo func() error, err error) {
	path, err = filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return "", nil, err
	}
	real := path // as far as it is there
	for rest := ""; ; {
		r, err := filepath.EvalSymlinks(real)
		if err == nil {
			real = filepath.Join(r, rest)
			break
		}
		if real == filepath.Dir(real) {
			return "", nil, err
		}
		rest, real = filepath.Join(filepath.Base(real), rest), filepath.Dir(real)
	}
	if within(real, from) || within(from, real) {
		return "", nil, fmt.Errorf("%w: %s and %s lie in each other: name a folder outside", ErrTarget, dir, from)
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = makeFolder(path, mode)
		}
		return path, func() error { return os.RemoveAll(path) }, err
	case err != nil:
		return "", nil, err
	case len(entries) > 0:
		return "", nil, fmt.Errorf("%w: %s is not empty (%s is there): name a new folder", ErrTarget, dir, entries[0].Name())
	}
	empty := func() error {
		entries, err := os.ReadDir(path)
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, e.Name())))
		}
		return err
	}
	return path, empty, os.Chmod(path, mode|0o700)
}

// ErrTarget: nothing can be copied to a folder.
var ErrTarget = errors.New("the folder cannot be used")

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

// Part is how much of one kind was copied.
type Part struct {
	Part  string `json:"part"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// parts are the kinds, by the first name of a path.
var parts = []struct{ name, top string }{
	{"hubs", "log"}, {"jobs", "jobs"}, {"tables", "lake"}, {"notifications", "notify"}, {"metrics", "metrics"},
	{"keys", "keys.json"}, {"certificates", "certs"},
}

// partsOf adds up files by kind.
func partsOf(files []File) (list []Part) {
	sums := make(map[string]*Part)
	for _, f := range files {
		top, _, _ := strings.Cut(f.Path, "/")
		name := "other files"
		for _, p := range parts {
			if p.top == top {
				name = p.name
			}
		}
		if sums[name] == nil {
			sums[name] = &Part{Part: name}
		}
		sums[name].Files++
		sums[name].Bytes += f.Bytes
	}
	for _, p := range append(slices.Clone(parts), struct{ name, top string }{name: "other files"}) {
		if s := sums[p.name]; s != nil {
			list = append(list, *s)
		}
	}
	return list
}

// permissions reads the mode of a file in a list.
func (f File) permissions() (fs.FileMode, error) {
	n, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil || fs.FileMode(n)&^fs.ModePerm != 0 {
		return 0, fmt.Errorf("the mode %q of %s cannot be read", f.Mode, f.Path)
	}
	return fs.FileMode(n), nil
}
