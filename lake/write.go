package lake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"spate/blob"
	"spate/column"
	"spate/lake/delta"
	"spate/lake/parquetfile"
	"spate/lake/query"
)

// fileBytes is where a data file that a statement writes ends, more or less.
const fileBytes = 128 << 20

// files writes the rows of statements into data files. The engine writes them, on this machine,
// because it has every type; they go to the store when they are whole.
type files struct {
	engine *query.Engine
	store  blob.Store
	prefix string          // of the table
	snap   *delta.Snapshot // that the files are written for
	target int64           // bytes of a file, 0: fileBytes
	// kept: the rows were in the table, and so were their partition values, empty texts too.
	kept bool
	// ordered: they come in the order in which files have them, and are of one partition.
	ordered bool
}

// write writes rows. Whoever gets files and an error deletes them.
func (f *files) write(ctx context.Context, rows *query.Rows) (adds []*delta.Add, n int64, err error) {
	if f.engine.Folder() == "" {
		return nil, 0, errors.New("write rows: the query engine has no folder for files")
	}
	dir, err := os.MkdirTemp(f.engine.Folder(), "write-")
	if err != nil {
		return nil, 0, fmt.Errorf("write rows: %w", err)
	}
	defer os.RemoveAll(dir)
	if f.target <= 0 {
		f.target = fileBytes
	}
	all, err := f.file(ctx, dir, rows.Request, rows.Columns)
	if err != nil || all.rows == 0 {
		return nil, 0, err
	}
	pieces, err := f.split(ctx, all, rows.Columns)
	if err != nil {
		return nil, 0, err
	}
	for _, p := range pieces {
		add, err := f.add(ctx, dir, all, rows.Columns, p)
		if err != nil {
			return adds, 0, err
		}
		adds = append(adds, add)
	}
	return adds, all.rows, nil
}

// written is a Parquet file on this machine.
type written struct {
	path        string
	rows, bytes int64
}

// file writes the rows of a request, those of a partition behind each other.
func (f *files) file(ctx context.Context, dir string, req *query.Request, cols []query.RowColumn) (written, error) {
	var by []string
	for _, c := range cols {
		if c.Partition {
			by = append(by, query.QuoteName(c.Name))
		}
	}
	r := *req
	if len(by) > 0 && !f.ordered {
		r.SQL = "SELECT * FROM (" + r.SQL + ") ORDER BY " + strings.Join(by, ", ")
	}
	return f.copy(ctx, dir, &r, cols)
}

func (f *files) copy(ctx context.Context, dir string, req *query.Request, cols []query.RowColumn) (written, error) {
	codec, err := parquetfile.CodecName(strings.ToLower(f.snap.Property("delta.parquet.compression.codec", "zstd")))
	if err != nil {
		return written{}, err
	}
	w := written{path: filepath.Join(dir, newName())}
	ids, err := query.FieldIDs(cols)
	if err != nil {
		return written{}, err
	}
	req.Write = &query.Write{Path: w.path, Codec: codec, IDs: ids}
	if w.rows, err = f.engine.Copy(ctx, req); err != nil {
		return written{}, err
	}
	info, err := os.Stat(w.path)
	if err != nil {
		return written{}, fmt.Errorf("write rows: %w", err)
	}
	w.bytes = info.Size()
	return w, nil
}

func newName() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// piece is what becomes a data file: the rows from, to of a file, all of one partition.
type piece struct {
	from, to int64
	values   []query.Value // of the partition columns
	whole    bool          // the file is it
}

// split cuts a file where partitions end, and where files get too large.
func (f *files) split(ctx context.Context, all written, cols []query.RowColumn) ([]piece, error) {
	var keys []string
	req := &query.Request{}
	for _, c := range cols {
		if c.Partition {
			kind, sql := partitionKind(c)
			keys = append(keys, sql)
			req.Kinds = append(req.Kinds, kind)
		}
	}
	if len(keys) == 0 {
		if all.bytes <= f.target+f.target/2 {
			return []piece{{0, all.rows, nil, true}}, nil
		}
		return cut(piece{from: 0, to: all.rows}, all, f.target), nil
	}
	var items, groups []string
	for i, k := range keys {
		items = append(items, fmt.Sprintf("%s AS c%d", k, i+1))
		groups = append(groups, strconv.Itoa(i+1))
	}
	req.Kinds = append(req.Kinds, query.KindInt, query.KindInt)
	req.SQL = fmt.Sprintf("SELECT %s, min(file_row_number) AS lo, max(file_row_number) + 1 AS hi FROM %s GROUP BY %s ORDER BY lo",
		strings.Join(items, ", "), req.ReadFile(all.path), strings.Join(groups, ", "))
	rows, err := f.engine.Read(ctx, req)
	if err != nil {
		return nil, err
	}
	var out []piece
	for _, r := range rows {
		n := len(keys)
		out = append(out, cut(piece{from: r[n].Int(), to: r[n+1].Int(), values: r[:n]}, all, f.target)...)
	}
	return out, nil
}

// cut makes pieces of about the target size.
func cut(p piece, all written, target int64) []piece {
	rows := p.to - p.from
	bytes := float64(all.bytes) * float64(rows) / float64(all.rows)
	n := max(1, int64(math.Round(bytes/float64(target))))
	out := make([]piece, 0, n)
	for i := range n {
		q := p
		q.from, q.to = p.from+rows*i/n, p.from+rows*(i+1)/n
		out = append(out, q)
	}
	return out
}

// partitionKind is how the value of a partition column is asked for.
func partitionKind(c query.RowColumn) (query.Kind, string) {
	name := query.QuoteName(c.Name)
	switch c.Type {
	case delta.Byte, delta.Short, delta.Integer, delta.Long:
		return query.KindInt, "CAST(" + name + " AS BIGINT)"
	case delta.Boolean:
		return query.KindBool, name
	case delta.Date:
		return query.KindDate, name
	case delta.Timestamp:
		return query.KindTime, "make_timestamp(epoch_us(" + name + "))"
	case delta.TimestampNTZ:
		return query.KindTime, name
	case delta.Binary:
		return query.KindBinary, name
	}
	return query.KindText, "CAST(" + name + " AS VARCHAR)"
}

// partitionText is a partition value as the log has it.
func (f *files) partitionText(v query.Value, t delta.Type) (*string, error) {
	if v.IsNull() {
		return nil, nil
	}
	var s string
	switch v.Kind {
	case query.KindInt:
		s = strconv.FormatInt(v.Int(), 10)
	case query.KindBool:
		s = strconv.FormatBool(v.Bool())
	case query.KindDate:
		s = delta.DateText(v.Ticks())
	case query.KindTime:
		s = delta.TimestampText(v.Ticks())
		if t == delta.TimestampNTZ {
			s = strings.Replace(strings.TrimSuffix(s, "Z"), "T", " ", 1)
		}
	case query.KindBinary:
		s = string(v.Binary())
	default:
		s = v.Text()
		if t == delta.Float || t == delta.Double {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return nil, fmt.Errorf("partition value %q: %w", s, err)
			}
			if s = string(column.AppendFloat(nil, x)); x == 0 && math.Signbit(x) {
				s = "-0.0"
			}
		}
	}
	if s == "" && !f.kept { // an empty text does not survive in a partition: it is NULL
		return nil, nil
	}
	if strings.ToValidUTF8(s, "") != s {
		return nil, fmt.Errorf("the partition value %q is no UTF-8", s)
	}
	return &s, nil
}

// add makes a data file of the table.
func (f *files) add(ctx context.Context, dir string, all written, cols []query.RowColumn, p piece) (*delta.Add, error) {
	var data []query.RowColumn
	values := map[string]*string{}
	k := 0
	where := []string{fmt.Sprintf("file_row_number >= %d AND file_row_number < %d", p.from, p.to)}
	var items []string
	for _, c := range cols {
		if !c.Partition {
			data, items = append(data, c), append(items, query.QuoteName(c.Name))
			continue
		}
		text, err := f.partitionText(p.values[k], c.Type)
		if err != nil {
			return nil, err
		}
		if c.NotNull && text == nil {
			return nil, notNull(c.Name)
		}
		_, sql := partitionKind(c)
		where = append(where, sql+" IS NOT DISTINCT FROM "+query.EngineLiteral(p.values[k]))
		values[c.Name], k = text, k+1
	}
	one := all
	if !p.whole {
		req := &query.Request{}
		req.SQL = "SELECT " + strings.Join(items, ", ") + " FROM " + req.ReadFile(all.path) + " WHERE " + strings.Join(where, " AND ")
		var err error
		if one, err = f.copy(ctx, dir, req, data); err != nil {
			return nil, err
		}
		if one.rows != p.to-p.from {
			return nil, fmt.Errorf("write rows: %d rows of a partition became %d", p.to-p.from, one.rows)
		}
		defer os.Remove(one.path)
	}
	stats, err := f.stats(ctx, one, data)
	if err != nil {
		return nil, err
	}
	codec := strings.ToLower(f.snap.Property("delta.parquet.compression.codec", "zstd"))
	name := f.snap.Folder(values) + fmt.Sprintf("part-00000-%s-c000.%s.parquet", newName(), codec)
	body, err := os.Open(one.path)
	if err != nil {
		return nil, fmt.Errorf("write rows: %w", err)
	}
	defer body.Close()
	if _, err := f.store.Create(ctx, path.Join(f.prefix, name), body); err != nil {
		return nil, fmt.Errorf("write rows: data file: %w", err)
	}
	return &delta.Add{Path: delta.EncodePath(name), PartitionValues: values, Size: one.bytes, ModificationTime: time.Now().UnixMilli(), DataChange: true, Stats: stats}, nil
}

func notNull(column string) error {
	return &query.Error{Number: 515, Class: 16, Message: "Cannot insert the value NULL into column '" + column + "'; the column does not allow nulls."}
}

// stats are the statistics of a file, as the log has them.
func (f *files) stats(ctx context.Context, w written, cols []query.RowColumn) (string, error) {
	req := &query.Request{Kinds: []query.Kind{query.KindInt}}
	items := []string{"count(*) AS c1"}
	ask := func(k query.Kind, sql string) {
		req.Kinds = append(req.Kinds, k)
		items = append(items, fmt.Sprintf("%s AS c%d", sql, len(req.Kinds)))
	}
	forms := make([]boundForm, len(cols))
	for i, c := range cols {
		name := query.QuoteName(c.Name)
		ask(query.KindInt, "count("+name+")")
		forms[i] = boundOf(c.Type)
		if forms[i].sql == "" {
			continue
		}
		if forms[i].float {
			ask(query.KindBool, "coalesce(bool_or(isnan("+name+")), false)")
		}
		for _, end := range []string{"min", "max"} {
			ask(forms[i].kind, fmt.Sprintf(forms[i].sql, end+"("+name+")"))
		}
	}
	req.SQL = "SELECT " + strings.Join(items, ", ") + " FROM " + req.ReadFile(w.path)
	rows, err := f.engine.Read(ctx, req)
	if err != nil {
		return "", err
	}
	row := rows[0]
	st := parquetfile.Stats{Rows: row[0].Int(), Columns: make([]parquetfile.ColumnStats, len(cols))}
	row = row[1:]
	columns := make([]delta.Column, len(cols))
	for i, c := range cols {
		s := &st.Columns[i]
		s.Nulls = st.Rows - row[0].Int()
		if c.NotNull && s.Nulls > 0 {
			return "", notNull(f.logical(c.Name))
		}
		row = row[1:]
		columns[i] = delta.Column{Name: f.logical(c.Name), Physical: c.Name, Type: c.Type}
		if forms[i].sql == "" {
			continue
		}
		if forms[i].float {
			s.NaN = row[0].Bool()
			row = row[1:]
		}
		if !row[0].IsNull() && !row[1].IsNull() {
			s.Bounded = true
			if err := forms[i].set(s, row[0], row[1]); err != nil {
				return "", err
			}
		}
		row = row[2:]
	}
	return f.snap.StatsOf(columns, st), nil
}

// logical is the name in the table of what files call so.
func (f *files) logical(physical string) string {
	i := slices.IndexFunc(f.snap.Columns, func(c delta.Column) bool { return c.FileName() == physical })
	if i < 0 {
		return physical
	}
	return f.snap.Columns[i].Name
}

// boundForm is how the bounds of a type are asked for.
type boundForm struct {
	sql   string // with %s for the bound; empty: the type has none
	kind  query.Kind
	float bool
	set   func(s *parquetfile.ColumnStats, lo, hi query.Value) error
}

func boundOf(t delta.Type) boundForm {
	ints := func(s *parquetfile.ColumnStats, lo, hi query.Value) error {
		s.MinInt, s.MaxInt = lo.Int(), hi.Int()
		return nil
	}
	texts := func(s *parquetfile.ColumnStats, lo, hi query.Value) error {
		s.MinText, s.MaxText = []byte(lo.Text()), []byte(hi.Text())
		return nil
	}
	switch t {
	case delta.Byte, delta.Short, delta.Integer, delta.Long:
		return boundForm{sql: "CAST(%s AS BIGINT)", kind: query.KindInt, set: ints}
	case delta.Timestamp, delta.TimestampNTZ:
		return boundForm{sql: "epoch_us(%s)", kind: query.KindInt, set: ints}
	case delta.Date:
		return boundForm{sql: "CAST(%s - DATE '1970-01-01' AS BIGINT)", kind: query.KindInt, set: ints}
	case delta.String:
		return boundForm{sql: "%s", kind: query.KindText, set: texts}
	case delta.Float, delta.Double:
		return boundForm{sql: "CAST(%s AS VARCHAR)", kind: query.KindText, float: true, set: func(s *parquetfile.ColumnStats, lo, hi query.Value) (err error) {
			bits := 64
			if t == delta.Float {
				bits = 32
			}
			if s.MinFloat, err = strconv.ParseFloat(lo.Text(), bits); err == nil {
				s.MaxFloat, err = strconv.ParseFloat(hi.Text(), bits)
			}
			if s.MinFloat == 0 { // which of its two zeros is not told
				s.MinFloat = math.Copysign(0, -1)
			}
			if s.MaxFloat == 0 {
				s.MaxFloat = 0
			}
			return err
		}}
	}
	if _, _, ok := t.DecimalParts(); ok {
		return boundForm{sql: "CAST(%s AS VARCHAR)", kind: query.KindText, set: texts}
	}
	return boundForm{}
}
