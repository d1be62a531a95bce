package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/connector/file"
	"spate/stream"
	"spate/stream/exec"
)

// stalled is a store whose disk stalls while a state is written.
type stalled struct {
	blob.Store
	release chan struct{}
	at      chan struct{} // closed when it stalls
	once    sync.Once
}

func (s *stalled) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if !strings.HasSuffix(key, "00.json") { // not manifest 0
		s.once.Do(func() { close(s.at) })
		<-s.release
	}
	return s.Store.Create(ctx, key, body)
}

// holding is a sink like that of a hub: events wait in memory until the epoch.
type holding struct{ pending, most atomic.Int64 }

func (s *holding) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return &holdingWriter{s}, nil
}

func (s *holding) Commit(context.Context, connector.Epoch, []connector.Prepared) error { return nil }

type holdingWriter struct{ s *holding }

func (w *holdingWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	var row []byte
	for k := range b.LiveRows() {
		row = format.AppendRow(row, b, b.Row(k))
	}
	w.s.most.Store(max(w.s.most.Load(), w.s.pending.Add(int64(len(row)))))
	return nil, nil
}

func (w *holdingWriter) Full() bool { return w.s.pending.Load() > 8<<20 }

func (w *holdingWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	w.s.pending.Store(0)
	return connector.Prepared("x"), nil
}

func (w *holdingWriter) Close() error { return nil }

// While the store stalls an output takes what it asked to be full with, and no more:
// the log is the buffer.
func TestAStalledStoreStopsTheReading(t *testing.T) {
	store := &stalled{Store: blob.NewMemory(), release: make(chan struct{}), at: make(chan struct{})}
	out := &holding{}
	in := make([]file.Message, 600_000)
	body := []byte(`{"n":"` + strings.Repeat("x", 90) + `"}`)
	for i := range in {
		in[i] = file.Message{Body: body, Line: int64(i + 1), Arrival: column.UnixEpoch + column.Ticks(i)}
	}
	o := options(t, "SELECT n INTO o FROM i", nil, store, new(table))
	o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(in, 1, 1024)}}
	o.Outputs = map[string]connector.Sink{"o": out}
	o.Interval = 10 * time.Millisecond
	j, err := stream.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- j.Run(t.Context()) }()
	<-store.at
	// The stall lasts until the output has not grown for a while: a slow machine only
	// makes the test weaker.
	for last, same := int64(-1), 0; same < 100; {
		if n := out.pending.Load(); n == last {
			same++
		} else {
			last, same = n, 0
		}
		time.Sleep(time.Millisecond)
	}
	close(store.release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := out.most.Load(); n > 16<<20 {
		t.Errorf("the output held %d MiB, it was full with 8", n>>20)
	}
}

// everyKind is a job of every kind of step.
const everyKind = `
WITH lagged AS (SELECT n, k, LAG(n) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p FROM i)
SELECT n, k INTO o FROM i WHERE n % 7 = 0
SELECT k, COUNT(*) AS tumbling, SUM(n) AS s INTO o FROM i GROUP BY k, TumblingWindow(second, 10)
SELECT k, MAX(n) AS hopping INTO o FROM i GROUP BY k, HoppingWindow(second, 20, 5)
SELECT k, MIN(n) AS sliding, COUNT(*) AS c INTO o FROM i GROUP BY k, SlidingWindow(second, 3)
SELECT k, COUNT(*) AS session INTO o FROM i GROUP BY k, SessionWindow(second, 2, 30) OVER (PARTITION BY k)
SELECT n, p INTO o FROM lagged WHERE n % 3 = 0
SELECT COUNT(*) AS behind, SUM(p) AS s INTO o FROM lagged GROUP BY TumblingWindow(second, 10)
SELECT n, LAG(n, 3) OVER (LIMIT DURATION(hour, 1)) AS third INTO o FROM i WHERE n % 2 = 0
SELECT a.n, b.n AS partner INTO o FROM i a LEFT JOIN i b ON a.k = b.k AND DATEDIFF(millisecond, a, b) BETWEEN 1 AND 300
SELECT a.n, b.p AS lagged INTO o FROM i a JOIN lagged b ON a.n % 10 = b.n % 10 AND a.k > b.k AND DATEDIFF(second, a, b) = 0 AND DATEDIFF(millisecond, a, b) > -200 AND DATEDIFF(millisecond, a, b) < 0
`

// moody is a store that fails and stalls, before and after it has done its work.
type moody struct {
	blob.Store
	mu  sync.Mutex
	rng *rand.Rand
}

var errMood = errors.New("the disk is in a mood")

func (s *moody) mood() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(12)
}

func (s *moody) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	switch s.mood() {
	case 0:
		return blob.Info{}, errMood
	case 1:
		if _, err := s.Store.Create(ctx, key, body); err != nil {
			return blob.Info{}, err
		}
		return blob.Info{}, errMood
	case 2:
		time.Sleep(5 * time.Millisecond)
	}
	return s.Store.Create(ctx, key, body)
}

func (s *moody) Delete(ctx context.Context, keys ...string) error {
	if s.mood() == 0 {
		return errMood
	}
	return s.Store.Delete(ctx, keys...)
}

func everyKindOver(t *testing.T, parts int, store blob.Store, out *table) stream.Options {
	rng := rand.New(rand.NewPCG(1, 2))
	in := make([]file.Message, 3000)
	for i := range in {
		in[i] = file.Message{Body: fmt.Appendf(nil, `{"n":%d,"k":"device-%02d"}`, i, rng.IntN(20)), Line: int64(i + 1), Arrival: newYear + column.Ticks(i)*20*column.Millisecond, Part: rng.IntN(parts)}
	}
	o := options(t, everyKind, nil, store, out)
	o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(in, parts, 16)}}
	o.Policy = exec.TimePolicy{Late: 5 * column.Second}
	return o
}

// A store that stalls, fails and comes back costs restarts, and no row is lost or
// comes twice, whatever the number of shards.
func TestEveryKindOfStepOverAMoodyStore(t *testing.T) {
	var plain table
	if err := run(t, everyKindOver(t, 3, nil, &plain)); err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(plain.rows))
	if len(want) < 5000 {
		t.Fatalf("%d rows, want some more", len(want))
	}
	for _, shards := range []int{1, 4} {
		store := &moody{Store: blob.NewMemory(), rng: rand.New(rand.NewPCG(3, uint64(shards)))}
		var out table
		restarts := 0
		for {
			o := everyKindOver(t, 3, store, &out)
			o.Interval, o.Parallelism = time.Millisecond, shards
			err := run(t, o)
			if err == nil {
				break
			}
			if !errors.Is(err, errMood) {
				t.Fatal(err)
			}
			restarts++
		}
		if got := slices.Sorted(slices.Values(out.rows)); !slices.Equal(got, want) {
			t.Errorf("%d shards, %d restarts: %d rows, want %d", shards, restarts, len(got), len(want))
		}
		if restarts == 0 {
			t.Errorf("%d shards: the store never failed", shards)
		}
	}
}
