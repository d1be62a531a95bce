// Package blob is the object store that Delta logs and checkpoints stand on.
package blob

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrExists is returned by Create when the key is there already.
var ErrExists = errors.New("blob exists")

// ErrNotFound is returned by Open and Stat for a key that is not there.
var ErrNotFound = errors.New("blob not found")

// Info describes a blob.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Store holds blobs under slash-separated keys. All methods may be called
// concurrently, from several processes.
type Store interface {
	// Create writes body under key, or returns ErrExists and changes nothing; of concurrent
	// calls one succeeds. The blob is visible only when durable.
	Create(ctx context.Context, key string, body io.Reader) (Info, error)
	// Replace writes body under key whether it exists or not: for pointer files only.
	Replace(ctx context.Context, key string, body io.Reader) (Info, error)
	// Open reads n bytes from off; n < 0 reads to the end.
	Open(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	Stat(ctx context.Context, key string) (Info, error)
	// List yields the blobs whose keys begin with prefix and are greater than after, in key order.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	Delete(ctx context.Context, keys ...string) error // a missing key is no error
}
