package notify

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// outboxVersion is the version of the files. Version 1 was one file, without a begin.
const outboxVersion = 2

// The outbox's files are records, each: length (4 bytes, little endian) and
// CRC-32C of the payload, then the payload. The payload is a kind and numbers as
// varints. A file that ends in the middle of a record is cut there.
const (
	recordHead = 8
	maxRecord  = 64 << 20
)

// Kinds of records.
const (
	putKind      = 1 // number, partition, offset, enqueued, put, body
	cursorKind   = 2 // next number, file size, receiver name
	positionKind = 3 // hub id (16 bytes), partition, next offset
	beginKind    = 4 // version, number of the next event; what came before counts no more
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// message is one event in the outbox.
type message struct {
	number    uint64 // counts the outbox's events
	partition int
	offset    int64
	enqueued  int64 // Unix milliseconds
	put       int64 // Unix milliseconds: when it came into the outbox
	body      []byte
}

func appendRecord(dst []byte, payload func([]byte) []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, recordHead)...)
	dst = payload(dst)
	body := dst[at+recordHead:]
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(dst[at+4:], crc32.Checksum(body, castagnoli))
	return dst
}

func appendPut(dst []byte, m *message) []byte {
	return appendRecord(dst, func(b []byte) []byte {
		b = append(b, putKind)
		b = binary.AppendUvarint(b, m.number)
		b = binary.AppendUvarint(b, uint64(m.partition))
		b = binary.AppendVarint(b, m.offset)
		b = binary.AppendVarint(b, m.enqueued)
		b = binary.AppendVarint(b, m.put)
		return append(b, m.body...)
	})
}

func appendBegin(dst []byte, next uint64) []byte {
	return appendRecord(dst, func(b []byte) []byte {
		b = append(b, beginKind)
		b = binary.AppendUvarint(b, outboxVersion)
		return binary.AppendUvarint(b, next)
	})
}

func appendCursor(dst []byte, name string, c cursor) []byte {
	return appendRecord(dst, func(b []byte) []byte {
		b = append(b, cursorKind)
		b = binary.AppendUvarint(b, c.next)
		b = binary.AppendVarint(b, c.size)
		return append(b, name...)
	})
}

func appendPosition(dst []byte, id [16]byte, partition int, next int64) []byte {
	return appendRecord(dst, func(b []byte) []byte {
		b = append(b, positionKind)
		b = append(b, id[:]...)
		b = binary.AppendUvarint(b, uint64(partition))
		return binary.AppendVarint(b, next)
	})
}

// nextRecord splits the first sound record off b; nil if there is none.
func nextRecord(b []byte) (payload, rest []byte) {
	if len(b) < recordHead {
		return nil, b
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxRecord || int(n) > len(b)-recordHead {
		return nil, b
	}
	payload = b[recordHead : recordHead+int(n)]
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, b
	}
	return payload, b[recordHead+int(n):]
}

var errRecord = errors.New("damaged outbox record")

// numbers reads varints one after the other; ok turns false at the first that is none.
type numbers struct {
	b  []byte
	ok bool
}

func (n *numbers) uvarint() uint64 {
	v, k := binary.Uvarint(n.b)
	if k <= 0 {
		n.ok = false
		return 0
	}
	n.b = n.b[k:]
	return v
}

func (n *numbers) varint() int64 {
	v, k := binary.Varint(n.b)
	if k <= 0 {
		n.ok = false
		return 0
	}
	n.b = n.b[k:]
	return v
}

// partition reads a partition number.
func (n *numbers) partition() int {
	v := n.uvarint()
	if v > 1<<16 {
		n.ok = false
	}
	return int(v)
}

func decodePut(payload []byte) (message, error) {
	n := numbers{b: payload[1:], ok: true}
	m := message{number: n.uvarint(), partition: n.partition(), offset: n.varint(), enqueued: n.varint(), put: n.varint()}
	m.body = n.b
	if !n.ok {
		return m, errRecord
	}
	return m, nil
}
