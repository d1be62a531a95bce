// Package connector holds the contracts between a job and the systems it reads
// and writes.
package connector

import (
	"context"

	"spate/column"
)

// Start says where a reader begins.
type Start struct {
	Mode     StartMode
	Time     column.Ticks // AtTime: the first message that arrived at or after Time
	Position Position     // AtPosition: the message at this position
	Facts    []Fact       // what the reader tells of each message besides; none: nothing
}

// StartMode is a kind of start.
type StartMode uint8

// Start modes.
const (
	Oldest StartMode = iota
	Newest
	AtTime
	AtPosition
)

// Position is a place in one partition, in the source's own bytes: the first
// message not yet read. It is kept in manifests.
type Position []byte

// Fact is something that a source may know of a message besides its body and its time.
type Fact struct {
	Kind FactKind
	Name string // of a Property, and of what a gateway says
}

// FactKind is a kind of fact.
type FactKind uint8

// Kinds of facts. What a source does not know of a message is NULL.
const (
	Sequence      FactKind = iota // number of the message in its partition: a bigint
	Identity                      // a text that no other message has, the same whenever it is read
	FileName                      // of the file that holds it: a text
	PartitionKey                  // a text
	Publisher                     // a text
	Property                      // the application property Name: of any kind
	Properties                    // all application properties by the order of their names: a record
	Gateway                       // what a gateway of devices has written under Name: of any kind
	MessageID                     // that the sender gave: of any kind
	CorrelationID                 // the same
)

// Source is something a job reads.
type Source interface {
	Partitions(ctx context.Context) (int, error)
	OpenReader(ctx context.Context, partition int, from Start) (Reader, error)
}

// Replayed is a Source that can be read again up to a position.
type Replayed interface {
	// PositionOf is the position of a message, or of the first behind it that there is.
	PositionOf(partition int, offset int64) Position
	// OpenBetween is OpenReader for the messages before a position. The reader gives io.EOF
	// there.
	OpenBetween(ctx context.Context, partition int, from Start, to Position) (Reader, error)
}

// Remembering is a Source that can tell whether a position is one of its own still.
type Remembering interface {
	Remembers(ctx context.Context, partition int, p Position) error
}

// Reader reads one partition. One goroutine uses it.
type Reader interface {
	// Read resets c and fills it with the next messages, waiting for at least one. It
	// returns with none when wake fires, and io.EOF when a bounded source is read to its end.
	Read(ctx context.Context, c *Chunk, wake <-chan struct{}) error
	Close() error
}

// Chunk is what one Read brought. Message i is Data[Starts[i]:Ends[i]]; at least
// 16 readable bytes follow the last message, so that decoders may load words.
// The chunk is the caller's: its memory is reused by the next Read.
type Chunk struct {
	Data     []byte
	Starts   []uint32
	Ends     []uint32
	Arrivals []column.Ticks   // enqueued time of each message, never decreasing
	Offsets  []int64          // of each message, for reports
	Facts    [][]column.Value // by fact of Start, then by message; nil: the source knows none
	Next     Position         // behind the messages
	CaughtUp bool             // nothing more was there when this was read
	Promise  column.Ticks     // no later message arrives before this; 0: no promise
	Missed   bool             // messages may have been removed before they were read
}

// Reset empties c and keeps its memory.
func (c *Chunk) Reset() {
	c.Data, c.Starts, c.Ends = c.Data[:0], c.Starts[:0], c.Ends[:0]
	c.Arrivals, c.Offsets = c.Arrivals[:0], c.Offsets[:0]
	for i := range c.Facts {
		c.Facts[i] = c.Facts[i][:0]
	}
	c.Next, c.CaughtUp, c.Promise, c.Missed = nil, false, 0, false
}

// Len is the number of messages.
func (c *Chunk) Len() int { return len(c.Starts) }

// Cut leaves the first n messages.
func (c *Chunk) Cut(n int) {
	c.Starts, c.Ends, c.Arrivals, c.Offsets = c.Starts[:n], c.Ends[:n], c.Arrivals[:n], c.Offsets[:n]
	for i := range c.Facts {
		c.Facts[i] = c.Facts[i][:n]
	}
}

// Tell makes room for the facts that a reader was asked for.
func (c *Chunk) Tell(facts []Fact) {
	if len(c.Facts) != len(facts) {
		c.Facts = make([][]column.Value, len(facts))
	}
}

// Epoch names one checkpoint of one job.
type Epoch struct {
	Job         string // stable id of the job
	Number      int64
	Incarnation string // of the process; part of every name of what Prepare leaves behind

	// Offsets say how far each input partition is that brought events to this epoch. Commit
	// gets them, Prepare does not.
	Offsets []Offset
}

// Offset is the last message of one input partition.
type Offset struct {
	Input     string `json:"input"`
	Partition int    `json:"partition"`
	Last      int64  `json:"last"`
}

// Prepared describes, in the sink's own bytes, what one writer prepared. It is kept
// in the manifest. Nil: nothing was written.
type Prepared []byte

// BadRow is a row that the target cannot hold.
type BadRow struct {
	Row    int // index in the batch
	Reason string
}

// Writer takes the rows of one shard. One goroutine uses it.
type Writer interface {
	// Write may keep b; may block. Rows the target cannot hold come back.
	Write(ctx context.Context, b *column.Batch) ([]BadRow, error)
	// Prepare makes the rows since the last Prepare durable but not visible.
	Prepare(ctx context.Context, epoch Epoch) (Prepared, error)
	Close() error
}

// StatementWriter is a Writer that wants to know which statement a batch comes from:
// its index among the outputs of the plan.
type StatementWriter interface {
	WriteStatement(ctx context.Context, statement int, b *column.Batch) ([]BadRow, error)
}

// WatermarkWriter is a Writer that wants to know how far the statements that write to
// it are. Rows that come behind a call have times >= w, those at w among them; at
// column.EndOfTime none comes. w never decreases for one statement.
type WatermarkWriter interface {
	AdvanceStatement(statement int, w column.Ticks) error
}

// FullWriter is a Writer that can ask for an epoch, because it holds so much that the
// next one should not wait for its time.
type FullWriter interface{ Full() bool }

// LateWriter is a Writer that may hold rows back and find only then that the
// target cannot hold them.
type LateWriter interface {
	// Late returns what came out since the last call; it is called behind Prepare.
	Late() []LateRows
}

// LateRows are bad rows of a batch that Write had taken.
type LateRows struct {
	Batch *column.Batch
	Bad   []BadRow
}

// Shard says who opens a writer.
type Shard struct {
	Job    string // stable id of the job, as in Epoch
	Number int    // of the shard, from 0
	Of     int    // shards
}

// Sink is something a job writes. After a start the newest manifest's Commit
// comes again, then OpenWriter.
type Sink interface {
	OpenWriter(ctx context.Context, s Shard) (Writer, error)
	// Commit publishes what all shards prepared. Repeated, it changes nothing.
	Commit(ctx context.Context, epoch Epoch, shards []Prepared) error
}

// Judging is a Sink that can say of rows, which it is not to write, whether it could.
type Judging interface {
	Refuses(b *column.Batch) []BadRow
}

// Audited is a Sink that can tell whether it still is what a job has written.
type Audited interface {
	// Target identifies what the sink writes: a thing made anew under the same name is
	// another. Empty: there is nothing yet.
	Target() string
	// Audit is called before a job goes on. It fails if rows that the job has written are
	// gone while it would go on behind them, or if the target is further than the job.
	Audit(ctx context.Context, a Audit) error
}

// Audit is what the newest manifest of a job says of one output.
type Audit struct {
	Job      string   // stable id
	Epoch    int64    // of the manifest
	Written  int64    // newest epoch of which the rows are in the target, 0: none
	Target   string   // what Target gave then; empty: it is not known
	Prepared Prepared // rows of Epoch that may not be there yet; nil: there are none
}
