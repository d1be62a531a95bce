package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

var codecNames = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// plainRecords are n records with the same value.
func plainRecords(n int, value string) []byte {
	var b []byte
	for i := range n {
		b = appendRecord(b, i, &Event{Body: []byte(value)})
	}
	return b
}

// packedBatch says to hold count records, which are packed already.
func packedBatch(codec uint8, count int, packed []byte) []byte {
	b := append(kafkaBatch(-1, -1, -1, 0, "x")[:batchRecords:batchRecords], packed...)
	be := binary.BigEndian
	be.PutUint16(b[batchAttributes:], uint16(codec))
	be.PutUint32(b[batchLastDelta:], uint32(count-1))
	be.PutUint32(b[batchCount:], uint32(count))
	return resealed(b)
}

func TestCompressedBatchesAreLookedInto(t *testing.T) {
	l, _, _ := faultLog(t, Settings{})
	p := l.Partition(0)
	good := plainRecords(3, "value")
	delta := bytes.Clone(good)
	delta[3] = 2 // of the first record: 1
	header := append(bytes.Clone(good[:len(good)-1]), 2)
	long := append([]byte{2 * 12}, append(bytes.Clone(good[1:12]), 0)...)
	cases := []struct {
		name    string
		count   int
		records []byte
		want    error
	}{
		{"sound", 3, good, nil},
		{"said to be more", 1000, good, ErrBadRecord},
		{"said to be less", 2, good, ErrBadRecord},
		{"cut", 3, good[:len(good)-2], ErrBadRecord},
		{"nothing", 1, nil, ErrBadRecord},
		{"offset delta", 3, delta, ErrBadRecord},
		{"a header that is not there", 3, header, ErrBadRecord},
		{"a byte too many in a record", 1, long, ErrBadRecord},
		{"negative length", 1, []byte{1, 0}, ErrBadRecord},
		{"length of eleven bytes", 1, bytes.Repeat([]byte{0xff}, 20), ErrBadRecord},
		{"text", 1, []byte("GET / HTTP/1.1\r\n"), ErrBadRecord},
	}
	stored := int64(0)
	for codec := uint8(1); codec <= 4; codec++ {
		for _, c := range cases {
			tk := p.AppendBatch(packedBatch(codec, c.count, compress(codec, c.records)))
			<-tk.Done()
			if !errors.Is(tk.Err(), c.want) {
				t.Errorf("%s, %s: %v, want %v", codecNames[codec], c.name, tk.Err(), c.want)
			}
		}
		packed := compress(codec, plainRecords(1000, "value"))
		for name, src := range map[string][]byte{"garbage": []byte(strings.Repeat("no codec at all ", 12)), "cut packing": packed[:len(packed)-9]} {
			tk := p.AppendBatch(packedBatch(codec, 1000, src))
			<-tk.Done()
			if !errors.Is(tk.Err(), ErrBadBatch) && !errors.Is(tk.Err(), ErrBadRecord) {
				t.Errorf("%s, %s: %v", codecNames[codec], name, tk.Err())
			}
		}
		mustAppend(t, p.AppendBatch(packedBatch(codec, 1000, packed)))
		stored += 3 + 1000
	}
	if n := p.Bounds().Next; n != stored {
		t.Errorf("%d records stored, want the %d sound ones", n, stored)
	}
}

// What is refused for its size has been looked at no further than that.
func TestBatchesThatGrowAreRefusedInLittleMemory(t *testing.T) {
	l, _, _ := faultLog(t, Settings{})
	p := l.Partition(0)
	var bombs [][]byte
	for _, codec := range []uint8{1, 2, 3, 4} {
		size := 100 << 20
		if codec == 2 {
			size = 20 << 20 // snappy makes no more of a MiB
		}
		bombs = append(bombs, packedBatch(codec, 1, compress(codec, plainRecords(1, strings.Repeat("x", size)))))
	}
	many := plainRecords(80, strings.Repeat("y", 1<<20-100)) // none too large, together 80 MiB
	for _, codec := range []uint8{1, 3, 4} {
		bombs = append(bombs, packedBatch(codec, 80, compress(codec, many)))
	}
	short := strings.Repeat("y", maxBatchRecords+1)
	bombs = append(bombs, packedBatch(1, maxBatchRecords+1, compress(1, []byte(short))))
	many = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i, b := range bombs {
		tk := p.AppendBatch(b)
		<-tk.Done()
		if !errors.Is(tk.Err(), ErrTooLarge) {
			t.Errorf("bomb %d of %d bytes: %v", i, len(b), tk.Err())
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 80<<20 {
		t.Errorf("%d MiB were allocated for %d bombs", n>>20, len(bombs))
	}
	runtime.GC()
	runtime.GC() // pools of the codecs outlive one
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > int64(runtime.GOMAXPROCS(0))*(zstdWindow+2<<20) {
		t.Errorf("%d MiB are kept", grown>>20)
	}
}

func TestLargeBatchesAreTaken(t *testing.T) {
	l, _, _ := faultLog(t, Settings{})
	p := l.Partition(0)
	plain := plainRecords(40, strings.Repeat("z", 1<<20-100))
	var wide bytes.Buffer
	z, err := zstd.NewWriter(&wide, zstd.WithWindowSize(32<<20))
	if err != nil {
		t.Fatal(err)
	}
	z.Write(plain)
	z.Close()
	one, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []byte // of Java clients
	for i := 0; i < 1000; i++ {
		block := snappy.Encode(nil, appendRecord(nil, i, &Event{Body: []byte("v")}))
		blocks = append(binary.BigEndian.AppendUint32(blocks, uint32(len(block))), block...)
	}
	blocks = append(append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1), blocks...)
	for name, b := range map[string][]byte{
		"gzip":              packedBatch(1, 40, compress(1, plain)),
		"lz4":               packedBatch(3, 40, compress(3, plain)),
		"zstd":              packedBatch(4, 40, compress(4, plain)),
		"zstd, wide window": packedBatch(4, 40, wide.Bytes()),
		"zstd, one segment": packedBatch(4, 40, one.EncodeAll(plain, nil)),
		"snappy in blocks":  packedBatch(2, 1000, blocks),
	} {
		tk := p.AppendBatch(b)
		<-tk.Done()
		if tk.Err() != nil {
			t.Errorf("%s: %v", name, tk.Err())
		}
	}
}

// However the plain bytes come, the same batches are taken.
func FuzzCompressedBatch(f *testing.F) {
	f.Add(plainRecords(3, "value"), uint16(3))
	f.Add(plainRecords(300, strings.Repeat("value", 100)), uint16(300))
	f.Add([]byte{2, 0}, uint16(1))
	cs := newCheckers()
	f.Fuzz(func(t *testing.T, records []byte, count uint16) {
		if count == 0 || len(records) == 0 {
			return
		}
		_, plain := checkBatch(packedBatch(0, int(count), records))
		for codec := uint8(1); codec <= 4; codec++ {
			b := packedBatch(codec, int(count), compress(codec, records))
			e, err := checkBatch(b)
			if err == nil {
				err = cs.check(b, &e, 1<<20)
			}
			if (err == nil) != (plain == nil) {
				t.Fatalf("%s: %v, plain %v", codecNames[codec], err, plain)
			}
			b = packedBatch(codec, int(count), records) // as if they were packed
			if e, err := checkBatch(b); err == nil {
				cs.check(b, &e, 1<<20)
			}
		}
	})
}

// BenchmarkCheck is what a look into a batch of 1000 events costs.
func BenchmarkCheck(b *testing.B) {
	const n = 1000
	var plain []byte
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		plain = appendRecord(plain, i, &Event{Body: fmt.Appendf(nil, `{"DeviceId":"device-%04d","Time":"2026-07-01T12:00:%02d.%03dZ","Temperature":%.2f,`+
			`"Humidity":%.1f,"Pressure":%.2f,"Vibration":{"x":%.4f,"y":%.4f,"z":%.4f},"Status":"ok","Firmware":"1.4.2"}`, rnd.IntN(500), i%60, rnd.IntN(1000),
			20+rnd.Float64(), 50*rnd.Float64(), 1000+rnd.Float64(), rnd.Float64(), rnd.Float64(), rnd.Float64())})
	}
	for codec, name := range codecNames {
		b.Run(name, func(b *testing.B) {
			batch := packedBatch(uint8(codec), n, compress(uint8(codec), plain))
			cs := newCheckers()
			for b.Loop() {
				e, err := checkBatch(batch)
				if err == nil && codec != 0 {
					err = cs.check(batch, &e, 1<<20)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
			b.ReportMetric(float64(len(batch))/n, "packed-B/event")
		})
	}
}
