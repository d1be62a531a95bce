package delta

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"spate/blob"
)

const logFolder = "_delta_log"

func (t *Table) logKey(name string) string { return path.Join(t.prefix, logFolder, name) }

func (t *Table) commitKey(version int64) string { return t.logKey(fmt.Sprintf("%020d.json", version)) }

func (t *Table) read(ctx context.Context, key string) ([]byte, error) {
	r, err := t.store.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return data, nil
}

// readCommit returns blob.ErrNotFound when there is no such version yet. A store
// without atomic writes may show a torn last line: it is read again for a while.
func (t *Table) readCommit(ctx context.Context, version int64) (*commit, error) {
	for wait := time.Duration(0); ; {
		data, err := t.read(ctx, t.commitKey(version))
		if err != nil {
			return nil, err
		}
		c, err := parseCommit(version, data)
		torn := len(data) == 0 || data[len(data)-1] != '\n'
		if err == nil && len(data) > 0 || !torn || wait > 2*time.Second {
			if err == nil && len(data) == 0 {
				err = fmt.Errorf("version %d: %w: empty commit", version, ErrDamaged)
			}
			if err != nil {
				return nil, fmt.Errorf("table %s: %w", t.prefix, err)
			}
			return c, nil
		}
		step := 50 * time.Millisecond
		wait += step
		if err := sleep(ctx, step); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// listing is what the log folder holds from some version on.
type listing struct {
	commits     []int64
	modified    map[int64]time.Time
	checkpoints map[int64][]string // file names, by version: complete ones only
	compacted   map[int64]int64    // end of the longest range that begins at a version
}

func (t *Table) list(ctx context.Context, from int64) (*listing, error) {
	l := &listing{modified: make(map[int64]time.Time), checkpoints: make(map[int64][]string), compacted: make(map[int64]int64)}
	prefix := t.logKey("") + "/"
	after := ""
	if from > 0 {
		after = prefix + fmt.Sprintf("%020d", from)
	}
	type set struct {
		version int64
		parts   int
	}
	multi := make(map[set][]string)
	for info, err := range t.store.List(ctx, prefix, after) {
		if err != nil {
			return nil, fmt.Errorf("list the log of %s: %w", t.prefix, err)
		}
		name := strings.TrimPrefix(info.Key, prefix)
		if len(name) < 25 || strings.Contains(name, "/") {
			continue
		}
		version, err := strconv.ParseInt(name[:20], 10, 64)
		if err != nil || name[20] != '.' {
			continue
		}
		rest := name[21:]
		parts := strings.Split(rest, ".")
		switch {
		case rest == "json":
			l.commits = append(l.commits, version)
			l.modified[version] = info.Modified
		case len(parts) == 3 && parts[1] == "compacted" && parts[2] == "json" && len(parts[0]) == 20:
			if to, err := strconv.ParseInt(parts[0], 10, 64); err == nil && to > version {
				l.compacted[version] = max(l.compacted[version], to)
			}
		case rest == "checkpoint.parquet",
			len(parts) == 3 && parts[0] == "checkpoint" && len(parts[1]) == 36 && (parts[2] == "json" || parts[2] == "parquet"):
			l.checkpoints[version] = append(l.checkpoints[version], name)
		case len(parts) == 4 && parts[0] == "checkpoint" && parts[3] == "parquet" && len(parts[1]) == 10 && len(parts[2]) == 10:
			if n, err := strconv.Atoi(parts[2]); err == nil && n > 0 {
				k := set{version, n}
				if multi[k] = append(multi[k], name); len(multi[k]) == n && len(l.checkpoints[version]) == 0 {
					l.checkpoints[version] = multi[k]
				}
			}
		}
	}
	return l, nil
}

// checkpointsUpTo returns the versions of checkpoints not above version (all if
// negative), the newest first.
func (l *listing) checkpointsUpTo(version int64) []int64 {
	var out []int64
	for v := range l.checkpoints {
		if version < 0 || v <= version {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// load builds the snapshot of a version from the log, or the newest one if
// version is negative.
func (t *Table) load(ctx context.Context, version int64) (*Snapshot, error) {
	if version < 0 {
		if s := t.loadByHint(ctx); s != nil {
			t.verify(ctx, s)
			return s, nil
		}
	}
	from := int64(0)
	if h, ok := t.readHint(ctx); ok && (version < 0 || h.Version <= version) {
		from = h.Version
	}
	l, err := t.list(ctx, from)
	if err != nil {
		return nil, err
	}
	at := l.checkpointsUpTo(version)
	if len(at) == 0 && from > 0 { // the hint led nowhere
		from = 0
		if l, err = t.list(ctx, 0); err != nil {
			return nil, err
		}
		at = l.checkpointsUpTo(version)
	}
	if len(at) == 0 && len(l.commits) == 0 {
		return nil, fmt.Errorf("%s: %w", t.prefix, ErrNotATable)
	}
	newest := int64(-1) // checkpoint, whether it can be read or not
	if len(at) > 0 {
		newest = at[0]
	}
	s, first := t.empty(), error(nil)
	for i := 0; i < len(at); i++ {
		found, err := t.readCheckpoint(ctx, at[i], l.checkpoints[at[i]])
		if err == nil {
			s = found
			break
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("table %s: checkpoint %d: %w", t.prefix, at[i], err)
		}
		if first == nil {
			first = fmt.Errorf("table %s: checkpoint %d: %w", t.prefix, at[i], err)
		}
		t.opts.Log.Warn("a checkpoint cannot be read, an older one is used", "table", t.prefix, "version", at[i], "err", err)
		if i == len(at)-1 && from > 0 {
			from = 0
			if l, err = t.list(ctx, 0); err != nil {
				return nil, err
			}
			at, i = l.checkpointsUpTo(at[i]-1), -1
		}
	}
	if s, err = t.replay(ctx, s, l, version); err != nil {
		return nil, cmp.Or(first, err) // the damage of the checkpoint is what has to be mended
	}
	if first != nil && (version < 0 && s.Version < newest || version >= 0 && s.Version != version) {
		return nil, first
	}
	if version >= 0 && s.Version < 0 && len(l.commits) > 0 {
		return nil, fmt.Errorf("table %s has no version %d any more, the log begins at %d: %w", t.prefix, version, slices.Min(l.commits), ErrVersionNotFound)
	}
	if version >= 0 && s.Version != version {
		return nil, fmt.Errorf("table %s has no version %d, the newest is %d: %w", t.prefix, version, s.Version, ErrVersionNotFound)
	}
	if err := t.check(s); err != nil {
		return nil, err
	}
	t.verify(ctx, s)
	return s, nil
}

// loadByHint builds the newest snapshot without a list of the log, which may hold hundreds
// of thousands of commits: from the classic checkpoint that the hint names, and the commits
// behind it. It gives nil where that does not lead to a table; a list then says why.
func (t *Table) loadByHint(ctx context.Context) *Snapshot {
	h, ok := t.readHint(ctx)
	if !ok {
		return nil
	}
	s, err := t.readCheckpoint(ctx, h.Version, []string{checkpointName(h.Version)})
	if err != nil {
		return nil
	}
	// The compacted files of our cadence are known by their names.
	for next := s.Version + 1; next%compactEvery == 1; next = s.Version + 1 {
		to := next + compactEvery - 1
		if _, err := t.store.Stat(ctx, t.commitKey(to+1)); err != nil { // the newest commit is read itself
			break
		}
		c, err := t.readCompacted(ctx, next, to)
		if err != nil {
			break
		}
		if s, err = s.apply(c); err != nil {
			return nil
		}
	}
	if s, _, err = t.advance(ctx, s); err != nil || t.check(s) != nil {
		return nil
	}
	return s
}

// replay applies the commits of a listing behind s, up to version or all of them.
func (t *Table) replay(ctx context.Context, s *Snapshot, l *listing, version int64) (*Snapshot, error) {
	slices.Sort(l.commits)
	last := int64(-1)
	if n := len(l.commits); n > 0 {
		last = l.commits[n-1]
	}
	if version >= 0 {
		last = min(last, version)
	}
	for _, v := range l.commits {
		if v <= s.Version || v > last {
			continue
		}
		// The newest commit is read in any case: its commitInfo belongs to the version.
		if to, ok := l.compacted[v]; ok && v == s.Version+1 && to < last {
			c, err := t.readCompacted(ctx, v, to)
			if err == nil {
				var next *Snapshot
				if next, err = s.apply(c); err == nil {
					s = next
					continue
				}
			}
			if ctx.Err() != nil {
				return nil, err
			}
			t.opts.Log.Warn("a compacted part of the log cannot be read, its commits are", "table", t.prefix, "version", v, "err", err)
		}
		if v != s.Version+1 {
			if s.Version < 0 {
				return nil, fmt.Errorf("table %s: %w: the log begins at version %d and has no checkpoint", t.prefix, ErrDamaged, v)
			}
			return nil, fmt.Errorf("table %s: %w: version %d is followed by %d", t.prefix, ErrDamaged, s.Version, v)
		}
		c, err := t.readCommit(ctx, v)
		if err != nil {
			return nil, err
		}
		if s, err = s.apply(c); err != nil {
			return nil, fmt.Errorf("table %s: %w", t.prefix, err)
		}
	}
	return s, nil
}

func (t *Table) empty() *Snapshot {
	clock := t.opts.Clock
	if clock == nil {
		clock = time.Now
	}
	return &Snapshot{Version: -1, prefix: t.prefix, root: t.root, files: &fileSet{}, clock: clock,
		txns: map[string]Txn{}, domains: map[string]DomainMetadata{}}
}

// check looks whether a loaded snapshot can be used.
func (t *Table) check(s *Snapshot) error {
	switch {
	case s.Protocol.MinReaderVersion == 0:
		return fmt.Errorf("table %s: %w: no protocol action", t.prefix, ErrDamaged)
	case s.Metadata.SchemaString == "":
		return fmt.Errorf("table %s: %w: no metaData action", t.prefix, ErrDamaged)
	}
	if err := s.checkRead(); err != nil {
		return fmt.Errorf("table %s: %w", t.prefix, err)
	}
	return nil
}

// newer returns the newest version, from s on.
func (t *Table) newer(ctx context.Context, s *Snapshot) (*Snapshot, error) {
	next, _, err := t.advance(ctx, s)
	if !errors.Is(err, ErrBehind) {
		return next, err
	}
	t.opts.Log.Info("the log was cleaned beyond the version that was read, it is loaded anew", "table", t.prefix, "version", s.Version)
	return t.load(ctx, -1)
}

// advance applies the commits behind s, as far as there are any. It returns
// them too.
func (t *Table) advance(ctx context.Context, s *Snapshot) (*Snapshot, []*commit, error) {
	var won []*commit
	for {
		c, err := t.readCommit(ctx, s.Version+1)
		if errors.Is(err, blob.ErrNotFound) {
			if len(won) > 0 || s.Version < 0 {
				return s, won, nil
			}
			// A cleanup keeps the newest commit, so that a version whose own commit is
			// gone is not the newest.
			if _, err := t.store.Stat(ctx, t.commitKey(s.Version)); err == nil {
				return s, won, nil
			} else if !errors.Is(err, blob.ErrNotFound) {
				return nil, nil, err
			}
			moved, err := t.moved(ctx, s.Version)
			if err == nil && moved {
				err = fmt.Errorf("table %s: version %d: %w", t.prefix, s.Version, ErrBehind)
			}
			if err != nil {
				return nil, nil, err
			}
			return s, won, nil
		}
		if err != nil {
			return nil, nil, err
		}
		next, err := s.apply(c)
		if err != nil {
			return nil, nil, fmt.Errorf("table %s: %w", t.prefix, err)
		}
		if c.protocol != nil || c.metadata != nil {
			if err := t.check(next); err != nil {
				return nil, nil, err
			}
		}
		s, won = next, append(won, c)
	}
}

// Gone reports whether nothing is left of the log of the table.
func (t *Table) Gone(ctx context.Context) (bool, error) {
	if _, err := t.store.Stat(ctx, t.commitKey(t.Known().Version)); err == nil || !errors.Is(err, blob.ErrNotFound) {
		return false, err
	}
	l, err := t.list(ctx, 0)
	return err == nil && len(l.commits) == 0 && len(l.checkpoints) == 0, err
}

// moved reports whether the log holds something else than a version whose own commit is
// not there.
func (t *Table) moved(ctx context.Context, version int64) (bool, error) {
	l, err := t.list(ctx, 0)
	if err != nil {
		return false, err
	}
	if len(l.commits) == 0 && len(l.checkpoints) == 0 {
		return false, nil // the table was deleted: the caller meets that where it writes or reads
	}
	newest := int64(-1)
	for _, v := range l.commits {
		newest = max(newest, v)
	}
	for v := range l.checkpoints {
		newest = max(newest, v)
	}
	return newest != version, nil
}

// HistoryEntry is one version as DESCRIBE HISTORY shows it.
type HistoryEntry struct {
	Version int64
	Time    time.Time       // of the commit, by its commitInfo, else by the file
	Info    json.RawMessage // commitInfo; nil if the commit has none
	CommitInfo
}

// History returns the newest versions first, at most limit of them (all if 0).
func (t *Table) History(ctx context.Context, limit int) ([]HistoryEntry, error) {
	l, err := t.list(ctx, 0)
	if err != nil {
		return nil, err
	}
	slices.Sort(l.commits)
	slices.Reverse(l.commits)
	if limit > 0 && len(l.commits) > limit {
		l.commits = l.commits[:limit]
	}
	var out []HistoryEntry
	for _, v := range l.commits {
		c, err := t.readCommit(ctx, v)
		if err != nil {
			return nil, err
		}
		e := HistoryEntry{Version: v, Info: c.info, Time: l.modified[v]}
		// Foreign commits hold values of any type here: take what fits.
		var fields map[string]json.RawMessage
		if json.Unmarshal(c.info, &fields) == nil {
			for name, to := range map[string]any{"timestamp": &e.Timestamp, "operation": &e.Operation, "operationParameters": &e.OperationParameters,
				"readVersion": &e.ReadVersion, "isolationLevel": &e.IsolationLevel, "isBlindAppend": &e.IsBlindAppend,
				"userMetadata": &e.UserMetadata, "engineInfo": &e.EngineInfo, "txnId": &e.TxnID} {
				if raw, ok := fields[name]; ok {
					_ = json.Unmarshal(raw, to) // a value of another type stays out
				}
			}
			e.OperationMetrics = metricTexts(fields["operationMetrics"])
		}
		if e.Timestamp != 0 {
			e.Time = time.UnixMilli(e.Timestamp).UTC()
		}
		out = append(out, e)
	}
	return out, nil
}

func metricTexts(raw json.RawMessage) map[string]string {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil || len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		switch x := v.(type) {
		case string:
			out[k] = x
		case float64:
			out[k] = strconv.FormatFloat(x, 'f', -1, 64)
		default:
			out[k] = string(marshal(v))
		}
	}
	return out
}
