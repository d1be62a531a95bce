package exec

import (
	"spate/column"
	"spate/sql/plan"
)

// windowGrid is where the windows of a definition begin and end: they end at the
// multiples of hop, shifted by offset, and hold the rows of (end - size, end].
//
// Its panes are cut where a window begins or ends, and nowhere else: at most two per
// hop, whatever the two lengths have in common.
type windowGrid struct {
	size, hop, offset column.Ticks
	rest              column.Ticks // of a hop, what lies behind the beginning of a window; 0: nothing
}

func gridOf(w *plan.Window) windowGrid {
	g := windowGrid{size: w.Size, hop: w.Hop, offset: w.Offset}
	switch w.Kind {
	case plan.Snapshot:
		g = windowGrid{size: 1, hop: 1}
	case plan.Tumbling:
		g.hop = w.Size
	}
	g.rest = g.size % g.hop
	return g
}

// overlaps reports whether a row may lie in several windows; else every window is
// one pane.
func (g *windowGrid) overlaps() bool { return g.size > g.hop }

// pane returns the pane (start, end] of a row; inGap rows have none.
func (g *windowGrid) pane(t column.Ticks) (start, end column.Ticks) {
	end = t.CeilTo(g.hop, g.offset)
	start = end - g.hop
	if g.rest != 0 {
		if cut := end - g.rest; t <= cut {
			end = cut
		} else {
			start = cut
		}
	}
	return start, end
}

// inGap reports whether a row lies between the windows: a hop that is longer than
// the window leaves gaps.
func (g *windowGrid) inGap(t column.Ticks) bool {
	return g.hop > g.size && t <= t.CeilTo(g.hop, g.offset)-g.size
}

// next is the first end of a window that is not before t.
func (g *windowGrid) next(t column.Ticks) column.Ticks { return t.CeilTo(g.hop, g.offset) }
