package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"spate/column"
	"spate/lake/parquetfile"
)

// OptimizeOptions are the settings of Optimize.
type OptimizeOptions struct {
	Where       func(*Add) bool // which files may be rewritten; nil: all
	ZOrderBy    []string        // clusters the rows by these columns
	TargetBytes int64           // of a new file; 0: delta.targetFileSize, else 128 MiB
	MinFiles    int             // fewer small files in a partition are left alone; default 2
}

// OptimizeResult says what Optimize did.
type OptimizeResult struct {
	Version                   int64 // of the commit, -1 if nothing was to be done
	FilesAdded, FilesRemoved  int
	BytesAdded, BytesRemoved  int64
	PartitionsOptimized, Bins int
	FilesConsidered           int
}

// ErrZOrderColumn is returned for a column by which rows cannot be clustered.
var ErrZOrderColumn = errors.New("cannot Z-order by the column")

const zOrderTag = "spate.zOrderBy"

// Optimize packs small files of a partition into large ones; no row changes. With
// ZOrderBy it rewrites all files of a partition, unless they are in that order
// already, so that rows near each other in all those columns come into one file.
// It holds one file of the target size in memory, or one bin when it orders.
// Appends may go on meanwhile.
func (t *Table) Optimize(ctx context.Context, o OptimizeOptions) (OptimizeResult, error) {
	for attempt := 0; ; attempt++ {
		res, err := t.optimize(ctx, o)
		// Another run took files away: what is left is planned anew.
		if !errors.Is(err, ErrDeleteConflict) && !errors.Is(err, ErrMetadataChanged) || attempt == 3 {
			return res, err
		}
	}
}

func (t *Table) optimize(ctx context.Context, o OptimizeOptions) (OptimizeResult, error) {
	res := OptimizeResult{Version: -1}
	s, err := t.Snapshot(ctx)
	if err != nil {
		return res, err
	}
	fail := func(err error) (OptimizeResult, error) {
		return OptimizeResult{Version: -1}, fmt.Errorf("optimize %s: %w", t.prefix, err)
	}
	if err := s.checkWrite(); err != nil {
		return fail(err)
	}
	r := &rewriter{table: t, snap: s, target: o.TargetBytes}
	if r.target <= 0 {
		r.target = 128 << 20
		if n, ok := parseSize(s.Property("delta.targetFileSize", "")); ok {
			r.target = n
		}
	}
	if err := r.plan(o.ZOrderBy); err != nil {
		return fail(err)
	}
	removedAt := t.opts.Clock().UnixMilli()
	tx := &Transaction{Operation: "OPTIMIZE", Base: s}
	partitions := make(map[string][]*Add)
	for _, a := range s.Files() {
		if a.DeletionVector == nil && (o.Where == nil || o.Where(a)) {
			res.FilesConsidered++
			k := PartitionFolder(s.Metadata.PartitionColumns, a.PartitionValues)
			partitions[k] = append(partitions[k], a)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(partitions)) {
		bins := r.bins(partitions[k], max(2, o.MinFiles))
		if len(bins) > 0 {
			res.PartitionsOptimized++
		}
		for _, bin := range bins {
			adds, err := r.rewrite(ctx, bin)
			tx.Adds = append(tx.Adds, adds...)
			if err != nil {
				t.discard(s, tx.Adds)
				return fail(err)
			}
			res.Bins++
			for _, a := range bin {
				tx.Removes = append(tx.Removes, &Remove{Path: a.Path, DeletionTimestamp: removedAt, ExtendedFileMetadata: true,
					PartitionValues: a.PartitionValues, Size: a.Size, Tags: a.Tags})
				res.BytesRemoved += a.Size
			}
		}
	}
	if len(tx.Removes) == 0 {
		return res, nil
	}
	sizes := []int64{}
	for _, a := range tx.Adds {
		res.BytesAdded += a.Size
		sizes = append(sizes, a.Size)
	}
	res.FilesAdded, res.FilesRemoved = len(tx.Adds), len(tx.Removes)
	slices.Sort(sizes)
	quantile := func(q int) string {
		if len(sizes) == 0 {
			return "0"
		}
		return strconv.FormatInt(sizes[min(len(sizes)-1, len(sizes)*q/4)], 10)
	}
	by := append([]string{}, o.ZOrderBy...)
	tx.Parameters = map[string]any{"predicate": "[]", "zOrderBy": string(marshal(by)), "clusterBy": "[]", "auto": false}
	tx.Metrics = map[string]string{"numAddedFiles": strconv.Itoa(res.FilesAdded), "numRemovedFiles": strconv.Itoa(res.FilesRemoved),
		"numAddedBytes": strconv.FormatInt(res.BytesAdded, 10), "numRemovedBytes": strconv.FormatInt(res.BytesRemoved, 10),
		"minFileSize": quantile(0), "p25FileSize": quantile(1), "p50FileSize": quantile(2), "p75FileSize": quantile(3), "maxFileSize": quantile(4),
		"numDeletionVectorsRemoved": "0"}
	next, err := t.Commit(ctx, tx)
	if err != nil {
		t.discard(s, tx.Adds)
		return OptimizeResult{Version: -1}, err
	}
	res.Version = next.Version
	return res, nil
}

// discard deletes files that no version names.
func (t *Table) discard(s *Snapshot, adds []*Add) {
	for _, a := range adds {
		if err := t.store.Delete(context.Background(), s.Key(a)); err != nil {
			t.opts.Log.Warn("leftover data file", "table", t.prefix, "file", a.Path, "err", err)
		}
	}
}

// parseSize reads a number of bytes, with an optional unit: 134217728, 128mb.
func parseSize(text string) (int64, bool) {
	s := strings.ToLower(strings.TrimSpace(text))
	unit := int64(1)
	for suffix, u := range map[string]int64{"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = strings.TrimSpace(rest), u
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(s, "b"), 10, 40)
	return n * unit, err == nil && n > 0
}

// maxOrderedBin bounds the memory of ordering: a bin is held as plain columns,
// about ten times its size.
const maxOrderedBin = 32 << 20

// rewriter makes new data files out of old ones.
type rewriter struct {
	table   *Table
	snap    *Snapshot
	target  int64
	codec   string
	cols    []Column // data columns
	parquet []parquetfile.Column
	order   []int // data columns to cluster by
	tag     string
}

func (r *rewriter) plan(zOrderBy []string) error {
	var err error
	if r.codec, err = parquetfile.CodecName(strings.ToLower(r.snap.Property("delta.parquet.compression.codec", "zstd"))); err != nil {
		return err
	}
	for _, c := range r.snap.Columns {
		if slices.Contains(r.snap.Metadata.PartitionColumns, c.Name) {
			continue
		}
		p, err := ParquetType(c)
		if err != nil {
			return err
		}
		r.cols = append(r.cols, c)
		r.parquet = append(r.parquet, parquetfile.Column{Name: c.Name, Type: p, Nullable: c.Nullable})
	}
	for _, name := range zOrderBy {
		i := slices.IndexFunc(r.cols, func(c Column) bool { return strings.EqualFold(c.Name, name) })
		if i < 0 {
			return fmt.Errorf("%s: %w: it is a partition column or not in the table", name, ErrZOrderColumn)
		}
		r.order = append(r.order, i)
	}
	if len(r.order) > 8 {
		return fmt.Errorf("%d columns: %w: at most 8", len(r.order), ErrZOrderColumn)
	}
	var names []string
	for _, i := range r.order {
		names = append(names, r.cols[i].Name)
	}
	r.tag = strings.Join(names, ",")
	return nil
}

// bins chooses the files of one partition that become new ones together.
func (r *rewriter) bins(files []*Add, least int) [][]*Add {
	var bins [][]*Add
	var bin []*Add
	size := int64(0)
	limit := r.target
	small := files
	if len(r.order) > 0 {
		limit = maxOrderedBin
		if !slices.ContainsFunc(files, func(a *Add) bool { return a.Tags[zOrderTag] == nil || *a.Tags[zOrderTag] != r.tag }) {
			return nil
		}
		least = 1
	} else {
		small = slices.DeleteFunc(slices.Clone(files), func(a *Add) bool { return a.Size >= r.target*3/4 })
		if len(small) < least {
			return nil
		}
	}
	for _, a := range small {
		if size+a.Size > limit && len(bin) > 0 {
			bins = append(bins, bin)
			bin, size = nil, 0
		}
		bin, size = append(bin, a), size+a.Size
	}
	if len(bin) > 0 {
		bins = append(bins, bin)
	}
	return slices.DeleteFunc(bins, func(b []*Add) bool { return len(b) < 2 && len(r.order) == 0 })
}

// rewrite writes the rows of a bin into new files.
func (r *rewriter) rewrite(ctx context.Context, bin []*Add) ([]*Add, error) {
	out := &fileWriter{rewriter: r, values: bin[0].PartitionValues}
	var held [][]*column.Vector
	var counts []int
	for _, a := range bin {
		data, err := r.table.read(ctx, r.snap.Key(a))
		if err != nil {
			return out.adds, err
		}
		if int64(len(data)) != a.Size {
			return out.adds, fmt.Errorf("%s has %d bytes, the log says %d: %w", a.Path, len(data), a.Size, ErrDamaged)
		}
		err = parquetfile.ReadVectors(data, r.parquet, func(vecs []*column.Vector, rows int) error {
			if len(r.order) > 0 {
				held, counts = append(held, vecs), append(counts, rows)
				return nil
			}
			return out.append(ctx, vecs, nil, rows)
		})
		if err != nil {
			return out.adds, fmt.Errorf("%s: %w", a.Path, err)
		}
	}
	if len(r.order) > 0 {
		vecs, rows := joinVectors(held, counts, r.parquet)
		order := zOrder(vecs, r.order, rows)
		const step = 512
		for from := 0; from < rows; from += step {
			if err := out.append(ctx, vecs, order[from:min(rows, from+step)], rows); err != nil {
				return out.adds, err
			}
		}
	}
	return out.adds, out.finish(ctx)
}

// fileWriter splits rows into files of the target size.
type fileWriter struct {
	*rewriter
	values map[string]*string
	body   bytes.Buffer
	file   *parquetfile.Writer
	adds   []*Add
}

func (w *fileWriter) append(ctx context.Context, vecs []*column.Vector, rows []int32, n int) error {
	if w.file == nil {
		w.body.Reset()
		var err error
		o := parquetfile.Options{Codec: w.codec, CreatedBy: w.table.opts.EngineInfo}
		if len(w.order) > 0 {
			o.RowGroupRows = 1 << 16 // so that readers skip parts of a file too
		}
		w.file, err = parquetfile.NewWriter(&w.body, w.parquet, o)
		if err != nil {
			return err
		}
	}
	if err := w.file.Append(vecs, rows, n); err != nil {
		return err
	}
	// Rows wait uncompressed: about a fifth of that will be written.
	if int64(w.body.Len())+w.file.Buffered()/5 >= w.target {
		return w.finish(ctx)
	}
	return nil
}

func (w *fileWriter) finish(ctx context.Context) error {
	if w.file == nil {
		return nil
	}
	st, err := w.file.Close()
	w.file = nil
	if err != nil {
		return err
	}
	name := fmt.Sprintf("part-%05d-%s-c000.%s.parquet", len(w.adds), newUUID(), w.codec)
	file := PartitionFolder(w.snap.Metadata.PartitionColumns, w.values) + name
	a := &Add{Path: EncodePath(file), PartitionValues: w.values, Size: int64(w.body.Len()), ModificationTime: w.table.opts.Clock().UnixMilli(),
		Stats: w.snap.StatsOf(w.cols, st)}
	if w.tag != "" {
		a.Tags = map[string]*string{zOrderTag: &w.tag}
	}
	if _, err := w.table.store.Create(ctx, path.Join(w.table.prefix, file), bytes.NewReader(w.body.Bytes())); err != nil {
		return fmt.Errorf("data file: %w", err)
	}
	w.adds = append(w.adds, a)
	return nil
}

// ParquetType returns how a column is stored, or an error for types that this
// version does not write.
func ParquetType(c Column) (parquetfile.Type, error) {
	kinds := map[Type]parquetfile.Kind{String: parquetfile.String, Binary: parquetfile.Binary, Boolean: parquetfile.Boolean,
		Byte: parquetfile.Byte, Short: parquetfile.Short, Integer: parquetfile.Integer, Long: parquetfile.Long,
		Float: parquetfile.Float, Double: parquetfile.Double, Date: parquetfile.Date, Timestamp: parquetfile.Timestamp}
	if k, ok := kinds[c.Type]; ok {
		return parquetfile.Type{Kind: k}, nil
	}
	if p, s, ok := c.Type.DecimalParts(); ok && p <= 18 {
		return parquetfile.Type{Kind: parquetfile.Decimal, Precision: p, Scale: s}, nil
	}
	return parquetfile.Type{}, fmt.Errorf("column %s: writing the type %s is not supported yet", c.Name, c.Type)
}
