package kafka

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/listen/limit"
	"spate/wire/amqp"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// translation re-encodes batches of events that came by other protocols: what an
// AMQP event has and a Kafka record has not becomes record headers.
type translation struct {
	record  []byte
	headers []byte
	value   []byte
	count   int64 // headers
	err     error // of a record whose headers could not all be read
}

// Names of the headers that stand for AMQP properties, by place in the properties
// section. The others are not shown, as on the real service.
var propertyHeaders = [...]string{0: "message-id", 1: "user-id", 2: "to", 4: "reply-to", 6: "content-type", 7: "content-encoding", 9: "creation-time"}

// mapped reports whether Kafka readers cannot be served the batches as they are.
func mapped(ch *hub.Chunk) bool {
	for i := range ch.Batches {
		if ch.Batches[i].Mapped {
			return true
		}
	}
	return false
}

// translate returns r's batches for Kafka readers, in a buffer that is the caller's; nil
// if there is none that can be served.
func (c *conn) translate(r *fetched, ch *hub.Chunk) []byte {
	b := c.s.buffers.get(len(ch.Data) + len(ch.Data)/2)
	x, records := &c.translation, 0
	for i := range ch.Batches {
		batch := &ch.Batches[i]
		if !batch.Mapped {
			b = append(b, ch.Data[batch.Start:batch.End]...)
			records += batch.Count
			continue
		}
		var err error
		x.err = nil
		if b, err = x.appendBatch(b, ch, i); err != nil || x.err != nil {
			c.log.Error("events cannot be translated for Kafka readers",
				"hub", limit.Name(r.topic.hub.Name()), "partition", r.index, "offset", batch.BaseOffset, "err", cmp.Or(err, x.err))
		}
		if err != nil {
			r.end = batch.BaseOffset // what came before is good
			break
		}
		records += batch.Count
	}
	r.records = records
	if cap(x.record) > flushBytes || cap(x.headers) > flushBytes {
		*x = translation{}
	}
	if len(b) == 0 {
		c.s.buffers.put(b)
		r.code = codeStorage
		return nil
	}
	return b
}

// appendBatch appends batch i of chunk. Offsets, times and counts stay as they are.
func (t *translation) appendBatch(dst []byte, chunk *hub.Chunk, i int) ([]byte, error) {
	batch := &chunk.Batches[i]
	raw := chunk.Data[batch.Start:batch.End]
	start := len(dst)
	dst = append(dst, raw[:batchRecords]...)
	it := chunk.Records(i)
	base := int64(binary.BigEndian.Uint64(raw[batchBaseTime:]))
	for it.Next() {
		r := &it.Record
		if err := t.readHeaders(r, batch.Origin); err != nil && t.err == nil {
			t.err = fmt.Errorf("offset %d: %w", r.Offset, err) // it is served with the headers before that
		}
		b := append(t.record[:0], 0) // attributes
		b = binary.AppendVarint(b, r.Time-base)
		b = binary.AppendVarint(b, r.Offset-batch.BaseOffset)
		b = appendNullable(b, r.Key)
		b = appendNullable(b, r.Value)
		b = binary.AppendVarint(b, t.count)
		b = append(b, t.headers...)
		dst = binary.AppendVarint(dst, int64(len(b)))
		dst = append(dst, b...)
		t.record = b
	}
	if err := it.Err(); err != nil {
		return dst[:start], err
	}
	head := dst[start:]
	binary.BigEndian.PutUint32(head[batchLength:], uint32(len(head)-batchLength-4))
	attributes := binary.BigEndian.Uint16(raw[batchAttributes:])
	binary.BigEndian.PutUint16(head[batchAttributes:], attributes&0x08) // the time's type; not compressed
	binary.BigEndian.PutUint64(head[batchProducer:], ^uint64(0))
	binary.BigEndian.PutUint16(head[batchEpoch:], ^uint16(0))
	binary.BigEndian.PutUint32(head[batchSequence:], ^uint32(0))
	binary.BigEndian.PutUint32(head[batchCRC:], crc32.Checksum(head[batchAttributes:], castagnoli))
	return dst, nil
}

// readHeaders encodes a record's headers into t.headers.
func (t *translation) readHeaders(r *hub.Record, origin eventlog.Origin) error {
	t.headers, t.count = t.headers[:0], 0
	if r.Key != nil && (origin == eventlog.AMQP || origin == eventlog.HTTPS) {
		t.add(amqp.KeyPartitionKey, r.Key)
	}
	var stored []byte
	r.EachHeader(func(name, value []byte) bool {
		if string(name) == eventlog.AMQPHeader {
			stored = value
		} else {
			t.add(string(name), value)
		}
		return true
	})
	if stored == nil {
		return nil
	}
	s, err := amqp.ParseStored(stored)
	if err != nil {
		return err
	}
	err = s.Property(func(place int, value []byte) {
		if place < len(propertyHeaders) && propertyHeaders[place] != "" {
			t.addValue(propertyHeaders[place], value)
		}
	})
	if err != nil {
		return fmt.Errorf("properties: %w", err)
	}
	if err := s.ApplicationProperties(func(key, value []byte) bool {
		t.addValue(string(key), value)
		return true
	}); err != nil {
		return fmt.Errorf("application properties: %w", err)
	}
	return nil
}

func (t *translation) add(name string, value []byte) {
	t.headers = binary.AppendVarint(t.headers, int64(len(name)))
	t.headers = append(t.headers, name...)
	t.headers = appendNullable(t.headers, value)
	t.count++
}

func (t *translation) addValue(name string, encoded []byte) {
	if text, ok := amqp.Text(encoded); ok {
		t.add(name, text)
		return
	}
	var null bool
	if t.value, null = appendText(t.value[:0], encoded); null {
		t.add(name, nil)
	} else {
		t.add(name, t.value)
	}
}

func appendNullable(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	b = binary.AppendVarint(b, int64(len(v)))
	return append(b, v...)
}

// appendText appends an AMQP value as the text that Kafka readers get: numbers in
// decimal, times in RFC 3339. What has no such form stays AMQP-encoded.
func appendText(b, encoded []byte) (text []byte, null bool) {
	v, _, err := amqp.Decode(encoded)
	if err != nil {
		return append(b, encoded...), false
	}
	switch v := v.(type) {
	case nil:
		return b, true
	case bool:
		return strconv.AppendBool(b, v), false
	case uint8:
		return strconv.AppendUint(b, uint64(v), 10), false
	case uint16:
		return strconv.AppendUint(b, uint64(v), 10), false
	case uint32:
		return strconv.AppendUint(b, uint64(v), 10), false
	case uint64:
		return strconv.AppendUint(b, v, 10), false
	case int8:
		return strconv.AppendInt(b, int64(v), 10), false
	case int16:
		return strconv.AppendInt(b, int64(v), 10), false
	case int32:
		return strconv.AppendInt(b, int64(v), 10), false
	case int64:
		return strconv.AppendInt(b, v, 10), false
	case float32:
		return strconv.AppendFloat(b, float64(v), 'g', -1, 32), false
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64), false
	case string:
		return append(b, v...), false
	case amqp.Symbol:
		return append(b, v...), false
	case []byte:
		return append(b, v...), false
	case amqp.Char:
		return append(b, string(rune(v))...), false
	case amqp.Timestamp:
		return time.UnixMilli(int64(v)).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z"), false
	case amqp.UUID:
		return fmt.Appendf(b, "%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]), false
	}
	return append(b, encoded...), false
}
