// Package stream runs one Stream Analytics job: it reads the partitions of its
// inputs, decodes them, runs the plan, writes the outputs, and checkpoints.
//
// One goroutine owns each input partition: read, decode, time stage, stateless
// steps and partial aggregates. Shards run the steps that need order among the rows of
// one key, each for its keys. One more goroutine, the tail, merges what all of them
// send, runs what needs everything in one place, and owns the sinks and the epochs.
//
// A site is where steps run; an edge leads from one site to the next, and an entry is
// its far end. A partition never waits for a shard but to hand a packet over, and a
// shard never waits for a partition, so nobody waits in a circle.
package stream

import (
	"context"
	"log/slog"
	"time"

	"spate/blob"
	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/metric"
	"spate/sql/plan"
	"spate/stream/exec"
)

// Clock tells the arrival time of now. No row depends on another clock.
type Clock interface {
	Now() column.Ticks
}

// WallClock is the clock of production.
type WallClock struct{}

// Now implements Clock.
func (WallClock) Now() column.Ticks { return column.TicksOf(time.Now()) }

// Options of a job.
type Options struct {
	Name        string
	Plan        *plan.Job
	Inputs      map[string]Input          // by input name as the plan spells it
	References  map[string]Reference      // by name of an input that is reference data
	Outputs     map[string]connector.Sink // by output name as the plan spells it
	Hold        map[string]bool           // outputs, by name, for which a row that they cannot hold ends the job instead of being dropped
	Policy      exec.TimePolicy
	SkipErrors  bool  // a row that a step cannot compute is dropped, and does not end the job
	Start       Start // of a job without a checkpoint, or Anew
	Anew        bool  // leave the checkpoint: the job begins at Start, and its outputs know it as another
	Parallelism int   // shards of the steps that need order by key; default 1. Results do not depend on it
	Clock       Clock // default WallClock

	// Store and Prefix are where checkpoints go. Without a store the job keeps none and
	// its outputs are committed once, at the end.
	Store    blob.Store
	Prefix   string
	Interval time.Duration // between checkpoints; default 1s

	Drain    time.Duration // how long a stop waits for the inputs to be read to their ends; default 30s
	IdleTick time.Duration // how often silent partitions are looked at; default 100ms; negative: never
	NoFlush  bool          // keep windows open at the end of bounded inputs
	Until    column.Ticks  // the watermark never passes it; 0: the end of time

	DeadLetters *DeadLetters // nil: what is dropped is counted and not kept; needs a Store

	Metrics *metric.Recorder
	Log     *slog.Logger

	// Targets say what stands behind each output, by name, so that a job that comes back
	// does not write to another what it has prepared for one.
	Targets map[string]string

	// Former opens the target of an output that the job had and has no more, by what Targets
	// said of it, to write what was prepared for it; may be nil.
	Former func(ctx context.Context, output, target string) (connector.Sink, error)

	// Diagnostic is told about events that are dropped or whose time is changed; may be nil.
	Diagnostic func(Diagnostic)

	refs   *references // of the job that a shadow is of; nil: its own
	shadow *shadow     // not nil: the job makes state and nothing else
}

// Input is one source of a job.
type Input struct {
	Source        connector.Source
	Name          string // what it is, such as "hub telemetry": a job that comes back reads no other
	Format        Format
	SystemColumns bool // system columns join `SELECT *`
	LineOrder     bool // offsets order rows of all partitions
	General       bool // decode with the general parser only
	Promises      bool // a Read without messages always has a promise, and messages are the same when they are read again

	// Arrivals, if set, makes what finds the arrival times of one partition in the
	// events, whatever the source says of them.
	Arrivals func(partition int) Arrivals
}

// Arrivals finds when the events of a partition arrived in the events themselves:
// for inputs that no log has stamped. One goroutine uses it.
type Arrivals interface {
	// Columns are what Stamp wants to see of every event. They are decoded together with
	// what the plan reads.
	Columns() []format.Column
	// Stamp sets the arrival of each row. cols are the vectors of Columns, offsets those
	// of the messages of the rows. Times never decrease, from call to call either. An
	// error ends the job.
	Stamp(cols []column.Vector, offsets []int64, at []column.Ticks) error
}

// Format is how the messages of an input are written.
type Format struct {
	CSV       bool
	Delimiter byte // CSV; 0: a comma
	NoHeader  bool // CSV whose columns are column1, column2, ...
}

// Start says where a new job begins.
type Start struct {
	Oldest bool         // every event there is, every row is written
	First  column.Ticks // else: the first output time
}

// Diagnostic is one event or row that was dropped or changed.
type Diagnostic struct {
	Kind    string // deserialization, late, early, outOfOrder, timestamp, conversion, declaration, runtime
	Input   string // of an event, and of a row if it is known which event it came from
	Output  string // that a row was for
	Step    string // of WITH that cannot compute the row
	Line    int    // of the name of the step or output in the script; 0: of no row
	Part    int
	Offset  int64
	Dropped bool

	Snapshot string // of reference data, which the row is of; Offset is its number there

	// Of an event whose time was changed: by how much, and the offset of the message that
	// caused it; that is the event itself if it was late.
	Moved column.Ticks
	Cause int64

	Type    string // data error type, as Azure's diagnostics name it
	Reason  string
	Excerpt string

	Row []byte // as JSON: that a step cannot compute
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = WallClock{}
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Drain == 0 {
		o.Drain = 30 * time.Second
	}
	if o.IdleTick == 0 {
		o.IdleTick = 100 * time.Millisecond
	}
	if o.Until == 0 {
		o.Until = column.EndOfTime
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
