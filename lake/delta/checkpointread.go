package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"runtime"
	"slices"
	"strings"

	"spate/internal/panics"
	"spate/lake/parquetfile"
)

// readCheckpoint loads one of the checkpoints of a version: a classic file, a
// named one of the second format, or a set of parts.
func (t *Table) readCheckpoint(ctx context.Context, version int64, names []string) (*Snapshot, error) {
	classic := fmt.Sprintf("%020d.checkpoint.parquet", version)
	switch {
	case slices.Contains(names, classic):
		names = []string{classic}
	case len(strings.Split(names[0], ".")) == 4: // <version>.checkpoint.<uuid>.<ext>
		names = names[:1]
	}
	c := &checkpointReader{table: t, state: t.empty()}
	c.state.Version = version
	for _, name := range names {
		if err := c.open(ctx, t.logKey(name)); err != nil {
			return nil, err
		}
	}
	for _, s := range c.sidecars {
		if err := c.open(ctx, path.Join(t.logKey("_sidecars"), filePath("", s))); err != nil {
			return nil, err
		}
	}
	// The files come behind the schema, which says how their statistics are kept.
	c.set = newSetBuilder(t.root, c.state.stats)
	for _, f := range c.parts {
		if err := c.files(f); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path.Base(f.key), ErrDamaged, err)
		}
	}
	c.state.files = c.set.done()
	return c.state, nil
}

type checkpointReader struct {
	table    *Table
	state    *Snapshot
	sidecars []string
	parts    []*checkpointPart
	set      *setBuilder
}

// checkpointPart is a file of a checkpoint that may hold actions about files.
type checkpointPart struct {
	key   string
	lines []*line // of a JSON file
	file  *parquetfile.RowFile
}

// open reads what is not about files.
func (c *checkpointReader) open(ctx context.Context, key string) error {
	data, err := c.table.read(ctx, key)
	if err != nil {
		return err
	}
	damaged := func(err error) error { return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err) }
	part := &checkpointPart{key: key}
	c.parts = append(c.parts, part)
	if strings.HasSuffix(key, ".json") {
		for raw := range bytes.Lines(data) {
			if raw = bytes.TrimSpace(raw); len(raw) == 0 {
				continue
			}
			l := &line{}
			if err := json.Unmarshal(raw, l); err != nil {
				return damaged(err)
			}
			if l.Add != nil || l.Remove != nil {
				part.lines = append(part.lines, l)
			} else if err := c.take(l); err != nil {
				return damaged(err)
			}
		}
		return nil
	}
	if part.file, err = parquetfile.OpenRowFile(data); err != nil {
		return damaged(err)
	}
	groups, err := stateGroups(part.file)
	if err != nil {
		return damaged(err)
	}
	if len(groups) == 0 {
		return nil
	}
	rows, err := parquetfile.ReadGroups(data, func(path string) bool {
		kind, member, _ := strings.Cut(path, ".")
		switch kind {
		case "protocol", "metaData", "txn", "domainMetadata":
			return true
		}
		return kind == "sidecar" && member == "path"
	}, func(g int) bool { return groups[g] })
	if err != nil {
		return damaged(err)
	}
	for _, row := range rows {
		l, err := lineOf(row)
		if err == nil {
			err = c.take(l)
		}
		if err != nil {
			return damaged(err)
		}
	}
	return nil
}

// stateGroups are the row groups with actions that are not about files.
func stateGroups(f *parquetfile.RowFile) (map[int]bool, error) {
	groups := map[int]bool{}
	for g := range f.Groups() {
		for _, path := range []string{"protocol.minReaderVersion", "metaData.id", "txn.appId", "domainMetadata.domain", "sidecar.path"} {
			l, err := f.Leaf(g, path)
			if err != nil {
				return nil, err
			}
			for range f.Rows(g) {
				if l == nil || l.Err() != nil || groups[g] {
					break
				}
				if l.Next() {
					groups[g] = true
				}
			}
			if err := l.Err(); err != nil {
				return nil, err
			}
		}
	}
	return groups, nil
}

// lineOf turns a row into an action. Members that are null are not in the row.
func lineOf(row map[string]any) (*line, error) {
	l := &line{}
	rest := make(map[string]any, 1)
	for kind, v := range row {
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			rest[kind] = m
		}
	}
	if len(rest) == 0 {
		return l, nil
	}
	return l, json.Unmarshal(marshal(rest), l)
}

func (c *checkpointReader) take(l *line) error {
	switch {
	case l.Protocol != nil:
		c.state.Protocol = *l.Protocol
	case l.Metadata != nil:
		return c.state.setMetadata(l.Metadata)
	case l.Txn != nil:
		c.state.txns[l.Txn.AppID] = *l.Txn
	case l.Domain != nil && !l.Domain.Removed:
		c.state.domains[l.Domain.Domain] = *l.Domain
	case l.Sidecar != nil:
		c.sidecars = append(c.sidecars, l.Sidecar.Path)
	}
	return nil
}

// files reads what is about files.
func (c *checkpointReader) files(p *checkpointPart) error {
	for _, l := range p.lines {
		if l.Add != nil {
			c.set.add(l.Add)
		} else {
			c.set.remove(l.Remove)
		}
	}
	if p.file == nil {
		return nil
	}
	// Row groups are decoded side by side and put together in their order.
	type part struct {
		set *fileSet
		err error
	}
	parts := make([]chan part, p.file.Groups())
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	defer close(stop)
	for g := range parts {
		parts[g] = make(chan part, 1)
	}
	go func() {
		for g := range parts {
			select {
			case slots <- struct{}{}:
			case <-stop:
				return
			}
			go func() {
				defer func() { <-slots }()
				one := &checkpointReader{table: c.table, state: c.state, set: newSetBuilder(c.table.root, c.state.stats)}
				err := panics.Caught(func() error {
					if err := one.removes(p.file, g); err != nil {
						return err
					}
					return one.adds(p.file, g)
				})
				parts[g] <- part{one.set.done(), err}
			}()
		}
	}()
	for _, ready := range parts {
		got := <-ready
		if got.err != nil {
			return got.err
		}
		c.set.join(got.set)
	}
	return nil
}

// leaves reads leaves of one row group and keeps the first error.
type leaves struct {
	file  *parquetfile.RowFile
	group int
	all   []*parquetfile.Leaf
	err   error
}

func (l *leaves) of(path string) *parquetfile.Leaf {
	if l.err != nil {
		return nil
	}
	leaf, err := l.file.Leaf(l.group, path)
	if err != nil {
		l.err = err
		return nil
	}
	if leaf != nil {
		l.all = append(l.all, leaf)
	}
	return leaf
}

func (l *leaves) done() error {
	for _, leaf := range l.all {
		if err := leaf.Err(); err != nil && l.err == nil {
			l.err = err
		}
	}
	return l.err
}

// textLeaves is a map of texts: the values of partitions, or tags.
type textLeaves struct {
	key, value *parquetfile.Leaf
	keys       [][]byte
	values     [][]byte // nil: NULL
	last       map[string]*string
}

func (l *leaves) texts(path string) *textLeaves {
	return &textLeaves{key: l.of(path + ".key_value.key"), value: l.of(path + ".key_value.value")}
}

// next reads the map of the next row; nil if it is NULL. Rows one after another that have
// equal maps share one.
func (t *textLeaves) next() map[string]*string {
	if t.key == nil {
		return nil
	}
	t.keys, t.values = t.keys[:0], t.values[:0]
	for {
		has, there := t.key.Next(), t.value.Next()
		if !has {
			// The map is empty one level below its entries, and NULL below that.
			if t.key.Level() < t.key.Max()-1 {
				return nil
			}
			break
		}
		var v []byte
		if there {
			if v = t.value.Bytes(); v == nil {
				v = []byte{}
			}
		}
		t.keys, t.values = append(t.keys, t.key.Bytes()), append(t.values, v)
		if !t.key.More() {
			break
		}
	}
	same := t.last != nil && len(t.last) == len(t.keys)
	for i := range t.keys {
		if !same {
			break
		}
		v, ok := t.last[string(t.keys[i])]
		same = ok && (v != nil) == (t.values[i] != nil) && (v == nil || *v == string(t.values[i]))
	}
	if !same {
		t.last = make(map[string]*string, len(t.keys))
		for i, k := range t.keys {
			t.last[string(k)] = nil
			if t.values[i] != nil {
				v := string(t.values[i])
				t.last[string(k)] = &v
			}
		}
	}
	return t.last
}

// vectorLeaves are the members of a deletion vector.
type vectorLeaves struct{ storage, path, offset, size, cardinality *parquetfile.Leaf }

func (l *leaves) vector(kind string) *vectorLeaves {
	at := kind + ".deletionVector."
	return &vectorLeaves{l.of(at + "storageType"), l.of(at + "pathOrInlineDv"), l.of(at + "offset"), l.of(at + "sizeInBytes"), l.of(at + "cardinality")}
}

func (v *vectorLeaves) next() *DeletionVector {
	there := v.storage.Next()
	d := DeletionVector{}
	if there {
		d.StorageType = string(v.storage.Bytes())
	}
	if v.path.Next() {
		d.PathOrInlineDv = string(v.path.Bytes())
	}
	d.Offset, d.SizeInBytes, d.Cardinality = nextInt(v.offset), orZero(nextInt(v.size)), orZero(nextInt(v.cardinality))
	if !there {
		return nil
	}
	return &d
}

func nextInt(l *parquetfile.Leaf) *int64 {
	if !l.Next() {
		return nil
	}
	n := l.Int()
	return &n
}

func nextLong(l *parquetfile.Leaf) int64 {
	if !l.Next() {
		return 0
	}
	return l.Int()
}

func nextText(l *parquetfile.Leaf) string {
	if !l.Next() {
		return ""
	}
	return string(l.Bytes())
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

func (c *checkpointReader) removes(f *parquetfile.RowFile, g int) error {
	l := &leaves{file: f, group: g}
	path := l.of("remove.path")
	if path == nil || l.err != nil || !anyValue(path, f.Rows(g)) {
		return l.done()
	}
	l.all = nil
	path = l.of("remove.path")
	at, change, extended, size := l.of("remove.deletionTimestamp"), l.of("remove.dataChange"), l.of("remove.extendedFileMetadata"), l.of("remove.size")
	values, tags, vector := l.texts("remove.partitionValues"), l.texts("remove.tags"), l.vector("remove")
	base, version := l.of("remove.baseRowId"), l.of("remove.defaultRowCommitVersion")
	if l.err != nil {
		return l.err
	}
	for range f.Rows(g) {
		there := path.Next()
		r := Remove{DeletionTimestamp: nextLong(at), DataChange: change.Next() && change.Bool(), ExtendedFileMetadata: extended.Next() && extended.Bool(),
			Size: nextLong(size), PartitionValues: values.next(), Tags: tags.next(), DeletionVector: vector.next(), BaseRowID: nextInt(base), DefaultRowCommitVersion: nextInt(version)}
		if there {
			r.Path = string(path.Bytes())
			c.set.remove(&r)
		}
		if path.Err() != nil {
			break
		}
	}
	return l.done()
}

// anyValue reports whether a leaf has values at all.
func anyValue(l *parquetfile.Leaf, rows int) bool {
	for range rows {
		if l.Next() {
			return true
		}
	}
	return false
}

// parsedLeaves are the columns of stats_parsed for one column of the table.
type parsedLeaves struct {
	column           int // of the chunk
	low, high, nulls *parquetfile.Leaf
}

func (c *checkpointReader) adds(f *parquetfile.RowFile, g int) error {
	l := &leaves{file: f, group: g}
	path := l.of("add.path")
	if path == nil || l.err != nil || !anyValue(path, f.Rows(g)) {
		return l.done()
	}
	l.all = nil
	path = l.of("add.path")
	size, modified, change := l.of("add.size"), l.of("add.modificationTime"), l.of("add.dataChange")
	values, tags, vector := l.texts("add.partitionValues"), l.texts("add.tags"), l.vector("add")
	base, version, cluster := l.of("add.baseRowId"), l.of("add.defaultRowCommitVersion"), l.of("add.clusteringProvider")
	var stats *parquetfile.Leaf
	exact := f.Note(exactNote) == "exact"
	if !exact {
		stats = l.of("add.stats")
	}
	// Where there is a text for every file, the columns tell nothing more.
	var parsed []parsedLeaves
	var records, tight *parquetfile.Leaf
	if exact || stats == nil || c.bare(f, g) {
		records, tight = l.of("add.stats_parsed.numRecords"), l.of("add.stats_parsed.tightBounds")
		for i, k := range c.state.stats {
			p := parsedLeaves{column: i, low: l.of("add.stats_parsed.minValues." + k.name), high: l.of("add.stats_parsed.maxValues." + k.name),
				nulls: l.of("add.stats_parsed.nullCount." + k.name)}
			if p.low != nil || p.high != nil || p.nulls != nil {
				parsed = append(parsed, p)
			}
		}
	}
	if l.err != nil {
		return l.err
	}
	b := c.set.live
	a := &Add{}
	for range f.Rows(g) {
		there := path.Next()
		*a = Add{Size: nextLong(size), ModificationTime: nextLong(modified), DataChange: change.Next() && change.Bool(), PartitionValues: values.next(), Tags: tags.next(),
			DeletionVector: vector.next(), BaseRowID: nextInt(base), DefaultRowCommitVersion: nextInt(version), ClusteringProvider: nextText(cluster), Stats: nextText(stats)}
		if there {
			if a.PartitionValues == nil {
				a.PartitionValues = map[string]*string{}
			}
			a.Path = string(path.Bytes())
			if a.Stats != "" || parsed == nil && records == nil {
				b.add(a)
				skip(records, tight, parsed)
			} else {
				row := int(b.begin(a))
				b.parsed(row, records, tight, parsed)
			}
			c.set.added(a.Size)
		} else {
			skip(records, tight, parsed)
		}
		if path.Err() != nil {
			break
		}
	}
	return l.done()
}

// bare reports whether a file of the group has no text of statistics.
func (c *checkpointReader) bare(f *parquetfile.RowFile, g int) bool {
	l := &leaves{file: f, group: g}
	path, stats := l.of("add.path"), l.of("add.stats")
	if l.err != nil {
		return false
	}
	for range f.Rows(g) {
		if there, has := path.Next(), stats.Next(); there && !has {
			return true
		}
		if path.Err() != nil {
			return false
		}
	}
	return false
}

func skip(records, tight *parquetfile.Leaf, parsed []parsedLeaves) {
	records.Next()
	tight.Next()
	for i := range parsed {
		parsed[i].low.Next()
		parsed[i].high.Next()
		parsed[i].nulls.Next()
	}
}

// parsed takes the statistics of a row from columns. Values of another kind than the
// column's stay out.
func (b *chunkBuilder) parsed(row int, records, tight *parquetfile.Leaf, parsed []parsedLeaves) {
	if records.Next() && records.IsInt() {
		if n := records.Int(); n >= 0 {
			b.c.rows[row] = n
		}
	}
	if tight.Next() {
		if b.c.tight == nil {
			b.c.tight = map[uint16]bool{}
		}
		b.c.tight[uint16(row)] = tight.Bool()
	}
	for i := range parsed {
		p := &parsed[i]
		k := &b.c.columns[p.column]
		if p.nulls.Next() && p.nulls.IsInt() {
			if n := p.nulls.Int(); n >= 0 {
				b.setNulls(k, row, n)
			}
		}
		if p.low.Next() {
			b.parsedBound(k, row, hasMin, p.low)
		}
		if p.high.Next() {
			b.parsedBound(k, row, hasMax, p.high)
		}
	}
}

func (b *chunkBuilder) parsedBound(k *chunkColumn, row int, what uint8, l *parquetfile.Leaf) {
	switch {
	case l.IsInt() && (k.kind == IntBound || k.kind == DateBound):
		b.set(k, row, what, l.Int())
	case l.IsInt() && k.kind == TimeBound:
		// As the text has it: cut to milliseconds.
		us := l.Int()
		if us%1000 < 0 {
			us -= 1000
		}
		b.set(k, row, what, us/1000*1000)
	case l.IsInt() && k.kind == DecimalBound:
		b.set(k, row, what, b.textAt(DecimalText(l.Int(), k.scale)))
	case l.IsFloat() && k.kind == FloatBound:
		if f := l.Float(); f == f {
			b.set(k, row, what, int64(math.Float64bits(f)))
		}
	case l.IsText() && k.kind == TextBound:
		b.set(k, row, what, b.textOf(k, l.Bytes()))
	}
}
