package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"spate/column"
	"spate/connector"
)

// queueBytes is how much all queues of a source keep in memory, about.
const queueBytes = 16 << 20

// queue holds the messages of one partition that its reader has not taken: head, then
// those in the temporary file, then tail, each record a header and the message.
type queue struct {
	limit    int // of tail
	head     []byte
	at       int // in head
	file     *os.File
	from, to int64 // of the file: not yet read
	tail     []byte
}

// recordHeader is offset, arrival and length.
const recordHeader = 8 + 8 + 4

func (q *queue) empty() bool { return q.at == len(q.head) && q.from == q.to && len(q.tail) == 0 }

// push appends message i of c.
func (q *queue) push(c *connector.Chunk, i int) error {
	m := c.Data[c.Starts[i]:c.Ends[i]]
	q.tail = binary.LittleEndian.AppendUint64(q.tail, uint64(c.Offsets[i]))
	q.tail = binary.LittleEndian.AppendUint64(q.tail, uint64(c.Arrivals[i]))
	q.tail = binary.LittleEndian.AppendUint32(q.tail, uint32(len(m)))
	q.tail = append(q.tail, m...)
	if len(q.tail) < q.limit {
		return nil
	}
	if q.file == nil {
		var err error
		if q.file, err = temporary(); err != nil {
			return err
		}
	}
	if _, err := q.file.WriteAt(q.tail, q.to); err != nil {
		return fmt.Errorf("keeping the messages of a partition that waits: %w", err)
	}
	q.to += int64(len(q.tail))
	q.tail = q.tail[:0]
	return nil
}

// pop appends the next messages to c, at most limit (0: about a block). The queue is
// not empty.
func (q *queue) pop(c *connector.Chunk, limit int) error {
	for (limit == 0 || c.Len() < limit) && len(c.Data) < blockBytes {
		rest := q.head[q.at:]
		size := recordHeader
		if len(rest) >= size {
			size += int(binary.LittleEndian.Uint32(rest[16:]))
		}
		if len(rest) < size {
			more, err := q.refill(size)
			if err != nil || !more {
				return err
			}
			continue
		}
		c.Offsets = append(c.Offsets, int64(binary.LittleEndian.Uint64(rest)))
		c.Arrivals = append(c.Arrivals, column.Ticks(binary.LittleEndian.Uint64(rest[8:])))
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = append(c.Data, rest[recordHeader:size]...)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		q.at += size
	}
	return nil
}

// refill brings more into head, whose next record needs size bytes.
func (q *queue) refill(size int) (more bool, err error) {
	rest := copy(q.head, q.head[q.at:])
	q.head, q.at = q.head[:rest], 0
	if q.from == q.to {
		if rest > 0 {
			return false, errors.New("a message of a waiting partition is cut")
		}
		q.head, q.tail = q.tail, q.head
		return len(q.head) > 0, nil
	}
	n := int(min(int64(max(blockBytes, size)-rest), q.to-q.from))
	q.head = append(q.head, make([]byte, n)...)
	if _, err := q.file.ReadAt(q.head[rest:], q.from); err != nil {
		return false, fmt.Errorf("reading the messages of a partition that waited: %w", err)
	}
	if q.from += int64(n); q.from == q.to {
		q.from, q.to = 0, 0
		if err := q.file.Truncate(0); err != nil {
			return false, fmt.Errorf("reading the messages of a partition that waited: %w", err)
		}
	}
	return true, nil
}

func (q *queue) close() error {
	if q.file == nil {
		return nil
	}
	return q.file.Close()
}
