package connector

import (
	"context"

	"spate/column"
)

// Snapshots is where reference data comes from: whole states of it, each in effect from a
// time on until the next is.
type Snapshots interface {
	// List says what there is, in the order in which it comes into effect. It is called
	// often, and reads no content.
	List(ctx context.Context) ([]Snapshot, error)
	// Read reads the content of one. It fails if that is not what List saw.
	Read(ctx context.Context, s Snapshot) ([]byte, error)
	// Cut cuts a content into messages. Offsets are what people count rows by.
	Cut(data []byte) (*Chunk, error)
}

// Snapshot is one state of reference data.
type Snapshot struct {
	Name  string       // where it is; two of one source have two names
	From  column.Ticks // the first event time that it joins; 0: it joins all
	Dated bool         // From is said; a snapshot without is in effect from when it is found
	Stamp string       // another one if the content may be another
}
