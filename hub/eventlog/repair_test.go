package eventlog

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestVerifyFindsBitRotAndOtherSegmentsStayReadable(t *testing.T) {
	l, _, f := faultLog(t, Settings{SegmentBytes: 1 << 20})
	p := l.Partition(0)
	all := numbers(0, 40)
	for i := range all {
		all[i] += strings.Repeat("x", 100_000)
		mustAppend(t, p.Append(Kafka, bodies(all[i])))
	}
	if found, err := l.Verify(t.Context()); err != nil || len(found) != 0 {
		t.Fatalf("a sound log: %v, %v", found, err)
	}
	sick := p.segs[1]
	f.edit(sick.path, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
	found, err := l.Verify(t.Context())
	if err != nil || len(found) != 1 || found[0].Path != sick.path || found[0].Offset < sick.base || found[0].Offset >= sick.end {
		t.Fatalf("verify: %+v, %v, want one place in %s", found, err, sick.path)
	}
	if got := readAllFrom(t, p, sick.end, 1<<20); !slices.Equal(got, all[sick.end:]) {
		t.Errorf("%d records behind the segment, want %d", len(got), len(all[sick.end:]))
	}
	var c Chunk
	if err := p.Read(t.Context(), found[0].Offset, 1<<20, &c, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("read of the damage: %v, want ErrDamaged", err)
	}
	if err := p.Read(t.Context(), sick.base, 1<<20, &c, nil); err != nil || c.Batches[len(c.Batches)-1].Next() > found[0].Offset {
		t.Errorf("read in front of the damage: %v", err)
	}
}

func TestAcceptLossCutsAtTheDamage(t *testing.T) {
	l, o, f := faultLog(t, Settings{SegmentBytes: 1 << 20})
	p := l.Partition(0)
	id := FirstJobProducer
	all := numbers(0, 40)
	for i := range all {
		all[i] += strings.Repeat("x", 100_000)
		mustAppend(t, p.AppendOnce(id, int32(i), bodies(all[i])))
	}
	c := f.copyOf()
	sick := p.segs[1]
	c.edit(sick.path, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
	c.Remove(companion(sick.path, idxSuffix))
	l2 := reopen(t, on(o, c))
	p2 := l2.Partition(0)
	next := p2.Bounds().Next
	if !errors.Is(p2.Err(), ErrDamaged) || next <= sick.base || next >= sick.end {
		t.Fatalf("Err %v, next %d, want damage within %d to %d", p2.Err(), next, sick.base, sick.end)
	}
	l2.Close()
	o.AcceptLoss = true
	l3 := reopen(t, on(o, c))
	p3 := l3.Partition(0)
	if p3.Err() != nil || p3.Bounds().Next != next || p3.ProducerNext(id) != int32(next) {
		t.Errorf("Err %v, next %d, producer's next %d, want a log that goes on at %d", p3.Err(), p3.Bounds().Next, p3.ProducerNext(id), next)
	}
	mustAppend(t, p3.AppendOnce(id, int32(next), bodies("new")))
	l3.Close()
	o.AcceptLoss = false
	l4 := reopen(t, on(o, c))
	if got := readAllFrom(t, l4.Partition(0), 0, 1<<20); !slices.Equal(got, append(slices.Clone(all[:next]), "new")) {
		t.Errorf("%d records, want %d", len(got), next+1)
	}
}
