package eventlog

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

var testID = [16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

const testTime = 1795348247123

// fakeClock is a wall clock that stands until it is moved.
type fakeClock struct{ ms atomic.Int64 }

func newFakeClock() *fakeClock {
	c := new(fakeClock)
	c.ms.Store(testTime)
	return c
}

func (c *fakeClock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

func testOptions(dir string, clock *fakeClock) Options {
	return Options{Dir: dir, Hub: "h", ID: testID, Created: time.UnixMilli(testTime), Syncer: NewSyncer(), Clock: clock.now}
}

func create(t testing.TB, o Options, s Settings, partitions int) *Log {
	t.Helper()
	l, err := Create(o, s, partitions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func reopen(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustAppend(t testing.TB, tk *Ticket) *Ticket {
	t.Helper()
	<-tk.Done()
	if err := tk.Err(); err != nil {
		t.Fatal(err)
	}
	return tk
}

func bodies(texts ...string) []Event {
	var list []Event
	for _, s := range texts {
		list = append(list, Event{Body: []byte(s)})
	}
	return list
}

// readAllFrom returns the values of all readable records from an offset on, and
// checks that offsets are dense.
func readAllFrom(t testing.TB, p *Partition, from int64, maxBytes int) []string {
	t.Helper()
	var c Chunk
	var got []string
	for from < p.Bounds().Next {
		if err := p.Read(context.Background(), from, maxBytes, &c, nil); err != nil {
			t.Fatalf("read from %d: %v", from, err)
		}
		for i := range c.Batches {
			it := c.Records(i)
			for it.Next() {
				if it.Record.Offset < from {
					continue
				}
				if it.Record.Offset != from {
					t.Fatalf("record at %d, want %d", it.Record.Offset, from)
				}
				got = append(got, string(it.Record.Value))
				from++
			}
			if err := it.Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return got
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("event %d", i))
	}
	return list
}

func tempLog(t testing.TB) (Options, *fakeClock) {
	clock := newFakeClock()
	return testOptions(filepath.Join(t.TempDir(), "hub"), clock), clock
}
