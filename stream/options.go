// Package stream runs one Stream Analytics job: it reads the partitions of its
// inputs, decodes them, runs the plan, writes the outputs, and checkpoints.
//
// One goroutine owns each input partition: read, decode, time stage, stateless
// steps and partial aggregates. One more, the tail, merges what the partitions
// send, runs the steps that need total order, and owns the sinks.
package stream

import (
	"log/slog"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/metric"
	"spate/sql/plan"
	"spate/stream/exec"
)

// Clock tells the arrival time of now. Nothing else in a job reads a clock.
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
	Outputs     map[string]connector.Sink // by output name as the plan spells it
	Hold        map[string]bool           // outputs, by name, for which a row that they cannot hold ends the job instead of being dropped
	Policy      exec.TimePolicy
	Start       Start // of a job without a checkpoint
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

	// Diagnostic is told about events that are dropped or whose time is changed; may be nil.
	Diagnostic func(Diagnostic)
}

// Input is one source of a job.
type Input struct {
	Source        connector.Source
	Format        Format
	SystemColumns bool // system columns join `SELECT *`
	LineOrder     bool // offsets order rows of all partitions
	General       bool // decode with the general parser only
	Promises      bool // a Read without messages always has a promise, and messages are the same when they are read again
}

// Format is how the messages of an input are written.
type Format struct {
	CSV       bool
	Delimiter byte // CSV; 0: a comma
}

// Start says where a new job begins.
type Start struct {
	Oldest bool         // every event there is, every row is written
	First  column.Ticks // else: the first output time
}

// Diagnostic is one event or row that was dropped or changed.
type Diagnostic struct {
	Kind    string // deserialization, late, early, outOfOrder, timestamp, conversion, declaration
	Input   string
	Output  string
	Part    int
	Offset  int64
	Dropped bool
	Type    string // data error type, as Azure's diagnostics name it
	Reason  string
	Excerpt string
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
