package connector

import "context"

// ImmediateSink is a Sink whose rows can be read before the checkpoint that holds them.
// The job gives its one writer the same rows in the same order in every life. Commit of
// the newest checkpoint's note tells the sink where that checkpoint lies in the order;
// rows behind it that an earlier life has written are passed over. Its writers are
// ImmediateWriters; once one is opened, those opened before write no more.
type ImmediateSink interface {
	Sink
	// Form names everything beside the rows that decides where they are written. Lives of
	// a job whose sinks have other forms are no lives of one job.
	Form() string
}

// ImmediateWriter is the Writer of an ImmediateSink. Its Prepare waits until everything
// written is durable, and always has a note.
type ImmediateWriter interface {
	Writer
	// Flush lets go what Write has taken, and does not wait until it is durable. It fails
	// if something flushed before has failed.
	Flush(ctx context.Context) error
	// Behind reports whether an earlier life wrote more than this one has so far.
	Behind() bool
}
