package eventhub

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"spate/column"
	"spate/connector"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/wire/amqp"
)

// message encodes an AMQP message: annotations, properties, application properties, body.
func message(t *testing.T, annotations, application amqp.Map, properties amqp.List, body string) hub.Event {
	t.Helper()
	var b []byte
	section := func(code byte, v any) {
		var err error
		if b, err = amqp.AppendValue(amqp.AppendDescriptor(b, code), v); err != nil {
			t.Fatal(err)
		}
	}
	if annotations != nil {
		section(amqp.SectionAnnotations, annotations)
	}
	if properties != nil {
		section(amqp.SectionProperties, properties)
	}
	if application != nil {
		section(amqp.SectionAppProperties, application)
	}
	section(amqp.SectionData, []byte(body))
	m, _, err := amqp.Split(b, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return hub.Event(m)
}

// headed is a batch of Kafka with one record per list of headers, name and value in turn;
// a nil value is null.
func headed(t *testing.T, packed bool, key string, records ...[][]byte) []byte {
	t.Helper()
	var plain []byte
	bytesOf := func(b, v []byte) []byte {
		if v == nil {
			return binary.AppendVarint(b, -1)
		}
		return append(binary.AppendVarint(b, int64(len(v))), v...)
	}
	for i, headers := range records {
		rec := binary.AppendVarint([]byte{0, 0}, int64(i))
		rec = bytesOf(bytesOf(rec, []byte(key)), []byte("{}"))
		rec = binary.AppendVarint(rec, int64(len(headers)/2))
		for _, h := range headers {
			rec = bytesOf(rec, h)
		}
		plain = append(binary.AppendVarint(plain, int64(len(rec))), rec...)
	}
	b := make([]byte, 61)
	if packed {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		plain = z.Bytes()
		b[22] = 1
	}
	b = append(b, plain...)
	be := binary.BigEndian
	be.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	be.PutUint32(b[23:], uint32(len(records)-1))
	be.PutUint64(b[43:], ^uint64(0))
	be.PutUint16(b[51:], ^uint16(0))
	be.PutUint32(b[53:], ^uint32(0))
	be.PutUint32(b[57:], uint32(len(records)))
	be.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func done(t *testing.T, tk *hub.Ticket) {
	t.Helper()
	<-tk.Done()
	if tk.Err() != nil {
		t.Fatal(tk.Err())
	}
}

// told are the facts of the messages from a position on, as JSON, one list a message.
func told(t *testing.T, src connector.Source, from connector.Start) (out []string) {
	t.Helper()
	r, err := src.OpenReader(t.Context(), 0, from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var c connector.Chunk
	for {
		err := r.Read(t.Context(), &c, nil)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for i := range c.Len() {
			var row []column.Value
			for k := range from.Facts {
				row = append(row, c.Facts[k][i])
			}
			out = append(out, string(column.AppendJSON(nil, column.ArrayOf(row))))
		}
		if err != nil || c.CaughtUp {
			return out
		}
	}
}

func ask(kind connector.FactKind, name ...string) connector.Fact {
	return connector.Fact{Kind: kind, Name: append(name, "")[0]}
}

func TestFactsOfEveryProtocol(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 1})
	p := h.Partition(0)
	id := amqp.UUID{0x12, 0x34, 15: 0xff}
	done(t, p.Append(eventlog.AMQP, []hub.Event{
		message(t, amqp.Map{{Key: amqp.Symbol("x-opt-partition-key"), Value: "k1"}, {Key: amqp.Symbol("iothub-connection-device-id"), Value: "dev"}, {Key: amqp.Symbol("x-opt-publisher"), Value: "forged"}},
			amqp.Map{{Key: "site", Value: "north"}, {Key: "n", Value: int32(-7)}, {Key: "f", Value: 2.5}, {Key: "b", Value: true}, {Key: "at", Value: amqp.Timestamp(1_700_000_000_123)},
				{Key: "id", Value: id}, {Key: "big", Value: uint64(math.MaxUint64)}, {Key: "bin", Value: []byte{0xff, 0}}, {Key: "none", Value: nil}, {Key: "sym", Value: amqp.Symbol("s")}},
			amqp.List{"m-1", nil, nil, nil, nil, uint64(77)}, "{}"),
		message(t, nil, nil, nil, "{}"),
	}))
	done(t, p.AppendBatch(headed(t, false, "kk", [][]byte{[]byte("site"), []byte("east"), []byte("Site"), []byte("x"), []byte("site"), []byte("west"), []byte("raw"), {0xfe}, []byte("none"), nil},
		[][]byte{[]byte("$amqp"), []byte("no section"), []byte("iothub-connection-device-id"), []byte("gw")})))
	done(t, p.AppendBatch(headed(t, true, "", [][]byte{[]byte("SITE"), []byte("packed")}, nil)))
	done(t, p.Append(eventlog.AMQP, []hub.Event{func() hub.Event {
		m, _, err := amqp.Split(amqp.AppendBinary(amqp.AppendDescriptor(nil, amqp.SectionData), "{}"), "pub", nil)
		if err != nil {
			t.Fatal(err)
		}
		return hub.Event(m)
	}()}))
	src := NewSource(h, SourceOptions{})
	facts := []connector.Fact{ask(connector.Sequence), ask(connector.Property, "site"), ask(connector.PartitionKey), ask(connector.Gateway, "iothub-connection-device-id"),
		ask(connector.Publisher), ask(connector.MessageID), ask(connector.CorrelationID), ask(connector.FileName), ask(connector.Properties)}
	want := []string{
		`[0,"north","k1","dev",null,"m-1",77,null,{"at":"2023-11-14T22:13:20.1230000Z","b":true,"big":1.8446744073709552E+19,"bin":"/wA=","f":2.5,"id":"12340000-0000-0000-0000-0000000000ff","n":-7,"none":null,"site":"north","sym":"s"}]`,
		`[1,null,null,null,null,null,null,null,null]`,
		`[2,"west","kk",null,null,null,null,null,{"Site":"x","none":null,"raw":"/g==","site":"west"}]`,
		`[3,null,"kk","gw",null,null,null,null,{"$amqp":"no section","iothub-connection-device-id":"gw"}]`,
		`[4,"packed","",null,null,null,null,null,{"SITE":"packed"}]`,
		`[5,null,"",null,null,null,null,null,null]`,
		`[6,null,null,null,"pub",null,null,null,null]`,
	}
	if got := told(t, src, connector.Start{Facts: facts}); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// From the middle of a batch, and to the middle of one.
	if got := told(t, src, connector.Start{Facts: facts, Mode: connector.AtPosition, Position: position(5, 0)}); !slices.Equal(got, want[5:]) {
		t.Errorf("from 5: %s", got)
	}
	if got := told(t, NewPart(h, Range{First: 1, Last: 2, ByOffset: true}, SourceOptions{}), connector.Start{Facts: facts}); !slices.Equal(got, want[1:3]) {
		t.Errorf("1 to 2: %s", got)
	}
	ids := told(t, src, connector.Start{Facts: []connector.Fact{ask(connector.Identity)}})
	again := told(t, NewSource(h, SourceOptions{}), connector.Start{Facts: []connector.Fact{ask(connector.Identity)}})
	slices.Sort(ids)
	slices.Sort(again)
	if len(slices.Compact(slices.Clone(ids))) != len(want) || !slices.Equal(ids, again) {
		t.Errorf("identities %s, then %s", ids, again)
	}
}

// Without facts to tell, a chunk has none, whatever the reader before has left in it.
func TestNothingIsToldThatNobodyAsked(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 1})
	send(t, h.Partition(0), "a")
	r, err := NewSource(h, SourceOptions{}).OpenReader(t.Context(), 0, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	if err := r.Read(t.Context(), &c, nil); err != nil || c.Len() != 1 || c.Facts != nil {
		t.Errorf("%d messages, facts %v, %v", c.Len(), c.Facts, err)
	}
}

func FuzzFactsOfDamagedHeaders(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 6, 1, 4, 0xa3, 1, 'a', 0x40, 0, 0})
	f.Fuzz(func(t *testing.T, header []byte) {
		a := NewAbout("h", time.Unix(0, 0), 0)
		a.Begin(0)
		s, err := amqp.ParseStored(header)
		if err != nil {
			return
		}
		if err := a.stored(&s); err != nil {
			t.Log(err) // what is damaged may be refused; nothing may panic, facts neither
		}
		for kind := connector.Sequence; kind <= connector.CorrelationID; kind++ {
			a.Fact(connector.Fact{Kind: kind, Name: "a"})
		}
	})
}
