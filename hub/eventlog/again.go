package eventlog

import "encoding/binary"

// Again appends a record to a partition once more, as it was sent: with its key, its
// headers or sections, and the origin of its batch. It gets an offset and an append time of
// its own.
func Again(p interface {
	Append(origin Origin, events []Event) *Ticket
	AppendBatch(batch []byte) *Ticket
}, b *Batch, r *Record) *Ticket {
	if b.Origin == Kafka {
		return p.AppendBatch(r.batch())
	}
	e := Event{Key: r.Key, Body: r.Value}
	if b.Mapped {
		e.AMQP = r.AMQP()
	}
	return p.Append(b.Origin, []Event{e})
}

// batch is a Kafka batch of the record alone, of no producer.
func (r *Record) batch() []byte {
	size := 3 + bytesLen(r.Key) + bytesLen(r.Value) + varintLen(int64(r.nheaders)) + len(r.headers)
	b := binary.AppendVarint(make([]byte, batchRecords), int64(size))
	b = append(b, 0, 0, 0) // attributes, deltas of time and offset
	b = appendBytes(appendBytes(b, r.Key), r.Value)
	b = append(binary.AppendVarint(b, int64(r.nheaders)), r.headers...)
	be := binary.BigEndian
	be.PutUint32(b[batchLength:], uint32(len(b)-12))
	b[batchMagic] = 2
	be.PutUint64(b[batchBaseTime:], uint64(r.Time))
	be.PutUint64(b[batchMaxTime:], uint64(r.Time))
	none := int64(-1)
	be.PutUint64(b[batchProducer:], uint64(none))
	be.PutUint16(b[batchProdEpoch:], uint16(0xffff))
	be.PutUint32(b[batchSequence:], uint32(0xffffffff))
	be.PutUint32(b[batchCount:], 1)
	be.PutUint32(b[batchCRC:], crcOf(b[batchAttributes:]))
	return b
}
