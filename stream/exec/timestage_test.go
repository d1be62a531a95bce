package exec_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
	"spate/stream/state"
)

func timedInput(t testing.TB, script string) *plan.Input {
	t.Helper()
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return job.Inputs[0]
}

func newTimeStage(t testing.TB, in *plan.Input, p exec.TimePolicy) *exec.TimeStage {
	t.Helper()
	s, err := exec.NewTimeStage(in, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wholeStage is all state of a time stage.
type wholeStage struct{ *exec.TimeStage }

func (s wholeStage) Freeze() (state.Frozen, error) {
	rows, err := s.TimeStage.Freeze()
	if err != nil {
		return nil, err
	}
	standing, err := s.Standing().Freeze()
	return func(to *state.Section) {
		for part, f := range []state.Frozen{rows, standing} {
			if f != nil {
				f(to.Under(byte(part)))
			}
		}
	}, err
}

func (s wholeStage) Load(e state.Entry) error {
	if e.Key[0] == state.EveryShard {
		return s.Standing().Load(e)
	}
	return s.TimeStage.Load(state.Entry{Key: e.Key[1:], Group: e.Group, Value: e.Value})
}

// arrived is an event as a partition gives it.
type arrived struct {
	a    column.Ticks
	at   column.Value // what TIMESTAMP BY finds
	id   int64
	dead bool
}

func batchOfArrived(in *plan.Input, events []arrived) *column.Batch {
	b := &column.Batch{Schema: exec.SchemaOf(in.Columns()), Rows: len(events)}
	at, id := column.NewBuilder(nil), column.NewBuilder(nil)
	for i, e := range events {
		b.Time, b.Seq = append(b.Time, e.a), append(b.Seq, e.id)
		at.Append(e.at)
		id.Append(column.IntOf(e.id))
		if e.dead && b.Live == nil {
			b.Live = make([]int32, i, len(events))
			for k := range b.Live {
				b.Live[k] = int32(k)
			}
		}
		if !e.dead && b.Live != nil {
			b.Live = append(b.Live, int32(i))
		}
	}
	for _, c := range in.Cols {
		if c.Name == "id" {
			b.Cols = append(b.Cols, id.Vector())
		} else {
			b.Cols = append(b.Cols, at.Vector())
		}
	}
	return b
}

// policies is the model: the rules of stage 1 to 5, event by event.
type policies struct {
	p       exec.TimePolicy
	arrival bool // event time is arrival time
	w, m    column.Ticks
	counts  exec.TimeCounts
	faults  []string
	passed  []passed
}

type passed struct {
	at     column.Ticks
	number int
	id     int64
}

func (m *policies) event(e arrived) {
	if e.dead {
		return
	}
	t, ok := e.at.Ticks(), e.at.Kind == column.Time
	if e.at.Kind == column.Text {
		t, ok = column.ParseTicks(e.at.Text())
	}
	drop := m.p.Drop
	if m.arrival {
		t, ok, drop = e.a, true, false
	}
	fault := func(f exec.TimeFault, dropped bool, n *int64) bool {
		*n++
		m.faults = append(m.faults, fmt.Sprint(e.id, f, dropped))
		return dropped
	}
	switch {
	case !ok:
		fault(exec.InvalidTime, true, &m.counts.InvalidTime)
		return
	case !m.arrival && t > e.a+5*column.Minute:
		fault(exec.TooEarly, true, &m.counts.Early)
		return
	}
	if !m.arrival && m.p.Late >= 0 && e.a-t > m.p.Late {
		if fault(exec.TooLate, drop, &m.counts.Late) {
			return
		}
		t = e.a - m.p.Late
	}
	if t < m.w {
		if fault(exec.OutOfOrder, drop, &m.counts.OutOfOrder) {
			return
		}
		t = m.w
	}
	m.m = max(m.m, t)
	if m.arrival {
		m.w = m.m
	} else {
		m.w = max(m.w, m.m-m.p.Disorder)
	}
	m.passed = append(m.passed, passed{t, len(m.passed), e.id})
}

// released is what the model has released so far, in order.
func (m *policies) released() []passed {
	var out []passed
	for _, x := range m.passed {
		if x.at <= m.w {
			out = append(out, x)
		}
	}
	sort.Slice(out, func(i, k int) bool {
		if out[i].at != out[k].at {
			return out[i].at < out[k].at
		}
		return out[i].number < out[k].number
	})
	return out
}

func drawStamp(r *rand.Rand, a column.Ticks) func() column.Value {
	form := r.IntN(4)
	return func() column.Value {
		t := a - column.Ticks(r.IntN(120))*column.Second/2 + 10*column.Second
		switch r.IntN(20) {
		case 0:
			return column.Value{}
		case 1:
			t = a + 5*column.Minute + column.Ticks(r.IntN(2))
		}
		switch form {
		case 0:
			return column.TimeOf(t)
		case 1:
			return column.TextOf(t.String())
		case 2:
			if r.IntN(3) == 0 {
				return column.TextOf("no time")
			}
			return column.TextOf(t.String())
		}
		switch r.IntN(3) {
		case 0:
			return column.FloatOf(3)
		case 1:
			return column.TimeOf(t)
		}
		return column.TextOf(t.String())
	}
}

// The stage does to each event what the rules say, wherever batches, silences,
// checkpoints and restores fall.
func TestTimeStageFollowsTheRules(t *testing.T) {
	application := timedInput(t, "SELECT id INTO o FROM i TIMESTAMP BY at")
	arrival := timedInput(t, "SELECT id INTO o FROM i")
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := exec.TimePolicy{Drop: r.IntN(2) == 0, Late: []column.Ticks{-1, 0, 5 * column.Second, column.Minute}[r.IntN(4)]}
		if r.IntN(3) > 0 {
			p.Disorder = column.Ticks(1+r.IntN(30)) * column.Second
		}
		m := &policies{p: p, arrival: r.IntN(4) == 0}
		in := application
		if m.arrival {
			in = arrival
		}
		backwards := r.IntN(3) == 0 // arrivals may step back
		var faults []string
		var out rowsOf
		var saved savedFiles
		s := newTimeStage(t, in, p)
		at, id := column.UnixEpoch, int64(100)
		frontier := column.Position{}
		for range 25 {
			draw := drawStamp(r, at)
			var events []arrived
			for range 1 + r.IntN(20) {
				at += column.Ticks(r.IntN(3)) * column.Second / 2
				e := arrived{a: at, at: draw(), id: id, dead: r.IntN(10) == 0}
				if backwards && r.IntN(4) == 0 {
					e.a -= column.Ticks(r.IntN(3)) * column.Second
				}
				id++
				events = append(events, e)
				m.event(e)
			}
			first := events[0].id
			s.Report = func(row int, f exec.TimeFault, m exec.Moved) {
				faults = append(faults, fmt.Sprint(first+int64(row), f, m.Dropped))
			}
			n := len(out.at)
			if err := s.Rows(batchOfArrived(in, events), &out); err != nil {
				t.Fatal(err)
			}
			if r.IntN(5) == 0 {
				now := at + column.Ticks(r.IntN(40))*column.Second
				if err := s.Idle(now, false, &out); err != nil {
					t.Fatal(err)
				}
				if late := p.Late; late >= 0 || m.arrival {
					if late < 0 {
						late = 5 * column.Second
					}
					m.w = max(m.w, now-late)
				}
			}
			for _, p := range out.at[n:] {
				if p.Before(frontier) {
					t.Fatalf("seed %d: a row at %v comes behind the frontier %v", seed, p, frontier)
				}
			}
			if frontier.Before(s.Frontier()) {
				frontier = s.Frontier()
			}
			if s.Watermark() != m.w || s.Counts() != m.counts {
				t.Fatalf("seed %d: watermark %v and counts %v, want %v and %v", seed, s.Watermark(), s.Counts(), m.w, m.counts)
			}
			if saved.cut(t, r, wholeStage{s}) {
				s = newTimeStage(t, in, p)
				saved.load(t, wholeStage{s})
				if s.Frontier() != frontier {
					t.Fatalf("seed %d: the frontier is %v behind a restore, was %v", seed, s.Frontier(), frontier)
				}
			}
		}
		check := func() {
			t.Helper()
			want := m.released()
			if len(out.at) != len(want) {
				t.Fatalf("seed %d: %d rows are released, want %d", seed, len(out.at), len(want))
			}
			for i, x := range want {
				got := out.vals[i]
				for c := range in.Cols {
					if in.Cols[c].Name == "id" && got[c].Int() != x.id || out.at[i].Time != x.at {
						t.Fatalf("seed %d: row %d is %v at %v, want %d at %v", seed, i, got[c], out.at[i].Time, x.id, x.at)
					}
				}
			}
			if fmt.Sprint(faults) != fmt.Sprint(m.faults) {
				t.Fatalf("seed %d: faults %v, want %v", seed, faults, m.faults)
			}
		}
		check()
		if err := s.Idle(column.EndOfTime, true, &out); err != nil {
			t.Fatal(err)
		}
		m.w = column.EndOfTime
		check()
		if s.Held() != 0 {
			t.Errorf("seed %d: %d bytes wait at the end", seed, s.Held())
		}
	}
}

// Rows that wait are written once, however many checkpoints fall while they do.
func TestWaitingRowsAreSavedOnce(t *testing.T) {
	in := timedInput(t, "SELECT id INTO o FROM i TIMESTAMP BY at")
	s := newTimeStage(t, in, exec.TimePolicy{Late: -1, Disorder: column.Hour})
	var out counter
	var saved savedFiles
	at := column.UnixEpoch
	for round := range 10 {
		var events []arrived
		for i := range 1000 {
			at += column.Millisecond
			events = append(events, arrived{a: at, at: column.TimeOf(at), id: int64(round*1000 + i)})
		}
		if err := s.Rows(batchOfArrived(in, events), &out); err != nil {
			t.Fatal(err)
		}
		saved.freeze(t, s)
	}
	if first, last := len(saved[0]), len(saved[9]); last > first*2 {
		t.Errorf("the tenth checkpoint has %d bytes, the first %d", last, first)
	}
	if n := saved.entries(t); n != 10_000 {
		t.Errorf("%d entries, want 10000 rows", n)
	}
	if out != 0 || s.Held() == 0 {
		t.Errorf("%d rows are released, %d bytes wait", out, s.Held())
	}
}

// A partition in order, and one whose events come up to ten seconds late.
func BenchmarkTimeStage(b *testing.B) {
	in := timedInput(b, "SELECT id INTO o FROM i TIMESTAMP BY at")
	for _, c := range []struct {
		name     string
		disorder column.Ticks
		late     column.Ticks // of an event, at most
		text     bool
		rate     int
	}{
		{"in order", 0, 0, false, 100_000},
		{"in order, text", 0, 0, true, 100_000},
		{"tolerance 10 s, in order", 10 * column.Second, 0, false, 100_000},
		{"tolerance 10 s, rate 10000", 10 * column.Second, 10 * column.Second, false, 10_000},
		{"tolerance 10 s, rate 100000", 10 * column.Second, 10 * column.Second, false, 100_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			s := newTimeStage(b, in, exec.TimePolicy{Late: column.Hour, Disorder: c.disorder})
			var out counter
			n := 0
			next := func() *column.Batch {
				events := make([]arrived, 1024)
				for i := range events {
					a := column.UnixEpoch + column.Ticks(n+i)*column.Second/column.Ticks(c.rate)
					events[i] = arrived{a: a, at: column.TimeOf(a - column.Ticks(r.Int64N(int64(c.late)+1))), id: int64(n + i)}
					if c.text {
						events[i].at = column.TextOf(events[i].at.Ticks().String())
					}
				}
				n += len(events)
				return batchOfArrived(in, events)
			}
			feed := func(x *column.Batch) {
				if err := s.Rows(x, &out); err != nil {
					b.Fatal(err)
				}
			}
			for n < int(math.Ceil(float64(c.disorder)/float64(column.Second)))*c.rate {
				feed(next())
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				x := next()
				b.StartTimer()
				feed(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
		})
	}
}
