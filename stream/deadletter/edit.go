package deadletter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"spate/blob"
)

// replayedMark begins what Replayed puts at the end of a line.
const replayedMark = `,"replayed":"`

// ID names a letter: lines that say the same have one ID, and a letter keeps it when it is
// marked.
func ID(line []byte) string {
	sum := sha256.Sum256(unmarked(line))
	return hex.EncodeToString(sum[:6])
}

// IsReplayed reports whether a letter is marked.
func IsReplayed(line []byte) bool { return len(unmarked(line)) != len(bytes.TrimRight(line, "\n")) }

// unmarked is a line without its end and its mark. A body cannot look like a mark: there
// the quotes are escaped.
func unmarked(line []byte) []byte {
	line = bytes.TrimRight(line, "\n")
	if i := bytes.LastIndex(line, []byte(replayedMark)); i >= 0 && bytes.IndexByte(line[i+len(replayedMark):], '"') == len(line)-i-len(replayedMark)-2 {
		return append(line[:i:i], '}')
	}
	return line
}

// Replayed marks a letter: what it is about was sent again.
func Replayed(line []byte, at time.Time) []byte {
	line = unmarked(line)
	return fmt.Appendf(line[:len(line)-1:len(line)-1], "%s%s\"}\n", replayedMark, at.UTC().Format(time.RFC3339))
}

// Each calls visit for every letter, the oldest first. It keeps the line until it returns.
func (l *Log) Each(ctx context.Context, visit func(line []byte) error) error {
	_, err := l.Edit(ctx, func(line []byte) ([]byte, error) { return line, visit(line) })
	return err
}

// Edit puts what change returns in the place of every letter, nothing for nil, and returns
// how many letters that changed. A file is replaced as a whole, under its name, so that an
// epoch that is committed again finds it.
func (l *Log) Edit(ctx context.Context, change func(line []byte) ([]byte, error)) (changed int, err error) {
	l.guard.Lock()
	defer l.guard.Unlock()
	files, err := l.files(ctx)
	if err != nil {
		return 0, err
	}
	files, _ = covered(files)
	for _, f := range files {
		n, err := l.edit(ctx, f.key, change)
		changed += n
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func (l *Log) edit(ctx context.Context, key string, change func(line []byte) ([]byte, error)) (changed int, err error) {
	r, err := l.store.Open(ctx, key, 0, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading dead letters: %w", err)
	}
	data, err := io.ReadAll(r)
	r.Close()
	if err != nil {
		return 0, fmt.Errorf("reading the dead letters of %s: %w", key, err)
	}
	var out []byte
	for line := range bytes.Lines(data) {
		to, err := change(line)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(to, line) {
			changed++
		}
		out = append(out, to...)
	}
	if changed == 0 {
		return 0, nil
	}
	if _, err := l.store.Replace(ctx, key, bytes.NewReader(out)); err != nil {
		return 0, fmt.Errorf("changing the dead letters of %s: %w", key, err)
	}
	return changed, nil
}
