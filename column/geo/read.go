package geo

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/peterstace/simplefeatures/geom"

	"spate/column"
)

// xy is a point in degrees: X is the longitude, Y the latitude.
type xy = geom.XY

// maxNested is how deep geometry collections may lie in each other.
const maxNested = 16

// fromWKT reads Well Known Text. Heights and measures are left out. What must be sound on
// the globe need not be in the plane, where an edge may go round the other way.
func fromWKT(text string, globe bool) (geom.Geometry, error) {
	g, err := geom.UnmarshalWKT(text, geom.NoValidate{})
	if err != nil {
		return g, err
	}
	return sound(g.Force2D(), globe)
}

// fromRecord reads GeoJSON.
func fromRecord(v column.Value, globe bool) (geom.Geometry, error) {
	g, err := unchecked(v, 0)
	if err != nil {
		return g, err
	}
	return sound(g, globe)
}

func sound(g geom.Geometry, globe bool) (geom.Geometry, error) {
	if globe {
		return g, nil
	}
	return g, g.Validate()
}

func unchecked(v column.Value, depth int) (geom.Geometry, error) {
	kind, coordinates := v.Field("type"), v.Field("coordinates")
	if v.Kind != column.Record || kind.Kind != column.Text {
		return geom.Geometry{}, errors.New("it has no type")
	}
	switch strings.ToLower(kind.Text()) {
	case "point":
		p, err := pointOf(coordinates)
		return p.AsGeometry(), err
	case "multipoint":
		points, err := each(coordinates, pointOf)
		return geom.NewMultiPoint(points).AsGeometry(), err
	case "linestring":
		l, err := lineOf(coordinates)
		return l.AsGeometry(), err
	case "multilinestring":
		lines, err := each(coordinates, lineOf)
		return geom.NewMultiLineString(lines).AsGeometry(), err
	case "polygon":
		p, err := polygonOf(coordinates)
		return p.AsGeometry(), err
	case "multipolygon":
		polygons, err := each(coordinates, polygonOf)
		return geom.NewMultiPolygon(polygons).AsGeometry(), err
	case "geometrycollection":
		if depth >= maxNested {
			return geom.Geometry{}, fmt.Errorf("collections lie more than %d deep in each other", maxNested)
		}
		members, err := each(v.Field("geometries"), func(v column.Value) (geom.Geometry, error) { return unchecked(v, depth+1) })
		return geom.NewGeometryCollection(members).AsGeometry(), err
	}
	return geom.Geometry{}, fmt.Errorf("it is of type '%.40s'", kind.Text())
}

// each reads the elements of an array.
func each[T any](v column.Value, read func(column.Value) (T, error)) ([]T, error) {
	if v.Kind != column.Array {
		return nil, fmt.Errorf("a %s stands where an array is wanted", v.Kind)
	}
	out := make([]T, len(v.Array()))
	for i, e := range v.Array() {
		var err error
		if out[i], err = read(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pair reads a position, whose height is left out.
func pair(v column.Value) (xy, error) {
	a := v.Array()
	if v.Kind != column.Array || len(a) < 2 || len(a) > 4 {
		return xy{}, errors.New("a position has a longitude and a latitude")
	}
	var at [2]float64
	for i := range at {
		if a[i].Kind != column.Int64 && a[i].Kind != column.Float64 {
			return xy{}, fmt.Errorf("a %s stands where a coordinate is wanted", a[i].Kind)
		}
		if at[i], _ = a[i].Number(); math.IsInf(at[i], 0) || math.IsNaN(at[i]) {
			return xy{}, errors.New("a coordinate is no number")
		}
	}
	return xy{X: at[0], Y: at[1]}, nil
}

func pointOf(v column.Value) (geom.Point, error) {
	p, err := pair(v)
	return p.AsPoint(), err
}

func lineOf(v column.Value) (geom.LineString, error) {
	points, err := each(v, pair)
	if err != nil {
		return geom.LineString{}, err
	}
	floats := make([]float64, 0, 2*len(points))
	for _, p := range points {
		floats = append(floats, p.X, p.Y)
	}
	return geom.NewLineString(geom.NewSequence(floats, geom.DimXY)), nil
}

// polygonOf reads rings. A single ring may stand there without the array around it, as in
// samples of the service.
func polygonOf(v column.Value) (geom.Polygon, error) {
	if a := v.Array(); len(a) > 0 && len(a[0].Array()) > 0 && a[0].Array()[0].Kind != column.Array {
		ring, err := lineOf(v)
		return geom.NewPolygon([]geom.LineString{ring}), err
	}
	rings, err := each(v, lineOf)
	return geom.NewPolygon(rings), err
}
