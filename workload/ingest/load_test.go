package ingest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answering is a client whose answers take a while each: the first as long as slow says.
type answering struct {
	slow, took time.Duration
	fails      error
	batches    [][][]byte
}

func (a *answering) Send(_ context.Context, _ int, bodies [][]byte) error {
	if a.fails != nil && len(a.batches) > 0 {
		return a.fails
	}
	d := a.took
	if len(a.batches) == 1 { // behind the greeting
		d = a.slow
	}
	time.Sleep(d)
	a.batches = append(a.batches, slices.Clone(bodies))
	return nil
}

func (a *answering) Close() error { return nil }

func loadOf(l Load, senders ...*answering) (*Result, error) {
	l.Producers = len(senders)
	c, err := connect(context.Background(), &l, func(_ context.Context, _ *Load, k int) (Sender, error) { return senders[k], nil })
	if err != nil {
		return nil, err
	}
	r, err := c.run(context.Background())
	return r, errors.Join(err, c.close())
}

// Producers that have a beat keep it, and what waits behind a slow answer is late by as
// much.
func TestABatchBehindASlowAnswerIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &answering{slow: 250 * time.Millisecond, took: time.Millisecond}, &answering{slow: time.Millisecond, took: time.Millisecond}
		r, err := loadOf(Load{Size: 100, Batch: 5, Rate: 100, Duration: time.Second}, a, b)
		if err != nil {
			t.Fatal(err)
		}
		// Each sends 10 batches, 100 ms apart. Those of a that were due at 100 and 200 ms
		// begin at 250 and 251.
		if r.Batches != 20 || r.Events != 100 || r.Bytes != 10_000 || r.First != 10 {
			t.Errorf("%+v", r)
		}
		if r.Max != 250*time.Millisecond || r.P50 != time.Millisecond || r.P99 != 250*time.Millisecond {
			t.Errorf("max %s, p50 %s, p99 %s", r.Max, r.P50, r.P99)
		}
		var took []time.Duration
		c := &crew{load: &Load{Size: 100, Batch: 5, Producers: 1, Rate: 50, Duration: 300 * time.Millisecond}, bodies: payloads(100)}
		slow := &answering{slow: time.Millisecond, took: 250 * time.Millisecond}
		if took, err = c.produce(t.Context(), slow, 0, time.Now()); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{250 * time.Millisecond, 151 * time.Millisecond, 301 * time.Millisecond}; !slices.Equal(took, want) {
			t.Errorf("answers took %v, want %v", took, want)
		}
	})
}

func TestProducersWithoutABeatSendUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answering{slow: 10 * time.Millisecond, took: 10 * time.Millisecond}
		r, err := loadOf(Load{Size: 300, Batch: 3, Duration: time.Second}, a)
		if err != nil {
			t.Fatal(err)
		}
		if r.Batches != 100 || r.Took != time.Second || r.P50 != 10*time.Millisecond {
			t.Errorf("%+v", r)
		}
		for _, batch := range a.batches {
			if len(batch) != 3 || len(batch[0]) != 300 || bytes.Equal(batch[0], batch[1]) {
				t.Fatalf("a batch of %d events, the first %q", len(batch), batch[0])
			}
		}
	})
}

func TestAFailureOfOneProducerIsTheRuns(t *testing.T) {
	lost := errors.New("lost")
	_, err := loadOf(Load{Size: 1, Batch: 1, Duration: time.Millisecond}, &answering{}, &answering{fails: lost})
	if !errors.Is(err, lost) || !strings.Contains(err.Error(), "producer 1") {
		t.Errorf("%v", err)
	}
}

func TestLoadsThatCannotBeAreRefused(t *testing.T) {
	good := Load{Via: "kafka", Producers: 1, Size: 1, Batch: 1, Codec: "none", Duration: 1, Target: Target{Partitions: 1}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Load){
		"want one of":          func(l *Load) { l.Codec = "br" },
		"do not compress":      func(l *Load) { l.Codec, l.Via = "zstd", "amqp" },
		"must be above 0":      func(l *Load) { l.Batch = 0 },
		"want 1 to":            func(l *Load) { l.Size = MaxEvent },
		"must not be below 0":  func(l *Load) { l.Rate = -1 },
		"only Kafka fetches":   func(l *Load) { l.FetchMax, l.Events, l.Via = 1, 1, "amqp" },
		"as fast as they can":  func(l *Load) { l.FetchMax, l.Events, l.Rate = 1, 1, 1 },
		"want at most":         func(l *Load) { l.FetchMax, l.Events = maxFetch+1, 1 },
		"events must be above": func(l *Load) { l.FetchMax = 1 },
	} {
		l := good
		change(&l)
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", l, err, want)
		}
	}
}

// Whoever measures sees what is stored and what was not.
func TestWhatIsStoredIsWhatWasAcknowledged(t *testing.T) {
	o := Outcome{Result: Result{Events: 10, Batches: 2, First: 5}}
	if err := o.CheckStored(15); err != nil {
		t.Error(err)
	}
	for _, n := range []int64{14, 16} {
		if o.CheckStored(n) == nil {
			t.Errorf("%d events of 15 were fine", n)
		}
	}
}

// Producers that nobody tells to go end.
func TestProducersEndWithWhoeverMeasures(t *testing.T) {
	load := `{"Via":"x","Producers":1,"Size":1,"Batch":1,"Codec":"none","Duration":1,"Partitions":1}` + "\n"
	var out bytes.Buffer
	err := Produce(t.Context(), strings.NewReader(load), &out, map[string]Dial{"x": func(context.Context, *Load, int) (Sender, error) { return &answering{}, nil }})
	if err == nil || !strings.Contains(err.Error(), "has gone") || out.String() != "ready\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}
