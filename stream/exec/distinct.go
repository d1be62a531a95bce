package exec

import (
	"encoding/binary"
	"maps"
	"slices"

	"spate/column"
	"spate/column/compute"
)

// distinctCounts are COUNT(DISTINCT x): how often each value came, so that values
// can be taken back.
type distinctCounts struct {
	seen []map[string]int64 // by encoded value; nil: none
	buf  []byte
}

func (s *distinctCounts) grow(n int) { s.seen = lengthened(s.seen, n) }

func (s *distinctCounts) reserve(n int) { s.seen = reserved(s.seen, n) }

func (s *distinctCounts) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	for j := range rows.Len() {
		i := rows.Row(j)
		if v := arg.Vec; v != nil && v.Kind == column.Text {
			if !v.IsNull(i) {
				s.buf = column.AppendTextKey(s.buf[:0], v.TextAt(i))
				s.count(ids[i])
			}
			continue
		}
		if v := arg.At(i); !v.IsNull() {
			s.buf = column.AppendKey(s.buf[:0], v)
			s.count(ids[i])
		}
	}
}

// count counts the value in buf.
func (s *distinctCounts) count(g int32) {
	m := s.seen[g]
	if m == nil {
		m = make(map[string]int64)
		s.seen[g] = m
	}
	m[string(s.buf)]++
}

func (s *distinctCounts) add(g int32, v column.Value, _ column.Position) {
	if !v.IsNull() {
		s.buf = column.AppendKey(s.buf[:0], v)
		s.count(g)
	}
}

func (s *distinctCounts) remove(g int32, v column.Value, _ column.Position) {
	if !v.IsNull() {
		s.buf = column.AppendKey(s.buf[:0], v)
		s.less(g, string(s.buf), 1)
	}
}

// less takes back n occurrences of a value.
func (s *distinctCounts) less(g int32, k string, n int64) {
	if left := s.seen[g][k] - n; left != 0 {
		s.seen[g][k] = left
		return
	}
	delete(s.seen[g], k)
}

func (s *distinctCounts) invertible() bool { return true }

func (s *distinctCounts) merge(g int32, from accumulators, og int32) {
	o := from.(*distinctCounts).seen[og]
	if s.seen[g] == nil && len(o) > 0 {
		s.seen[g] = maps.Clone(o)
		return
	}
	for k, n := range o {
		s.seen[g][k] += n
	}
}

func (s *distinctCounts) unmerge(g int32, from accumulators, og int32) {
	for k, n := range from.(*distinctCounts).seen[og] {
		s.less(g, k, n)
	}
}

func (s *distinctCounts) result(g int32) (column.Value, error) {
	return column.IntOf(int64(len(s.seen[g]))), nil
}

func (s *distinctCounts) reset(g int32) { s.seen[g] = nil }

func (s *distinctCounts) clone(groups []int32) accumulators {
	out := &distinctCounts{seen: make([]map[string]int64, len(groups))}
	for i, g := range groups {
		out.seen[i] = maps.Clone(s.seen[g])
	}
	return out
}

func (s *distinctCounts) appendTo(dst []byte, g int32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.seen[g])))
	for _, k := range slices.Sorted(maps.Keys(s.seen[g])) {
		dst = binary.AppendVarint(appendText(dst, k), s.seen[g][k])
	}
	return dst
}

func (s *distinctCounts) readFrom(r *stateReader, g int32) {
	n := r.count()
	if n == 0 {
		return
	}
	s.seen[g] = make(map[string]int64, n)
	for range n {
		k := r.text()
		s.seen[g][k] = r.varint()
	}
}
