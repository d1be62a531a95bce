package eventlog

import (
	"encoding/binary"
	"fmt"
)

// checkBatch checks a RecordBatch v2 as a producer sends it and returns its
// fields. The leader epoch is not looked at: clients send what they like. Records of
// a compressed batch are for checkers to look at.
// Source: event-hubs.md 5.3.
func checkBatch(b []byte) (e entry, err error) {
	bad := func(format string, args ...any) (entry, error) {
		return entry{}, fmt.Errorf("%w: %s", ErrBadBatch, fmt.Sprintf(format, args...))
	}
	if len(b) < batchRecords+1 {
		return bad("%d bytes are no batch", len(b))
	}
	be := binary.BigEndian
	if n := be.Uint32(b[batchLength:]); uint64(n)+12 != uint64(len(b)) {
		return bad("length field %d in a batch of %d bytes", n, len(b))
	}
	if b[batchMagic] != 2 {
		return bad("magic %d, want 2", b[batchMagic])
	}
	if off := int64(be.Uint64(b)); off != 0 {
		return bad("base offset %d, want 0", off)
	}
	if got, want := crcOf(b[batchAttributes:]), be.Uint32(b[batchCRC:]); got != want {
		return bad("crc %08x, sent %08x", got, want)
	}
	attr := be.Uint16(b[batchAttributes:])
	e = entry{
		length: entryHead + len(b), flags: uint16(Kafka), codec: uint8(attr & attrCodec),
		count:   int(int32(be.Uint32(b[batchCount:]))),
		maxTime: int64(be.Uint64(b[batchMaxTime:])), producer: int64(be.Uint64(b[batchProducer:])),
		prodEpoch: int16(be.Uint16(b[batchProdEpoch:])), sequence: int32(be.Uint32(b[batchSequence:])),
	}
	last := int32(be.Uint32(b[batchLastDelta:]))
	switch {
	case e.codec > 4:
		return entry{}, fmt.Errorf("%w: codec %d", ErrBadCodec, e.codec)
	case attr&attrControl != 0:
		return entry{}, fmt.Errorf("%w: control batch from a producer", ErrBadRecord)
	case attr&attrTransactional != 0:
		return entry{}, fmt.Errorf("%w: transactions are not supported yet", ErrBadRecord)
	case e.count < 1 || int(last) != e.count-1:
		return bad("%d records with last offset delta %d", e.count, last)
	case e.producer >= FirstJobProducer:
		return entry{}, fmt.Errorf("%w: %d", ErrReservedProducer, e.producer)
	case e.producer >= 0 && (e.prodEpoch < 0 || e.sequence < 0):
		return bad("producer %d with epoch %d and sequence %d", e.producer, e.prodEpoch, e.sequence)
	case e.length > maxEntry:
		return entry{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	case e.count > maxBatchRecords:
		return entry{}, fmt.Errorf("%w: %d records, the limit is %d", ErrTooLarge, e.count, maxBatchRecords)
	}
	if e.codec == 0 {
		it := RecordIter{rest: b[batchRecords:]}
		for i := range e.count {
			if err := it.checkRecord(i); err != nil {
				return entry{}, err
			}
		}
		if len(it.rest) != 0 {
			return entry{}, fmt.Errorf("%w: %d bytes behind the last of %d records", ErrBadRecord, len(it.rest), e.count)
		}
	}
	return e, nil
}
