package eventhub

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"spate/column"
	"spate/connector"
	"spate/hub"
	"spate/wire/amqp"
)

// About is what is known of one message of a hub besides its body. One goroutine uses it,
// for one message after the other.
type About struct {
	sequence    int64
	key         column.Value
	sent        []named // application properties, or headers of Kafka
	annotations []named
	message     column.Value // id
	correlation column.Value // id
	origin      string       // of the partition, as a part of Identity
}

// named is a value under a name: of the log as it is encoded there, or decoded.
type named struct {
	name, encoded []byte
	header        bool // encoded is the value of a Kafka header
	value         column.Value
}

func (n *named) read() column.Value {
	switch {
	case n.header:
		return textOf(n.encoded)
	case n.encoded != nil:
		v, _, err := amqp.Decode(n.encoded)
		if err != nil {
			return column.Value{}
		}
		return ValueOf(v)
	}
	return n.value
}

// NewAbout returns what holds facts of the messages of a partition. Two hubs of one name
// were not created at one time.
func NewAbout(hub string, created time.Time, partition int) *About {
	return &About{origin: fmt.Sprintf("hub/%s/%d/%d/", strings.ToLower(hub), created.UnixMilli(), partition)}
}

// Begin begins the next message.
func (a *About) Begin(sequence int64) {
	a.sequence, a.key, a.sent, a.annotations = sequence, column.Value{}, a.sent[:0], a.annotations[:0]
	a.message, a.correlation = column.Value{}, column.Value{}
}

// Key sets the partition key. Bytes that are no text are no key.
func (a *About) Key(k []byte) {
	if k != nil && utf8.Valid(k) {
		a.key = column.TextOf(string(k))
	}
}

// Property adds an application property.
func (a *About) Property(name string, v column.Value) {
	a.sent = append(a.sent, named{name: []byte(name), value: v})
}

// Annotation adds a message annotation.
func (a *About) Annotation(name string, v column.Value) {
	a.annotations = append(a.annotations, named{name: []byte(name), value: v})
}

// IDs sets the ids that the sender gave.
func (a *About) IDs(message, correlation column.Value) {
	a.message, a.correlation = message, correlation
}

// Fact returns one fact.
func (a *About) Fact(f connector.Fact) column.Value {
	switch f.Kind {
	case connector.Sequence:
		return column.IntOf(a.sequence)
	case connector.Identity:
		return column.TextOf(fmt.Sprint(a.origin, a.sequence))
	case connector.PartitionKey:
		return a.key
	case connector.Publisher:
		return find(a.annotations, amqp.KeyPublisher)
	case connector.Property:
		return find(a.sent, f.Name)
	case connector.Properties:
		return a.properties()
	case connector.Gateway:
		if v := find(a.annotations, f.Name); !v.IsNull() {
			return v
		}
		return find(a.sent, f.Name)
	case connector.MessageID:
		if a.message.IsNull() {
			return find(a.sent, "message-id")
		}
		return a.message
	case connector.CorrelationID:
		if a.correlation.IsNull() {
			return find(a.sent, "correlation-id")
		}
		return a.correlation
	}
	return column.Value{}
}

// find looks a name up: the exact spelling first, then ignoring case; of several the last.
func find(list []named, name string) column.Value {
	for _, same := range []func(n []byte) bool{
		func(n []byte) bool { return string(n) == name },
		func(n []byte) bool { return column.EqualNames(string(n), name) },
	} {
		for i := len(list) - 1; i >= 0; i-- {
			if same(list[i].name) {
				return list[i].read()
			}
		}
	}
	return column.Value{}
}

// properties are all that the sender gave, of a name that occurs twice the last; NULL if
// there is none.
func (a *About) properties() column.Value {
	if len(a.sent) == 0 {
		return column.Value{}
	}
	r := &column.RecordValue{}
	for i := len(a.sent) - 1; i >= 0; i-- {
		name := strings.ToValidUTF8(string(a.sent[i].name), "\ufffd")
		at, twice := slices.BinarySearch(r.Names, name)
		if !twice {
			r.Names, r.Values = slices.Insert(r.Names, at, name), slices.Insert(r.Values, at, a.sent[i].read())
		}
	}
	return column.RecordOf(r)
}

// textOf is bytes as a text: that of UTF-8, else their base64 form.
func textOf(b []byte) column.Value {
	switch {
	case b == nil:
		return column.Value{}
	case utf8.Valid(b):
		return column.TextOf(string(b))
	}
	return column.TextOf(base64.StdEncoding.EncodeToString(b))
}

// ValueOf is a decoded AMQP value as one of the language. What it has no kind for, such as
// a decimal, is NULL.
func ValueOf(v any) column.Value {
	switch v := v.(type) {
	case bool:
		return column.BoolOf(v)
	case uint8:
		return column.IntOf(int64(v))
	case uint16:
		return column.IntOf(int64(v))
	case uint32:
		return column.IntOf(int64(v))
	case uint64:
		if v > math.MaxInt64 {
			return column.FloatOf(float64(v))
		}
		return column.IntOf(int64(v))
	case int8:
		return column.IntOf(int64(v))
	case int16:
		return column.IntOf(int64(v))
	case int32:
		return column.IntOf(int64(v))
	case int64:
		return column.IntOf(v)
	case float32:
		return ValueOf(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return column.Value{}
		}
		return column.FloatOf(v)
	case string:
		return column.TextOf(strings.ToValidUTF8(v, "\ufffd"))
	case amqp.Symbol:
		return column.TextOf(strings.ToValidUTF8(string(v), "\ufffd"))
	case []byte:
		return textOf(v)
	case amqp.Char:
		return column.TextOf(string(rune(v)))
	case amqp.Timestamp:
		if at := time.UnixMilli(int64(v)); at.Year() < 1 || at.UTC().Year() > 9999 {
			return column.Value{}
		}
		return column.TimeOf(column.TicksOfMillis(int64(v)))
	case amqp.UUID:
		return column.TextOf(fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]))
	case amqp.Described:
		return ValueOf(v.Value)
	case amqp.List:
		return listOf(v)
	case amqp.Array:
		return listOf(v.Items)
	case amqp.Map:
		r := &column.RecordValue{}
		for _, e := range v {
			if k := ValueOf(e.Key); k.Kind == column.Text {
				r.Names, r.Values = append(r.Names, k.Text()), append(r.Values, ValueOf(e.Value))
			}
		}
		return column.RecordOf(r)
	}
	return column.Value{}
}

func listOf(items []any) column.Value {
	out := make([]column.Value, len(items))
	for i, v := range items {
		out[i] = ValueOf(v)
	}
	return column.ArrayOf(out)
}

// facts tells what a reader was asked for.
type facts struct {
	about *About
	asked []connector.Fact
	sent  bool // what came with events is asked for, and not only their places
}

func newFacts(asked []connector.Fact, hub string, created time.Time, partition int) *facts {
	if len(asked) == 0 {
		return nil
	}
	places := func(f connector.Fact) bool {
		return f.Kind != connector.Sequence && f.Kind != connector.Identity && f.Kind != connector.FileName
	}
	return &facts{NewAbout(hub, created, partition), asked, slices.ContainsFunc(asked, places)}
}

// tell adds the facts of the messages of batch i that c has got, which begin at offset from.
// Of what cannot be read nothing is known.
func (f *facts) tell(c *connector.Chunk, chunk *hub.Chunk, i int, from int64) error {
	c.Tell(f.asked)
	var failed error
	if f.sent {
		b := &chunk.Batches[i]
		it := chunk.Records(i)
		for it.Next() && len(c.Facts[0]) < len(c.Offsets) {
			if it.Record.Offset < from {
				continue
			}
			f.about.Begin(it.Record.Offset)
			if err := f.about.record(&it.Record, b.Mapped); err != nil {
				failed = err
			}
			f.add(c)
		}
		if err := it.Err(); err != nil {
			failed = err
		}
	}
	for len(c.Facts[0]) < len(c.Offsets) {
		f.about.Begin(c.Offsets[len(c.Facts[0])])
		f.add(c)
	}
	return failed
}

func (f *facts) add(c *connector.Chunk) {
	for k, fact := range f.asked {
		c.Facts[k] = append(c.Facts[k], f.about.Fact(fact))
	}
}

// record takes what lies beside the value of a record, until it cannot be read.
func (a *About) record(r *hub.Record, mapped bool) error {
	a.Key(r.Key)
	var stored []byte
	r.EachHeader(func(name, value []byte) bool {
		if mapped && string(name) == amqp.StoredHeader {
			stored = value
		} else {
			a.sent = append(a.sent, named{name: name, encoded: value, header: true})
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
	return a.stored(&s)
}

// stored takes what an AMQP event has and a Kafka record has not.
func (a *About) stored(s *amqp.Stored) error {
	if err := s.Property(func(place int, value []byte) {
		switch place {
		case 0:
			a.message = (&named{encoded: value}).read()
		case 5:
			a.correlation = (&named{encoded: value}).read()
		}
	}); err != nil {
		return fmt.Errorf("properties: %w", err)
	}
	take := func(list *[]named) func(name, value []byte) bool {
		return func(name, value []byte) bool {
			*list = append(*list, named{name: name, encoded: value})
			return true
		}
	}
	if err := s.ApplicationProperties(take(&a.sent)); err != nil {
		return fmt.Errorf("application properties: %w", err)
	}
	if err := s.EachAnnotation(take(&a.annotations)); err != nil {
		return fmt.Errorf("message annotations: %w", err)
	}
	return nil
}
