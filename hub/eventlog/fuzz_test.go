package eventlog

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// Whatever the bytes of the newest segment are, the log opens or says why not,
// never panics, and what it serves is a prefix of what was written.
func FuzzRecover(f *testing.F) {
	golden, _ := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "").Replace(goldenSegment))
	f.Add(uint16(0), golden[64:])
	f.Add(uint16(64), []byte{0, 0, 0})
	f.Add(uint16(200), []byte("SPE1SPE1"))
	f.Add(uint16(400), []byte{})
	texts := numbers(0, 9)
	o := testOptions("/hub", newFakeClock())
	disk := newFaultFS()
	o.fs = disk
	l, err := Create(o, Settings{}, 1)
	if err != nil {
		f.Fatal(err)
	}
	for part := range slices.Chunk(texts, 3) {
		tk := l.Partition(0).Append(Kafka, bodies(part...))
		<-tk.Done()
	}
	disk.Remove("/hub/0000/tail")
	f.Fuzz(func(t *testing.T, at uint16, damage []byte) {
		c := disk.copyOf()
		c.edit(segmentName(0), func(b []byte) []byte {
			at := min(int(at), len(b))
			return append(b[:at], damage...)
		})
		l, err := Open(on(o, c))
		if err != nil {
			return
		}
		defer l.Close()
		p := l.Partition(0)
		next := p.Bounds().Next
		var ch Chunk
		for from := int64(0); from < next; {
			if err := p.Read(context.Background(), from, 100, &ch, nil); err != nil {
				t.Fatalf("read at %d of %d: %v", from, next, err)
			}
			from = ch.Batches[len(ch.Batches)-1].Next()
		}
	})
}

func FuzzCheckBatch(f *testing.F) {
	f.Add(kafkaBatch(-1, -1, -1, 0, "a", "b"))
	f.Add(kafkaBatch(5, 1, 2, 4, "a", "b"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > batchRecords {
			resealed(b)
		}
		e, err := checkBatch(b)
		if err != nil || e.codec != 0 {
			return
		}
		raw := append(make([]byte, entryHead), b...)
		sealEntry(raw, 1, 0, 5, 0, 10, 0)
		c := Chunk{Data: append(raw, make([]byte, slack)...)}
		if _, _, err := c.take(len(raw), 0); err != nil || len(c.Batches) != 1 {
			t.Fatalf("an accepted batch does not read: %v", err)
		}
		starts, ends, _, err := c.AppendValues(0, 0, nil, nil, nil)
		if err != nil || len(starts) != e.count {
			t.Fatalf("%d values of %d records: %v", len(starts), e.count, err)
		}
		it := c.Records(0)
		for i := 0; it.Next(); i++ {
			if !bytes.Equal(it.Record.Value, c.Data[starts[i]:ends[i]]) {
				t.Fatalf("record %d is %q in one walk and %q in the other", i, it.Record.Value, c.Data[starts[i]:ends[i]])
			}
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add(kafkaBatch(-1, -1, -1, 0, "a", "b")[batchRecords:], uint8(0), uint16(2))
	f.Add(kafkaBatch(-1, -1, -1, 1, "a", "b")[batchRecords:], uint8(1), uint16(2))
	f.Add(kafkaBatch(-1, -1, -1, 2, "a", "b")[batchRecords:], uint8(2), uint16(2))
	f.Add(kafkaBatch(-1, -1, -1, 3, "a", "b")[batchRecords:], uint8(3), uint16(2))
	f.Add(kafkaBatch(-1, -1, -1, 4, "a", "b")[batchRecords:], uint8(4), uint16(2))
	f.Fuzz(func(t *testing.T, records []byte, codec uint8, count uint16) {
		raw := append(make([]byte, minEntry), records...)
		c := Chunk{Data: append(raw, make([]byte, slack)...)}
		c.Batches = []Batch{{Start: entryHead, End: len(raw), Count: int(count), Codec: codec % 6}}
		it := c.Records(0)
		for it.Next() {
			it.Record.Headers(nil)
			it.Record.AMQP()
		}
		c.AppendValues(0, 0, nil, nil, nil)
	})
}

func FuzzFiles(f *testing.F) {
	f.Add(producers{3: {n: 1}}.snapshot(5, 0, testID))
	f.Add(encodeIndex(testID, 0, 0, new(extent), []indexEntry{{rel: 1, pos: 64}}))
	f.Add((&checkpoint{sequence: 1}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		parseProducers(b, 0, testID)
		parseIndex(b, testID, 0, 0, 0, extent{})
		parseCheckpoint(b)
		parseManifest(b, "manifest", testID)
		parseSegmentHeader(b, testID, 0, 0)
	})
}
