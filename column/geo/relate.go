package geo

import (
	"fmt"

	"github.com/golang/geo/s2"
	"github.com/peterstace/simplefeatures/geom"

	"spate/column"
)

// within says whether no part of the first geometry lies outside of the second, and some
// of it inside: what lies on the edge alone is not within.
func (f *Functions) within(a []column.Value) (column.Value, error) {
	x, y, err := f.two(a)
	if err != nil {
		return column.Value{}, err
	}
	if f.globe {
		if y.loop == nil || x.line != nil {
			return column.Value{}, f.takes("a point or a polygon, and a polygon", x, y)
		}
		if x.loop != nil {
			return flag(y.loop.Contains(x.loop)), nil
		}
		p, _ := x.point()
		return flag(containsPoint(y.loop, vector(p))), nil
	}
	if x.flat.IsPoint() && (y.flat.IsPolygon() || y.flat.IsMultiPolygon()) {
		return flag(geom.Intersects(x.flat, y.flat) && !geom.Intersects(x.flat, y.flat.Boundary())), nil
	}
	return f.relation(x, y, geom.Within)
}

// onEdge is how far from an edge, as an angle, a point still lies on it: floats tell places
// apart to a few 10^-16, so of a point on an edge they say by chance which side it is on.
const onEdge = 1e-14

// containsPoint says whether a point is inside of a loop. One on an edge is not.
func containsPoint(l *s2.Loop, p s2.Point) bool {
	for i := range l.NumEdges() {
		if e := l.Edge(i); s2.DistanceFromSegment(p, e.V0, e.V1) < onEdge {
			return false
		}
	}
	return l.ContainsPoint(p)
}

// overlaps says whether two geometries of one dimension share a part of that dimension, and
// each has some that the other has not.
func (f *Functions) overlaps(a []column.Value) (column.Value, error) {
	x, y, err := f.two(a)
	if err != nil {
		return column.Value{}, err
	}
	if f.globe {
		if x.loop == nil || y.loop == nil {
			return column.Value{}, f.takes("two polygons", x, y)
		}
		return flag(x.loop.Intersects(y.loop) && !x.loop.Contains(y.loop) && !y.loop.Contains(x.loop)), nil
	}
	return f.relation(x, y, geom.Overlaps)
}

// intersects says whether two geometries have a point in common.
func (f *Functions) intersects(a []column.Value) (column.Value, error) {
	x, y, err := f.two(a)
	if err != nil {
		return column.Value{}, err
	}
	if f.globe {
		if x.line == nil || y.line == nil {
			return column.Value{}, f.takes("two lines", x, y)
		}
		return flag(linesMeet(x.line, y.line)), nil
	}
	return flag(geom.Intersects(x.flat, y.flat)), nil
}

// linesMeet says whether lines cross or share a corner.
func linesMeet(a, b s2.Polyline) bool {
	for _, p := range a {
		for _, q := range b {
			if p == q {
				return true
			}
		}
	}
	return a.Intersects(&b)
}

func (f *Functions) two(a []column.Value) (x, y *shape, err error) {
	if x, err = f.shape(a, 0); err == nil {
		y, err = f.shape(a, 1)
	}
	return x, y, err
}

// takes is the error of geometries that a function of the globe does not relate.
func (f *Functions) takes(what string, x, y *shape) error {
	return fmt.Errorf("%s takes %s below compatibility level 1.2, and is given a %s and a %s", f.name, what, x.kind(), y.kind())
}

// relation computes a relation of geometries, which the library may give up on where
// corners lie closer than floats can tell.
func (f *Functions) relation(x, y *shape, holds func(a, b geom.Geometry) (bool, error)) (v column.Value, err error) {
	if !x.flat.Envelope().Intersects(y.flat.Envelope()) {
		return flag(false), nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s of a %s and a %s whose corners are too close to tell: %v", f.name, x.kind(), y.kind(), r)
		}
	}()
	yes, err := holds(x.flat, y.flat)
	return flag(yes), err
}
