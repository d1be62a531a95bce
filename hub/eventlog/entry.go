package eventlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Places in an entry: a 32-byte header and one Kafka RecordBatch v2.
const (
	entryMagic     = 0x53504531 // SPE1
	entryHead      = 32
	entryCRCFrom   = 8
	entryCRCTo     = 53 // exclusive: the header and the part of the batch its own CRC leaves out
	minEntry       = entryHead + batchRecords
	maxEntry       = 64 << 20
	flagOrigin     = 0x07
	flagMapped     = 0x08
	flagAMQPIdem   = 0x10
	flagsMandatory = 0xff00 // bits that a reader must understand; none is defined
)

// Places in a record batch.
const (
	batchLength     = 8
	batchEpoch      = 12
	batchMagic      = 16
	batchCRC        = 17
	batchAttributes = 21
	batchLastDelta  = 23
	batchBaseTime   = 27
	batchMaxTime    = 35
	batchProducer   = 43
	batchProdEpoch  = 51
	batchSequence   = 53
	batchCount      = 57
	batchRecords    = 61

	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crcOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// entry is the decoded head of an entry.
type entry struct {
	length     int
	flags      uint16
	place      uint16 // 0: written before entries had one
	appendTime int64
	mark       int64 // offsets below were durable when this was written
	base       int64
	count      int
	maxTime    int64
	codec      uint8
	producer   int64
	prodEpoch  int16
	sequence   int32
}

func (e *entry) next() int64 { return e.base + int64(e.count) }

// parseHead reads the head of the entry that b begins with and checks what can
// be checked without the records. b holds minEntry bytes at least.
func parseHead(b []byte) (e entry, err error) {
	be := binary.BigEndian
	if be.Uint32(b) != entryMagic {
		return e, fmt.Errorf("no entry magic: %w", ErrDamaged)
	}
	if got, want := crcOf(b[entryCRCFrom:entryCRCTo]), be.Uint32(b[4:]); got != want {
		return e, fmt.Errorf("head crc %08x, stored %08x: %w", got, want, ErrDamaged)
	}
	e.length = int(be.Uint32(b[8:]))
	if e.length < minEntry || e.length > maxEntry {
		return e, fmt.Errorf("entry length %d: %w", e.length, ErrDamaged)
	}
	e.flags = be.Uint16(b[12:])
	if e.flags&flagsMandatory != 0 {
		return e, fmt.Errorf("entry flags %04x are of a newer version: %w", e.flags, ErrDamaged)
	}
	e.place = be.Uint16(b[14:])
	e.appendTime = int64(be.Uint64(b[16:]))
	e.mark = int64(be.Uint64(b[24:]))
	r := b[entryHead:]
	e.base = int64(be.Uint64(r))
	if n := int(be.Uint32(r[batchLength:])); n != e.length-entryHead-12 {
		return e, fmt.Errorf("batch length %d in an entry of %d: %w", n, e.length, ErrDamaged)
	}
	if r[batchMagic] != 2 {
		return e, fmt.Errorf("batch magic %d: %w", r[batchMagic], ErrDamaged)
	}
	e.codec = uint8(be.Uint16(r[batchAttributes:]) & attrCodec)
	e.count = int(int32(be.Uint32(r[batchCount:])))
	e.maxTime = int64(be.Uint64(r[batchMaxTime:]))
	e.producer = int64(be.Uint64(r[batchProducer:]))
	e.prodEpoch = int16(be.Uint16(r[batchProdEpoch:]))
	e.sequence = int32(be.Uint32(r[batchSequence:]))
	return e, nil
}

// checkBody checks the batch's own CRC and counts; b is the whole entry.
func (e *entry) checkBody(b []byte) error {
	be := binary.BigEndian
	r := b[entryHead:e.length]
	if got, want := crcOf(r[batchAttributes:]), be.Uint32(r[batchCRC:]); got != want {
		return fmt.Errorf("batch crc %08x, stored %08x: %w", got, want, ErrDamaged)
	}
	if last := int32(be.Uint32(r[batchLastDelta:])); e.count < 1 || int(last) != e.count-1 {
		return fmt.Errorf("%d records with last delta %d: %w", e.count, last, ErrDamaged)
	}
	return nil
}

// sealEntry fills the entry header in front of the batch in b and patches the
// batch's base offset and leader epoch.
func sealEntry(b []byte, flags, place uint16, appendTime, mark, base int64, epoch int32) {
	be := binary.BigEndian
	be.PutUint32(b, entryMagic)
	be.PutUint32(b[8:], uint32(len(b)))
	be.PutUint16(b[12:], flags)
	be.PutUint16(b[14:], place)
	be.PutUint64(b[16:], uint64(appendTime))
	be.PutUint64(b[24:], uint64(mark))
	be.PutUint64(b[entryHead:], uint64(base))
	be.PutUint32(b[entryHead+batchEpoch:], uint32(epoch))
	be.PutUint32(b[4:], crcOf(b[entryCRCFrom:entryCRCTo]))
}
