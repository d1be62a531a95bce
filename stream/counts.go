package stream

import (
	"spate/column"
	"spate/metric"
)

// counts are the metrics of a job, under the names of Azure's.
type counts struct {
	metrics         *metric.Recorder
	job             string
	inputEvents     *metric.Counter
	inputBytes      *metric.Counter
	deserialization *metric.Counter
	early           *metric.Counter
	late            *metric.Counter
	outOfOrder      *metric.Counter
	invalidTime     *metric.Counter
	conversion      *metric.Counter
	runtime         *metric.Counter
	delay           *metric.Gauge
	outputs         map[string]*outputCounts
}

type outputCounts struct{ rows *metric.Counter }

func newCounts(m *metric.Recorder, job string) *counts {
	if m == nil {
		m = new(metric.Recorder)
	}
	c := func(name string) *metric.Counter { return m.Counter(name, "job", job) }
	return &counts{
		metrics: m, job: job,
		inputEvents: c("InputEvents"), inputBytes: c("InputEventBytes"),
		deserialization: c("DeserializationError"), early: c("EarlyInputEvents"), late: c("LateInputEvents"),
		outOfOrder: c("DroppedOrAdjustedEvents"), invalidTime: c("InvalidInputTimeStamp"), conversion: c("ConversionErrors"),
		runtime: c("Errors"), delay: m.Gauge("OutputWatermarkDelaySeconds", "job", job),
		outputs: make(map[string]*outputCounts),
	}
}

func (c *counts) output(name string) *outputCounts {
	if o := c.outputs[name]; o != nil {
		return o
	}
	o := &outputCounts{c.metrics.Counter("OutputEvents", "job", c.job, "output", name)}
	c.outputs[name] = o
	return o
}

// reached records the watermark of an output.
func (j *Job) reached(w column.Ticks) {
	if w == column.EndOfTime {
		return
	}
	if old := j.watermark.Load(); int64(w) > old {
		j.watermark.Store(int64(w))
		j.counts.delay.Set(float64(j.opts.Clock.Now()-w) / float64(column.Second))
	}
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
