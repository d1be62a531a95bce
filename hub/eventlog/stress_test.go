package eventlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Senders, readers and retention at once: each reader sees dense offsets, each
// sender's events in order, and times that never fall.
func TestConcurrentAppendReadAndTrim(t *testing.T) {
	clock := newFakeClock()
	o := testOptions(filepath.Join(t.TempDir(), "hub"), clock)
	l := create(t, o, Settings{SegmentBytes: 1 << 20, RetentionBytes: 3 << 20}, 2)
	const senders, each = 4, 150
	pad := strings.Repeat("p", 10_000)
	ctx, cancel := context.WithCancel(t.Context())
	var sending, reading sync.WaitGroup
	for part := range 2 {
		p := l.Partition(part)
		for s := range senders {
			sending.Go(func() {
				for i := range each {
					clock.ms.Add(1)
					if tk := p.Append(Kafka, bodies(fmt.Sprintf("%d %d %s", s, i, pad))); i%10 == 0 {
						<-tk.Done()
					}
				}
			})
		}
		for range 2 {
			reading.Go(func() {
				var c Chunk
				var next, lastTime int64
				seen := map[string]int{}
				for next < senders*each {
					err := p.Read(ctx, next, 100_000, &c, nil)
					if errors.Is(err, ErrOffsetOutOfRange) {
						next = p.Bounds().First
						continue
					}
					if err != nil {
						t.Errorf("read at %d: %v", next, err)
						return
					}
					for i := range c.Batches {
						b := &c.Batches[i]
						if b.BaseOffset != next || b.AppendTime < lastTime {
							t.Errorf("batch at %d with time %d, want %d and not before %d", b.BaseOffset, b.AppendTime, next, lastTime)
						}
						next, lastTime = b.Next(), b.AppendTime
						for it := c.Records(i); it.Next(); {
							f := strings.Fields(string(it.Record.Value))
							n, _ := strconv.Atoi(f[1])
							if was, ok := seen[f[0]]; ok && n <= was {
								t.Errorf("sender %s: event %d behind %d", f[0], n, was)
							}
							seen[f[0]] = n
						}
					}
				}
			})
		}
	}
	trimming := make(chan struct{})
	go func() {
		defer close(trimming)
		for ctx.Err() == nil {
			if err := l.Trim(clock.now()); err != nil {
				t.Errorf("trim: %v", err)
			}
			l.Partition(0).PromiseFrom(0)
			l.Partition(1).OffsetAt(clock.now().Add(-50 * time.Millisecond))
		}
	}()
	sending.Wait()
	reading.Wait()
	cancel()
	<-trimming
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// A process that appends and says what was acknowledged is killed again and
// again: each acknowledged event is there, once, in order.
func TestKilledProcessKeepsWhatItAcknowledged(t *testing.T) {
	dir := os.Getenv("EVENTLOG_KILL_DIR")
	if dir != "" {
		appendUntilKilled(dir)
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir = filepath.Join(t.TempDir(), "hub")
	o := Options{Dir: dir, Hub: "h", ID: testID, Syncer: NewSyncer()}
	create(t, o, Settings{SegmentBytes: 1 << 20}, 1).Close()
	acked := int64(0)
	for round := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessKeepsWhatItAcknowledged$")
		cmd.Env = append(os.Environ(), "EVENTLOG_KILL_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			v, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("round %d: the process said %q", round, lines.Text())
			}
			acked = v
			if n == 20+37*round {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		p := l.Partition(0)
		if p.Err() != nil || p.Bounds().Next <= acked {
			t.Fatalf("round %d: Err %v, bounds %+v, offset %d was acknowledged", round, p.Err(), p.Bounds(), acked)
		}
		for i, v := range readAllFrom(t, p, 0, 1<<20) {
			if !strings.HasPrefix(v, strconv.Itoa(i)+" ") {
				t.Fatalf("round %d: offset %d holds %.20q", round, i, v)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func appendUntilKilled(dir string) {
	l, err := Open(Options{Dir: dir, Hub: "h", ID: testID, Syncer: NewSyncer()})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := l.Partition(0)
	pad := strings.Repeat("k", 5000)
	flight := make(chan *Ticket, 20)
	go func() {
		for i := p.Bounds().Next; ; i += 2 {
			flight <- p.Append(Kafka, bodies(fmt.Sprintf("%d %s", i, pad), fmt.Sprintf("%d %s", i+1, pad)))
		}
	}()
	for tk := range flight {
		<-tk.Done()
		if tk.Err() != nil {
			fmt.Println(tk.Err())
			return
		}
		fmt.Println(tk.Offset() + 1)
	}
}
