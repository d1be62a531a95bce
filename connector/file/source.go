// Package file reads files as inputs of a job: one message a line.
package file

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"spate/column"
	"spate/connector"
)

// Message is one line of a file, with what the log would have known of it.
type Message struct {
	Body    []byte
	Line    int64 // from 1
	Arrival column.Ticks
	Part    int
}

// Source is a bounded source over messages in the order of their lines.
type Source struct {
	parts [][]Message
	batch int
}

// NewSource spreads messages over partitions. batch bounds the messages of one
// Read; 0: 1024.
func NewSource(messages []Message, partitions, batch int) *Source {
	s := &Source{parts: make([][]Message, max(partitions, 1)), batch: batch}
	if s.batch <= 0 {
		s.batch = 1024
	}
	for _, m := range messages {
		s.parts[m.Part] = append(s.parts[m.Part], m)
	}
	return s
}

// Partitions implements connector.Source.
func (s *Source) Partitions(context.Context) (int, error) { return len(s.parts), nil }

// OpenReader implements connector.Source. A position is the number of messages
// read.
func (s *Source) OpenReader(_ context.Context, partition int, from connector.Start) (connector.Reader, error) {
	r := &reader{messages: s.parts[partition], batch: s.batch}
	switch from.Mode {
	case connector.Oldest:
	case connector.AtPosition:
		if len(from.Position) != 8 {
			return nil, fmt.Errorf("opening partition %d: the position has %d bytes, not 8", partition, len(from.Position))
		}
		r.next = int(binary.BigEndian.Uint64(from.Position))
	default:
		for r.next < len(r.messages) && (from.Mode == connector.Newest || r.messages[r.next].Arrival < from.Time) {
			r.next++
		}
	}
	return r, nil
}

type reader struct {
	messages []Message
	next     int
	batch    int
}

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	c.Reset()
	if err := ctx.Err(); err != nil {
		return err
	}
	for ; r.next < len(r.messages) && c.Len() < r.batch; r.next++ {
		m := r.messages[r.next]
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = append(c.Data, m.Body...)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		c.Arrivals = append(c.Arrivals, m.Arrival)
		c.Offsets = append(c.Offsets, m.Line)
	}
	c.Data = append(c.Data, make([]byte, 16)...)
	c.Next = binary.BigEndian.AppendUint64(nil, uint64(r.next))
	if r.next == len(r.messages) {
		return io.EOF
	}
	return nil
}

// Close implements connector.Reader.
func (r *reader) Close() error { return nil }

// maxLine bounds a line: the largest event of a dedicated namespace.
const maxLine = 20 << 20

// ReadLines cuts r into messages, one per line that is not blank.
func ReadLines(r io.Reader, name string) ([]Message, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	var out []Message
	for line := int64(1); s.Scan(); line++ {
		b := s.Bytes()
		if line == 1 && len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf {
			b = b[3:]
		}
		blank := true
		for _, c := range b {
			blank = blank && (c == ' ' || c == '\t' || c == '\r')
		}
		if !blank {
			out = append(out, Message{Body: append([]byte(nil), b...), Line: line})
		}
	}
	if err := s.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
		return nil, fmt.Errorf("reading %s behind line %d: %w", name, len(out), err)
	}
	return out, nil
}
