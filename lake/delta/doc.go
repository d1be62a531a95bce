// Package delta reads and writes the transaction log of Delta Lake tables: the
// actions, snapshots, checkpoints and optimistic commits. It knows data files by
// what the log says of them, and leaves their rows to others.
//
// # Lifetime
//
// A Table may be used by many goroutines. A Snapshot is immutable and stays
// valid, although the files it names may be vacuumed one day.
//
// # Guarantee
//
// A version is created by blob.Store.Create, so of concurrent writers, ours or
// foreign ones, one gets it; the others check what won (Commit) and go on.
//
// Stability: importable, not promised before 1.0.
package delta

import "errors"

// Errors that a caller may branch on. The names in their texts are those that
// Spark gives them.
var (
	// ErrNotATable is returned where no log is.
	ErrNotATable = errors.New("not a Delta table")
	// ErrTableExists is returned by Create.
	ErrTableExists = errors.New("Delta table exists")
	// ErrUnsupported wraps the name of a protocol feature.
	ErrUnsupported = errors.New("table feature is not supported yet")
	// ErrDamaged is a log that breaks the protocol.
	ErrDamaged = errors.New("damaged Delta log")
	// ErrTransactionConflict: another writer used our application id.
	ErrTransactionConflict = errors.New("ConcurrentTransactionException")
	// ErrMetadataChanged: the table changed in a way that our data does not fit.
	ErrMetadataChanged = errors.New("MetadataChangedException")
	// ErrProtocolChanged: a winning commit changed the protocol as ours does.
	ErrProtocolChanged = errors.New("ProtocolChangedException")
	// ErrDeleteConflict: a file that we remove was removed meanwhile.
	ErrDeleteConflict = errors.New("ConcurrentDeleteDeleteException")
	// ErrAppendConflict: files came that a transaction which read the table had to see.
	ErrAppendConflict = errors.New("ConcurrentAppendException")
	// ErrVersionNotFound: the log does not reach to that version.
	ErrVersionNotFound = errors.New("version not found")
	// ErrBehind: commits that a snapshot lacks were cleaned up.
	ErrBehind = errors.New("the log was cleaned up beyond it")
	// ErrCommitTimeout: too many other writers won.
	ErrCommitTimeout = errors.New("ConcurrentWriteException")
)
