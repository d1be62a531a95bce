package pipeline

import (
	"slices"
	"strings"
	"time"

	"spate/column"
)

// Job is one Stream Analytics job.
type Job struct {
	Name       string
	Disabled   bool   // known, not started
	Script     string // query text
	ScriptFile string // its file, named in errors; empty: inline text
	Inputs     []Input
	Outputs    []Output
	Functions  []Function
	Policies   Policies
	Start      JobStart

	Parallelism        int           // at most so many shards; default: processors; see stream.Shards
	CheckpointInterval time.Duration // default: Flush.Interval of its tables, else 1s

	Acknowledged []string // codes of warnings that are known to be meant; the job runs as without
}

// JobStart is where a job begins when it has no checkpoint.
type JobStart struct {
	Mode StartMode // default StartJobStartTime
	Time time.Time // StartCustomTime: the first output time
}

// StartMode is a kind of job start.
type StartMode string

// Start modes, in Azure's words.
const (
	StartJobStartTime        StartMode = "JobStartTime"
	StartCustomTime          StartMode = "CustomTime"
	StartLastOutputEventTime StartMode = "LastOutputEventTime"
)

// EventAction is what happens to late and out-of-order events.
type EventAction string

// Event actions.
const (
	Adjust EventAction = "Adjust"
	Drop   EventAction = "Drop"
)

// OutputErrorPolicy is what happens to a row that its target cannot hold.
type OutputErrorPolicy string

// Output error policies.
const (
	DropRow OutputErrorPolicy = "Drop" // count, and dead-letter where that is on
	Stop    OutputErrorPolicy = "Stop" // hold the row, retry
)

// RuntimeErrorPolicy is what happens to a row for which an expression of the query fails.
type RuntimeErrorPolicy string

// Runtime error policies.
const (
	FailJob RuntimeErrorPolicy = "fail"
	SkipRow RuntimeErrorPolicy = "skipToDeadLetter" // count, and dead-letter where that is on
)

// Infinite is a MaxLate without bound.
const Infinite time.Duration = -1

// Policies are the time and error policies of a job.
type Policies struct {
	Action      EventAction       // default Adjust
	MaxDisorder time.Duration     // 0..599s
	MaxLate     *time.Duration    // nil: 5s; Infinite: no bound
	OutputError OutputErrorPolicy // default DropRow
	Compat      string            // compatibility level; default "1.2"
	IgnoreCase  bool              // texts compare ignoring case
	JoinElapsed bool              // the DATEDIFF of a JOIN is the time that passes, not a count of boundaries
	DeadLetter  DeadLetter

	RuntimeError RuntimeErrorPolicy // default FailJob
}

// DeadLetter says what is kept of dropped rows.
type DeadLetter struct {
	Disabled bool
	Retain   time.Duration // default 7 days
	MaxBytes int64         // default 1 GiB
}

// Input binds an alias of a script to a hub, or to reference data.
type Input struct {
	Alias         string
	Hub           string
	ConsumerGroup string // default $Default
	Format        string // json or csv; default json
	Delimiter     string // csv; default ","
	NoHeader      bool   // csv whose columns are named column1, column2, ...

	Reference  bool          // reference data: it has a Path or a Table, and no Hub
	Path       string        // of a file, or with {date} and {time} of files that say when each is in effect
	DateFormat string        // what {date} is; default yyyy/MM/dd
	TimeFormat string        // what {time} is; default HH
	Table      string        // table or database.table
	Refresh    time.Duration // how often another snapshot is looked for
}

// Output binds an alias of a script to a table or to a hub: one of the two is set.
type Output struct {
	Alias        string
	Table        string // table or database.table
	Hub          string
	Columns      []OutputColumn // computed from the row, before Rename
	Rename       map[string]string
	Strict       bool   // a row whose columns are not the table's is a conversion error
	PartitionKey string // column; hub outputs
	Immediate    bool   // hub outputs: rows are visible at once, not at the next checkpoint
	ErrorPolicy  OutputErrorPolicy
}

// OutputColumn is an extra column: Expr is a Stream Analytics scalar expression
// over the output's columns.
type OutputColumn struct {
	Name string
	Expr string
}

// Capture appends every event of a hub to a table, from the oldest event on.
type Capture struct {
	Hub     string
	Table   string
	Columns []OutputColumn // over the event and its system columns
	Strict  bool
}

// HasInput says whether an alias is bound.
func (j Job) HasInput(alias string) bool {
	return slices.ContainsFunc(j.Inputs, func(in Input) bool { return column.EqualNames(in.Alias, alias) })
}

// References are the aliases that are reference data.
func (j Job) References() []string {
	var out []string
	for _, in := range j.Inputs {
		if in.Reference {
			out = append(out, in.Alias)
		}
	}
	return out
}

// Input is the binding of an input of the script; without one it is the hub of its name.
func (j Job) Input(name string) Input {
	for _, b := range slices.Backward(j.Inputs) {
		if column.EqualNames(b.Alias, name) {
			return b
		}
	}
	return Input{Alias: name, Hub: name}
}

// Output is the binding of an output of the script; nil: there is none.
func (j Job) Output(name string) *Output {
	for i := range j.Outputs {
		if column.EqualNames(j.Outputs[i].Alias, name) {
			return &j.Outputs[i]
		}
	}
	return nil
}

// JobName is the name of the job that a capture is.
func (c Capture) JobName() string { return "capture-" + strings.ToLower(c.Hub) }
