package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// kafkaBatch is a batch as a producer sends it.
func kafkaBatch(producer int64, epoch int16, seq int32, codec uint8, texts ...string) []byte {
	b := appendEvents(nil, bodies(texts...), testTime, producer, epoch, seq)[entryHead:]
	records := slices.Clone(b[batchRecords:])
	b = append(b[:batchRecords:batchRecords], compress(codec, records)...)
	binary.BigEndian.PutUint16(b[batchAttributes:], uint16(codec))
	return resealed(b)
}

func resealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[batchCRC:], crcOf(b[batchAttributes:]))
	return b
}

func compress(codec uint8, b []byte) []byte {
	var w bytes.Buffer
	switch codec {
	case 1:
		z := gzip.NewWriter(&w)
		z.Write(b)
		z.Close()
	case 2:
		return snappy.Encode(nil, b)
	case 3:
		z := lz4.NewWriter(&w)
		z.Write(b)
		z.Close()
	case 4:
		z, _ := zstd.NewWriter(&w)
		z.Write(b)
		z.Close()
	default:
		return b
	}
	return w.Bytes()
}

// values collects what AppendValues finds from an offset on.
func values(t testing.TB, c *Chunk, from int64) []string {
	t.Helper()
	var starts, ends []uint32
	var offsets []int64
	for i := range c.Batches {
		var err error
		if starts, ends, offsets, err = c.AppendValues(i, from, starts, ends, offsets); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for i := range starts {
		if len(c.Data) < int(ends[i])+slack {
			t.Errorf("value %d ends %d before the data, want %d", i, len(c.Data)-int(ends[i]), slack)
		}
		if offsets[i] != from+int64(i) {
			t.Errorf("value %d has offset %d, want %d", i, offsets[i], from+int64(i))
		}
		got = append(got, string(c.Data[starts[i]:ends[i]]))
	}
	return got
}

func TestCompressedBatchesAreStoredVerbatimAndReadPlain(t *testing.T) {
	l, _, _ := faultLog(t, Settings{})
	p := l.Partition(0)
	var all []string
	var sent [][]byte
	for round := range 2 {
		for codec := range uint8(5) {
			texts := []string{fmt.Sprintf("round %d codec %d", round, codec), strings.Repeat("abc", 1000), ""}
			b := kafkaBatch(-1, -1, -1, codec, texts...)
			mustAppend(t, p.AppendBatch(b))
			sent = append(sent, b)
			all = append(all, texts...)
		}
	}
	if got := readAllFrom(t, p, 0, 500); !slices.Equal(got, all) {
		t.Errorf("read %q", got)
	}
	var c Chunk
	if err := p.Read(context.Background(), 0, 1<<20, &c, nil); err != nil {
		t.Fatal(err)
	}
	for i, b := range c.Batches {
		got := c.Data[b.Start:b.End]
		if !bytes.Equal(got[batchMagic:], sent[i][batchMagic:]) {
			t.Errorf("batch %d is not what was sent", i)
		}
		if base := int64(binary.BigEndian.Uint64(got)); base != int64(3*i) || b.BaseOffset != base {
			t.Errorf("batch %d has base offset %d, want %d", i, base, 3*i)
		}
	}
	if got := values(t, &c, 4); !slices.Equal(got, all[4:]) {
		t.Errorf("values from 4: %q", got)
	}
}

func TestXerialSnappyIsRead(t *testing.T) {
	var d decompressor
	src := append(slices.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for _, s := range []string{"hello ", "world"} {
		block := snappy.Encode(nil, []byte(s))
		src = binary.BigEndian.AppendUint32(src, uint32(len(block)))
		src = append(src, block...)
	}
	got, err := d.decompress([]byte("> "), 2, src)
	if err != nil || string(got) != "> hello world" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := d.decompress(nil, 2, src[:len(src)-1]); err == nil {
		t.Error("a cut block was taken")
	}
}

func TestBadBatchesAreRefusedWithTheirReason(t *testing.T) {
	l, _, _ := faultLog(t, Settings{MaxBatchBytes: 2000})
	p := l.Partition(0)
	good := func() []byte { return kafkaBatch(-1, -1, -1, 0, "a", "b") }
	edit := func(at int, v byte) []byte { b := good(); b[at] = v; return b }
	sealed := func(at int, v byte) []byte { return resealed(edit(at, v)) }
	for name, c := range map[string]struct {
		batch []byte
		want  error
	}{
		"empty":             {nil, ErrBadBatch},
		"cut":               {good()[:70], ErrBadBatch},
		"longer":            {append(good(), 0), ErrBadBatch},
		"magic 1":           {edit(batchMagic, 1), ErrBadBatch},
		"base offset":       {edit(7, 1), ErrBadBatch},
		"crc":               {edit(batchRecords+5, 'x'), ErrBadBatch},
		"codec 5":           {sealed(batchAttributes+1, 5), ErrBadCodec},
		"control":           {sealed(batchAttributes+1, attrControl), ErrBadRecord},
		"transaction":       {sealed(batchAttributes+1, attrTransactional), ErrBadRecord},
		"last delta":        {sealed(batchLastDelta+3, 5), ErrBadBatch},
		"record length":     {sealed(batchRecords, 40), ErrBadRecord},
		"record delta":      {sealed(batchRecords+3, 2), ErrBadRecord},
		"no sequence":       {kafkaBatch(5, 0, -1, 0, "a"), ErrBadBatch},
		"a job's producer":  {kafkaBatch(FirstJobProducer+1, 0, 0, 0, "a"), ErrReservedProducer},
		"larger than limit": {kafkaBatch(-1, -1, -1, 0, strings.Repeat("x", 3000)), ErrTooLarge},
	} {
		tk := p.AppendBatch(c.batch)
		<-tk.Done()
		if !errors.Is(tk.Err(), c.want) {
			t.Errorf("%s: %v, want %v", name, tk.Err(), c.want)
		}
		if name == "transaction" && !strings.Contains(tk.Err().Error(), "transactions are not supported yet") {
			t.Errorf("%s: %v", name, tk.Err())
		}
	}
	if n := p.Bounds().Next; n != 0 {
		t.Errorf("%d records stored, want none", n)
	}
}

func TestIdempotentProducer(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	p := l.Partition(0)
	step := func(p *Partition, id int64, epoch int16, seq int32, n int, wantOffset int64, wantErr error) {
		t.Helper()
		tk := p.AppendBatch(kafkaBatch(id, epoch, seq, 0, numbers(0, n)...))
		<-tk.Done()
		if wantErr != nil {
			if !errors.Is(tk.Err(), wantErr) {
				t.Errorf("producer %d epoch %d sequence %d: %v, want %v", id, epoch, seq, tk.Err(), wantErr)
			}
			return
		}
		if tk.Err() != nil || tk.Offset() != wantOffset {
			t.Errorf("producer %d epoch %d sequence %d: offset %d, %v, want offset %d", id, epoch, seq, tk.Offset(), tk.Err(), wantOffset)
		}
	}
	step(p, 1, 0, 5, 2, 0, ErrSequence) // unknown, not 0, and the partition never held a record
	step(p, 1, 0, 0, 2, 0, nil)
	step(p, 1, 0, 0, 2, 0, nil) // repeated
	step(p, 1, 0, 2, 3, 2, nil)
	step(p, 1, 0, 6, 1, 0, ErrSequence) // gap
	step(p, 2, 0, 77, 1, 5, nil)        // unknown, but records are there
	step(p, 1, 0, 5, 1, 6, nil)
	step(p, 1, 0, 2, 3, 2, nil) // older one repeated
	for i := range int32(4) {
		step(p, 1, 0, 6+i, 1, int64(7+i), nil)
	}
	step(p, 1, 0, 0, 2, 0, ErrSequence) // further back than five
	step(p, 1, 1, 3, 1, 0, ErrSequence) // a new epoch begins at 0
	step(p, 1, 1, 0, 1, 11, nil)
	step(p, 1, 0, 10, 1, 0, ErrFenced)
	step(p, 3, 0, 1<<31-2, 3, 12, nil) // wraps
	step(p, 3, 0, 1, 1, 15, nil)
	// A crash keeps all of it.
	p2 := reopen(t, on(o, f.copyOf())).Partition(0)
	step(p2, 1, 1, 0, 1, 11, nil)
	step(p2, 3, 0, 1<<31-2, 3, 12, nil)
	step(p2, 1, 0, 10, 1, 0, ErrFenced)
	step(p2, 1, 1, 1, 1, 16, nil)
	// So does an orderly close.
	l.Close()
	p3 := reopen(t, o).Partition(0)
	step(p3, 1, 1, 0, 1, 11, nil)
	step(p3, 3, 0, 2, 1, 16, nil)
}

func TestAppendIdempotentSharesTheProducersRules(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	p := l.Partition(0)
	put := func(p *Partition, id int64, epoch int16, seq int32) *Ticket {
		tk := p.AppendIdempotent(AMQP, id, epoch, seq, bodies("a", "b"))
		<-tk.Done()
		return tk
	}
	if tk := put(p, 7, 0, 0); tk.Err() != nil || tk.Offset() != 0 {
		t.Errorf("first: %d, %v", tk.Offset(), tk.Err())
	}
	p = reopen(t, on(o, f.copyOf())).Partition(0)
	if tk := put(p, 7, 0, 0); tk.Err() != nil || tk.Offset() != 0 || !tk.Duplicate() {
		t.Errorf("repeat after a crash: %d, %v", tk.Offset(), tk.Err())
	}
	if tk := put(p, 7, 0, 3); !errors.Is(tk.Err(), ErrSequence) {
		t.Errorf("gap: %v, want ErrSequence", tk.Err())
	}
	if tk := put(p, FirstJobProducer, 0, 0); !errors.Is(tk.Err(), ErrReservedProducer) {
		t.Errorf("a job's id: %v, want ErrReservedProducer", tk.Err())
	}
	if epoch, last, known := p.Producer(7); epoch != 0 || last != 1 || !known {
		t.Errorf("producer %d, %d, %v, want epoch 0 and last sequence 1", epoch, last, known)
	}
}

func TestRepeatOfABatchInFlightCompletesWithIt(t *testing.T) {
	l, _, f := faultLog(t, Settings{})
	p := l.Partition(0)
	entered, leave := make(chan struct{}), make(chan struct{})
	hook := func() { entered <- struct{}{}; <-leave }
	f.onSync.Store(&hook)
	first := p.AppendBatch(kafkaBatch(9, 0, 0, 0, "a"))
	<-entered
	again := p.AppendBatch(kafkaBatch(9, 0, 0, 0, "a"))
	select {
	case <-again.Done():
		t.Error("the repeat was acknowledged before the batch is durable")
	default:
	}
	f.onSync.Store(nil)
	leave <- struct{}{}
	mustAppend(t, first)
	if mustAppend(t, again); again.Offset() != 0 || !again.Duplicate() || p.Bounds().Next != 1 {
		t.Errorf("repeat at %d, next %d", again.Offset(), p.Bounds().Next)
	}
}

func TestJobProducerIsRememberedHoweverLongAgo(t *testing.T) {
	o, clock := tempLog(t)
	l := create(t, o, Settings{SegmentBytes: 1 << 20, Retention: 1 << 40}, 1)
	p := l.Partition(0)
	id := FirstJobProducer + 42
	pad := strings.Repeat("z", 50_000)
	for i := range int32(60) {
		mustAppend(t, p.AppendOnce(id, i*2, bodies(pad, pad)))
	}
	clock.ms.Add(100 * 24 * 3600 * 1000)
	if err := l.Trim(clock.now()); err != nil {
		t.Fatal(err)
	}
	check := func(p *Partition) {
		t.Helper()
		if got := p.ProducerNext(id); got != 120 {
			t.Errorf("next sequence %d, want 120", got)
		}
		for _, seq := range []int32{0, 2, 118} {
			if tk := mustAppend(t, p.AppendOnce(id, seq, bodies("a", "b"))); !tk.Duplicate() {
				t.Errorf("sequence %d was stored again", seq)
			}
		}
		for _, seq := range []int32{119, 121} {
			tk := p.AppendOnce(id, seq, bodies("a", "b"))
			<-tk.Done()
			if !errors.Is(tk.Err(), ErrSequence) {
				t.Errorf("sequence %d: %v, want ErrSequence", seq, tk.Err())
			}
		}
		if b := p.Bounds(); b.Next != 120 || b.First != 120 {
			t.Errorf("bounds %+v, want empty at 120", b)
		}
	}
	check(p)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(reopen(t, o).Partition(0))
}

func TestJobSequenceWraps(t *testing.T) {
	ps := producers{}
	id := FirstJobProducer
	ps[id] = &producer{n: 1, batches: [remembered]sequences{{first: 1<<31 - 4, last: 1<<31 - 2, base: 7}}}
	if got := ps.next(id); got != 1<<31-1 {
		t.Errorf("next %d", got)
	}
	e := entry{producer: id, sequence: 1<<31 - 1, count: 3}
	if v := ps.checkJob(&e); v.err != nil || v.duplicate {
		t.Errorf("the next batch: %+v", v)
	}
	ps.apply(&e)
	if got := ps.next(id); got != 2 {
		t.Errorf("next after the wrap %d, want 2", got)
	}
	if v := ps.checkJob(&entry{producer: id, sequence: 1<<31 - 4, count: 3}); !v.duplicate || v.base != 7 {
		t.Errorf("an old batch behind the wrap: %+v, want a duplicate at 7", v)
	}
}
