package exec_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
	"spate/stream/state"
)

const aggregatesOfModel = "k, COUNT(*) AS c, COUNT(DISTINCT d) AS u, SUM(n) AS s, MIN(m) AS lo, MAX(m) AS hi"

// compiled is a script that ends in an aggregation.
type compiled struct {
	input *plan.Input
	node  *plan.Aggregate
}

func compileScript(t testing.TB, script string) compiled {
	t.Helper()
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		t.Fatalf("%s: %v", script, errs)
	}
	return compiled{job.Inputs[0], job.Outputs[0].In.(*plan.Project).In.(*plan.Aggregate)}
}

func (c *compiled) batch(rows []*modelRow) *column.Batch {
	b := &column.Batch{Schema: exec.SchemaOf(c.input.Columns()), Rows: len(rows)}
	for _, r := range rows {
		b.Time, b.Arrived = append(b.Time, r.at.Time), append(b.Arrived, r.at.Arrived)
		b.Seq, b.Index = append(b.Seq, r.at.Seq), append(b.Index, r.at.Index)
	}
	for _, col := range c.input.Cols {
		v := column.NewBuilder(nil)
		for _, r := range rows {
			v.Append(r.value(col.Name))
		}
		b.Cols = append(b.Cols, v.Vector())
	}
	return b
}

// gathered keeps what an operator emits.
type gathered struct {
	rows []modelOut
	most int // rows of a batch
}

func (g *gathered) Rows(b *column.Batch) error {
	g.most = max(g.most, b.LiveRows())
	for k := range b.LiveRows() {
		i := b.Row(k)
		o := modelOut{at: column.PositionOf(b, i)}
		for c := range b.Cols {
			o.vals = append(o.vals, b.Cols[c].At(i))
		}
		g.rows = append(g.rows, o)
	}
	return nil
}

func (g *gathered) Advance(column.Ticks) error { return nil }

// keyed is an aggregation run by several shards, over a state that is kept in files.
type keyed struct {
	t       rapid.TB
	c       compiled
	routing func(*modelRow) []byte
	shards  []exec.Operator
	split   bool // there was more than one shard
	own     bool // every window is sliding or a session window
	files   [][]byte
	writing chan []byte // gives the file of the last checkpoint
	out     gathered
}

func newKeyed(t rapid.TB, c compiled, routing func(*modelRow) []byte) *keyed {
	k := &keyed{t: t, c: c, routing: routing, own: true}
	for _, w := range c.node.Windows {
		k.own = k.own && (w.Kind == plan.Sliding || w.Kind == plan.Session)
	}
	k.begin(1)
	return k
}

func (k *keyed) begin(shards int) {
	k.shards = nil
	k.split = k.split || shards > 1
	for range shards {
		op, err := exec.NewAggregate(k.c.node)
		if err != nil {
			k.t.Fatal(err)
		}
		k.shards = append(k.shards, op)
	}
}

func (k *keyed) shardOf(r *modelRow) int {
	key := k.routing(r)
	if len(key) == 0 {
		return 0
	}
	return state.ShardOf(state.Group(state.Hash(0, key)), len(k.shards))
}

func (k *keyed) process(rows []*modelRow) error {
	b := k.c.batch(rows)
	for s, op := range k.shards {
		live := []int32{}
		for i, r := range rows {
			if k.shardOf(r) == s {
				live = append(live, int32(i))
			}
		}
		if err := op.Process(0, b.WithLive(live), &k.out); err != nil {
			return err
		}
	}
	return nil
}

func (k *keyed) advance(w column.Ticks) error {
	for _, op := range k.shards {
		if err := op.Advance(w, &k.out); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint freezes all shards and writes a file beside them.
func (k *keyed) checkpoint() {
	k.settled()
	var parts []state.Frozen
	for _, op := range k.shards {
		f, err := op.Freeze()
		if err != nil {
			k.t.Fatal(err)
		}
		if f != nil {
			parts = append(parts, f)
		}
		if again, err := op.Freeze(); again != nil && k.own || err != nil {
			k.t.Fatalf("a second Freeze finds changes, or %v", err)
		}
	}
	k.writing = make(chan []byte, 1)
	go func() {
		w := state.NewWriter()
		for _, f := range parts {
			f(w.Step("s", 0, state.Groups))
		}
		var b bytes.Buffer
		if _, err := w.WriteTo(&b); err != nil {
			k.t.Error(err)
		}
		k.writing <- b.Bytes()
	}()
}

// settled waits until the last checkpoint is written.
func (k *keyed) settled() {
	if k.writing != nil {
		k.files = append(k.files, <-k.writing)
		k.writing = nil
	}
}

func (k *keyed) readers(n int) []io.Reader {
	var out []io.Reader
	for _, f := range k.files[:n] {
		out = append(out, bytes.NewReader(f))
	}
	return out
}

// merge makes one file of the first n.
func (k *keyed) merge(n int) {
	var b bytes.Buffer
	if err := state.Merge(&b, k.readers(n), func(string) bool { return true }); err != nil {
		k.t.Fatal(err)
	}
	k.files = append([][]byte{b.Bytes()}, k.files[n:]...)
}

// restore goes on from the last checkpoint with that many shards.
func (k *keyed) restore(shards int) {
	k.settled()
	k.begin(shards)
	err := state.Scan(k.readers(len(k.files)), func(_ string, e state.Entry) error {
		for s, op := range k.shards {
			if e.Key[0] == 0xff || state.ShardOf(e.Group, shards) == s {
				if err := op.Load(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, op := range k.shards {
		if f, err := op.Freeze(); f != nil && k.own || err != nil {
			k.t.Fatalf("an operator just loaded has changes to write, or %v", err)
		}
	}
}

// entries counts the entries of the state that hold rows or groups.
func (k *keyed) entries() int {
	k.settled()
	n := 0
	err := state.Scan(k.readers(len(k.files)), func(_ string, e state.Entry) error {
		if e.Key[0] != 0xff {
			n++
		}
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

func lines(rows []modelOut) []string {
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].String()
	}
	return out
}

// check compares what came out with what the definition says.
func (k *keyed) check(want []modelOut) {
	k.t.Helper()
	if !k.own { // the others order the rows of one time themselves
		k.checkOrder(want)
	}
	got, wanted := lines(k.out.rows), lines(want)
	if k.split || !k.own {
		slices.Sort(got)
		slices.Sort(wanted)
	}
	if !slices.Equal(got, wanted) {
		k.t.Fatalf("got %d rows:\n%s\nwant %d:\n%s", len(got), strings.Join(got, "\n"), len(wanted), strings.Join(wanted, "\n"))
	}
	if k.out.most > 1024 {
		k.t.Fatalf("a batch of %d rows", k.out.most)
	}
}

// checkOrder compares the times and windows of the rows, the last value being the
// window, and forgets where they stand.
func (k *keyed) checkOrder(want []modelOut) {
	k.t.Helper()
	frame := func(rows []modelOut) []string {
		var out []string
		for i := range rows {
			rows[i].at = column.Position{Time: rows[i].at.Time}
			out = append(out, rows[i].at.Time.String()+" "+rows[i].vals[len(rows[i].vals)-1].Text())
		}
		return out
	}
	if got, want := frame(k.out.rows), frame(want); !slices.Equal(got, want) {
		k.t.Fatalf("times and windows %q, want %q", got, want)
	}
}

// randomRows draws rows in total order, the gaps between them at and beside the limits.
func randomRows(t *rapid.T, limits ...column.Ticks) []*modelRow {
	gaps := []column.Ticks{0, 0, 0, 1, column.Second, column.Second / 2}
	for _, l := range limits {
		gaps = append(gaps, l-1, l, l+1)
	}
	record := column.RecordOf(&column.RecordValue{Names: []string{"x"}, Values: []column.Value{column.IntOf(1)}})
	key := []column.Value{column.TextOf("a"), column.TextOf("b"), column.IntOf(1), column.FloatOf(1), column.FloatOf(1), {}, record}
	any := []column.Value{column.TextOf("a"), column.IntOf(1), column.BoolOf(true), column.TimeOf(1), record, column.ArrayOf([]column.Value{record}), {}}
	number := []column.Value{column.IntOf(1), column.FloatOf(2.5), column.FloatOf(-4), column.IntOf(7), {}, column.IntOf(1 << 40)}
	best := []column.Value{column.IntOf(3), column.FloatOf(-1.5), column.FloatOf(9), column.TextOf("4"), column.TextOf("11.5"), {}}
	later := column.TextOf("2026-01-05T00:00:00Z")
	switch rapid.IntRange(0, 7).Draw(t, "extremes") {
	case 0:
		best = append(best, later) // mixed: most runs end in an error
	case 1:
		best = []column.Value{later, column.TextOf("2026-01-06"), {}, column.TimeOf(column.UnixEpoch)}
	}
	if rapid.Bool().Draw(t, "fewKeys") {
		key = key[2:5]
	}
	from := func(vs []column.Value, name string) column.Value { return rapid.SampledFrom(vs).Draw(t, name) }
	at := column.UnixEpoch
	var rows []*modelRow
	for range rapid.IntRange(0, 40).Draw(t, "rows") {
		at += rapid.SampledFrom(gaps).Draw(t, "gap")
		r := &modelRow{k: from(key, "k"), p: from(key, "p"), d: from(any, "d"), n: from(number, "n"), m: from(best, "m")}
		r.at = column.Position{Time: at, Arrived: at + column.Ticks(rapid.IntRange(0, 2).Draw(t, "arrived"))}
		// No two rows of a job are one event of one message.
		n := len(rows)
		r.at.Seq, r.at.Index = int64(rapid.IntRange(0, 2).Draw(t, "seq")*1000+n/2), int64(n%2)*column.Place
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b *modelRow) int {
		switch {
		case a.at.Before(b.at):
			return -1
		case b.at.Before(a.at):
			return 1
		}
		return 0
	})
	return rows
}

// play runs the rows with random batches, watermarks, checkpoints and restores.
func (k *keyed) play(t *rapid.T, rows []*modelRow, limit column.Ticks, shards int) error {
	var w column.Ticks
	for done := 0; ; {
		switch rapid.IntRange(0, 9).Draw(t, "act") {
		case 0, 1, 2:
			next := w + 2*limit
			last := w
			if done > 0 {
				last = rows[done-1].at.Time
			}
			if done < len(rows) {
				next = rows[done].at.Time
			}
			to := rapid.SampledFrom([]column.Ticks{last, last + 1, next - 1, next, last + limit, last + limit + 1}).Draw(t, "w")
			if to = min(to, next); to > w {
				w = to
				if err := k.advance(w); err != nil {
					return err
				}
			}
		case 3, 4:
			k.checkpoint()
		case 5:
			k.settled()
			if n := len(k.files); n > 1 {
				k.merge(rapid.IntRange(1, n).Draw(t, "merged"))
			}
		case 6:
			k.checkpoint()
			k.restore(rapid.IntRange(1, shards).Draw(t, "shards"))
		default:
			if done == len(rows) {
				if err := k.advance(column.EndOfTime); err != nil {
					return err
				}
				k.checkpoint()
				if n := k.entries(); n != 0 && k.own {
					t.Fatalf("%d entries are left in the state", n)
				}
				return nil
			}
			n := rapid.IntRange(1, min(8, len(rows)-done)).Draw(t, "batch")
			if err := k.process(rows[done : done+n]); err != nil {
				return err
			}
			done += n
		}
	}
}

func checkWindow(t *testing.T, group string, shards int, routing func(*modelRow) []byte) {
	selected := aggregatesOfModel
	if strings.HasPrefix(group, "Windows(") {
		selected += ", System.Window().Id AS w"
	}
	c := compileScript(t, "SELECT "+selected+" INTO o FROM i GROUP BY k, "+group)
	w := c.node.Windows[0]
	rapid.Check(t, func(t *rapid.T) {
		rows := randomRows(t, w.Size, max(w.Hop, 1))
		k := newKeyed(t, c, routing)
		want, failure := modelRun(c.node, rows, routing)
		switch err := k.play(t, rows, w.Size, shards); {
		case err != nil && failure == nil:
			t.Fatalf("%v, want rows", err)
		case err == nil && failure != nil:
			t.Fatalf("rows, want an error: %v", failure)
		case err == nil:
			k.check(want)
		case !strings.Contains(err.Error(), "cannot compare datetimes"):
			t.Fatalf("error %v, want one about types", err)
		}
		k.settled()
	})
}

func byKey(r *modelRow) []byte { return column.AppendKey(nil, r.k) }

func byPartition(r *modelRow) []byte { return column.AppendKey(nil, r.p) }

func nowhere(*modelRow) []byte { return nil }
