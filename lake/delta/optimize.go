package delta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	Predicate   []string        // Where as text, for the history
	ZOrderBy    []string        // clusters the rows by these columns
	TargetBytes int64           // of a new file; 0: delta.targetFileSize, else 128 MiB
	MinFiles    int             // fewer small files in a partition are left alone; default 2
	// Rewrite writes the rows of files of one partition into new ones, clustered by columns if
	// there are any, where a column has a type that this package does not write. Nil: such
	// tables are refused.
	Rewrite func(ctx context.Context, s *Snapshot, files []*Add, by []string) ([]*Add, error)
}

// OptimizeResult says what Optimize did.
type OptimizeResult struct {
	Version                   int64 // of the last commit, -1 if nothing was to be done
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
// Each bin is committed by itself.
func (t *Table) Optimize(ctx context.Context, o OptimizeOptions) (OptimizeResult, error) {
	total := OptimizeResult{Version: -1}
	for attempt := 0; ; attempt++ {
		res, err := t.optimize(ctx, o)
		total.add(res)
		// Another run took files away: what is left is planned anew.
		if !errors.Is(err, ErrDeleteConflict) && !errors.Is(err, ErrMetadataChanged) || attempt == 3 {
			return total, err
		}
	}
}

// add counts what another run did.
func (r *OptimizeResult) add(o OptimizeResult) {
	if o.Version >= 0 {
		r.Version = o.Version
	}
	r.FilesAdded, r.FilesRemoved = r.FilesAdded+o.FilesAdded, r.FilesRemoved+o.FilesRemoved
	r.BytesAdded, r.BytesRemoved = r.BytesAdded+o.BytesAdded, r.BytesRemoved+o.BytesRemoved
	r.PartitionsOptimized, r.Bins = r.PartitionsOptimized+o.PartitionsOptimized, r.Bins+o.Bins
	r.FilesConsidered = max(r.FilesConsidered, o.FilesConsidered)
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
	r, err := t.rewriter(s, o.TargetBytes, o.ZOrderBy, o.Rewrite)
	if err != nil {
		return fail(err)
	}
	r.predicate = o.Predicate
	partitions := make(map[string][]*Add)
	for _, a := range s.Files() {
		if o.Where == nil || o.Where(a) {
			res.FilesConsidered++
			k := PartitionFolder(s.partitionNames(), a.PartitionValues)
			partitions[k] = append(partitions[k], a)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(partitions)) {
		bins := r.bins(partitions[k], max(2, o.MinFiles))
		if len(bins) > 0 {
			res.PartitionsOptimized++
		}
		for _, bin := range bins {
			var tags map[string]*string
			if r.tag != "" {
				tags = map[string]*string{zOrderTag: &r.tag}
			}
			if err := r.replace(ctx, bin, tags, false, &res); err != nil {
				return res, fmt.Errorf("optimize %s: %w", t.prefix, err)
			}
		}
	}
	return res, nil
}

// replace puts new files with the rows of a bin in its place, with a commit of its own: what
// comes in between costs one bin, and a long run lands piece by piece.
func (r *rewriter) replace(ctx context.Context, bin []*Add, tags map[string]*string, auto bool, res *OptimizeResult) error {
	t := r.table
	adds, err := r.rewrite(ctx, bin, tags)
	if err != nil {
		t.discard(r.snap, adds)
		return err
	}
	tx := &Transaction{Operation: "OPTIMIZE", Base: r.snap, Adds: adds}
	removedAt := t.opts.Clock().UnixMilli()
	sizes, added, removed, vectors := []int64{}, int64(0), int64(0), 0
	for _, a := range bin {
		moved := a.Removal(removedAt)
		moved.DataChange = false
		tx.Removes = append(tx.Removes, moved)
		removed += a.Size
		if a.DeletionVector != nil {
			vectors++
		}
	}
	for _, a := range adds {
		added += a.Size
		sizes = append(sizes, a.Size)
	}
	slices.Sort(sizes)
	quantile := func(q int) string {
		if len(sizes) == 0 {
			return "0"
		}
		return strconv.FormatInt(sizes[min(len(sizes)-1, len(sizes)*q/4)], 10)
	}
	tx.Parameters = map[string]any{"predicate": string(marshal(append([]string{}, r.predicate...))), "zOrderBy": string(marshal(append([]string{}, r.by...))), "clusterBy": "[]", "auto": auto}
	tx.Metrics = map[string]string{"numAddedFiles": strconv.Itoa(len(adds)), "numRemovedFiles": strconv.Itoa(len(bin)),
		"numAddedBytes": strconv.FormatInt(added, 10), "numRemovedBytes": strconv.FormatInt(removed, 10),
		"minFileSize": quantile(0), "p25FileSize": quantile(1), "p50FileSize": quantile(2), "p75FileSize": quantile(3), "maxFileSize": quantile(4),
		"numDeletionVectorsRemoved": strconv.Itoa(vectors)}
	next, err := t.Commit(ctx, tx)
	if err != nil {
		if lost(err) { // after any other error the version may be there all the same
			t.discard(r.snap, adds)
		}
		return err
	}
	// What this bin changed is no conflict to those that are left. One whose files others have
	// taken away meanwhile is refused by Commit: its files must be in the base.
	r.snap = next
	res.Bins++
	res.BytesAdded, res.BytesRemoved = res.BytesAdded+added, res.BytesRemoved+removed
	res.FilesAdded, res.FilesRemoved, res.Version = res.FilesAdded+len(adds), res.FilesRemoved+len(bin), next.Version
	return nil
}

// lost reports whether an error of Commit says for sure that there is no such version.
func lost(err error) bool {
	for _, e := range []error{ErrTransactionConflict, ErrMetadataChanged, ErrProtocolChanged, ErrDeleteConflict, ErrAppendConflict, ErrBehind, ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// CommitFiles is Commit of files that were written for the transaction: those that no version
// can name are deleted.
func (t *Table) CommitFiles(ctx context.Context, tx *Transaction) (*Snapshot, error) {
	s, err := t.Commit(ctx, tx)
	if err != nil && lost(err) {
		t.Discard(tx.Adds)
	}
	return s, err
}

// Discard deletes new files that no version names.
func (t *Table) Discard(adds []*Add) { t.discard(t.Known(), adds) }

// discard deletes files that no version names.
func (t *Table) discard(s *Snapshot, adds []*Add) {
	for _, a := range adds {
		if err := t.store.Delete(context.Background(), s.Key(a)); err != nil {
			t.opts.Log.Warn("leftover data file", "table", t.prefix, "file", a.Path, "err", err)
		}
	}
}

// ParseSize reads a number of bytes, with an optional unit: 134217728, 128mb.
func ParseSize(text string) (int64, bool) {
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
	by      []string
	tag     string

	predicate []string // for the history

	// foreign writes the files, see OptimizeOptions; nil: this package does.
	foreign func(ctx context.Context, s *Snapshot, files []*Add, by []string) ([]*Add, error)
}

// rewriter plans for a snapshot; a target of 0 is that of the table.
func (t *Table) rewriter(s *Snapshot, target int64, zOrderBy []string, foreign func(context.Context, *Snapshot, []*Add, []string) ([]*Add, error)) (*rewriter, error) {
	if s.Property("delta.enableRowTracking", "") == "true" {
		return nil, unsupported("moving rows to other files of the table", "rowTracking (rows would lose their ids)")
	}
	r := &rewriter{table: t, snap: s, target: target}
	if r.target <= 0 {
		r.target = 128 << 20
		if n, ok := ParseSize(s.Property("delta.targetFileSize", "")); ok {
			r.target = n
		}
	}
	return r, r.plan(zOrderBy, foreign)
}

func (r *rewriter) plan(zOrderBy []string, foreign func(context.Context, *Snapshot, []*Add, []string) ([]*Add, error)) error {
	r.by = zOrderBy
	var err error
	if r.codec, err = parquetfile.CodecName(strings.ToLower(r.snap.Property("delta.parquet.compression.codec", "zstd"))); err != nil {
		return err
	}
	for _, c := range r.snap.Columns {
		if slices.Contains(r.snap.Metadata.PartitionColumns, c.Name) {
			continue
		}
		p, err := ParquetType(c)
		if err != nil && foreign == nil {
			return err
		}
		if err != nil {
			r.foreign = foreign
		}
		r.cols = append(r.cols, c)
		r.parquet = append(r.parquet, parquetfile.Column{Name: c.FileName(), ID: c.ID, ByID: r.snap.Mapping() == MapID, Type: p, Nullable: c.Nullable})
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
		if r.cols[i].Type.Nested() {
			return fmt.Errorf("%s: %w: it is a struct, array or map", r.cols[i].Name, ErrZOrderColumn)
		}
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

// rewriteBuffer is how many bytes of rows a rewrite holds before it encodes them.
const rewriteBuffer = 32 << 20

// rewrite writes the rows of a bin into new files. With an error it returns those that are
// there all the same.
func (r *rewriter) rewrite(ctx context.Context, bin []*Add, tags map[string]*string) ([]*Add, error) {
	if r.foreign != nil {
		adds, err := r.foreign(ctx, r.snap, bin, r.by)
		for _, a := range adds {
			a.DataChange, a.Tags = false, tags
		}
		return adds, err
	}
	out := &fileWriter{rewriter: r, values: bin[0].PartitionValues, tags: tags}
	err := r.copy(ctx, out, bin)
	if err != nil {
		err = out.abort(err)
	} else {
		err = out.finish()
	}
	return out.adds, err
}

func (r *rewriter) copy(ctx context.Context, out *fileWriter, bin []*Add) error {
	var held [][]*column.Vector
	var counts []int
	var gone []int32 // deleted rows of held, in order
	total := 0       // rows of held
	for _, a := range bin {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := r.table.read(ctx, r.snap.Key(a))
		if err != nil {
			return err
		}
		if int64(len(data)) != a.Size {
			return fmt.Errorf("%s has %d bytes, the log says %d: %w", a.Path, len(data), a.Size, ErrDamaged)
		}
		var deleted []int64
		if a.DeletionVector != nil {
			if deleted, err = r.snap.DeletedRows(ctx, r.table.store, a.DeletionVector); err != nil {
				return fmt.Errorf("%s: %w", a.Path, err)
			}
		}
		at := int64(0) // rows of the file before this row group
		err = parquetfile.ReadVectors(data, r.parquet, func(vecs []*column.Vector, rows int) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := 0
			for n < len(deleted) && deleted[n] < at+int64(rows) {
				n++
			}
			here := deleted[:n]
			deleted = deleted[n:]
			if len(r.order) > 0 {
				for _, row := range here {
					gone = append(gone, int32(int64(total)+row-at))
				}
				held, counts, total = append(held, vecs), append(counts, rows), total+rows
				at += int64(rows)
				return nil
			}
			kept := without64(rows, here, at)
			at += int64(rows)
			if kept != nil && len(kept) == 0 {
				return nil
			}
			return out.append(ctx, vecs, kept, rows)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", a.Path, err)
		}
	}
	if len(r.order) == 0 {
		return nil
	}
	vecs, rows := joinVectors(held, counts, r.parquet)
	order := zOrder(vecs, r.order, rows)
	if len(gone) > 0 {
		order = slices.DeleteFunc(order, func(row int32) bool {
			_, found := slices.BinarySearch(gone, row)
			return found
		})
		rows = len(order)
	}
	const step = 512
	for from := 0; from < rows; from += step {
		if err := out.append(ctx, vecs, order[from:min(rows, from+step)], rows); err != nil {
			return err
		}
	}
	return nil
}

// without64 lists the rows of a row group that begins at a row of its file and are not deleted;
// nil if none is.
func without64(rows int, deleted []int64, at int64) []int32 {
	if len(deleted) == 0 {
		return nil
	}
	out := make([]int32, 0, rows-len(deleted))
	for row := range rows {
		if len(deleted) > 0 && deleted[0] == at+int64(row) {
			deleted = deleted[1:]
			continue
		}
		out = append(out, int32(row))
	}
	return out
}

// fileWriter splits rows into files of the target size, which go to the store as they are
// encoded. Whoever made it calls finish or abort.
type fileWriter struct {
	*rewriter
	values map[string]*string
	tags   map[string]*string
	file   *parquetfile.Writer
	to     *upload
	adds   []*Add // files that are there
}

// upload is a blob that is being written.
type upload struct {
	*io.PipeWriter
	name string // below the table
	done chan error
	size int64
}

func (t *Table) upload(ctx context.Context, name string) *upload {
	from, to := io.Pipe()
	u := &upload{PipeWriter: to, name: name, done: make(chan error, 1)}
	go func() {
		info, err := t.store.Create(ctx, path.Join(t.prefix, name), from)
		u.size = info.Size
		from.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
		u.done <- err
	}()
	return u
}

// end waits until the blob is there, or with an error is not.
func (u *upload) end(err error) error {
	u.CloseWithError(err)
	return <-u.done
}

func (w *fileWriter) append(ctx context.Context, vecs []*column.Vector, rows []int32, n int) error {
	if w.file == nil {
		name := fmt.Sprintf("part-%05d-%s-c000.%s.parquet", len(w.adds), newUUID(), w.codec)
		w.to = w.table.upload(ctx, w.snap.Folder(w.values)+name)
		o := parquetfile.Options{Codec: w.codec, CreatedBy: w.table.opts.EngineInfo, BufferBytes: rewriteBuffer}
		if len(w.order) > 0 {
			o.RowGroupRows = 1 << 16 // so that readers skip parts of a file too
		}
		var err error
		if w.file, err = parquetfile.NewWriter(w.to, w.parquet, o); err != nil {
			return w.abort(err)
		}
	}
	if err := w.file.Append(vecs, rows, n); err != nil {
		return w.abort(err)
	}
	// Rows wait uncompressed: about a fifth of that will be written.
	if w.file.Written()+w.file.Buffered()/5 >= w.target {
		return w.finish()
	}
	return nil
}

// abort leaves the file that is being written out, and returns why.
func (w *fileWriter) abort(err error) error {
	if w.to == nil {
		return err
	}
	stored := w.to.end(err)
	w.file, w.to = nil, nil
	if stored == nil || errors.Is(stored, err) {
		return err
	}
	return errors.Join(err, stored)
}

// finish ends the file that is being written.
func (w *fileWriter) finish() error {
	if w.file == nil {
		return nil
	}
	st, err := w.file.Close()
	if err != nil {
		return w.abort(err)
	}
	u := w.to
	w.file, w.to = nil, nil
	if err := u.end(nil); err != nil {
		return fmt.Errorf("data file: %w", err)
	}
	w.adds = append(w.adds, &Add{Path: EncodePath(u.name), PartitionValues: w.values, Size: u.size, ModificationTime: w.table.opts.Clock().UnixMilli(),
		Stats: w.snap.StatsOf(w.cols, st), Tags: w.tags})
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
