package conform

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"spate/column"
)

// Tolerance is how far floats may differ, relative to the larger one.
type Tolerance float64

// Tolerances of comparisons: published results, and engines with each other.
const (
	Published Tolerance = 1e-9
	Exact     Tolerance = 0
)

// Compare compares the rows of all outputs as multisets and describes the first
// output that differs. With keyOrder, the order of keys counts.
func Compare(got, want map[string][]column.Value, tol Tolerance, keyOrder bool) error {
	names := map[string]bool{}
	for n := range got {
		names[n] = true
	}
	for n := range want {
		names[n] = true
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	sort.Strings(sorted)
	for _, n := range sorted {
		if err := compareRows(got[n], want[n], tol, keyOrder); err != nil {
			return fmt.Errorf("output %s: %w", n, err)
		}
	}
	return nil
}

func compareRows(got, want []column.Value, tol Tolerance, keyOrder bool) error {
	left := append([]column.Value(nil), want...)
	var extra []column.Value
next:
	for _, g := range got {
		for i, w := range left {
			if sameValue(g, w, tol, keyOrder) {
				left[i] = left[len(left)-1]
				left = left[:len(left)-1]
				continue next
			}
		}
		extra = append(extra, g)
	}
	if len(left) == 0 && len(extra) == 0 {
		return nil
	}
	return fmt.Errorf("%d rows, want %d\nnot wanted:\n%smissing:\n%s", len(got), len(want), printRows(extra), printRows(left))
}

func printRows(rows []column.Value) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = "  " + string(column.AppendJSON(nil, r)) + "\n"
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func sameValue(a, b column.Value, tol Tolerance, keyOrder bool) bool {
	if a.Kind != b.Kind {
		// Published results are JSON, which has no times: a time is its text.
		if tol != Exact && a.Kind == column.Time && b.Kind == column.Text {
			return a.Ticks().String() == b.Text()
		}
		return false
	}
	switch a.Kind {
	case column.Float64:
		x, y := a.Float(), b.Float()
		if tol == Exact {
			return math.Float64bits(x) == math.Float64bits(y)
		}
		return math.Abs(x-y) <= float64(tol)*max(math.Abs(x), math.Abs(y))
	case column.Array:
		x, y := a.Array(), b.Array()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameValue(x[i], y[i], tol, keyOrder) {
				return false
			}
		}
		return true
	case column.Record:
		x, y := a.Record(), b.Record()
		if len(x.Names) != len(y.Names) {
			return false
		}
	names:
		for i, n := range x.Names {
			for k, m := range y.Names {
				if n == m && (k == i || !keyOrder) {
					if !sameValue(x.Values[i], y.Values[k], tol, keyOrder) {
						return false
					}
					continue names
				}
			}
			return false
		}
		return true
	}
	return string(column.AppendJSON(nil, a)) == string(column.AppendJSON(nil, b))
}
