package eventlog

import "fmt"

// AppendValues appends where in Data the values of batch i's records stand,
// with the records' offsets, leaving out those before offset from. The records
// of a compressed batch are put behind what Data holds, with 16 readable bytes
// behind them; Data may move. It is Records for readers that need nothing else.
func (c *Chunk) AppendValues(i int, from int64, starts, ends []uint32, offsets []int64) ([]uint32, []uint32, []int64, error) {
	b := &c.Batches[i]
	at, end := b.Start+batchRecords, b.End
	bad := func(err error) ([]uint32, []uint32, []int64, error) {
		return starts, ends, offsets, fmt.Errorf("read records of the batch at offset %d: %w: %w", b.BaseOffset, ErrDamaged, err)
	}
	if b.Codec != 0 {
		was := len(c.Data)
		data, err := c.codec.decompress(c.Data, b.Codec, c.Data[at:end])
		if err != nil {
			c.Data = data[:was]
			return bad(err)
		}
		at, end = was, len(data)
		c.Data = append(data, make([]byte, slack)...)
	}
	first := len(starts)
	data := c.Data[:end]
	for range b.Count {
		r, ok := valueOf(data, at)
		if !ok {
			return starts[:first], ends[:first], offsets[:first], fmt.Errorf("read records of the batch at offset %d: %w", b.BaseOffset, ErrDamaged)
		}
		at = r.next
		if off := b.BaseOffset + r.delta; off >= from {
			starts = append(starts, uint32(r.start))
			ends = append(ends, uint32(r.end))
			offsets = append(offsets, off)
		}
	}
	return starts, ends, offsets, nil
}

// span is where a record's value stands and where the next record begins.
type span struct {
	delta            int64
	start, end, next int
}

// valueOf reads the record that begins at data[at:] as far as its value.
func valueOf(data []byte, at int) (s span, ok bool) {
	size, n := varint(data[at:])
	if n <= 0 || size < 0 || size > int64(len(data)-at-n) {
		return s, false
	}
	at += n
	s.next = at + int(size)
	data = data[:s.next]
	at++ // attributes
	if at > len(data) {
		return s, false
	}
	if _, n = varint(data[at:]); n <= 0 { // timestamp delta
		return s, false
	}
	at += n
	if s.delta, n = varint(data[at:]); n <= 0 {
		return s, false
	}
	at += n
	key, n := varint(data[at:])
	if n <= 0 || key < -1 || key > int64(len(data)-at-n) {
		return s, false
	}
	at += n + int(max(key, 0))
	value, n := varint(data[at:])
	if n <= 0 || value < -1 || value > int64(len(data)-at-n) {
		return s, false
	}
	s.start = at + n
	s.end = s.start + int(max(value, 0))
	return s, true
}

// Payload is batch i's records as they are stored: compressed if it is.
func (c *Chunk) Payload(i int) (start, end int) {
	return c.Batches[i].Start + batchRecords, c.Batches[i].End
}
