//go:build cgo && !noduckdb

package duckdb

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"spate/lake/query"
)

// A batch frame is sent when it holds so many rows or bytes.
const (
	batchRows  = 2048
	batchBytes = 512 << 10
)

// Main serves requests from stdin until it ends, and returns the exit code of
// the process. It never returns while a request is running unless the parent
// has closed its side.
func Main(stdin io.Reader, stdout io.Writer) int {
	// DuckDB's memory is not Go's: what Go holds here is one batch.
	debug.SetGCPercent(50)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	requests := make(chan *query.Request)
	go func() {
		// Reading on while a query runs is how the parent's end is noticed.
		defer close(requests)
		r := bufio.NewReader(stdin)
		for {
			req, err := query.ReadRequest(r)
			if err != nil {
				cancel()
				return
			}
			requests <- req
		}
	}()
	w := bufio.NewWriterSize(stdout, 64<<10)
	next := open() // while the request is made
	for req := range requests {
		typ, text := query.FrameDone, ""
		engine := <-next
		if err := run(ctx, engine, req, w); err != nil {
			if errors.Is(err, errPipe) || ctx.Err() != nil {
				return 1
			}
			typ, text = query.FrameError, err.Error()
		}
		if query.WriteFrame(w, typ, []byte(text)) != nil || w.Flush() != nil {
			return 1
		}
		next = open() // while nobody asks
	}
	return 0
}

// opened is an engine that nobody has asked yet.
type opened struct {
	db  *sql.DB
	err error
}

// open opens an engine beside the caller: each request has one of its own.
func open() chan opened {
	out := make(chan opened, 1)
	go func() {
		connector, err := duckdb.NewConnector("", nil)
		if err != nil {
			out <- opened{err: fmt.Errorf("open engine: %w", err)}
			return
		}
		out <- opened{db: sql.OpenDB(connector)}
	}()
	return out
}

// errPipe is wrapped by errors of writing to the parent.
var errPipe = errors.New("write result")

func run(ctx context.Context, engine opened, req *query.Request, w *bufio.Writer) error {
	if engine.err != nil {
		return engine.err
	}
	db := engine.db
	defer db.Close()
	// The parent kills this process at the time-out; this is the second wall.
	ctx, cancel := context.WithTimeout(ctx, req.Limits.Timeout+5*time.Second)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open engine: %w", err)
	}
	defer conn.Close()
	if err := registerFunctions(conn, req.SQL); err != nil {
		return err
	}
	for _, stmt := range setup(req) {
		if _, err := conn.ExecContext(ctx, stmt); err != nil {
			return fmt.Errorf("set up engine: %w", err)
		}
	}
	return conn.Raw(func(c any) error {
		dc := c.(*duckdb.Conn)
		if err := loadDeleted(dc, req.Deleted); err != nil {
			return err
		}
		return stream(ctx, dc, req, w)
	})
}

// setup lists the statements that prepare and fence a database. The order
// matters: the last one forbids all further ones.
func setup(req *query.Request) []string {
	files := make([]string, len(req.Files))
	for i, f := range req.Files {
		files[i] = query.Quote(f)
	}
	if req.Write != nil {
		files = append(files, query.Quote(req.Write.Path))
	}
	out := []string{
		"SET TimeZone = 'UTC'",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		fmt.Sprintf("SET memory_limit = '%dKiB'", max(req.Limits.MemoryBytes>>10, 64<<10)),
		"SET temp_directory = " + query.Quote(spillDir(req)),
		"SET integer_division = false",
		// The first rows of a wide table are found by their key alone, and read then.
		"SET late_materialization_max_rows = 10000",
	}
	if spillDir(req) != "" {
		out = append(out, fmt.Sprintf("SET max_temp_directory_size = '%dKiB'", max(req.Limits.SpillBytes>>10, 1)))
	}
	if req.Limits.Threads > 0 {
		out = append(out, fmt.Sprintf("SET threads = %d", req.Limits.Threads))
	}
	if len(req.Deleted) > 0 {
		out = append(out, "CREATE TABLE spate_deleted (file VARCHAR, pos BIGINT)")
	}
	out = append(out, macros...)
	if len(files) > 0 {
		out = append(out, "SET allowed_paths = ["+strings.Join(files, ", ")+"]")
	}
	return append(out, "SET enable_external_access = false", "SET lock_configuration = true")
}

// spillDir is a folder of this process alone: the engine deletes it.
func spillDir(req *query.Request) string {
	if req.Limits.SpillDir == "" || req.Limits.SpillBytes == query.NoSpill {
		return ""
	}
	return filepath.Join(req.Limits.SpillDir, fmt.Sprintf("spill-%d", os.Getpid()))
}

func loadDeleted(c *duckdb.Conn, deleted []query.Deleted) error {
	if len(deleted) == 0 {
		return nil
	}
	a, err := duckdb.NewAppenderFromConn(c, "", "spate_deleted")
	if err != nil {
		return fmt.Errorf("load deletion vectors: %w", err)
	}
	for _, d := range deleted {
		if err := d.Each(func(row int64) error { return a.AppendRow(d.File, row) }); err != nil {
			a.Close()
			return fmt.Errorf("load deletion vectors: %w", err)
		}
	}
	if err := a.Close(); err != nil {
		return fmt.Errorf("load deletion vectors: %w", err)
	}
	return nil
}

func stream(ctx context.Context, c *duckdb.Conn, req *query.Request, w *bufio.Writer) error {
	prepared, err := c.Prepare(req.SQL) // refuses more than one statement
	if err != nil {
		return err
	}
	defer prepared.Close()
	stmt := prepared.(*duckdb.Stmt)
	typ, err := stmt.StatementType()
	if err != nil {
		return err
	}
	if typ != duckdb.STATEMENT_TYPE_SELECT {
		return errors.New("only SELECT statements may run")
	}
	if req.Write != nil {
		return write(ctx, c, req, w)
	}
	rows, err := stmt.QueryContext(ctx, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	if n := len(rows.Columns()); n != len(req.Kinds) {
		return fmt.Errorf("the query gives %d columns, want %d", n, len(req.Kinds))
	}
	enc := query.NewEncoder(req.Kinds)
	var buf []byte
	flush := func() error {
		buf = enc.Payload(buf[:0])
		if err := query.WriteFrame(w, query.FrameBatch, buf); err != nil {
			return fmt.Errorf("%w: %w", errPipe, err)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("%w: %w", errPipe, err)
		}
		return nil
	}
	values := make([]driver.Value, len(req.Kinds))
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for i, v := range values {
			if err := encode(enc, i, req.Kinds[i], v); err != nil {
				return fmt.Errorf("column %d: %w", i+1, err)
			}
		}
		enc.EndRow()
		if enc.Rows() >= batchRows || enc.Rows()%64 == 0 && enc.Bytes() >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if enc.Rows() > 0 {
		return flush()
	}
	return nil
}

// write puts the rows into a Parquet file, and answers with their number.
func write(ctx context.Context, c *duckdb.Conn, req *query.Request, w *bufio.Writer) error {
	options := "FORMAT parquet, COMPRESSION " + strings.ToUpper(req.Write.Codec) + ", ROW_GROUP_SIZE 122880"
	if req.Write.Codec == "zstd" {
		options += ", COMPRESSION_LEVEL 3"
	}
	if req.Write.IDs != "" {
		options += ", FIELD_IDS " + req.Write.IDs
	}
	result, err := c.ExecContext(ctx, "COPY ("+req.SQL+") TO "+query.Quote(req.Write.Path)+" ("+options+")", nil)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	enc := query.NewEncoder([]query.Kind{query.KindInt})
	enc.Int(0, n)
	enc.EndRow()
	if err := query.WriteFrame(w, query.FrameBatch, enc.Payload(nil)); err != nil {
		return fmt.Errorf("%w: %w", errPipe, err)
	}
	return nil
}

// encode writes v, which the driver made of a column of kind k. T-SQL knows
// neither NaN nor infinities: they become NULL.
func encode(enc *query.Encoder, col int, k query.Kind, v driver.Value) error {
	if v == nil {
		enc.Null(col)
		return nil
	}
	switch k {
	case query.KindBool:
		if b, ok := v.(bool); ok {
			enc.Bool(col, b)
			return nil
		}
	case query.KindInt:
		if i, ok := integer(v); ok {
			enc.Int(col, i)
			return nil
		}
	case query.KindFloat:
		f, ok := v.(float64)
		if g, is := v.(float32); is {
			f, ok = float64(g), true
		}
		if ok {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				enc.Null(col)
			} else {
				enc.Float(col, f)
			}
			return nil
		}
	case query.KindDecimal:
		if d, ok := v.(duckdb.Decimal); ok {
			enc.Text(col, decimalText(d.Value, int(d.Scale)))
			return nil
		}
	case query.KindTime, query.KindDate, query.KindTimeOfDay:
		if t, ok := v.(time.Time); ok {
			enc.Int(col, timeNumber(k, t))
			return nil
		}
	case query.KindText:
		if s, ok := v.(string); ok {
			enc.Text(col, s)
			return nil
		}
	case query.KindBinary:
		if b, ok := v.([]byte); ok {
			enc.Text(col, string(b))
			return nil
		}
	}
	return fmt.Errorf("a value of Go type %T came where kind %d was bound", v, k)
}

func integer(v driver.Value) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case int32:
		return int64(x), true
	case int16:
		return int64(x), true
	case int8:
		return int64(x), true
	case uint8:
		return int64(x), true
	}
	return 0, false
}

func timeNumber(k query.Kind, t time.Time) int64 {
	t = t.UTC()
	switch k {
	case query.KindDate:
		return floorDiv(t.Unix(), 86_400)
	case query.KindTimeOfDay:
		midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		return t.Sub(midnight).Microseconds()
	}
	return t.UnixMicro()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// decimalText writes unscaled with all digits of the scale.
func decimalText(unscaled *big.Int, scale int) string {
	s := new(big.Int).Abs(unscaled).String()
	if scale > 0 {
		if len(s) <= scale {
			s = strings.Repeat("0", scale-len(s)+1) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if unscaled.Sign() < 0 {
		s = "-" + s
	}
	return s
}
