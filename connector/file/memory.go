package file

import (
	"context"
	"encoding/binary"
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

// Messages is a bounded source over messages in memory. A position is the number of
// messages read.
type Messages struct {
	parts [][]Message
	batch int
}

// NewSource spreads messages over partitions. batch bounds the messages of one
// Read; 0: 1024.
func NewSource(messages []Message, partitions, batch int) *Messages {
	s := &Messages{parts: make([][]Message, max(partitions, 1)), batch: batch}
	if s.batch <= 0 {
		s.batch = 1024
	}
	for _, m := range messages {
		s.parts[m.Part] = append(s.parts[m.Part], m)
	}
	return s
}

// Partitions implements connector.Source.
func (s *Messages) Partitions(context.Context) (int, error) { return len(s.parts), nil }

// OpenReader implements connector.Source.
func (s *Messages) OpenReader(_ context.Context, partition int, from connector.Start) (connector.Reader, error) {
	r := &messageReader{messages: s.parts[partition], batch: s.batch}
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

type messageReader struct {
	messages []Message
	next     int
	batch    int
}

// Read implements connector.Reader.
func (r *messageReader) Read(ctx context.Context, c *connector.Chunk, _ <-chan struct{}) error {
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
func (r *messageReader) Close() error { return nil }
