package reorder_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"testing"

	"spate/column"
	"spate/stream/reorder"
	"spate/stream/state"
)

var schema = &column.Schema{Fields: []column.Field{{Name: "id"}, {Name: "name"}}}

// item is a row of the model.
type item struct {
	at     column.Position
	source int
	number int // as it came
	id     int64
}

func (x item) before(y item) bool {
	switch {
	case x.at != y.at:
		return x.at.Before(y.at)
	case x.source != y.source:
		return x.source < y.source
	}
	return x.number < y.number
}

// model is what a buffer should do: it looks at every row and every frontier.
type model struct {
	frontiers []column.Position
	waiting   []item
	number    int
}

func (m *model) release() []item {
	sort.Slice(m.waiting, func(i, k int) bool { return m.waiting[i].before(m.waiting[k]) })
	var out, rest []item
	for _, x := range m.waiting {
		may := true
		for o, f := range m.frontiers {
			// What may still come of o stands at its frontier or behind it.
			may = may && (x.at.Before(f) || x.at == f && x.source <= o)
		}
		if may {
			out = append(out, x)
		} else {
			rest = append(rest, x)
		}
	}
	m.waiting = rest
	return out
}

// batchOf makes a batch of items, some of its rows dead.
func batchOf(r *rand.Rand, items []item, dict *column.Dict) *column.Batch {
	b := &column.Batch{Schema: schema}
	id, name := column.NewBuilder(nil), column.NewBuilder(dict)
	dead := r.IntN(3) == 0
	add := func(x item) {
		b.Time, b.Arrived = append(b.Time, x.at.Time), append(b.Arrived, x.at.Arrived)
		b.Seq, b.Index = append(b.Seq, x.at.Seq), append(b.Index, x.at.Index)
		id.Append(column.IntOf(x.id))
		name.Append(column.TextOf(fmt.Sprint("n", x.id%7)))
		b.Rows++
	}
	for _, x := range items {
		for dead && r.IntN(3) == 0 {
			add(item{id: -1})
		}
		if dead {
			b.Live = append(b.Live, int32(b.Rows))
		}
		add(x)
	}
	b.Cols = []column.Vector{id.Vector(), name.Vector()}
	return b
}

// collect returns the ids of what is released, and fails where a batch is not as it
// should be.
func collect(t *testing.T, b *reorder.Buffer) []int64 {
	t.Helper()
	var ids []int64
	err := b.Release(func(x *column.Batch) error {
		if x.LiveRows() == 0 {
			t.Error("a batch without rows")
		}
		for k := range x.LiveRows() {
			i := x.Row(k)
			id := x.Cols[0].At(i).Int()
			if got, want := x.Cols[1].At(i).Text(), fmt.Sprint("n", id%7); got != want {
				t.Errorf("row %d is called %s, want %s", id, got, want)
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func idsOf(items []item) []int64 {
	var ids []int64
	for _, x := range items {
		ids = append(ids, x.id)
	}
	return ids
}

// files is the state of a job: one file per checkpoint, sometimes merged.
type files [][]byte

func (f *files) freeze(t *testing.T, frozen state.Frozen) {
	t.Helper()
	w := state.NewWriter()
	if frozen != nil {
		frozen(w.Step("s", 0, state.Groups))
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	*f = append(*f, b.Bytes())
}

func (f *files) merge(t *testing.T) {
	t.Helper()
	var b bytes.Buffer
	if err := state.Merge(&b, f.readers(), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	*f = files{b.Bytes()}
}

func (f *files) readers() []io.Reader {
	var out []io.Reader
	for _, b := range *f {
		out = append(out, bytes.NewReader(b))
	}
	return out
}

func (f *files) load(t *testing.T, into func(state.Entry) error) (entries int) {
	t.Helper()
	err := state.Scan(f.readers(), func(_ string, e state.Entry) error {
		entries++
		if e.Group != 0 && e.Group != 5 {
			t.Errorf("an entry of group %d", e.Group)
		}
		return into(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// Rows of several sources, in any order, with any frontiers, saved and put back at
// any time: what leaves is what may leave, in order.
func TestRowsLeaveInOrderAndNotTooEarly(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		sources := 1 + r.IntN(4)
		disorder := r.IntN(3) // of the rows of a source
		ties := seed%3 == 0   // rows of several sources may stand at one position
		seq := func(source int) int64 {
			if ties {
				return 0
			}
			return int64(source)
		}
		newBuffer := func() *reorder.Buffer {
			b := reorder.New(schema, sources)
			if !ties {
				b.Source = func(seq int64) int { return int(seq) }
			}
			if seed%2 == 0 {
				b.Group = func(*column.Batch, int) uint8 { return 5 }
			}
			return b
		}
		b, m := newBuffer(), &model{frontiers: make([]column.Position, sources)}
		for s := range sources {
			m.frontiers[s].Seq = seq(s)
			b.Reach(s, m.frontiers[s])
		}
		var saved files
		dict := column.NewDict()
		id := int64(0)
		for step := range 60 {
			switch r.IntN(8) {
			case 0, 1, 2:
				s := r.IntN(sources)
				var items []item
				at := m.frontiers[s]
				for range 1 + r.IntN(30) {
					x := item{at: at, source: s, number: m.number, id: id}
					if disorder > 0 {
						x.at.Time += column.Ticks(r.IntN(8))
					} else {
						at.Time += column.Ticks(r.IntN(3))
						x.at.Time = at.Time
					}
					if x.at.Time > m.frontiers[s].Time {
						x.at.Arrived, x.at.Index = column.Ticks(r.IntN(2)), int64(r.IntN(2))
					}
					x.at.Seq = seq(s)
					m.number++
					id++
					items = append(items, x)
				}
				if disorder == 0 {
					sort.SliceStable(items, func(i, k int) bool { return items[i].at.Before(items[k].at) })
				}
				b.Add(s, batchOf(r, items, dict))
				m.waiting = append(m.waiting, items...)
			case 3, 4:
				s := r.IntN(sources)
				p := m.frontiers[s]
				p = column.Position{Time: p.Time + column.Ticks(r.IntN(6)), Arrived: p.Arrived, Seq: p.Seq, Index: p.Index}
				if p.Before(m.frontiers[s]) {
					continue
				}
				m.frontiers[s] = p
				b.Reach(s, p)
			case 5:
				saved.freeze(t, b.Freeze())
				if r.IntN(2) == 0 {
					saved.merge(t)
				}
			case 6: // the job is cut behind its last checkpoint and comes back
				if r.IntN(3) > 0 {
					continue
				}
				saved.freeze(t, b.Freeze())
				b = newBuffer()
				if n := saved.load(t, b.Load); n != len(m.waiting) {
					t.Fatalf("seed %d, step %d: %d rows in the state, want %d", seed, step, n, len(m.waiting))
				}
				for s, f := range m.frontiers {
					b.Reach(s, f)
				}
			default:
				got, want := collect(t, b), idsOf(m.release())
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("seed %d, step %d: rows %v leave, want %v; frontiers %v, waiting %v", seed, step, got, want, m.frontiers, m.waiting)
				}
			}
		}
		least := m.frontiers[0]
		for _, f := range m.frontiers {
			if f.Before(least) {
				least = f
			}
		}
		if got := b.Least(); got != least {
			t.Errorf("seed %d: the least frontier is %v, want %v", seed, got, least)
		}
		for s := range sources {
			m.frontiers[s] = column.Position{Time: column.EndOfTime}
			b.Reach(s, m.frontiers[s])
		}
		if got, want := collect(t, b), idsOf(m.release()); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: at the end rows %v leave, want %v", seed, got, want)
		}
		for s := range sources {
			if b.Held(s) != 0 || b.Owed(s) != 0 {
				t.Errorf("seed %d: an empty buffer holds %d bytes of source %d and owes %d", seed, b.Held(s), s, b.Owed(s))
			}
		}
		saved.freeze(t, b.Freeze())
		if n := saved.load(t, reorder.New(schema, 1).Load); n != 0 {
			t.Errorf("seed %d: %d rows in the state of an empty buffer", seed, n)
		}
	}
}

// Saved by some sources and restored into others, the rows leave in the same order.
func TestRowsComeBackUnderOtherSources(t *testing.T) {
	for _, c := range []struct{ saved, restored int }{{4, 1}, {1, 4}, {3, 5}} {
		r := rand.New(rand.NewPCG(3, 3))
		b := reorder.New(schema, c.saved)
		var items []item
		for s := range c.saved {
			var own []item
			for i := range 500 {
				id := int64(i*c.saved + s)
				own = append(own, item{at: column.Position{Time: column.Ticks(id), Seq: id}, id: id})
			}
			b.Add(s, batchOf(r, own, nil))
			items = append(items, own...)
		}
		var saved files
		saved.freeze(t, b.Freeze())
		b = reorder.New(schema, c.restored)
		saved.load(t, b.Load)
		for s := range c.restored {
			b.Reach(s, column.Position{Time: column.EndOfTime})
		}
		sort.Slice(items, func(i, k int) bool { return items[i].id < items[k].id })
		if got, want := collect(t, b), idsOf(items); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("from %d to %d sources: rows %v leave, want %v", c.saved, c.restored, got, want)
		}
	}
}

// ticking is a batch of n rows whose times are step apart.
func ticking(from, step column.Ticks, seq int64, n int) *column.Batch {
	b := &column.Batch{Schema: schema, Rows: n, Time: make([]column.Ticks, n), Seq: make([]int64, n)}
	id := column.Vector{Kind: column.Int64, Ints: make([]int64, n)}
	name := column.Vector{Kind: column.Float64, Floats: make([]float64, n)}
	for i := range n {
		b.Time[i], b.Seq[i] = from+column.Ticks(i)*step, seq+int64(i)
		id.Ints[i] = b.Seq[i]
	}
	b.Cols = []column.Vector{id, name}
	return b
}

// One source that stands still in time: its rows are in order as they come, and none
// waits for a later time.
func TestRowsOfOneTimeLeaveAsTheyCome(t *testing.T) {
	b := reorder.New(schema, 1)
	next := int64(0)
	for next < 150_000 {
		x := ticking(1000, 0, next, 1000)
		next += 1000
		b.Add(0, x)
		b.Reach(0, column.Position{Time: 1000, Arrived: 1000, Seq: next})
		left := 0
		if err := b.Release(func(got *column.Batch) error { left += got.LiveRows(); return nil }); err != nil {
			t.Fatal(err)
		}
		if left != 1000 {
			t.Fatalf("%d rows of 1000 leave behind row %d", left, next)
		}
	}
	if n := b.Held(0); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// Rows that interleave leave in full batches, long runs as slices of what came.
func TestRowsLeaveInFullBatches(t *testing.T) {
	b := reorder.New(schema, 2)
	b.Add(0, ticking(0, 2, 0, 4096))
	b.Add(1, ticking(1, 2, 1<<40, 4096))
	late := ticking(10_000, 1, 8000, 300)
	b.Add(0, late)
	for s := range 2 {
		b.Reach(s, column.Position{Time: column.EndOfTime})
	}
	var sizes []int
	var last *column.Batch
	err := b.Release(func(x *column.Batch) error { sizes, last = append(sizes, x.LiveRows()), x; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(sizes), "[1024 1024 1024 1024 1024 1024 1024 1024 300]"; got != want {
		t.Errorf("batches of %s rows, want %s", got, want)
	}
	if last != late {
		t.Error("a batch that leaves whole is not the batch that came")
	}
}

// Bytes that a source owes are those of the rows that other sources hold back.
func TestOwedCountsWhatWaitsForOthers(t *testing.T) {
	b := reorder.New(schema, 2)
	b.Add(0, ticking(0, 1, 0, 1000))
	b.Add(1, ticking(0, 1, 1<<40, 1000))
	b.Reach(0, column.Position{Time: 1000})
	b.Reach(1, column.Position{Time: 600})
	row := b.Held(0) / 1000
	if owed, want := b.Owed(0), 400*row; owed != want {
		t.Errorf("source 0 owes %d bytes, want %d", owed, want)
	}
	if owed := b.Owed(1); owed != 0 {
		t.Errorf("source 1 owes %d bytes though the other is ahead of it", owed)
	}
	if got := len(collect2(t, b)); got != 1200 {
		t.Errorf("%d rows leave, want 1200", got)
	}
	if owed, want := b.Owed(0), 400*row; owed != want {
		t.Errorf("source 0 owes %d bytes behind the release, want %d", owed, want)
	}
	one := reorder.New(schema, 1)
	one.Add(0, ticking(0, 1, 0, 1000))
	if owed := one.Owed(0); owed != 0 {
		t.Errorf("a source alone owes %d bytes", owed)
	}
}

func collect2(t *testing.T, b *reorder.Buffer) (times []column.Ticks) {
	t.Helper()
	err := b.Release(func(x *column.Batch) error {
		for k := range x.LiveRows() {
			times = append(times, x.Time[x.Row(k)])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// What is written at a freeze is what came since the last one, not all that waits.
func TestFreezeWritesWhatCame(t *testing.T) {
	b := reorder.New(schema, 2)
	size := func() int {
		var f files
		f.freeze(t, b.Freeze())
		return len(f[0])
	}
	b.Add(0, ticking(0, 1, 0, 10_000))
	all := size()
	if b.Freeze() != nil {
		t.Error("nothing came or left, and yet there is something to write")
	}
	b.Add(0, ticking(10_000, 1, 10_000, 10))
	b.Reach(0, column.Position{Time: 5000})
	b.Reach(1, column.Position{Time: 5000})
	collect2(t, b)
	if n := size(); n*100 > all {
		t.Errorf("10 rows came and 5000 left: %d bytes are written, %d were for 10000 rows", n, all)
	}
}
