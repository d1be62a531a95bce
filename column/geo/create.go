package geo

import (
	"fmt"
	"slices"

	"spate/column"
)

// createPoint takes latitude and longitude; GeoJSON has them the other way round.
func (f *Functions) createPoint(a []column.Value) (column.Value, error) {
	for i := range a {
		if a[i].Kind != column.Int64 && a[i].Kind != column.Float64 {
			return column.Value{}, wrongType(f.name, i, a[i], column.Int64, column.Float64)
		}
	}
	lat, _ := a[0].Number()
	lon, _ := a[1].Number()
	return geoJSON("Point", position(xy{X: lon, Y: lat})), nil
}

func (f *Functions) createLine(a []column.Value) (column.Value, error) {
	points, err := f.points(a)
	if err != nil {
		return column.Value{}, err
	}
	if different(points) < 2 {
		return column.Value{}, fmt.Errorf("%s: a line needs two different points", f.name)
	}
	return geoJSON("LineString", positions(points)), nil
}

// createPolygon closes the ring where its last point is not the first.
func (f *Functions) createPolygon(a []column.Value) (column.Value, error) {
	points, err := f.points(a)
	if err != nil {
		return column.Value{}, err
	}
	if different(points) < 3 {
		return column.Value{}, fmt.Errorf("%s: a polygon needs three different points", f.name)
	}
	if points[0] != points[len(points)-1] {
		points = append(points, points[0])
	}
	return geoJSON("Polygon", column.ArrayOf([]column.Value{positions(points)})), nil
}

// points are arguments that are all points.
func (f *Functions) points(a []column.Value) ([]xy, error) {
	out := make([]xy, len(a))
	for i := range a {
		s, err := f.shape(a, i)
		if err != nil {
			return nil, err
		}
		p, ok := s.point()
		if !ok {
			return nil, fmt.Errorf("the %s argument of %s is a %s, where a point is wanted", ordinal(i), f.name, s.kind())
		}
		out[i] = p
	}
	return out, nil
}

func different(points []xy) int {
	var seen []xy
	for _, p := range points {
		if !slices.Contains(seen, p) {
			seen = append(seen, p)
		}
	}
	return len(seen)
}

func geoJSON(kind string, coordinates column.Value) column.Value {
	return column.RecordOf(&column.RecordValue{Names: []string{"type", "coordinates"}, Values: []column.Value{column.TextOf(kind), coordinates}})
}

func position(p xy) column.Value {
	return column.ArrayOf([]column.Value{column.FloatOf(p.X), column.FloatOf(p.Y)})
}

func positions(points []xy) column.Value {
	out := make([]column.Value, len(points))
	for i, p := range points {
		out[i] = position(p)
	}
	return column.ArrayOf(out)
}
