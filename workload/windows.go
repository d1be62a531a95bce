package workload

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/metric"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
	"spate/stream/state"
)

// Windows measures the steps that hold rows or groups, each in the shape that costs
// most: many partitions interleaved, long windows with short hops, much that waits.
// Every figure stands beside its budget.
func Windows(ctx context.Context, log io.Writer) (*Report, error) {
	if log == nil {
		log = io.Discard
	}
	r := &Report{Workload: "windows", Conditions: conditions(os.TempDir()), Counters: make(map[string]int64)}
	for _, c := range []struct {
		name string
		run  func(context.Context, *Report) error
	}{
		{"lag", measureLag}, {"join", measureJoin}, {"apply", measureApply}, {"reference data", measureReference}, {"places", measurePlaces}, {"anomaly", measureAnomaly},
		{"match", measureMatch}, {"substreams", measureSubstreams}, {"functions", measureFunctions}, {"disorder", measureDisorder}, {"hopping", measureHopping}, {"sliding", measureSliding},
		{"session", measureSession}, {"checkpoint", measureFreeze}, {"changed script", measureChange}, {"shards", measureShards},
	} {
		fmt.Fprintln(log, c.name)
		if err := c.run(ctx, r); err != nil {
			return nil, fmt.Errorf("measuring %s: %w", c.name, err)
		}
	}
	r.Conditions.LoadAfter = load()
	return r, nil
}

func (r *Report) add(name, unit string, value, budget float64) {
	r.Figures = append(r.Figures, Figure{Name: name, Unit: unit, Value: value, Budget: budget})
}

// spreadSource gives n messages, message i in partition i % parts.
type spreadSource struct {
	n, parts int
	body     func(dst []byte, i int) []byte
	arrival  func(i int) column.Ticks
	chunks   [][]connector.Chunk // by partition
}

func (s *spreadSource) fill() {
	const size = 1024
	s.chunks = make([][]connector.Chunk, s.parts)
	for i := range s.n {
		list := &s.chunks[i%s.parts]
		if k := len(*list); k == 0 || (*list)[k-1].Len() == size {
			*list = append(*list, connector.Chunk{})
		}
		c := &(*list)[len(*list)-1]
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = s.body(c.Data, i)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		c.Arrivals = append(c.Arrivals, s.arrival(i))
		c.Offsets = append(c.Offsets, int64(i/s.parts))
	}
	for _, list := range s.chunks {
		for k := range list {
			list[k].Data = append(list[k].Data, make([]byte, 16)...)
			list[k].Next = binary.AppendUvarint(nil, uint64(k+1))
		}
	}
}

func (s *spreadSource) Partitions(context.Context) (int, error) { return s.parts, nil }

func (s *spreadSource) OpenReader(_ context.Context, part int, from connector.Start) (connector.Reader, error) {
	read := uint64(0)
	if from.Mode == connector.AtPosition {
		read, _ = binary.Uvarint(from.Position)
	}
	return &spreadReader{chunks: s.chunks[part][read:]}, nil
}

type spreadReader struct{ chunks []connector.Chunk }

func (r *spreadReader) Read(_ context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	if len(r.chunks) == 0 {
		c.Reset()
		return io.EOF
	}
	*c, r.chunks = r.chunks[0], r.chunks[1:]
	return nil
}

func (r *spreadReader) Close() error { return nil }

// runJob runs a script over a source and returns what it used and how many rows came
// out.
func runJob(ctx context.Context, script string, src *spreadSource, change func(*stream.Options)) (usage, time.Duration, int64, error) {
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		return usage{}, 0, 0, errs
	}
	var out checksumSink
	o := stream.Options{
		Name: "bench", Plan: job, IdleTick: -1, Start: stream.Start{Oldest: true}, Policy: exec.TimePolicy{Late: column.Hour},
		Inputs:  map[string]stream.Input{"i": {Source: src}},
		Outputs: map[string]connector.Sink{"o": countSink{&out}},
		Metrics: new(metric.Recorder), Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	j, err := stream.New(ctx, o)
	if err != nil {
		return usage{}, 0, 0, err
	}
	runtime.GC()
	before, from := used(), time.Now()
	err = j.Run(ctx)
	return used().since(before), time.Since(from), out.rows, err
}

// countSink counts rows and does not print them.
type countSink struct{ *checksumSink }

func (s countSink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return s, nil
}

func (s countSink) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	s.rows += int64(b.LiveRows())
	return nil, nil
}

var benchEpoch = column.UnixEpoch + 20454*column.Day

func lagSource(n int) *spreadSource {
	src := &spreadSource{n: n, parts: 4,
		arrival: func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*10 },
		body: func(dst []byte, i int) []byte {
			return fmt.Appendf(dst, `{"d":"device-%03d","v":%d.5,"at":"%s"}`, i%500, i%97, benchEpoch+column.Ticks(i)*10)
		},
	}
	src.fill()
	return src
}

const lagScript = "SELECT d, v, LAG(v) OVER (PARTITION BY d LIMIT DURATION(minute, 5)) AS p INTO o FROM i TIMESTAMP BY at"

// measureLag is LAG over four partitions whose rows interleave one by one.
func measureLag(ctx context.Context, r *Report) error {
	const n = 1_000_000
	u, _, rows, err := runJob(ctx, lagScript, lagSource(n), nil)
	if err != nil {
		return err
	}
	r.Counters["lag.rows"] = rows
	r.add("lag, 4 partitions row by row", "events/cpu-s", n/(float64(u.cpu)/1e9), 2_000_000)
	return nil
}

// measureDisorder is a disorder tolerance of 10 s over 100,000 events a second.
func measureDisorder(ctx context.Context, r *Report) error {
	const n, rate = 3_000_000, 100_000
	rng := rand.New(rand.NewPCG(1, 1))
	times := make([]column.Ticks, n)
	for i := range times {
		times[i] = benchEpoch + column.Ticks(i)*column.Second/rate - column.Ticks(rng.Int64N(int64(9*column.Second)))
	}
	src := &spreadSource{n: n, parts: 1,
		arrival: func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*column.Second/rate },
		body:    func(dst []byte, i int) []byte { return fmt.Appendf(dst, `{"v":%d,"at":"%s"}`, i%97, times[i]) },
	}
	src.fill()
	u, _, rows, err := runJob(ctx, "SELECT v INTO o FROM i TIMESTAMP BY at", src, func(o *stream.Options) { o.Policy.Disorder = 10 * column.Second })
	if err != nil {
		return err
	}
	r.Counters["disorder.rows"] = rows
	r.add("disorder tolerance 10 s, 100,000 events/s", "events/cpu-s", n/(float64(u.cpu)/1e9), 1_000_000)
	return nil
}

// measureSubstreams is TIMESTAMP BY ... OVER with 100,000 keys, which drift apart by up to a
// minute.
func measureSubstreams(ctx context.Context, r *Report) error {
	const n, keys, rate = 1_000_000, 100_000, 20_000
	src := &spreadSource{n: n, parts: 4,
		arrival: func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*column.Second/rate },
		body: func(dst []byte, i int) []byte {
			k := i * 7919 % keys
			at := benchEpoch + column.Ticks(i)*column.Second/rate - column.Ticks(k%60)*column.Second
			return fmt.Appendf(dst, `{"k":"device-%d","v":%d,"at":"%s"}`, k, i%97, at)
		},
	}
	src.fill()
	u, _, rows, err := runJob(ctx, "SELECT k, COUNT(*) AS n INTO o FROM i TIMESTAMP BY at OVER k GROUP BY k, TumblingWindow(minute, 5)", src,
		func(o *stream.Options) { o.Policy.Late = 5 * column.Minute })
	if err != nil {
		return err
	}
	r.Counters["substreams.rows"] = rows
	r.add("OVER, 100,000 keys", "events/cpu-s", n/(float64(u.cpu)/1e9), 1_000_000)
	return nil
}

// operatorOf compiles the step under the projection of a script's only output.
func operatorOf(script string) (exec.Operator, *plan.Job, error) {
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		return nil, nil, errs
	}
	step, err := exec.Compile(job.Outputs[0].In.Inputs()[0])
	if err != nil {
		return nil, nil, err
	}
	op, err := step.New()
	return op, job, err
}

// nothing takes what an operator gives.
type nothing struct{ rows int }

func (s *nothing) Rows(b *column.Batch) error { s.rows += b.LiveRows(); return nil }

func (s *nothing) Advance(column.Ticks) error { return nil }

// benchBatch is a batch of the columns k, a text key, and v, a float.
func benchBatch(job *plan.Job, dict *column.Dict, n int, at func(i int) column.Ticks, key func(i int) string) *column.Batch {
	in := job.Inputs[0]
	b := &column.Batch{Schema: exec.SchemaOf(in.Columns()), Rows: n, Time: make([]column.Ticks, n), Seq: make([]int64, n)}
	for i := range n {
		b.Time[i] = at(i)
		b.Seq[i] = int64(b.Time[i])
	}
	for _, c := range in.Cols {
		bl := column.NewBuilder(dict)
		for i := range n {
			if c.Name == "k" {
				bl.Append(column.TextOf(key(i)))
			} else {
				bl.Append(column.FloatOf(float64(i*7919%1009) + 0.5))
			}
		}
		b.Cols = append(b.Cols, bl.Vector())
	}
	return b
}

// feed gives an operator rows of distinct times, step apart, over keys in turn, and
// moves the watermark behind each batch. It returns the time per row.
func feed(op exec.Operator, job *plan.Job, from column.Ticks, rows int, step column.Ticks, keys int) (column.Ticks, float64, error) {
	var out nothing
	dict := column.NewDict()
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("device-%06d", i)
	}
	var spent time.Duration
	const size = 1024
	for done := 0; done < rows; done += size {
		n := min(size, rows-done)
		b := benchBatch(job, dict, n, func(i int) column.Ticks { return from + column.Ticks(done+i)*step }, func(i int) string { return names[(done+i)%keys] })
		begun := time.Now()
		if err := op.Process(0, b, &out); err != nil {
			return 0, 0, err
		}
		if err := op.Advance(b.Time[n-1], &out); err != nil {
			return 0, 0, err
		}
		spent += time.Since(begun)
	}
	return from + column.Ticks(rows)*step, float64(spent.Nanoseconds()) / float64(rows), nil
}

// idle is the time of an Advance by a tick that closes nothing.
func idle(op exec.Operator, at column.Ticks) (float64, error) {
	var out nothing
	const rounds = 1000
	begun := time.Now()
	for i := range rounds {
		if err := op.Advance(at+column.Ticks(i+1), &out); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / rounds, nil
}

// measureHopping is a window of 60 and of 3,600 hops over one group and over 10,000.
func measureHopping(_ context.Context, r *Report) error {
	for _, keys := range []int{1, 10_000} {
		var perRow [2]float64
		for i, hops := range []int{60, 3600} {
			op, job, err := operatorOf(fmt.Sprintf("SELECT k, AVG(v) AS a, MAX(v) AS m INTO o FROM i GROUP BY k, HoppingWindow(second, %d, 1)", hops))
			if err != nil {
				return err
			}
			// The window fills once, so that what is measured enters and leaves.
			const fill = 1 << 18
			at, _, err := feed(op, job, benchEpoch, fill, column.Ticks(hops)*column.Second/fill, keys)
			if err != nil {
				return err
			}
			step := column.Ticks(200_000) // 50 rows a second: a window closes every 50 rows
			if keys > 1 {
				step = 100 // 100,000 rows a second
			}
			at, perRow[i], err = feed(op, job, at, 100_000, step, keys)
			if err != nil {
				return err
			}
			if hops == 3600 {
				d, err := idle(op, at)
				if err != nil {
					return err
				}
				r.add(fmt.Sprintf("hopping, 3600 hops, %d groups: nothing due", keys), "ns/advance", d, 1000)
			}
		}
		r.add(fmt.Sprintf("hopping, 60 hops, %d groups", keys), "ns/row", perRow[0], 0)
		r.add(fmt.Sprintf("hopping, 3600 hops, %d groups", keys), "ns/row", perRow[1], 0)
		r.add(fmt.Sprintf("hopping, 3600 hops against 60, %d groups", keys), "ratio", perRow[1]/perRow[0], 2)
	}
	return nil
}

// measureSliding is MIN and MAX over 100,000 rows in the window.
func measureSliding(_ context.Context, r *Report) error {
	op, job, err := operatorOf("SELECT MIN(v) AS lo, MAX(v) AS hi INTO o FROM i GROUP BY SlidingWindow(second, 100)")
	if err != nil {
		return err
	}
	at, _, err := feed(op, job, benchEpoch, 100_000, column.Millisecond, 1)
	if err != nil {
		return err
	}
	_, d, err := feed(op, job, at, 200_000, column.Millisecond, 1)
	r.add("sliding MIN and MAX, 100,000 rows in the window", "ns/row", d, 500)
	return err
}

// measureSession is 100,000 open sessions.
func measureSession(_ context.Context, r *Report) error {
	op, job, err := operatorOf("SELECT k, COUNT(*) AS c INTO o FROM i GROUP BY k, SessionWindow(minute, 5, 60) OVER (PARTITION BY k)")
	if err != nil {
		return err
	}
	at, _, err := feed(op, job, benchEpoch, 100_000, column.Millisecond, 100_000)
	if err != nil {
		return err
	}
	at, d, err := feed(op, job, at, 200_000, column.Millisecond, 100_000)
	if err != nil {
		return err
	}
	r.add("sessions, 100,000 open", "ns/row", d, 300)
	d, err = idle(op, at)
	r.add("sessions, 100,000 open: nothing due", "ns/advance", d, 1000)
	return err
}

// measureFreeze is a checkpoint with 1,000,000 groups open of which 1 % were touched.
func measureFreeze(_ context.Context, r *Report) error {
	op, job, err := operatorOf("SELECT k, COUNT(*) AS c, AVG(v) AS a, MIN(v) AS lo, MAX(v) AS hi INTO o FROM i GROUP BY k, TumblingWindow(hour, 1)")
	if err != nil {
		return err
	}
	const groups = 1_000_000
	freeze := func() (time.Duration, int64, error) {
		runtime.GC()
		begun := time.Now()
		f, err := op.Freeze()
		took := time.Since(begun)
		if err != nil {
			return 0, 0, err
		}
		w := state.NewWriter()
		f(w.Step("s", 0, state.Groups))
		var b bytes.Buffer
		n, err := w.WriteTo(&b)
		return took, n, err
	}
	at, _, err := feed(op, job, benchEpoch+1, groups, 100, groups)
	if err != nil {
		return err
	}
	_, whole, err := freeze()
	if err != nil {
		return err
	}
	if _, _, err = feed(op, job, at, groups/100, 100, groups/100); err != nil {
		return err
	}
	took, changed, err := freeze()
	r.add("checkpoint, 1,000,000 groups, 1 % touched: the step stands still", "ms", float64(took.Microseconds())/1000, 5)
	r.add("checkpoint, 1,000,000 groups, 1 % touched: bytes against all", "ratio", float64(changed)/float64(whole), 0.02)
	return err
}

// measureChange is a job with 1,000,000 open groups that comes back with one statement
// more: how long until it runs.
func measureChange(ctx context.Context, r *Report) error {
	const groups = 1_000_000
	src := &spreadSource{n: groups, parts: 4,
		arrival: func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*10 },
		body:    func(dst []byte, i int) []byte { return fmt.Appendf(dst, `{"d":"device-%07d","v":%d.5}`, i, i%97) },
	}
	src.fill()
	dir, err := os.MkdirTemp("", "spate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	const script = "SELECT d, COUNT(*) AS c, AVG(v) AS a, MAX(v) AS m INTO o FROM i GROUP BY d, TumblingWindow(hour, 1);"
	life := func(script string) (time.Duration, error) {
		_, took, _, err := runJob(ctx, script, src, func(o *stream.Options) {
			o.Store, o.Prefix, o.NoFlush = blob.NewLocal(dir), "job", true
			o.Outputs["p"] = o.Outputs["o"]
		})
		return took, err
	}
	if _, err := life(script); err != nil {
		return err
	}
	begun := time.Now()
	_, err = life(script + " SELECT d INTO p FROM i WHERE v < 0;")
	r.add("a changed script, 1,000,000 groups kept: until it has gone on and stopped", "s", time.Since(begun).Seconds(), 2)
	return err
}

// measureShards runs jobs whose steps are split by key in one shard and in four.
func measureShards(ctx context.Context, r *Report) error {
	const n = 1_000_000
	for _, procs := range []int{1, 2, 4, 8} {
		old := runtime.GOMAXPROCS(procs)
		r.add(fmt.Sprintf("shards that a job of parallelism 4 runs on %d processors", procs), "shards", float64(stream.Shards(4)), 0)
		runtime.GOMAXPROCS(old)
	}
	for _, c := range []struct{ name, script string }{
		{"lag", lagScript},
		{"lag, alerts", "WITH s AS (" + lagScript[:len(lagScript)-len(" INTO o FROM i TIMESTAMP BY at")] + " FROM i TIMESTAMP BY at) SELECT d, v, p INTO o FROM s WHERE v - p > 90"},
		{"session", "SELECT d, COUNT(*) AS c, MAX(v) AS m INTO o FROM i TIMESTAMP BY at GROUP BY d, SessionWindow(second, 1, 60) OVER (PARTITION BY d)"},
		{"sliding", "SELECT d, MAX(v) AS m INTO o FROM i TIMESTAMP BY at GROUP BY d, SlidingWindow(millisecond, 100)"},
		{"tumbling", "SELECT d, MAX(v) AS m INTO o FROM i TIMESTAMP BY at GROUP BY d, TumblingWindow(second, 1)"},
	} {
		src := lagSource(n)
		wall := make(map[int]time.Duration)
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			for _, shards := range []int{1, 4} {
				best := time.Duration(1 << 62)
				for range 3 {
					_, took, rows, err := runJob(ctx, c.script, src, func(o *stream.Options) { o.Parallelism = shards })
					if err != nil {
						runtime.GOMAXPROCS(old)
						return err
					}
					best = min(best, took)
					r.Counters["shards."+c.name] = rows
				}
				wall[procs*10+shards] = best
			}
			runtime.GOMAXPROCS(old)
			r.add(fmt.Sprintf("shards, %s: 4 against 1 on %d processors", c.name, procs), "ratio of time", float64(wall[procs*10+4])/float64(wall[procs*10+1]), 0)
		}
		r.add(fmt.Sprintf("shards, %s: 4 shards, 2 processors against 1", c.name), "ratio of time", float64(wall[24])/float64(wall[14]), 0)
	}
	return nil
}
