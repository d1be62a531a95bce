package exec

import (
	"math"

	"spate/column"
	"spate/sql/plan"
)

// slidingExtremes keeps MIN or MAX over windows that slide: per group the rows that may still
// become the result, each worse than the one before it. A row is put in and taken out
// once.
type slidingExtremes struct {
	max    bool
	arg    int          // the place of its argument in the log
	one    accumulators // a single state, which says what the function makes of a value
	groups []extremeGroup
}

type extremeGroup struct {
	rows []int64 // by number; those before head have left
	head int

	// Values of kinds that have no common order are an error while both are in the
	// window. newest is the newest row with a value, other the newest one whose value is
	// not comparable with that; -1: none.
	class  uint8
	newest int64
	other  int64
}

func newSlidingExtremes(a *aggregate, arg int) *slidingExtremes {
	x := &slidingExtremes{max: a.spec.Func == plan.Max, arg: arg, one: newAccumulators(a)}
	x.one.grow(1)
	return x
}

// normal is the value that the function compares in place of v.
func (x *slidingExtremes) normal(v column.Value) column.Value {
	if v.Kind == column.Null || v.Kind == column.Float64 {
		return v
	}
	x.one.reset(0)
	x.one.add(0, v, column.Position{})
	v, _ = x.one.result(0) // one value alone always has an order
	return v
}

// grow makes the groups 0..n-1 exist.
func (x *slidingExtremes) grow(n int) {
	for len(x.groups) < n {
		x.groups = append(x.groups, extremeGroup{newest: -1, other: -1})
	}
}

// enter takes a row with value v, as normal returned it, into the window.
func (x *slidingExtremes) enter(l *rowLog, group int32, row int64, v column.Value) {
	if v.IsNull() {
		return
	}
	g := &x.groups[group]
	if c := classOf(v); c != g.class {
		g.other, g.class = g.newest, c
	}
	g.newest = row
	n := len(g.rows)
	for n > g.head {
		b, i := l.at(g.rows[n-1])
		if !x.worse(&b.args[x.arg], i, &v) {
			break
		}
		n--
	}
	g.rows = append(g.rows[:n], row)
}

// leave takes a row out of the window. It is the oldest of its group.
func (x *slidingExtremes) leave(group int32, row int64) {
	g := &x.groups[group]
	if g.head == len(g.rows) || g.rows[g.head] != row {
		return
	}
	g.head++
	switch {
	case g.head == len(g.rows):
		g.rows, g.head = g.rows[:0], 0
	case g.head >= 64 && g.head*2 >= len(g.rows):
		g.rows, g.head = append([]int64(nil), g.rows[g.head:]...), 0
	}
}

// mixed reports whether values without a common order are in the window, which begins
// with row oldest.
func (x *slidingExtremes) mixed(group int32, oldest int64) bool {
	return x.groups[group].other >= oldest
}

// result is the extreme of the values in the window.
func (x *slidingExtremes) result(l *rowLog, group int32) column.Value {
	g := &x.groups[group]
	if g.head == len(g.rows) {
		return column.Value{}
	}
	b, i := l.at(g.rows[g.head])
	return b.args[x.arg].at(i)
}

// renumber keeps the groups listed, as 0, 1, 2...
func (x *slidingExtremes) renumber(groups []int32) {
	kept := make([]extremeGroup, len(groups))
	for n, g := range groups {
		kept[n] = x.groups[g]
	}
	x.groups = kept
}

// worse reports whether value i of a list, which came before v, cannot be the result
// any more: v is better, or the same and leaves later.
func (x *slidingExtremes) worse(l *valueList, i int, v *column.Value) bool {
	if v.Kind == column.Float64 && l.kinds[i] == column.Float64 {
		before, after := math.Float64frombits(l.nums[i]), v.Float()
		if x.max {
			return !lower(after, before)
		}
		return !lower(before, after)
	}
	before := l.at(i)
	o, err := column.Compare(*v, before)
	switch {
	case err != nil:
		return false // values that are mixed; the result says so
	case o == column.Equal:
		return exactly(*v, before)
	}
	return x.max && o == column.Greater || !x.max && o == column.Less
}

// lower orders floats, -0 below +0.
func lower(a, b float64) bool {
	return a < b || a == 0 && b == 0 && math.Signbit(a) && !math.Signbit(b)
}

// classOf is equal for values that have a common order.
func classOf(v column.Value) uint8 {
	switch v.Kind {
	case column.Time:
		return 1
	case column.Text:
		return 2
	}
	return 0
}
