package eventlog

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Somebody sends a segment, of another hub and of this one, as an event; a crash tears the
// entry that holds it. What looks like entries in there proves nothing: it is a torn tail.
func TestASegmentThatWasSentIsNoProofOfLoss(t *testing.T) {
	for _, of := range []string{"this hub", "another hub"} {
		l, o, f := faultLog(t, Settings{})
		p := l.Partition(0)
		backup := p
		if of == "another hub" {
			o2 := o
			o2.Dir, o2.ID = "/other", [16]byte{1}
			backup = create(t, o2, Settings{}, 1).Partition(0)
		}
		for range 50 { // with marks that lie far ahead of those of the log, if it is another's
			mustAppend(t, backup.Append(Kafka, bodies("old", "older")))
		}
		sent := string(f.files[backup.segs[0].path].data)
		if of == "this hub" { // it begins anew, as a copy that was put back
			l, o, f = faultLog(t, Settings{})
			p = l.Partition(0)
		}
		mustAppend(t, p.Append(Kafka, bodies("first")))
		f.edit("/hub/0000/tail", func([]byte) []byte { return nil })
		at := p.Bounds().Bytes
		mustAppend(t, p.Append(Kafka, bodies(sent)))
		f.edit("/hub/0000/tail", func([]byte) []byte { return nil })
		for _, torn := range []int{1, 40, 200, 4096} {
			c := f.copyOf()
			c.edit(segmentName(0), func(b []byte) []byte { clear(b[at:min(int(at)+torn, len(b))]); return b })
			p2 := reopen(t, on(o, c)).Partition(0)
			if err := p2.Err(); err != nil {
				t.Errorf("%s, %d bytes lost: %v", of, torn, err)
			}
			if got := readAllFrom(t, p2, 0, 1000); !slices.Equal(got, []string{"first"}) {
				t.Errorf("%s, %d bytes lost: %d records", of, torn, len(got))
			}
		}
		if l.Close() != nil {
			t.Error("not closed")
		}
	}
}

// Entries of a version before have no place: they still prove a loss.
func TestEntriesWithoutAPlaceProveALoss(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	p := l.Partition(0)
	for _, s := range strings.Fields("a b c d") {
		mustAppend(t, p.Append(Kafka, bodies(s)))
	}
	f.edit("/hub/0000/tail", func([]byte) []byte { return nil })
	f.edit(segmentName(0), func(b []byte) []byte {
		for pos := segHeader; pos < len(b); {
			e, err := parseHead(b[pos:])
			if err != nil || e.place == 0 {
				t.Fatalf("entry at %d: %v, place %d", pos, err, e.place)
			}
			sealEntry(b[pos:pos+e.length], e.flags, 0, e.appendTime, e.mark, e.base, 0)
			pos += e.length
		}
		return b
	})
	whole := reopen(t, on(o, f.copyOf())).Partition(0)
	if got := readAllFrom(t, whole, 0, 1000); len(got) != 4 || whole.Err() != nil {
		t.Errorf("read %q, %v", got, whole.Err())
	}
	f.edit(segmentName(0), func(b []byte) []byte { b[segHeader+entryHead] ^= 1; return b })
	if err := reopen(t, on(o, f)).Partition(0).Err(); !errors.Is(err, ErrDamaged) {
		t.Errorf("Err %v, want ErrDamaged", err)
	}
}
