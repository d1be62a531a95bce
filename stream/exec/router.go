package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// Router tells which key group a row is of, and which shard holds it. Rows with
// equal keys are of one group, in every process. A row whose key cannot be computed is of
// group 0: it fails in the step that has the key.
type Router struct {
	keys   []value
	row    []compute.Operand // the keys of the batch that was computed last
	known  groupKeys
	groups []uint8 // by number in known
	ids    []int32
	buf    []byte
}

// routerKeys bounds the keys that a router remembers the groups of.
const routerKeys = 1 << 17

// NewRouter compiles the key.
func NewRouter(key []plan.Expr) (*Router, error) {
	keys, err := compileAll(key)
	return &Router{keys: keys, row: make([]compute.Operand, len(keys)), known: newGroupKeys(len(keys))}, err
}

// Groups writes the key group of each live row to dst[row], which it returns grown.
func (r *Router) Groups(b *column.Batch, dst []uint8) []uint8 {
	dst = grown(dst, b.Rows)
	b, _ = sound(r, b, func(_ *column.Batch, row int, _ *Error) { dst[row] = 0 })
	if b == nil {
		return dst
	}
	if r.known.groups > routerKeys {
		r.known, r.groups = newGroupKeys(len(r.keys)), r.groups[:0]
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	r.ids = grown(r.ids, b.Rows)
	r.known.idsOf(r.row, b, rows, r.ids)
	for g := len(r.groups); g < r.known.groups; g++ {
		r.buf = r.known.appendKey(r.buf[:0], g)
		r.groups = append(r.groups, state.Group(state.Hash(0, r.buf)))
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		dst[i] = r.groups[r.ids[i]]
	}
	return dst
}

func (r *Router) compute(b *column.Batch) *compute.RowError { return operands(r.keys, b, r.row) }

// Split cuts the live rows of a batch into one batch per shard, nil where it has none.
func (r *Router) Split(b *column.Batch, groups []uint8, shards int) []*column.Batch {
	live := make([][]int32, shards)
	for s := range live {
		live[s] = make([]int32, 0, b.LiveRows()/shards+16)
	}
	for k := range b.LiveRows() {
		i := b.Row(k)
		s := state.ShardOf(groups[i], shards)
		live[s] = append(live[s], int32(i))
	}
	out := make([]*column.Batch, shards)
	for s := range live {
		switch len(live[s]) {
		case 0:
		case b.Rows:
			out[s] = b
		default:
			out[s] = b.WithLive(live[s])
		}
	}
	return out
}
