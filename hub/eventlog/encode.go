package eventlog

import (
	"encoding/binary"
	"math/bits"
)

// appendEvents appends an entry with the events to dst: header room and one
// uncompressed batch whose timestamps are the append time. sealEntry and
// finishBatch complete it.
func appendEvents(dst []byte, events []Event, timeMs, producer int64, prodEpoch int16, sequence int32) []byte {
	at := len(dst)
	var room [minEntry]byte
	dst = append(dst, room[:]...)
	for i := range events {
		dst = appendRecord(dst, i, &events[i])
	}
	b := dst[at+entryHead:]
	be := binary.BigEndian
	be.PutUint32(b[batchLength:], uint32(len(b)-12))
	b[batchMagic] = 2
	be.PutUint16(b[batchAttributes:], attrLogAppendTime)
	be.PutUint32(b[batchLastDelta:], uint32(len(events)-1))
	be.PutUint64(b[batchBaseTime:], uint64(timeMs))
	be.PutUint64(b[batchMaxTime:], uint64(timeMs))
	be.PutUint64(b[batchProducer:], uint64(producer))
	be.PutUint16(b[batchProdEpoch:], uint16(prodEpoch))
	be.PutUint32(b[batchSequence:], uint32(sequence))
	be.PutUint32(b[batchCount:], uint32(len(events)))
	be.PutUint32(b[batchCRC:], crcOf(b[batchAttributes:]))
	return dst
}

func appendRecord(dst []byte, delta int, e *Event) []byte {
	size := 2 + varintLen(int64(delta)) + bytesLen(e.Key) + bytesLen(e.Body) + 1
	if e.AMQP != nil {
		size += 1 + len(AMQPHeader) + bytesLen(e.AMQP)
	}
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0, 0) // attributes, timestamp delta
	dst = binary.AppendVarint(dst, int64(delta))
	dst = appendBytes(dst, e.Key)
	dst = appendBytes(dst, e.Body)
	if e.AMQP == nil {
		return append(dst, 0)
	}
	dst = append(dst, 2) // one header
	dst = binary.AppendVarint(dst, int64(len(AMQPHeader)))
	dst = append(dst, AMQPHeader...)
	return appendBytes(dst, e.AMQP)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // -1: null
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

func bytesLen(b []byte) int {
	if b == nil {
		return 1
	}
	return varintLen(int64(len(b))) + len(b)
}

func varintLen(x int64) int {
	return (bits.Len64(uint64(x<<1)^uint64(x>>63)|1) + 6) / 7
}

// eventsFlags returns the flags of an entry with the events. Readers over Kafka
// see keys of AMQP and HTTPS events as a header too, so those need translation.
func eventsFlags(origin Origin, events []Event) uint16 {
	flags := uint16(origin) & flagOrigin
	keyed := origin == AMQP || origin == HTTPS
	for i := range events {
		if events[i].AMQP != nil || keyed && events[i].Key != nil {
			return flags | flagMapped
		}
	}
	return flags
}
