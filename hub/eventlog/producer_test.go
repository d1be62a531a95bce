package eventlog

import (
	"runtime"
	"testing"
)

// A client that takes a new producer id for each batch costs no more than so many.
func TestProducersAreForgottenWhenThereAreTooMany(t *testing.T) {
	l, o, _ := faultLog(t, Settings{})
	p := l.Partition(0)
	job := FirstJobProducer + 1
	mustAppend(t, p.AppendOnce(job, 0, bodies("a")))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 3 * maxProducers
	b := kafkaBatch(5, 0, 0, 0, "a")
	var last *Ticket
	for id := range int64(n) {
		last = p.appendEvents(Kafka, id, 0, 0, bodies("a"))
	}
	mustAppend(t, last)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 { // the log of this test is in memory, too
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	p.appendMu.Lock()
	known := len(p.known)
	p.appendMu.Unlock()
	if known > maxProducers {
		t.Errorf("%d producers are known, want %d at most", known, maxProducers)
	}
	if _, _, ok := p.Producer(n - 1); !ok {
		t.Error("the last producer is not known")
	}
	if got := p.ProducerNext(job); got != 1 {
		t.Errorf("the job's next sequence is %d, want 1", got)
	}
	if tk := mustAppend(t, p.AppendBatch(b)); tk.Duplicate() {
		t.Error("a forgotten producer is taken for a known one")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p = reopen(t, o).Partition(0)
	if len(p.known) > maxProducers || p.ProducerNext(job) != 1 {
		t.Errorf("behind a start: %d producers, the job's next sequence is %d", len(p.known), p.ProducerNext(job))
	}
}
