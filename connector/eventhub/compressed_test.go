package eventhub

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"spate/connector"
	"spate/hub"
	"spate/metric"
)

// alike is a gzip batch of n equal events, as an idle fleet sends them.
func alike(t testing.TB, n int, body string) []byte {
	t.Helper()
	var plain []byte
	for i := range n {
		rec := []byte{0, 0}
		rec = binary.AppendVarint(rec, int64(i))
		rec = append(rec, 1) // no key
		rec = binary.AppendVarint(rec, int64(len(body)))
		rec = append(rec, body...)
		rec = append(rec, 0)
		plain = binary.AppendVarint(plain, int64(len(rec)))
		plain = append(plain, rec...)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b := append(make([]byte, 61), packed.Bytes()...)
	be := binary.BigEndian
	be.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	be.PutUint16(b[21:], 1)
	be.PutUint32(b[23:], uint32(n-1))
	be.PutUint64(b[43:], ^uint64(0))
	be.PutUint16(b[51:], ^uint16(0))
	be.PutUint32(b[53:], ^uint32(0))
	be.PutUint32(b[57:], uint32(n))
	be.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// backlog stores the same batch many times.
func backlog(t testing.TB, batches, events int) *hub.Hub {
	t.Helper()
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 1})
	b := alike(t, events, `{"p":"`+strings.Repeat("abcdefghij", 99)+`"}`)
	var last *hub.Ticket
	for range batches {
		last = h.Partition(0).AppendBatch(b)
	}
	<-last.Done()
	if last.Err() != nil {
		t.Fatal(last.Err())
	}
	return h
}

func TestAStreamThatCompressesWellIsReadInSmallChunks(t *testing.T) {
	const events, batches = 900, 320
	h := backlog(t, batches, events)
	r, err := NewSource(h, SourceOptions{}).OpenReader(t.Context(), 0, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	next, most := int64(0), 0
	for !c.CaughtUp {
		if err := r.Read(t.Context(), &c, nil); err != nil {
			t.Fatal(err)
		}
		most = max(most, cap(c.Data))
		for i := range c.Len() {
			if c.Data[c.Starts[i]] != '{' || c.Offsets[i] != next {
				t.Fatalf("message at offset %d begins with %q, want offset %d", c.Offsets[i], c.Data[c.Starts[i]], next)
			}
			next++
		}
	}
	if next != events*batches {
		t.Errorf("%d events, want %d", next, events*batches)
	}
	if most > 12<<20 {
		t.Errorf("a chunk took %d MiB", most>>20)
	}
}

func TestAChunkThatOneBatchBlewUpIsNotKept(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 1})
	big := h.Partition(0).AppendBatch(alike(t, 40, strings.Repeat("x", 1<<20-100)))
	<-big.Done()
	if big.Err() != nil {
		t.Fatal(big.Err())
	}
	send(t, h.Partition(0), "small")
	r, err := NewSource(h, SourceOptions{}).OpenReader(t.Context(), 0, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	if err := r.Read(t.Context(), &c, nil); err != nil || c.Len() != 40 {
		t.Fatalf("%d messages, %v, want the 40 of the batch", c.Len(), err)
	}
	if err := r.Read(t.Context(), &c, nil); err != nil || c.Len() != 1 {
		t.Fatalf("%d messages, %v, want the small one", c.Len(), err)
	}
	if cap(c.Data) > keepBytes {
		t.Errorf("%d MiB are kept", cap(c.Data)>>20)
	}
}

func BenchmarkReadCompressed(b *testing.B) {
	h := backlog(b, 300, 900)
	var c connector.Chunk
	for b.Loop() {
		r, err := NewSource(h, SourceOptions{}).OpenReader(b.Context(), 0, connector.Start{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for c.CaughtUp = false; !c.CaughtUp; {
			if err := r.Read(b.Context(), &c, nil); err != nil {
				b.Fatal(err)
			}
			n += c.Len()
		}
		if n != 300*900 {
			b.Fatal(n)
		}
	}
	b.SetBytes(300 * 900 * 1000)
}

// A batch of a log of before, which nobody looked into, becomes one message that a job
// drops; those behind it are read.
func TestABatchThatCannotBeTakenApartIsOneMessage(t *testing.T) {
	rec := new(metric.Recorder)
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir(), Metrics: rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	h := makeHub(t, ns, hub.Spec{Name: "h", Partitions: 1})
	r := &reader{source: NewSource(h, SourceOptions{}), p: h.Partition(0)}
	bad := append(make([]byte, 61), "this is no gzip"...)
	for i, b := range [][]byte{alike(t, 2, "{}"), bad, alike(t, 3, "{}")} {
		at := len(r.chunk.Data)
		r.chunk.Data = append(r.chunk.Data, b...)
		r.chunk.Batches = append(r.chunk.Batches, hub.Batch{Start: at, End: len(r.chunk.Data), BaseOffset: int64(i) * 10, Count: 10, Codec: 1})
	}
	r.chunk.Batches[0].Count, r.chunk.Batches[2].Count = 2, 3
	var c connector.Chunk
	r.fill(&c)
	if want := []int64{0, 1, 10, 20, 21, 22}; !slices.Equal(c.Offsets, want) || r.next != 23 {
		t.Errorf("messages at %v, next %d, want %v and 23", c.Offsets, r.next, want)
	}
	if v := rec.Counter("SkippedEvents", "EntityName", "h").Value(); v != 10 {
		t.Errorf("%d events are counted as skipped, want 10", v)
	}
}
