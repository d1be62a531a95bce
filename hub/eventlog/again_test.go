package eventlog

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// A record that is appended again is the one that was sent, whatever its batch: time of the
// producer, key, headers in their order, null and empty.
func TestARecordIsAppendedAgain(t *testing.T) {
	o, _ := tempLog(t)
	l := create(t, o, Settings{}, 1)
	p := l.Partition(0)
	record := func(delta int, key, value []byte, headers string, n byte) []byte {
		b := []byte{0}
		b = binary.AppendVarint(b, int64(delta)) // of the time
		b = binary.AppendVarint(b, int64(delta))
		b = append(appendBytes(appendBytes(b, key), value), n*2)
		b = append(b, headers...)
		return append(binary.AppendVarint(nil, int64(len(b))), b...)
	}
	b := kafkaBatch(-1, -1, -1, 0, "x", "y")[:batchRecords]
	b = append(b, record(0, nil, []byte("first"), "", 0)...)
	b = append(b, record(1, []byte{}, nil, "\x02a\x01\x02a\x04xy", 2)...)
	mustAppend(t, p.AppendBatch(resealed(b)))
	mustAppend(t, p.Append(AMQP, []Event{{Key: []byte("k"), Body: []byte("third"), AMQP: []byte{1, 2}}, {Body: []byte{}}}))
	show := func(from int64) (out []string) {
		var c Chunk
		for next := from; next < from+4; {
			if err := p.Read(t.Context(), next, 1<<20, &c, nil); err != nil {
				t.Fatal(err)
			}
			for i := range c.Batches {
				it := c.Records(i)
				for it.Next() {
					r := &it.Record
					time := r.Time
					if c.Batches[i].Origin != Kafka {
						time = 0 // that of the append
					}
					out = append(out, fmt.Sprintf("%d %t %d %#v %#v %#v", c.Batches[i].Origin, c.Batches[i].Mapped, time, r.Key, r.Value, r.Headers(nil)))
				}
				next = c.Batches[i].Next()
			}
		}
		return out
	}
	want := show(0)
	for offset := range int64(4) {
		var c Chunk
		if err := p.Read(t.Context(), offset, 1, &c, nil); err != nil {
			t.Fatal(err)
		}
		it := c.Records(0)
		for it.Next() && it.Record.Offset != offset {
		}
		mustAppend(t, Again(p, &c.Batches[0], &it.Record))
	}
	got := show(4)
	for i := range want {
		if i >= len(got) || got[i] != want[i] && i != 3 {
			t.Errorf("record %d: %v, want %s", i, got, want[i])
		}
	}
	if got[3] != "2 false 0 []byte(nil) []byte{} []eventlog.Header(nil)" { // alone it needs no translation
		t.Errorf("record 3: %s", got[3])
	}
}
