// Package deadletter keeps what a job dropped: messages that could not be read, rows
// that their output could not hold and rows that a step could not compute, as JSON lines
// in the job's folder.
//
// The letters of an epoch are part of its checkpoint and become one file when it
// is committed; a repeated commit finds the file. Letters may be deleted and marked later
// (Edit): who does so while the job runs shares its guard.
//
// Stability: importable, not promised before 1.0.
package deadletter

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"spate/blob"
	"spate/column"
)

// Letter is one event or row that was dropped.
type Letter struct {
	Kind   string // deserialization, declaration, timestamp, late, early, outOfOrder, conversion, runtime
	Reason string

	Input     string // of events, and of rows if it is known which event they came from
	Partition int
	Offset    int64
	Enqueued  column.Ticks
	Body      []byte

	Step   string       // of rows that a step of WITH could not compute
	Output string       // of other rows
	Line   int          // of the name of the step or output in the script; 0: not known
	Time   column.Ticks // System.Timestamp()
	Row    []byte       // JSON object
}

// AppendTo appends the letter as a line of JSON.
func (l *Letter) AppendTo(dst []byte) []byte {
	text := func(key, value string) {
		dst = append(append(dst, '"'), key...)
		dst = column.AppendQuoted(append(dst, `":`...), value)
		dst = append(dst, ',')
	}
	dst = append(dst, '{')
	text("kind", l.Kind)
	text("reason", l.Reason)
	number := func(key string, n int64) {
		dst = append(append(dst, '"'), key...)
		dst = append(strconv.AppendInt(append(dst, `":`...), n, 10), ',')
	}
	if l.Step != "" {
		text("step", l.Step)
	}
	if l.Output != "" {
		text("output", l.Output)
	}
	if l.Line > 0 {
		number("line", int64(l.Line))
	}
	if l.Input != "" {
		text("input", l.Input)
		number("partition", int64(l.Partition))
		number("offset", l.Offset)
	}
	if l.Row != nil {
		text("time", l.Time.String())
		dst = append(append(dst, `"row":`...), l.Row...)
		return append(dst, "}\n"...)
	}
	text("enqueued", l.Enqueued.String())
	if utf8.Valid(l.Body) {
		dst = column.AppendQuoted(append(dst, `"body":`...), string(l.Body))
	} else {
		dst = column.AppendQuoted(append(dst, `"bodyBase64":`...), base64.StdEncoding.EncodeToString(l.Body))
	}
	return append(dst, "}\n"...)
}

// Log holds the files of one job below a prefix of a store.
type Log struct {
	store    blob.Store
	prefix   string
	retain   time.Duration
	maxBytes int64
	guard    *sync.Mutex // held while files change
}

// NewLog returns the log of a job: files are deleted when they are older than
// retain, and the oldest ones while all hold more than maxBytes.
func NewLog(store blob.Store, prefix string, retain time.Duration, maxBytes int64) *Log {
	return &Log{store, strings.TrimSuffix(prefix, "/") + "/", retain, maxBytes, new(sync.Mutex)}
}

// Share makes several logs of one job take turns.
func (l *Log) Share(guard *sync.Mutex) {
	if guard != nil {
		l.guard = guard
	}
}

// file is one file: the letters of the epochs from to to, the first kept at at.
type file struct {
	from, to    int64
	at          int64 // Unix seconds
	incarnation string
	size        int64
	key         string
	modified    time.Time
}

func (l *Log) key(f file) string {
	return fmt.Sprintf("%s%020d-%020d-%012d-%s.jsonl", l.prefix, f.from, f.to, f.at, f.incarnation)
}

func (l *Log) parse(info blob.Info) (file, bool) {
	f := file{key: info.Key, size: info.Size, modified: info.Modified}
	parts := strings.SplitN(strings.TrimSuffix(strings.TrimPrefix(info.Key, l.prefix), ".jsonl"), "-", 4)
	if len(parts) != 4 || !strings.HasSuffix(info.Key, ".jsonl") {
		return f, false
	}
	for i, to := range []*int64{&f.from, &f.to, &f.at} {
		n, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return f, false
		}
		*to = n
	}
	f.incarnation = parts[3]
	return f, true
}

// Write keeps the lines of an epoch. Repeated, it changes nothing.
func (l *Log) Write(ctx context.Context, epoch int64, incarnation string, at time.Time, lines []byte) error {
	l.guard.Lock()
	defer l.guard.Unlock()
	f := file{from: epoch, to: epoch, at: at.Unix(), incarnation: incarnation}
	done, err := l.merged(ctx, f)
	if done || err != nil {
		return err
	}
	if _, err := l.store.Create(ctx, l.key(f), bytes.NewReader(lines)); err != nil && !errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("keeping the dead letters of epoch %d: %w", epoch, err)
	}
	return nil
}

// merged reports whether an epoch that is committed again is part of a merged
// file already.
func (l *Log) merged(ctx context.Context, f file) (bool, error) {
	files, err := l.files(ctx)
	if err != nil {
		return false, err
	}
	for _, have := range files {
		if have.from < have.to && have.to == f.to && have.incarnation == f.incarnation {
			return true, nil
		}
	}
	return false, nil
}

func (l *Log) files(ctx context.Context) ([]file, error) {
	var out []file
	for info, err := range l.store.List(ctx, l.prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("listing the dead letters below %s: %w", l.prefix, err)
		}
		if f, ok := l.parse(info); ok {
			out = append(out, f)
		}
	}
	return out, nil
}

const (
	mergeFiles = 16      // so many small files become one
	smallFile  = 1 << 20 // smaller ones are merged
)

// Sweep deletes what is too old or too much and merges small files. Small files
// that a merged one holds are deleted last: a crash between leaves them to the
// next Sweep.
func (l *Log) Sweep(ctx context.Context, now time.Time) error {
	l.guard.Lock()
	defer l.guard.Unlock()
	files, err := l.files(ctx)
	if err != nil {
		return err
	}
	files, old := covered(files)
	span := int64(max(l.retain/16, time.Minute) / time.Second)
	total := int64(0)
	for _, f := range files {
		total += f.size
	}
	keep := files[:0]
	for _, f := range files {
		if f.at+int64(l.retain/time.Second)+span < now.Unix() || total > l.maxBytes {
			old = append(old, f.key)
			total -= f.size
			continue
		}
		keep = append(keep, f)
	}
	if len(old) > 0 {
		if err := l.store.Delete(ctx, old...); err != nil {
			return fmt.Errorf("deleting old dead letters: %w", err)
		}
	}
	var group []file
	for _, f := range append(keep, file{size: smallFile}) {
		if f.size < smallFile && (len(group) == 0 || f.at-group[0].at <= span && f.from > group[len(group)-1].to) {
			group = append(group, f)
			continue
		}
		if len(group) >= mergeFiles {
			if err := l.merge(ctx, group); err != nil {
				return err
			}
		}
		group = group[:0]
		if f.size < smallFile {
			group = append(group, f)
		}
	}
	return nil
}

// covered splits off the files whose letters a later merged file holds.
func covered(files []file) (rest []file, keys []string) {
	for _, f := range files {
		is := false
		for _, m := range files {
			wider := m.from <= f.from && m.to >= f.to && m.to-m.from > f.to-f.from
			is = is || wider && m.at <= f.at && !m.modified.Before(f.modified)
		}
		if is {
			keys = append(keys, f.key)
		} else {
			rest = append(rest, f)
		}
	}
	return rest, keys
}

func (l *Log) merge(ctx context.Context, group []file) error {
	var body bytes.Buffer
	var keys []string
	for _, f := range group {
		r, err := l.store.Open(ctx, f.key, 0, -1)
		if err != nil {
			return fmt.Errorf("merging dead letters: %w", err)
		}
		_, err = io.Copy(&body, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("merging dead letters: reading %s: %w", f.key, err)
		}
		keys = append(keys, f.key)
	}
	last := group[len(group)-1]
	m := file{from: group[0].from, to: last.to, at: group[0].at, incarnation: last.incarnation}
	if _, err := l.store.Create(ctx, l.key(m), &body); err != nil && !errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("merging dead letters: %w", err)
	}
	if err := l.store.Delete(ctx, keys...); err != nil {
		return fmt.Errorf("merging dead letters: %w", err)
	}
	return nil
}
