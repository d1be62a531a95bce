package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"

	"spate/internal/panics"
	"spate/stream/state"
)

// WriteState makes the file of an epoch's changes; nothing changed: no file.
func (l *Log) WriteState(ctx context.Context, epoch int64, incarnation string, w *state.Writer) (*File, error) {
	if w.Empty() {
		return nil, nil
	}
	key := fmt.Sprintf("%sstate/%020d-%s", l.prefix, epoch, incarnation)
	return l.create(ctx, key, func(to io.Writer) error {
		_, err := w.WriteTo(to)
		return err
	})
}

// create streams a file into the store.
func (l *Log) create(ctx context.Context, key string, write func(io.Writer) error) (*File, error) {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := panics.Caught(func() error { return write(w) })
		w.CloseWithError(err) // nil: the end of the file
		written <- err
	}()
	info, err := l.store.Create(ctx, key, r)
	r.CloseWithError(errors.New("the store took no more")) // lets the writer end whatever happened
	if e := <-written; err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("writing state %s: %w", key, err)
	}
	return &File{Key: key, Bytes: info.Size}, nil
}

// ReadState calls visit for every entry of the state that a manifest names.
func (l *Log) ReadState(ctx context.Context, m *Manifest, visit func(step string, e state.Entry) error) error {
	files, done, err := l.open(ctx, m.State)
	if err != nil {
		return err
	}
	defer done()
	if err := state.Scan(files, visit); err != nil {
		return fmt.Errorf("reading the state of epoch %d below %s: %w", m.Epoch, l.prefix, err)
	}
	return nil
}

func (l *Log) open(ctx context.Context, list []File) (files []io.Reader, done func(), err error) {
	var open []io.Closer
	done = func() {
		for _, c := range open {
			c.Close()
		}
	}
	for _, f := range list {
		r, err := l.store.Open(ctx, f.Key, 0, -1)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("opening state %s: %w", f.Key, err)
		}
		open = append(open, r)
		files = append(files, namedFile{r, f.Key})
	}
	return files, done, nil
}

// namedFile is a file that errors name.
type namedFile struct {
	io.Reader
	key string
}

// Name is the key of the file.
func (f namedFile) Name() string { return f.key }

// When files are joined to a new base: the changes outweigh the base, or there are
// many of them.
const (
	leastJoined = 1 << 20
	mostFiles   = 64
)

// Heavy reports whether the files should become one.
func Heavy(files []File) bool {
	if len(files) < 2 {
		return false
	}
	changes := int64(0)
	for _, f := range files[1:] {
		changes += f.Bytes
	}
	return len(files) >= mostFiles || changes > max(files[0].Bytes, leastJoined)
}

// JoinedKey is where Join puts the base that replaces the files up to the epoch.
func (l *Log) JoinedKey(epoch int64, incarnation string) string {
	return fmt.Sprintf("%sstate/%020d-%s-base", l.prefix, epoch, incarnation)
}

// Join makes one file that reads as the files do, without the steps that are not
// kept. It holds a block per file in memory, and may run beside the job.
func (l *Log) Join(ctx context.Context, key string, files []File, keep func(step string) bool) (*File, error) {
	readers, done, err := l.open(ctx, files)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.create(ctx, key, func(to io.Writer) error { return state.Merge(to, readers, keep) })
}
