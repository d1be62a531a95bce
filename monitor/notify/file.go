package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fileTarget appends one line of JSON per event. The outbox keeps the file's size
// behind the last delivery, so that a crash between append and mark is seen: the
// lines behind that size are compared with what would be appended.
type fileTarget struct {
	path     string
	box      *outbox
	receiver int
	lines    []byte // scratch of send
}

// limit makes a send, with its two syncs, cheap per event.
func (t *fileTarget) limit() int { return 2048 }

// appendLine appends the event as one line: JSON without line breaks, other bytes as a
// JSON text.
func appendLine(dst, body []byte) []byte {
	out, ok := appendCompact(dst, body)
	if !ok {
		text, err := json.Marshal(string(body))
		if err != nil {
			text = []byte(`""`) // text always marshals
		}
		out = append(out[:len(dst)], text...)
	}
	return append(out, '\n')
}

func (t *fileTarget) recover(ms []message) (int, int64, error) {
	from := t.box.cursor(t.receiver).size
	f, err := os.OpenFile(t.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size <= from {
		return 0, 0, err
	}
	tail, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return 0, 0, err
	}
	done := 0
	var want []byte
	for len(tail) > 0 && done < len(ms) {
		want = appendLine(want[:0], ms[done].body)
		end := bytes.IndexByte(tail, '\n') + 1
		if end == 0 {
			if bytes.HasPrefix(want, tail) { // the append was cut: it is done again
				size -= int64(len(tail))
				err = f.Truncate(size)
			}
			break
		}
		if bytes.Equal(tail[:end], want) {
			done++
		}
		tail = tail[end:]
	}
	return done, size, err
}

func (t *fileTarget) send(_ context.Context, _ *Notifier, ms []message) (int64, error) {
	lines := t.lines[:0]
	for i := range ms {
		lines = appendLine(lines, ms[i].body)
	}
	t.lines = lines
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return -1, err
	}
	f, err := os.OpenFile(t.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return -1, err
	}
	before, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		if _, err = f.Write(lines); err != nil {
			err = errors.Join(err, f.Truncate(before)) // nothing of it stays, so that it can be done again
		} else {
			err = f.Sync()
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return -1, fmt.Errorf("appending to %s: %w", t.path, err)
	}
	return before + int64(len(lines)), nil
}

// fileSize is 0 for a file that is not there.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
