package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"spate/blob"
	"spate/column"
)

// Snapshot is a snapshot of reference data that rows of the job join.
type Snapshot struct {
	Name   string       `json:"name"`             // where it was found
	Stamp  string       `json:"stamp,omitempty"`  // of its source: other if the content may be
	ID     string       `json:"id"`               // of the content: its SHA-256
	From   column.Ticks `json:"from"`             // the first time that it joins
	At     column.Ticks `json:"at,omitempty"`     // From as the source has it; 0: it says nothing
	Before bool         `json:"before,omitempty"` // there were others before it
}

func (l *Log) contentKey(id string) string { return l.prefix + "reference/" + id }

// KeepContent writes the content of a snapshot, before the manifest that names it. One that
// is there already is left alone.
func (l *Log) KeepContent(ctx context.Context, id string, data []byte) error {
	key := l.contentKey(id)
	_, err := l.store.Create(ctx, key, bytes.NewReader(data))
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return nil
}

// Content reads the content of a snapshot.
func (l *Log) Content(ctx context.Context, id string) ([]byte, error) {
	key := l.contentKey(id)
	data, err := l.read(ctx, key)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != id {
		return nil, fmt.Errorf("reading %s: it is damaged: its content is not what its name says", key)
	}
	return data, nil
}

// sweepContents lists the contents that a manifest does not name.
func (l *Log) sweepContents(ctx context.Context, keep *Manifest) ([]string, error) {
	named := make(map[string]bool)
	for _, list := range keep.References {
		for _, v := range list {
			named[l.contentKey(v.ID)] = true
		}
	}
	var old []string
	for info, err := range l.store.List(ctx, l.prefix+"reference/", "") {
		if err != nil {
			return nil, fmt.Errorf("listing %sreference/: %w", l.prefix, err)
		}
		if !named[info.Key] {
			old = append(old, info.Key)
		}
	}
	return old, nil
}
