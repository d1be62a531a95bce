package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/column/compute"
)

// counts are COUNT(*) and COUNT(x).
type counts struct {
	all bool // COUNT(*)
	n   []int64
}

func (s *counts) grow(n int) { s.n = lengthened(s.n, n) }

func (s *counts) reserve(n int) { s.n = reserved(s.n, n) }

func (s *counts) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	n := s.n
	switch {
	case !s.all && arg.Vec == nil:
		if arg.Const.IsNull() {
			return
		}
	case !s.all && (arg.Vec.Kind == column.Any || arg.Vec.Valid != nil):
		for j := range rows.Len() {
			if i := rows.Row(j); !arg.Vec.IsNull(i) {
				n[ids[i]]++
			}
		}
		return
	}
	if rows.Live == nil {
		for _, g := range ids[:rows.N] {
			n[g]++
		}
		return
	}
	for _, i := range rows.Live {
		n[ids[i]]++
	}
}

func (s *counts) add(g int32, v column.Value, _ column.Position) {
	if s.all || !v.IsNull() {
		s.n[g]++
	}
}

func (s *counts) remove(g int32, v column.Value, _ column.Position) {
	if s.all || !v.IsNull() {
		s.n[g]--
	}
}

func (s *counts) invertible() bool { return true }

func (s *counts) merge(g int32, from accumulators, og int32) { s.n[g] += from.(*counts).n[og] }

func (s *counts) unmerge(g int32, from accumulators, og int32) { s.n[g] -= from.(*counts).n[og] }

func (s *counts) result(g int32) (column.Value, error) { return column.IntOf(s.n[g]), nil }

func (s *counts) reset(g int32) { s.n[g] = 0 }

func (s *counts) clone(groups []int32) accumulators { return &counts{all: s.all, n: pick(s.n, groups)} }

func (s *counts) appendTo(dst []byte, g int32) []byte { return binary.AppendVarint(dst, s.n[g]) }

func (s *counts) readFrom(r *stateReader, g int32) { s.n[g] = r.varint() }
