package eventhub

import (
	"fmt"
	"strings"

	"spate/column"
	"spate/column/format"
	"spate/connector"
)

// maxEvent is the largest event that Event Hubs takes.
const maxEvent = 1 << 20

// maxKey is the longest partition key. The service counts 128 characters; a
// character has four bytes at most.
const maxKey = 4 * 128

// encoder makes events of rows.
type encoder struct {
	column string // that has the partition key; empty: none has
	row    []byte // the event
	key    []byte // its partition key

	schema *column.Schema // that keyAt was looked up in
	keyAt  []int          // columns that may have the key, in order; a Star column if its field does
}

// encode puts a row into e.row and its partition key, if it has one, into e.key. It
// returns why an event hub does not take the event, if so.
func (e *encoder) encode(b *column.Batch, row int) (keyed bool, reason string) {
	e.findKey(b.Schema)
	if e.row = format.AppendRow(e.row[:0], b, row); len(e.row) > maxEvent {
		return false, fmt.Sprintf("event of %d bytes, an event hub takes %d", len(e.row), maxEvent)
	}
	if keyed = e.keyOf(b, row); keyed && len(e.key) > maxKey {
		return false, fmt.Sprintf("partition key of %d bytes, an event hub takes %d", len(e.key), maxKey)
	}
	return keyed, ""
}

func (e *encoder) findKey(s *column.Schema) {
	if e.column == "" || s == e.schema {
		return
	}
	e.schema, e.keyAt = s, e.keyAt[:0]
	for i := range s.Fields {
		if s.Fields[i].Star || strings.EqualFold(s.Fields[i].Name, e.column) {
			e.keyAt = append(e.keyAt, i)
		}
	}
}

// keyOf puts the row's partition key into e.key.
func (e *encoder) keyOf(b *column.Batch, row int) bool {
	if e.column == "" {
		return false
	}
	for _, i := range e.keyAt {
		v := &b.Cols[i]
		if v.Kind == column.Text && !b.Schema.Fields[i].Star {
			if v.IsNull(row) {
				return false
			}
			e.key = append(e.key[:0], v.TextAt(row)...)
			return true
		}
		x := v.At(row)
		if b.Schema.Fields[i].Star {
			if x = x.Field(e.column); x.IsNull() {
				continue
			}
		}
		switch {
		case x.IsNull():
			return false
		case x.Kind == column.Text:
			e.key = append(e.key[:0], x.Text()...)
		case x.Kind == column.Time:
			e.key = column.AppendTicks(e.key[:0], x.Ticks())
		default:
			e.key = format.AppendValue(e.key[:0], x)
		}
		return true
	}
	return false
}

// refuses are the rows of b that make no event.
func (e *encoder) refuses(b *column.Batch) (bad []connector.BadRow) {
	for k := range b.LiveRows() {
		if _, reason := e.encode(b, b.Row(k)); reason != "" {
			bad = append(bad, connector.BadRow{Row: b.Row(k), Reason: reason})
		}
	}
	return bad
}

// Refuses implements connector.Judging.
func (s *Sink) Refuses(b *column.Batch) []connector.BadRow {
	return (&encoder{column: s.o.KeyColumn}).refuses(b)
}

// Refuses implements connector.Judging.
func (s *ImmediateSink) Refuses(b *column.Batch) []connector.BadRow {
	return (&encoder{column: s.o.KeyColumn}).refuses(b)
}
