package eventhub

import (
	"encoding/binary"
	"errors"
)

// Prepared bytes, version 1: the version; the producer id, 8 bytes big-endian;
// then per partition: uvarint partition, uvarint first sequence, uvarint count of
// events, uvarint bytes of events, the events. An event is a uvarint key
// length + 1 (0: no key), the key, a uvarint body length, the body.
const preparedVersion = 1

var errPrepared = errors.New("prepared events do not check")

func beginPrepared(dst []byte, producer int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, preparedVersion), uint64(producer))
}

func appendGroup(dst []byte, partition int, p *staged) []byte {
	dst = binary.AppendUvarint(dst, uint64(partition))
	dst = binary.AppendUvarint(dst, uint64(p.next))
	dst = binary.AppendUvarint(dst, uint64(p.count))
	dst = binary.AppendUvarint(dst, uint64(len(p.events)))
	return append(dst, p.events...)
}

func appendEvent(dst []byte, keyed bool, key, body []byte) []byte {
	if keyed {
		dst = append(binary.AppendUvarint(dst, uint64(len(key))+1), key...)
	} else {
		dst = append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(body))), body...)
}

// prepared walks prepared bytes.
type prepared struct {
	producer  int64
	partition int
	sequence  int32
	left      int    // events of the group
	group     []byte // rest of the group
	rest      []byte // behind the group
	key, body []byte // of the event; alias the bytes walked
	err       error
}

func openPrepared(b []byte) (*prepared, error) {
	if len(b) < 9 || b[0] != preparedVersion {
		return nil, errPrepared
	}
	return &prepared{producer: int64(binary.BigEndian.Uint64(b[1:])), rest: b[9:]}, nil
}

func (d *prepared) nextGroup() bool {
	if d.err != nil || len(d.rest) == 0 {
		return false
	}
	var head [4]uint64
	for i := range head {
		v, n := binary.Uvarint(d.rest)
		if n <= 0 {
			return d.fail()
		}
		head[i], d.rest = v, d.rest[n:]
	}
	if head[0] > 1<<20 || head[1] > 0x7fffffff || head[2] > head[3] || head[3] > uint64(len(d.rest)) {
		return d.fail()
	}
	d.partition, d.sequence, d.left = int(head[0]), int32(head[1]), int(head[2])
	d.group, d.rest = d.rest[:head[3]], d.rest[head[3]:]
	return true
}

func (d *prepared) nextEvent() bool {
	if d.err != nil {
		return false
	}
	if d.left == 0 {
		if len(d.group) != 0 {
			return d.fail()
		}
		return false
	}
	d.left--
	k, n := binary.Uvarint(d.group)
	if n <= 0 || k > uint64(len(d.group)-n)+1 {
		return d.fail()
	}
	d.group, d.key = d.group[n:], nil
	if k > 0 {
		d.key, d.group = d.group[:k-1:k-1], d.group[k-1:]
	}
	v, n := binary.Uvarint(d.group)
	if n <= 0 || v > uint64(len(d.group)-n) {
		return d.fail()
	}
	d.body, d.group = d.group[n:n+int(v):n+int(v)], d.group[n+int(v):]
	return true
}

func (d *prepared) fail() bool {
	d.err = errPrepared
	return false
}
