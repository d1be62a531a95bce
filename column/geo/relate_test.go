package geo

import (
	"testing"

	"spate/column"
)

func TestAPointOnAnEdgeIsNotWithin(t *testing.T) {
	for _, globe := range []bool{false, true} {
		create, within := New("CREATEPOINT", globe), New("ST_WITHIN", globe)
		f := func(lat, lon float64, want int64) {
			t.Helper()
			p, err := create.Apply([]column.Value{column.FloatOf(lat), column.FloatOf(lon)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := within.Apply([]column.Value{p, column.TextOf("POLYGON((0 0,3 0,3 3,0 3,0 0))")})
			if err != nil || got.Kind != column.Int64 || got.Int() != want {
				t.Errorf("globe %v: latitude %v, longitude %v: %v (%v), want %d", globe, lat, lon, got, err, want)
			}
		}
		f(1, 0, 0)
		f(0, 1, 0)
		f(2, 3, 0) // the other side of the polygon
		f(0, 0, 0)
		f(1, 1, 1)
		f(1, 0.0000001, 1)
		f(1, -0.0000001, 0)
		f(1, 3.5, 0)
	}
}
