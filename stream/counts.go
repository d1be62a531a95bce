package stream

import (
	"strconv"
	"sync/atomic"
	"time"

	"spate/column"
	"spate/metric"
)

// counts are the metrics of a job, under the names of Azure's.
type counts struct {
	metrics *metric.Recorder
	job     string
	errors  *metric.Counter // of the query, which end the job
	outputs map[string]*outputCounts
}

// inputCounts are the metrics of one partition of an input.
type inputCounts struct {
	messages, events, bytes               *metric.Counter
	deserialization                       *metric.Counter
	early, late, outOfOrder, invalidTimes *metric.Counter
}

// outputCounts are the metrics of one output.
type outputCounts struct {
	rows, conversion *metric.Counter
	handed           int64         // rows that the writer took, those of an epoch that is not saved too; the tail's
	delay            *metric.Gauge // nil before the first event
	name             string
	watermarks       []column.Ticks // of the statements that write it
}

func newCounts(m *metric.Recorder, job string) *counts {
	if m == nil {
		m = new(metric.Recorder)
	}
	return &counts{metrics: m, job: job, errors: m.Counter("Errors", "JobName", job), outputs: make(map[string]*outputCounts)}
}

func (c *counts) input(alias string, partition int) *inputCounts {
	of := func(name string) *metric.Counter {
		return c.metrics.Counter(name, "JobName", c.job, "LogicalName", alias, "PartitionId", strconv.Itoa(partition))
	}
	return &inputCounts{
		messages: of("InputEventsSourcesPerSecond"), events: of("InputEvents"), bytes: of("InputEventBytes"),
		deserialization: of("DeserializationError"), early: of("EarlyInputEvents"), late: of("LateInputEvents"),
		outOfOrder: of("DroppedOrAdjustedEvents"), invalidTimes: of("InvalidInputTimeStamp"),
	}
}

func (c *counts) output(alias string) *outputCounts {
	o := c.outputs[alias]
	if o == nil {
		of := func(name string) *metric.Counter {
			return c.metrics.Counter(name, "JobName", c.job, "LogicalName", alias)
		}
		o = &outputCounts{rows: of("OutputEvents"), conversion: of("ConversionErrors"), name: alias}
		c.outputs[alias] = o
	}
	return o
}

// deadLetter counts a letter by what is wrong.
func (c *counts) deadLetter(alias, reason string) {
	c.metrics.Counter("DeadLetterEvents", "JobName", c.job, "LogicalName", alias, "Reason", reason).Add(1)
}

// statement adds a statement to an output and returns its number in it.
func (o *outputCounts) statement() int {
	o.watermarks = append(o.watermarks, 0)
	return len(o.watermarks) - 1
}

// watermark is how far all statements of an output are.
func (o *outputCounts) watermark() column.Ticks {
	least := column.EndOfTime
	for _, w := range o.watermarks {
		least = min(least, w)
	}
	return least
}

// reached records the watermark of one statement of an output.
func (j *Job) reached(o *outputCounts, statement int, w column.Ticks) {
	if w == column.EndOfTime {
		return
	}
	o.watermarks[statement] = max(o.watermarks[statement], w)
	least := column.EndOfTime
	for _, o := range j.counts.outputs {
		least = min(least, o.watermark())
	}
	if least > 0 && least < column.EndOfTime {
		j.watermark.Store(int64(least))
	}
}

// measure records the rates of the steps, and how far the outputs are behind the clock;
// nothing for an output that has not seen an event.
func (j *Job) measure() {
	j.steps.tick(time.Now())
	j.rate(time.Now())
	now := j.opts.Clock.Now()
	for _, o := range j.counts.outputs {
		w := o.watermark()
		if w <= 0 || w == column.EndOfTime {
			continue
		}
		if o.delay == nil {
			o.delay = j.counts.metrics.Gauge("OutputWatermarkDelaySeconds", "JobName", j.opts.Name, "LogicalName", o.name)
		}
		o.delay.Set(float64(now-w) / float64(column.Second))
	}
}

// rates are how much a job reads and writes, in events and rows an hour.
type rates struct {
	in, out atomic.Int64

	at           time.Time // of the last look, which is the tail's, and the counts then
	events, rows int64
}

// rate works out how much came and went since the last look.
func (j *Job) rate(now time.Time) {
	r := &j.rates
	took := now.Sub(r.at)
	if took < time.Second/2 {
		return
	}
	events, rows := int64(0), int64(0)
	for _, p := range j.parts {
		events += p.count.events.Value()
	}
	for _, o := range j.counts.outputs {
		rows += o.handed
	}
	if !r.at.IsZero() {
		r.in.Store(int64(float64(events-r.events) / took.Hours()))
		r.out.Store(int64(float64(rows-r.rows) / took.Hours()))
	}
	r.at, r.events, r.rows = now, events, rows
}

// suppress takes the rows that lie before the first output time from a batch.
func (j *Job) suppress(b *column.Batch) *column.Batch {
	if j.first == 0 {
		return b
	}
	from := 0
	for from < b.LiveRows() && b.Time[b.Row(from)] < j.first {
		from++
	}
	early := false
	for k := from; k < b.LiveRows(); k++ {
		early = early || b.Time[b.Row(k)] < j.first
	}
	if from == 0 && !early {
		return b
	}
	live := []int32{}
	for k := from; k < b.LiveRows(); k++ {
		if i := b.Row(k); b.Time[i] >= j.first {
			live = append(live, int32(i))
		}
	}
	return b.WithLive(live)
}

// diagnose reports an event or row that was dropped or changed.
func (j *Job) diagnose(d Diagnostic) {
	if j.opts.Diagnostic != nil {
		j.opts.Diagnostic(d)
	}
}
