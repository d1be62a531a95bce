package spate

import (
	"log/slog"
	"time"

	"spate/column"
	"spate/stream/exec"
)

// Options is a whole pipeline. Package config makes one from a pipeline file;
// an embedding program fills it in itself.
type Options struct {
	Dir          string // data folder, created if missing; required
	Name         string // of the pipeline; the resource group in answers; default "spate"
	Subscription string // used in resource ids; default the zero UUID
	Location     string // region named in answers; default "local"
	Namespace    string // Event Hubs namespace name; default "<Name>-ns"
	Listen       Listen
	Auth         Auth
	Hubs         []Hub
	Storage      Storage
	Tables       []Table
	Jobs         []Job
	Captures     []Capture

	ActionGroups     []ActionGroup
	Notify           []Notify
	MetricsRetention time.Duration // how long minute rows are kept; default 93 days

	Simulate *Simulate // nil: no simulator

	Drain time.Duration // how long a stop waits for jobs to read what was accepted; default 30s

	// QueryWorker is the command of the query engine's child process, program
	// first. Default: this executable with the argument duckdb-worker.
	QueryWorker []string

	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default slog.Default()
}

// Listen holds the addresses (host:port) of the listeners. Empty: closed. Port
// 0: any free port.
type Listen struct {
	AMQP  string // plain; loopback only
	AMQPS string // TLS
	Kafka string // SASL_PLAINTEXT; loopback only
	HTTP  string // console: metrics, health; loopback only

	// KafkaAnonymous lets Kafka clients in that do not authenticate. Loopback only.
	KafkaAnonymous bool

	// Advertised is the host named in connection strings and to Kafka clients;
	// default: the host of the listener.
	Advertised string

	// NextFree tries the following ports when one is taken; otherwise that is an error.
	NextFree bool

	// CertFile and KeyFile are PEM files for TLS. Default: a local authority and
	// certificate made in the data folder.
	CertFile, KeyFile string
}

// Auth says whom the listeners let in.
type Auth struct {
	Rules       []AuthRule
	EmulatorKey bool // accept RootManageSharedAccessKey with the key SAS_KEY_VALUE
}

// AuthRule is one shared access policy.
type AuthRule struct {
	Name         string
	Rights       []string // Listen, Send, Manage
	PrimaryKey   string   // default: generated and kept in the data folder
	SecondaryKey string
	Hub          string // restricts the rule to one hub; empty: the namespace
}

// Acknowledge says when a sender gets its acknowledgement.
type Acknowledge string

// Acknowledge policies.
const (
	AckSync Acknowledge = "sync" // after fdatasync
	AckOS   Acknowledge = "os"   // after write
)

// Forever is a retention that keeps everything.
const Forever time.Duration = -1

// Hub is one event hub.
type Hub struct {
	Name           string
	Partitions     int           // 1..1024; default 4
	Retention      time.Duration // default 24h; Forever keeps everything
	ConsumerGroups []string      // besides $Default
	Acknowledge    Acknowledge   // default AckSync
}

// Storage names the lake: tables lie under
// <Dir>/lake/<Account>/<Container>/, as abfss://Container@Account would have them.
type Storage struct {
	Account   string // default "spate"
	Container string // default "data"
	Database  string // of tables named without one; default "default"
}

// Table is one Delta table.
type Table struct {
	Database    string // default Storage.Database
	Name        string
	Path        string        // below the container; default "<Database>.db/<Name>"
	Columns     []TableColumn // empty: inferred from the first rows
	PartitionBy []PartitionBy
	Flush       Flush
}

// TableColumn is a column of a table. Type is a Spark type name in lower case:
// string, long, int, double, float, boolean, timestamp, date, binary.
type TableColumn struct {
	Name    string
	Type    string
	NotNull bool
}

// PartitionBy is one partition column: Column itself or, with Date, the column
// "<Column>Date" that holds the UTC day of Column.
type PartitionBy struct {
	Column string
	Date   bool
}

// Flush says how often a job commits to a table. A job commits to all its
// outputs at once: see CommitInterval.
type Flush struct {
	Interval time.Duration // default: the job's CheckpointInterval
}

// Job is one Stream Analytics job.
type Job struct {
	Name       string
	Disabled   bool   // known, not started
	Script     string // query text
	ScriptFile string // its file, named in errors; empty: inline text
	Inputs     []Input
	Outputs    []Output
	Policies   Policies
	Start      JobStart

	Parallelism        int           // at most so many shards; default: processors; see stream.Shards
	CheckpointInterval time.Duration // default: Flush.Interval of its tables, else 1s
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
	DeadLetter  DeadLetter
}

// Time returns the policies of time as the engine takes them.
func (p Policies) Time() exec.TimePolicy {
	out := exec.TimePolicy{Late: 5 * column.Second, Disorder: column.Ticks(p.MaxDisorder / 100), Drop: p.Action == Drop}
	if p.MaxLate != nil {
		out.Late = column.Ticks(*p.MaxLate / 100)
		if *p.MaxLate == Infinite {
			out.Late = -1
		}
	}
	return out
}

// DeadLetter says what is kept of dropped rows.
type DeadLetter struct {
	Disabled bool
	Retain   time.Duration // default 7 days
	MaxBytes int64         // default 1 GiB
}

// Input binds an alias of a script to a hub.
type Input struct {
	Alias         string
	Hub           string
	ConsumerGroup string // default $Default
	Format        string // json or csv; default json
	Delimiter     string // csv; default ","
	NoHeader      bool   // csv whose columns are named column1, column2, ...
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

// ActionGroup is a named list of receivers.
type ActionGroup struct {
	Name      string
	ShortName string // at most 12 characters; default Name, cut
	Disabled  bool
	Receivers []Receiver
}

// Receiver is told about alerts: one of Webhook and File is set.
type Receiver struct {
	Name    string
	Webhook string // http or https URL; a secret
	File    string // JSON lines are appended
	Headers map[string]string
	Secret  string // signs webhook bodies: X-Spate-Signature
}

// Notify sends every event of a hub to action groups.
type Notify struct {
	Name         string
	Hub          string
	ActionGroups []string
}

// Simulate is a fleet of devices that sends through a real listener.
type Simulate struct {
	Hub       string
	Devices   int           // default 20
	Interval  time.Duration // between two events of a device; default 5s
	Duration  time.Duration // 0: until stopped
	Scenario  string        // default seed
	Seed      int64         // default 1
	Via       string        // kafka or amqp; default kafka
	Rate      float64       // events per second of the whole fleet; 0: as Interval says
	Locations []string
	Types     []string
}
