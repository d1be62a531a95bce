package exec

import (
	"encoding/binary"
	"math"
	"math/big"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// variances are VAR, VARP, STDEV and STDEVP, from exact sums of values and squares.
type variances struct {
	agg  *aggregate
	sums []moments
}

type moments struct {
	n            int64 // values that are not null
	sum, squares exactSum
	tiny         *big.Int // squares of what is below tinyLimit, in units of 2^-2148; nil: none
}

// tinyLimit: from here on, the square of a float and what rounding it loses are floats.
const tinyLimit = 0x1p-480

func (m *moments) add(f float64) {
	m.n++
	m.sum.add(f)
	if math.Abs(f) < tinyLimit && f != 0 {
		m.addTiny(squareOf(f))
		return
	}
	hi := f * f
	m.squares.add(hi)
	m.squares.add(math.FMA(f, f, -hi)) // what hi has lost
}

func (m *moments) sub(f float64) {
	m.n--
	m.sum.sub(f)
	if math.Abs(f) < tinyLimit && f != 0 {
		x := squareOf(f)
		m.addTiny(x.Neg(x))
		return
	}
	hi := f * f
	m.squares.sub(hi)
	m.squares.sub(math.FMA(f, f, -hi))
}

// squareOf is f² in units of 2^-2148.
func squareOf(f float64) *big.Int {
	x := wideOf(f)
	return x.Mul(x, x)
}

func (m *moments) addTiny(x *big.Int) {
	if m.tiny == nil {
		m.tiny = new(big.Int)
	}
	m.tiny.Add(m.tiny, x)
}

// total is the sum of the squares in units of 2^-2148.
func (m *moments) total() *big.Int {
	x := m.squares.total()
	x.Lsh(x, wideScale)
	if m.tiny != nil {
		x.Add(x, m.tiny)
	}
	return x
}

func (s *variances) grow(n int) { s.sums = lengthened(s.sums, n) }

func (s *variances) reserve(n int) { s.sums = reserved(s.sums, n) }

func (s *variances) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	v := arg.Vec
	if v == nil || v.Kind != column.Float64 {
		for j := range rows.Len() {
			i := rows.Row(j)
			s.add(ids[i], arg.At(i), column.Position{})
		}
		return
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		if v.Valid == nil || column.Bit(v.Valid, i) {
			s.sums[ids[i]].add(v.Floats[i])
		}
	}
}

func (s *variances) add(g int32, v column.Value, _ column.Position) {
	if !v.IsNull() {
		f, _ := s.agg.float(v) // argument took it
		s.sums[g].add(f)
	}
}

func (s *variances) remove(g int32, v column.Value, _ column.Position) {
	if v.IsNull() {
		return
	}
	f, _ := s.agg.float(v) // as add did
	s.sums[g].sub(f)
}

func (s *variances) invertible() bool { return true }

func (s *variances) merge(g int32, from accumulators, og int32) {
	a, o := &s.sums[g], &from.(*variances).sums[og]
	a.n += o.n
	a.sum.merge(&o.sum)
	a.squares.merge(&o.squares)
	if o.tiny != nil {
		a.addTiny(o.tiny)
	}
}

func (s *variances) unmerge(g int32, from accumulators, og int32) {
	a, o := &s.sums[g], &from.(*variances).sums[og]
	a.n -= o.n
	a.sum.unmerge(&o.sum)
	a.squares.unmerge(&o.squares)
	if o.tiny != nil {
		a.addTiny(new(big.Int).Neg(o.tiny))
	}
}

// result computes (n*Σv² - (Σv)²) / (n*d) with d = n-1 for a sample, n for a
// population. The sums are exact, so nothing cancels.
func (s *variances) result(g int32) (column.Value, error) {
	a := &s.sums[g]
	d := a.n
	if s.agg.spec.Func == plan.Var || s.agg.spec.Func == plan.Stdev {
		d--
	}
	if a.n == 0 || d == 0 {
		return column.Value{}, nil
	}
	sum := a.sum.total()
	num := new(big.Int).Mul(big.NewInt(a.n), a.total())
	num.Sub(num, new(big.Int).Mul(sum, sum))
	den := new(big.Int).Mul(big.NewInt(a.n), big.NewInt(d))
	den.Lsh(den, 2*wideScale)
	v, _ := new(big.Rat).SetFrac(num, den).Float64()
	if s.agg.spec.Func == plan.Stdev || s.agg.spec.Func == plan.StdevP {
		v = math.Sqrt(v)
	}
	return finite(s.agg.spec.Func, v)
}

func (s *variances) reset(g int32) { s.sums[g] = moments{} }

func (s *variances) clone(groups []int32) accumulators {
	out := &variances{agg: s.agg, sums: pick(s.sums, groups)}
	for i := range out.sums {
		out.sums[i].sum.unshare()
		out.sums[i].squares.unshare()
		if t := out.sums[i].tiny; t != nil {
			out.sums[i].tiny = new(big.Int).Set(t)
		}
	}
	return out
}

func (s *variances) appendTo(dst []byte, g int32) []byte {
	a := &s.sums[g]
	dst = a.squares.appendTo(a.sum.appendTo(binary.AppendVarint(dst, a.n)))
	if a.tiny == nil {
		return append(dst, 0)
	}
	return appendText(dst, string(a.tiny.Bytes())) // never negative
}

func (s *variances) readFrom(r *stateReader, g int32) {
	a := &s.sums[g]
	a.n = r.varint()
	r.sum(&a.sum)
	r.sum(&a.squares)
	if b := r.text(); b != "" {
		a.tiny = new(big.Int).SetBytes([]byte(b))
	}
}
