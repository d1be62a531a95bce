package deltatable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"spate/blob"
	"spate/connector"
)

// ErrBehind: the table lacks rows that the job has written.
var ErrBehind = errors.New("the table is behind the job")

// Target implements connector.Audited: it is the id of the table.
func (s *Sink) Target() string {
	if t, _ := s.now(); t != nil {
		return t.Known().Metadata.ID
	}
	return ""
}

// Audit implements connector.Audited. A table that was made anew is taken, unless rows
// are to be committed whose files went with the old one.
func (s *Sink) Audit(ctx context.Context, a connector.Audit) error {
	app := s.appID(connector.Epoch{Job: a.Job})
	var epoch int64 // newest of the job that the table holds
	if t, _ := s.now(); t != nil {
		snap, err := t.Snapshot(ctx)
		if err != nil {
			return fmt.Errorf("looking at table %s: %w", s.opts.Path, err)
		}
		epoch, _ = snap.TxnVersion(app)
	}
	switch {
	case epoch > a.Epoch:
		return fmt.Errorf("table %s holds epoch %d of the job, whose folder is at epoch %d: the folder is an older copy, or another process runs the job: %w", s.opts.Path, epoch, a.Epoch, ErrAhead)
	case epoch < a.Written && a.Target != "" && a.Target == s.Target():
		return fmt.Errorf("table %s holds the rows up to epoch %d of the job, which has written epoch %d: the table is an older copy: %w", s.opts.Path, epoch, a.Written, ErrBehind)
	case a.Prepared == nil || epoch == a.Epoch:
		return nil
	}
	var p prepared
	if err := json.Unmarshal(a.Prepared, &p); err != nil {
		return fmt.Errorf("looking at what epoch %d prepared for table %s: %w", a.Epoch, s.opts.Path, err)
	}
	for _, add := range p.Adds {
		key := path.Join(s.opts.Path, add.Path)
		if t, _ := s.now(); t != nil {
			key = t.Known().Key(add)
		}
		if _, err := s.opts.Store.Stat(ctx, key); errors.Is(err, blob.ErrNotFound) {
			return fmt.Errorf("table %s: %d rows of epoch %d are not committed, and their file %s is gone: %w", s.opts.Path, p.Rows, a.Epoch, add.Path, ErrBehind)
		} else if err != nil {
			return fmt.Errorf("looking for the file %s of table %s: %w", add.Path, s.opts.Path, err)
		}
	}
	return nil
}
