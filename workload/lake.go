package workload

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/connector/deltatable"
	"spate/internal/cputime"
	"spate/lake"
	"spate/lake/delta"
	"spate/lake/duckdb"
	"spate/lake/parquetfile"
	"spate/lake/query"
)

// LakeOptions say how the workload lake is run.
type LakeOptions struct {
	Program string    // the spate that packs and asks
	Rows    int       // of each table, default 10,000,000
	Devices int       // default 1000
	Python  string    // one that has deltalake and pyarrow, measured beside; empty: none
	Dir     string    // for the tables; default a temporary folder
	Log     io.Writer // progress, one line per stage; may be nil
}

//go:embed lake.py
var lakeScript []byte

// lakeBench is one run.
type lakeBench struct {
	LakeOptions
	report  *Report
	dir     string // data folder
	store   blob.Store
	catalog *lake.Catalog
	session *query.Session
	plain   *duckdb.Plain
	dicts   []*column.Dict
}

// Lake writes rows of telemetry over two days into tables of large files and of small ones,
// packs and clusters them, and asks each: Spate's queries beside those of the engine alone over
// the same files, and beside its writing and packing that of delta-rs and pyarrow.
func Lake(ctx context.Context, o LakeOptions) (*Report, error) {
	o.Rows, o.Devices, o.Log = cmp.Or(o.Rows, 10_000_000), cmp.Or(o.Devices, 1000), cmp.Or[io.Writer](o.Log, io.Discard)
	dir, err := os.MkdirTemp(o.Dir, "spate-lake-")
	if err != nil {
		return nil, fmt.Errorf("bench lake: %w", err)
	}
	defer os.RemoveAll(dir)
	l := &lakeBench{LakeOptions: o, dir: dir, report: &Report{Workload: "lake", Conditions: conditions(dir), Counters: map[string]int64{}}}
	l.report.Conditions.Events, l.report.Conditions.Devices = o.Rows, o.Devices
	if err := l.run(ctx); err != nil {
		return nil, fmt.Errorf("bench lake: %w", err)
	}
	l.report.Conditions.LoadAfter = load()
	return l.report, nil
}

func (l *lakeBench) run(ctx context.Context) error {
	folder := lake.Folder(l.dir, "spate", "telemetry-data")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	l.store = blob.NewLocal(folder)
	for range 3 {
		l.dicts = append(l.dicts, column.NewDict())
	}
	var err error
	if l.catalog, err = lake.NewCatalog(lake.Options{Store: l.store, Discover: true}); err != nil {
		return err
	}
	defer l.catalog.Close()
	scratch := filepath.Join(l.dir, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	engine, err := query.NewEngine(query.EngineOptions{Command: []string{l.Program, "duckdb-worker"}, Workers: 1, Limits: query.Limits{SpillDir: scratch}})
	if err != nil {
		return err
	}
	defer engine.Close()
	l.session = &query.Session{Catalog: l.catalog, Engine: engine, WarnFiles: math.MaxInt}
	if l.plain, err = duckdb.NewPlain(ctx); err != nil {
		return err
	}
	defer l.plain.Close()

	if err := l.encode(); err != nil {
		return err
	}
	if err := l.write(ctx, folder); err != nil {
		return err
	}
	if err := l.pack(ctx, folder); err != nil {
		return err
	}
	if l.Python != "" {
		if err := l.peers(ctx, folder); err != nil {
			return err
		}
	}
	for _, table := range []string{"large", "small", "packed", "clustered"} {
		if err := l.ask(ctx, table); err != nil {
			return err
		}
	}
	return l.askWhileWritten(ctx)
}

func (l *lakeBench) figure(name, unit string, value, budget float64) {
	l.report.Figures = append(l.report.Figures, Figure{Name: name, Unit: unit, Value: value, Budget: budget})
	fmt.Fprintf(l.Log, "%s: %.4g %s\n", name, value, unit)
}

// lakeStart is the first instant of the tables, which have two days.
var lakeStart = column.DateTicks(2026, 3, 1)

const lakeSpan = 2 * column.Day

var lakeSchema = &column.Schema{Fields: []column.Field{{Name: "EventId"}, {Name: "DeviceId"}, {Name: "Location"}, {Name: "DeviceType"}, {Name: "Temperature"},
	{Name: "Humidity"}, {Name: "Pressure"}, {Name: "BatteryLevel"}, {Name: "SignalStrength"}, {Name: "Timestamp"}, {Name: "IngestionTime"}}}

// rows are the rows from a number on: the same for every table.
func (l *lakeBench) rows(from, n int) *column.Batch {
	rnd := rand.New(rand.NewPCG(uint64(from), 11))
	round := func(f float64) column.Value { return column.FloatOf(math.Round(f*100) / 100) }
	places, kinds := []string{"Building-A", "Building-B", "Building-C", "Warehouse-1", "Factory-Floor"}, []string{"TempSensor", "HumiditySensor", "MultiSensor", "PressureSensor"}
	b := make([]*column.Builder, len(lakeSchema.Fields))
	for i := range b {
		b[i] = column.NewBuilder(nil)
		if i >= 1 && i <= 3 {
			b[i] = column.NewBuilder(l.dicts[i-1])
		}
	}
	out := &column.Batch{Schema: lakeSchema, Rows: n}
	for i := range n {
		dev := rnd.IntN(l.Devices)
		at := (lakeStart + column.Ticks(float64(lakeSpan)*float64(from+i)/float64(l.Rows))) / 10 * 10
		id := fmt.Sprintf("device-%03d", dev+1)
		b[0].Append(column.TextOf(fmt.Sprintf("%s-%.6f", id, float64(at.UnixMicro())/1e6)))
		b[1].Append(column.TextOf(id))
		b[2].Append(column.TextOf(places[dev%len(places)]))
		b[3].Append(column.TextOf(kinds[dev%len(kinds)]))
		b[4].Append(round(22 + rnd.NormFloat64()*3))
		b[5].Append(round(50 + rnd.NormFloat64()*5))
		b[6].Append(round(1013 + rnd.NormFloat64()*2))
		b[7].Append(round(max(0, 100-float64(from+i)/float64(l.Rows)*30+rnd.NormFloat64())))
		b[8].Append(round(-60 + rnd.NormFloat64()*5))
		b[9].Append(column.TimeOf(at))
		b[10].Append(column.TimeOf(at + column.Ticks(rnd.IntN(500_000))))
		out.Time, out.Seq = append(out.Time, at), append(out.Seq, int64(from+i))
	}
	for i := range b {
		out.Cols = append(out.Cols, b[i].Vector())
	}
	return out
}

// encode measures the Parquet encoder alone.
func (l *lakeBench) encode() error {
	double, stamp := parquetfile.Type{Kind: parquetfile.Double}, parquetfile.Type{Kind: parquetfile.Timestamp}
	var cols []parquetfile.Column
	for i, f := range lakeSchema.Fields {
		c := parquetfile.Column{Name: f.Name, Nullable: true}
		if i >= 4 {
			c.Type = double
		}
		if i >= 9 {
			c.Type = stamp
		}
		cols = append(cols, c)
	}
	n := min(l.Rows, 500_000)
	var batches [][]*column.Vector
	for at := 0; at < n; at += 4096 {
		b := l.rows(at, min(4096, n-at))
		var vecs []*column.Vector
		for i := range b.Cols {
			vecs = append(vecs, &b.Cols[i])
		}
		batches = append(batches, vecs)
	}
	w, err := parquetfile.NewWriter(io.Discard, cols, parquetfile.Options{})
	if err != nil {
		return err
	}
	best := time.Duration(math.MaxInt64)
	for range 3 {
		if err := w.Reset(io.Discard); err != nil {
			return err
		}
		before, err := cputime.Used()
		if err != nil {
			return err
		}
		for i, v := range batches {
			if err := w.Append(v, nil, min(4096, n-i*4096)); err != nil {
				return err
			}
		}
		if _, err := w.Close(); err != nil {
			return err
		}
		after, err := cputime.Used()
		if err != nil {
			return err
		}
		best = min(best, after-before)
	}
	l.figure("encode", "CPU-ns/row", float64(best.Nanoseconds())/float64(n), 350)
	l.figure("encode, bytes", "B/row", float64(w.Written())/float64(n), 14)
	return nil
}

// fill appends rows to a table, so many of them in a commit.
func (l *lakeBench) fill(ctx context.Context, name string, from, rows, perCommit int) error {
	text, double, stamp := delta.String, delta.Double, delta.Timestamp
	var cols []delta.Column
	for i, f := range lakeSchema.Fields {
		c := delta.Column{Name: f.Name, Type: text, Nullable: true}
		if i >= 4 {
			c.Type = double
		}
		if i >= 9 {
			c.Type = stamp
		}
		cols = append(cols, c)
	}
	sink, err := deltatable.Open(ctx, deltatable.Options{Store: l.store, Path: name, Output: name,
		Create: &delta.Definition{Columns: cols, PartitionBy: []delta.Partition{{DateOf: "Timestamp"}}}})
	if err != nil {
		return err
	}
	job := fmt.Sprintf("bench-%d", from)
	w, err := sink.OpenWriter(ctx, connector.Shard{Job: job, Of: 1})
	if err != nil {
		return err
	}
	defer w.Close()
	for at, epoch := 0, int64(1); at < rows; epoch++ {
		for end := min(rows, at+perCommit); at < end; {
			n := min(4096, end-at)
			if bad, err := w.Write(ctx, l.rows(from+at, n)); err != nil || len(bad) > 0 {
				return fmt.Errorf("write %s: %d rows do not fit: %w", name, len(bad), err)
			}
			at += n
		}
		e := connector.Epoch{Job: job, Number: epoch, Incarnation: "bench"}
		p, err := w.Prepare(ctx, e)
		if err != nil {
			return err
		}
		if err := sink.Commit(ctx, e, []connector.Prepared{p}); err != nil {
			return err
		}
	}
	return nil
}

func (l *lakeBench) write(ctx context.Context, folder string) error {
	n := min(l.Rows, 1_000_000)
	begin := time.Now()
	for at := 0; at < n; at += 4096 { // what making the rows takes is not of writing
		l.rows(at, min(4096, n-at))
	}
	making := time.Since(begin)
	begin = time.Now()
	if err := l.fill(ctx, "commits", 0, n, 10_000); err != nil {
		return err
	}
	l.figure("commits of 10,000 rows", "rows/s", float64(n)/(time.Since(begin)-making).Seconds(), 400_000)
	for name, per := range map[string]int{"large": (l.Rows + 60) / 61, "small": (l.Rows + 2999) / 3000} {
		if err := l.fill(ctx, name, 0, l.Rows, per); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(folder, "commits"))
}

// pack measures OPTIMIZE of small files, and with ZORDER BY, as processes of their own.
func (l *lakeBench) pack(ctx context.Context, folder string) error {
	for _, p := range []struct {
		name, table    string
		args           []string
		budget, memory float64
	}{
		{"OPTIMIZE", "packed", nil, 1_000_000, 256},
		{"ZORDER", "clustered", []string{"--zorder-by", "DeviceId,Timestamp"}, 500_000, 512},
	} {
		if err := os.CopyFS(filepath.Join(folder, p.table), os.DirFS(filepath.Join(folder, "small"))); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, l.Program, append([]string{"table", "optimize", "default." + p.table, "--data", l.dir, "-q"}, p.args...)...)
		var said bytes.Buffer
		cmd.Stderr = &said
		begin := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", p.name, err, said.String())
		}
		wall := time.Since(begin)
		l.figure(p.name, "rows/s", float64(l.Rows)/wall.Seconds(), p.budget)
		l.figure(p.name+", time of processors", "rows/CPU-s", float64(l.Rows)/(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds(), 0)
		l.figure(p.name+", memory", "MiB", float64(peakMemory(cmd.ProcessState))/(1<<20), p.memory)
	}
	return nil
}

// peers lets delta-rs and pyarrow do the same work.
func (l *lakeBench) peers(ctx context.Context, folder string) error {
	dir := filepath.Join(l.dir, "peers")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	script := filepath.Join(dir, "lake.py")
	if err := os.WriteFile(script, lakeScript, 0o600); err != nil {
		return err
	}
	files, err := l.files(ctx, "large")
	if err != nil {
		return err
	}
	args := append([]string{script, dir, filepath.Join(folder, "small")}, files[:min(6, len(files))]...)
	cmd := exec.CommandContext(ctx, l.Python, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", l.Python, err, said.String())
	}
	var got map[string]float64
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("%s printed %q: %w", l.Python, out, err)
	}
	l.figure("encode, pyarrow", "CPU-ns/row", got["encode ns"], 0)
	l.figure("encode, bytes, pyarrow", "B/row", got["encode bytes"], 0)
	l.figure("commits of 10,000 rows, delta-rs", "rows/s", got["commits"], 0)
	for _, name := range []string{"OPTIMIZE", "ZORDER"} {
		key := strings.ToLower(name)
		l.figure(name+", delta-rs", "rows/s", got[key], 0)
		l.figure(name+", time of processors, delta-rs", "rows/CPU-s", got[key+" cpu"], 0)
		l.figure(name+", memory, delta-rs", "MiB", got[key+" memory"], 0)
	}
	if err := os.Rename(filepath.Join(dir, "rs_zorder"), filepath.Join(folder, "rs_clustered")); err != nil {
		return err
	}
	return nil
}

// files are the data files of a table.
func (l *lakeBench) files(ctx context.Context, table string) ([]string, error) {
	t, err := l.catalog.Table(ctx, "default", table, query.AsOf{})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range t.Files {
		out = append(out, f.Path)
	}
	return out, nil
}

// lakeQuery is a question in T-SQL over a table t, and the same to the engine over files f.
type lakeQuery struct{ name, own, plain string }

func (l *lakeBench) queries() []lakeQuery {
	last := (lakeStart + lakeSpan - column.Hour).String()[:19]
	day := (lakeStart + lakeSpan - column.Day).String()[:19]
	dev := fmt.Sprintf("device-%03d", l.Devices/2)
	at := func(s string) string { return "TIMESTAMPTZ '" + strings.Replace(s, "T", " ", 1) + "+00'" }
	all := "EventId, DeviceId, Location, DeviceType, Temperature, Humidity, Pressure, BatteryLevel, SignalStrength, Timestamp, IngestionTime"
	summary := "SELECT DeviceId, Location, DeviceType, COUNT(*) AS n, AVG(Temperature) AS t, AVG(Humidity) AS h, AVG(BatteryLevel) AS b, MIN(Timestamp) AS f, MAX(Timestamp) AS l FROM t GROUP BY DeviceId, Location, DeviceType ORDER BY n DESC"
	newest := "SELECT " + all + " FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY DeviceId ORDER BY Timestamp DESC) AS k FROM t) AS x WHERE k = 1"
	return []lakeQuery{
		{"100 newest", "SELECT TOP 100 " + all + " FROM t ORDER BY Timestamp DESC", "SELECT " + all + " FROM t ORDER BY Timestamp DESC LIMIT 100"},
		{"device summary", summary, summary},
		{"a device's day", "SELECT " + all + " FROM t WHERE DeviceId = '" + dev + "' AND Timestamp >= '" + day + "'", "SELECT " + all + " FROM t WHERE DeviceId = '" + dev + "' AND Timestamp >= " + at(day)},
		{"count", "SELECT COUNT(*) AS n FROM t", "SELECT COUNT(*) AS n FROM t"},
		{"statistics", "SELECT COUNT(*) AS n, COUNT(DISTINCT DeviceId) AS d, MIN(Timestamp) AS f, MAX(Timestamp) AS l FROM t", "SELECT COUNT(*), COUNT(DISTINCT DeviceId), MIN(Timestamp), MAX(Timestamp) FROM t"},
		{"first and last time", "SELECT MIN(Timestamp) AS f, MAX(Timestamp) AS l FROM t", "SELECT MIN(Timestamp), MAX(Timestamp) FROM t"},
		{"count of the last hour", "SELECT COUNT(*) AS n FROM t WHERE Timestamp >= '" + last + "'", "SELECT COUNT(*) FROM t WHERE Timestamp >= " + at(last)},
		{"newest of each device", newest, newest},
	}
}

// own asks a query of Spate; it returns the rows and the files that it opened.
func (l *lakeBench) own(ctx context.Context, sql string) (rows int64, files int, err error) {
	r, err := l.session.Run(ctx, sql)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return rows, r.Stats.FilesOpened, nil
		} else if err != nil {
			return 0, 0, err
		}
		rows++
	}
}

// median is the middle of five times, or of one that takes long, behind one that warms up.
func median(run func() error) (time.Duration, error) {
	var times []time.Duration
	for k := range 6 {
		begin := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		if took := time.Since(begin); k > 0 {
			if times = append(times, took); took > 5*time.Second {
				break
			}
		}
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func (l *lakeBench) ask(ctx context.Context, table string) error {
	files, err := l.files(ctx, table)
	if err != nil {
		return err
	}
	for i, f := range files {
		files[i] = query.Quote(f)
	}
	list := "read_parquet([" + strings.Join(files, ", ") + "], hive_partitioning = false)"
	for _, q := range l.queries() {
		var rows, plainRows int64
		opened := 0
		own, err := median(func() (err error) {
			rows, opened, err = l.own(ctx, strings.ReplaceAll(q.own, "FROM t", "FROM "+table))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s, %s: %w", table, q.name, err)
		}
		plain, err := median(func() (err error) {
			plainRows, err = l.plain.Run(ctx, strings.ReplaceAll(q.plain, "FROM t", "FROM "+list))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s, %s, by the engine alone: %w", table, q.name, err)
		}
		if rows != plainRows {
			return fmt.Errorf("%s, %s: %d rows, by the engine alone %d", table, q.name, rows, plainRows)
		}
		l.figure(table+": "+q.name, "ms", own.Seconds()*1000, 0)
		l.figure(table+": "+q.name+", DuckDB", "ms", plain.Seconds()*1000, 0)
		l.figure(table+": "+q.name+", ratio", "", own.Seconds()/plain.Seconds(), 1.1)
		l.report.Counters[table+": "+q.name+", files"] = int64(opened)
		l.report.Counters[table+": "+q.name+", rows"] = rows
	}
	l.report.Counters[table+", files"] = int64(len(files))
	return nil
}

// askWhileWritten asks the packed table while 100,000 rows a second come into it.
func (l *lakeBench) askWhileWritten(ctx context.Context) error {
	touched := func(table string) (int, error) {
		_, files, err := l.own(ctx, strings.ReplaceAll(l.queries()[2].own, "FROM t", "FROM "+table))
		return files, err
	}
	n, err := touched("clustered")
	if err != nil {
		return err
	}
	l.figure("ZORDER, files of a device's day", "files", float64(n), 0)
	if l.Python != "" {
		if n, err = touched("rs_clustered"); err != nil {
			return err
		}
		l.figure("ZORDER, files of a device's day, delta-rs", "files", float64(n), 0)
	}
	measure := func() (map[string]time.Duration, error) {
		out := map[string]time.Duration{}
		for _, q := range l.queries()[:3] {
			d, err := median(func() error {
				_, _, err := l.own(ctx, strings.ReplaceAll(q.own, "FROM t", "FROM packed"))
				return err
			})
			if err != nil {
				return nil, err
			}
			out[q.name] = d
		}
		return out, nil
	}
	still, err := measure()
	if err != nil {
		return err
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for k := 0; ; k++ {
			select {
			case <-stop:
				done <- nil
				return
			case <-time.After(100 * time.Millisecond):
			}
			if err := l.fill(ctx, "packed", l.Rows+k*10_000, 10_000, 10_000); err != nil {
				done <- err
				return
			}
		}
	}()
	busy, err := measure()
	close(stop)
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	for _, q := range l.queries()[:3] {
		l.figure("while 100,000 rows/s come: "+q.name+", ratio", "", busy[q.name].Seconds()/still[q.name].Seconds(), 1.5)
	}
	return nil
}
