package delta

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"spate/blob"
)

// Transaction is what one commit does to a table.
type Transaction struct {
	Operation    string            // as DESCRIBE HISTORY shows it, for example "STREAMING UPDATE"
	Parameters   map[string]any    // operationParameters: texts, mostly
	Metrics      map[string]string // operationMetrics
	UserMetadata string

	Adds     []*Add
	Removes  []*Remove
	Txns     []Txn
	Metadata *Metadata
	Protocol *Protocol

	// Base is the version that was read; what was committed behind it is checked
	// for conflicts. Nil: the newest when Commit is called.
	Base *Snapshot
	// WrittenFor is the version whose schema the files were written for, if that
	// is not Base.
	WrittenFor *Snapshot
	// ReadsTable says that the rows written depend on rows read: a commit that
	// changed them meanwhile is a conflict. Blind appends leave it false.
	ReadsTable bool
}

// Commit makes a new version. When others win it checks what they did and tries
// the next version: appends of others never conflict with ours, a changed schema
// only if our files do not fit it any more.
func (t *Table) Commit(ctx context.Context, tx *Transaction) (*Snapshot, error) {
	base := tx.Base
	if base == nil {
		var err error
		if base, err = t.Snapshot(ctx); err != nil {
			return nil, err
		}
	}
	if err := base.checkWrite(); err != nil {
		return nil, fmt.Errorf("table %s: %w", t.prefix, err)
	}
	if w := tx.WrittenFor; w != nil {
		if err := fits(w, base); err != nil {
			return nil, fmt.Errorf("commit to %s: %w: %w", t.prefix, ErrMetadataChanged, err)
		}
	}
	blind := !tx.ReadsTable && len(tx.Removes) == 0
	s, err := t.commit(ctx, tx, base, &blind)
	if err != nil {
		return nil, fmt.Errorf("commit to %s: %w", t.prefix, err)
	}
	t.after(ctx, s)
	return s, nil
}

func (t *Table) commit(ctx context.Context, tx *Transaction, base *Snapshot, blind *bool) (*Snapshot, error) {
	c := &commit{protocol: tx.Protocol, metadata: tx.Metadata, adds: tx.Adds, removes: tx.Removes}
	for i := range tx.Txns {
		c.txns = append(c.txns, &tx.Txns[i])
	}
	if err := tx.check(c, base); err != nil {
		return nil, err
	}
	if err := tx.removesLive(base); err != nil {
		return nil, err
	}
	deadline := t.opts.Clock().Add(t.opts.CommitTimeout)
	for attempt := 0; ; attempt++ {
		cur, won, err := t.advance(ctx, base)
		if err != nil {
			return nil, err
		}
		for _, w := range won {
			if err := tx.conflict(w, base, cur); err != nil {
				return nil, fmt.Errorf("version %d won: %w", w.version, err)
			}
		}
		base = cur
		c.version = cur.Version + 1
		s, err := t.put(ctx, c, tx, cur, blind)
		if err == nil {
			t.mu.Lock()
			if t.head == nil || s.Version > t.head.Version {
				t.head = s
			}
			t.mu.Unlock()
			return s, nil
		}
		if !errors.Is(err, blob.ErrExists) {
			return nil, err
		}
		if t.opts.Clock().After(deadline) {
			return nil, fmt.Errorf("other writers won %d times: %w", attempt+1, ErrCommitTimeout)
		}
		if err := sleep(ctx, time.Millisecond+time.Duration(mathrand.Int64N(int64(min(attempt+1, 10))*int64(5*time.Millisecond)))); err != nil {
			return nil, err
		}
	}
}

// put tries to create one version.
func (t *Table) put(ctx context.Context, c *commit, tx *Transaction, cur *Snapshot, blind *bool) (*Snapshot, error) {
	info := &CommitInfo{Timestamp: t.opts.Clock().UnixMilli(), Operation: tx.Operation, OperationParameters: tx.Parameters,
		IsolationLevel: "Serializable", IsBlindAppend: blind, OperationMetrics: tx.Metrics, UserMetadata: tx.UserMetadata,
		EngineInfo: t.opts.EngineInfo, TxnID: newUUID()}
	if tx.rearranges() {
		info.IsolationLevel = "SnapshotIsolation"
	}
	if info.OperationParameters == nil {
		info.OperationParameters = map[string]any{}
	}
	if cur.Version >= 0 {
		info.ReadVersion = &cur.Version
	}
	if err := t.stamp(ctx, c, cur, info); err != nil {
		return nil, err
	}
	if err := c.numberRows(tx, cur); err != nil {
		return nil, err
	}
	next, err := cur.apply(c)
	if err != nil {
		return nil, err
	}
	next.info = marshal(info)
	body := c.encode(info)
	_, err = t.store.Create(ctx, t.commitKey(c.version), bytes.NewReader(body))
	if err == nil {
		return next, nil
	}
	// After a time-out or a lost answer the version may be there all the same: ours, or
	// that of another writer, which won then.
	switch ours, there := t.ours(ctx, c.version, info.TxnID); {
	case ours:
		return next, nil
	case there && !errors.Is(err, blob.ErrExists):
		return nil, fmt.Errorf("%w: %w", blob.ErrExists, err)
	}
	return nil, err
}

// rearranges reports whether the transaction moves rows between files and
// changes none.
func (tx *Transaction) rearranges() bool {
	for _, a := range tx.Adds {
		if a.DataChange {
			return false
		}
	}
	for _, r := range tx.Removes {
		if r.DataChange {
			return false
		}
	}
	return len(tx.Adds)+len(tx.Removes) > 0
}

// ours reports whether the version in the store carries our txnId, and whether it is there
// at all.
func (t *Table) ours(ctx context.Context, version int64, txnID string) (ours, there bool) {
	w, err := t.readCommit(ctx, version)
	if err != nil {
		return false, false
	}
	var ci struct {
		TxnID string `json:"txnId"`
	}
	return json.Unmarshal(w.info, &ci) == nil && ci.TxnID == txnID, true
}

// check refuses transactions that are illegal by themselves.
func (tx *Transaction) check(c *commit, base *Snapshot) error {
	if err := c.checkPaths(base.root); err != nil {
		return err
	}
	for i := range tx.Txns {
		for k := range i {
			if tx.Txns[i].AppID == tx.Txns[k].AppID {
				return fmt.Errorf("two txn actions of %q", tx.Txns[i].AppID)
			}
		}
	}
	partitions := base.partitionNames()
	if tx.Metadata != nil {
		next := base.bare()
		if tx.Protocol != nil {
			next.Protocol = *tx.Protocol
		}
		if err := next.setMetadata(tx.Metadata); err != nil {
			return err
		}
		partitions = next.partitionNames()
	}
	for _, a := range tx.Adds {
		if err := checkPartitions(partitions, a.PartitionValues); err != nil {
			return fmt.Errorf("file %s: %w", a.Path, err)
		}
	}
	if base.AppendOnly() {
		for _, r := range tx.Removes {
			if r.DataChange {
				return fmt.Errorf("the table has delta.appendOnly: %s cannot be removed", r.Path)
			}
		}
	}
	return nil
}

// removesLive refuses a transaction that removes what its base does not hold: rows that were
// copied out of such a file would come back.
func (tx *Transaction) removesLive(base *Snapshot) error {
	for _, r := range tx.Removes {
		if !base.files.live.holds(base.root, r.Path, func(dv *DeletionVector) bool { return dv.id() == r.DeletionVector.id() }) {
			return fmt.Errorf("%s is not in version %d: %w", r.Path, base.Version, ErrDeleteConflict)
		}
	}
	return nil
}

// conflict judges one winning commit; base is what we were made for, cur the
// table after all winners.
func (tx *Transaction) conflict(w *commit, base, cur *Snapshot) error {
	for _, t := range w.txns {
		if slices.ContainsFunc(tx.Txns, func(o Txn) bool { return o.AppID == t.AppID }) {
			return fmt.Errorf("application %q wrote version %d: %w", t.AppID, t.Version, ErrTransactionConflict)
		}
	}
	if w.protocol != nil {
		if tx.Protocol != nil {
			return ErrProtocolChanged
		}
		if err := cur.checkWrite(); err != nil {
			return fmt.Errorf("%w: %w", ErrProtocolChanged, err)
		}
	}
	if w.metadata != nil {
		if tx.Metadata != nil {
			return ErrMetadataChanged
		}
		if err := fits(base, cur); err != nil {
			return fmt.Errorf("%w: %w", ErrMetadataChanged, err)
		}
		if err := cur.checkWrite(); err != nil {
			return fmt.Errorf("%w: %w", ErrMetadataChanged, err)
		}
		if err := tx.check(&commit{adds: tx.Adds, removes: tx.Removes}, cur); err != nil {
			return fmt.Errorf("%w: %w", ErrMetadataChanged, err)
		}
	}
	removed := make(map[string]bool, len(w.removes))
	changes := false
	for _, r := range w.removes {
		removed[fileKey(base.root, r.Path, r.DeletionVector)] = true
		changes = changes || r.DataChange
	}
	for _, r := range tx.Removes {
		if removed[fileKey(base.root, r.Path, r.DeletionVector)] {
			return fmt.Errorf("%s was removed: %w", r.Path, ErrDeleteConflict)
		}
	}
	if !tx.ReadsTable {
		return nil
	}
	if changes {
		return fmt.Errorf("files that were read were removed: %w", ErrDeleteConflict)
	}
	if added := slices.ContainsFunc(w.adds, func(a *Add) bool { return a.DataChange }); added &&
		(!w.blind() || cur.Property("delta.isolationLevel", "") == "Serializable" || tx.Metadata != nil) {
		return ErrAppendConflict
	}
	return nil
}

func (c *commit) blind() bool {
	var ci struct {
		IsBlindAppend bool `json:"isBlindAppend"`
	}
	return json.Unmarshal(c.info, &ci) == nil && ci.IsBlindAppend
}

// Fits reports why files written for the snapshot do not fit a later one, or nil.
func (s *Snapshot) Fits(later *Snapshot) error { return fits(s, later) }

// fits reports why files written for the schema of base do not fit cur.
func fits(base, cur *Snapshot) error {
	if !slices.Equal(base.Metadata.PartitionColumns, cur.Metadata.PartitionColumns) {
		return fmt.Errorf("the partitioning is now (%v)", cur.Metadata.PartitionColumns)
	}
	for i := range base.Columns {
		old := &base.Columns[i]
		k := slices.IndexFunc(cur.Columns, func(c Column) bool { return c.FileName() == old.FileName() })
		switch {
		case k < 0:
			return fmt.Errorf("column %s is gone", old.Name)
		case cur.Columns[k].Type != old.Type:
			return fmt.Errorf("column %s is now %s", old.Name, cur.Columns[k].Type)
		case old.Nullable && !cur.Columns[k].Nullable:
			return fmt.Errorf("column %s takes no NULL any more", old.Name)
		}
	}
	for i := range cur.Columns {
		c := &cur.Columns[i]
		if !c.Nullable && !slices.ContainsFunc(base.Columns, func(o Column) bool { return o.FileName() == c.FileName() }) {
			return fmt.Errorf("there is a new column %s that takes no NULL", c.Name)
		}
	}
	return nil
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
