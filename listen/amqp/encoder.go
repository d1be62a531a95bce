package amqp

import (
	"strconv"
	"unicode/utf8"

	"spate/hub"
	wire "spate/wire/amqp"
)

// encoder builds the messages of one receiver; its results are good until the
// next.
type encoder struct {
	buf     []byte
	headers []byte
	metric  []byte // the delivery annotations, with descriptor
}

// runtime builds the delivery annotations that tell of the partition's end.
func (e *encoder) runtime(b *hub.Bounds, now int64) {
	seq, offset, at := lastOf(b)
	dst, open := wire.OpenMap(wire.AppendDescriptor(e.metric[:0], wire.SectionDeliveryAnnotations), 8)
	dst = wire.AppendLong(wire.AppendSymbol(dst, "last_enqueued_sequence_number"), seq)
	dst = wire.AppendString(wire.AppendSymbol(dst, "last_enqueued_offset"), offset)
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, "last_enqueued_time_utc"), at)
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, "runtime_info_retrieval_time_utc"), now)
	e.metric = wire.CloseCompound(dst, open)
}

// lastOf is the last event of a partition as clients see it.
func lastOf(b *hub.Bounds) (seq int64, offset string, ms int64) {
	if b.LastSequence < 0 {
		return -1, "-1", neverTime
	}
	return b.LastSequence, strconv.FormatInt(b.LastSequence, 10), b.LastTime.UnixMilli()
}

// message encodes one event: annotations, then what is stored of the sender's
// message, verbatim.
func (e *encoder) message(r *hub.Record, b *hub.Batch) ([]byte, error) {
	var st wire.Stored
	var err error
	if b.Mapped {
		if st, err = wire.ParseStored(r.AMQP()); err != nil {
			return nil, err
		}
	} else if r.Value == nil {
		st.Kind = wire.BodyNull
	}
	dst := append(e.buf[:0], e.metric...)
	pairs := 3 + st.Annotations
	hasKey := r.Key != nil && utf8.Valid(r.Key)
	if hasKey {
		pairs++
	}
	dst, open := wire.OpenMap(wire.AppendDescriptor(dst, wire.SectionAnnotations), 2*pairs)
	dst = wire.AppendLong(wire.AppendSymbol(dst, wire.KeySequenceNumber), r.Offset)
	dst = wire.AppendSymbol(dst, wire.KeyOffset)
	dst = appendDecimal(dst, r.Offset)
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, wire.KeyEnqueuedTime), b.AppendTime)
	if hasKey {
		dst = wire.AppendString(wire.AppendSymbol(dst, wire.KeyPartitionKey), r.Key)
	}
	dst = wire.CloseCompound(append(dst, st.Pairs...), open)
	dst = append(dst, st.Properties...)
	if !b.Mapped && r.HeaderCount() > 0 {
		dst = e.kafkaHeaders(dst, r)
	}
	if dst, err = st.AppendBody(dst, r.Value); err != nil {
		return nil, err
	}
	e.buf = append(dst, st.Footer...)
	return e.buf, nil
}

func appendDecimal(dst []byte, n int64) []byte {
	var text [20]byte
	return wire.AppendString(dst, strconv.AppendInt(text[:0], n, 10))
}

// kafkaHeaders appends Kafka headers as application properties; of a name that
// occurs twice the last counts.
func (e *encoder) kafkaHeaders(dst []byte, r *hub.Record) []byte {
	n, i := 0, 0
	e.headers = e.headers[:0]
	isLast := lastOfName(r)
	r.EachHeader(func(name, value []byte) bool {
		i++
		if !isLast(i-1, name) {
			return true
		}
		n++
		if value == nil {
			e.headers = wire.AppendNull(wire.AppendString(e.headers, name))
			return true
		}
		e.headers = wire.AppendTextProperty(e.headers, string(name), value)
		return true
	})
	dst, open := wire.OpenMap(wire.AppendDescriptor(dst, wire.SectionAppProperties), 2*n)
	return wire.CloseCompound(append(dst, e.headers...), open)
}

// lastOfName returns a function that tells whether header i is the last of its name.
func lastOfName(r *hub.Record) func(i int, name []byte) bool {
	const few = 16 // are compared with each other
	if r.HeaderCount() <= few {
		return func(i int, name []byte) bool {
			last, j := true, 0
			r.EachHeader(func(other, _ []byte) bool {
				last = j <= i || string(other) != string(name)
				j++
				return last
			})
			return last
		}
	}
	at, j := make(map[string]int), 0
	r.EachHeader(func(name, _ []byte) bool {
		at[string(name)] = j
		j++
		return true
	})
	return func(i int, name []byte) bool { return at[string(name)] == i }
}
