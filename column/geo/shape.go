package geo

import (
	"errors"
	"fmt"
	"math"

	"github.com/golang/geo/r3"
	"github.com/golang/geo/s2"
	"github.com/peterstace/simplefeatures/geom"
)

// shape is a geometry that was read and is sound.
type shape struct {
	flat  geom.Geometry
	edges [][]xy // its lines and rings, a point as one of one point

	// On the globe: a loop of a polygon, a polyline of a line, a point.
	loop *s2.Loop
	line s2.Polyline
}

func (f *Functions) newShape(g geom.Geometry) (*shape, error) {
	s := &shape{flat: g}
	s.edges = appendEdges(nil, g)
	if !f.globe {
		return s, nil
	}
	return s, s.onGlobe()
}

// point is the place of a shape that is one point.
func (s *shape) point() (xy, bool) {
	p, ok := s.flat.AsPoint()
	if !ok {
		return xy{}, false
	}
	return p.XY()
}

// kind is the name of the kind of geometry.
func (s *shape) kind() string { return s.flat.Type().String() }

// onGlobe makes what the predicates of the globe look at. It takes what GeoJSON had before
// level 1.2: points, lines, and polygons of one ring.
func (s *shape) onGlobe() error {
	for _, l := range s.edges {
		for _, p := range l {
			if err := onEarth(p); err != nil {
				return err
			}
		}
	}
	switch {
	case s.flat.IsEmpty():
		return errors.New("it is empty, which is a geometry from compatibility level 1.2 on")
	case s.flat.IsPoint():
	case s.flat.IsLineString():
		s.line = vectors(s.edges[0])
		return s.line.Validate()
	case s.flat.IsPolygon() && len(s.edges) == 1:
		var err error
		s.loop, err = loopOf(s.edges[0])
		return err
	case s.flat.IsPolygon():
		return errors.New("it is a polygon with holes, which is a geometry from compatibility level 1.2 on")
	default:
		return fmt.Errorf("it is a %s, which is a geometry from compatibility level 1.2 on", s.kind())
	}
	return nil
}

// loopOf is the loop of a closed ring that does not meet itself.
func loopOf(points []xy) (*s2.Loop, error) {
	ring := vectors(points)
	if len(ring) < 4 || ring[0] != ring[len(ring)-1] {
		return nil, errors.New("a ring has three different points or more, and ends where it begins")
	}
	ring = ring[:len(ring)-1]
	l := s2.LoopFromPoints(ring)
	if err := l.Validate(); err != nil {
		return nil, err
	}
	n := len(ring)
	for i := range n {
		for k := i + 1; k < n; k++ {
			neighbours := k == i+1 || i == 0 && k == n-1
			if ring[i] == ring[k] || !neighbours && s2.CrossingSign(ring[i], ring[(i+1)%n], ring[k], ring[(k+1)%n]) != s2.DoNotCross {
				return nil, errors.New("its ring meets itself")
			}
		}
	}
	return l, nil
}

// onEarth says that a latitude is none. Longitudes go round.
func onEarth(p xy) error {
	if math.Abs(p.Y) > 90 {
		return fmt.Errorf("latitude %v is not from -90 to 90", p.Y)
	}
	return nil
}

// vector is the direction of a place from the centre of the ellipsoid. Planes through the
// centre cut the ellipsoid and a sphere along the same directions, so what lies left of an
// edge is found out on the sphere.
func vector(p xy) s2.Point {
	lat := math.Atan((1 - flattening) * (1 - flattening) * math.Tan(radians(p.Y)))
	if math.Abs(p.Y) == 90 {
		lat = radians(p.Y)
	}
	lon := radians(math.Remainder(p.X, 360))
	c := math.Cos(lat)
	return s2.Point{Vector: r3.Vector{X: c * math.Cos(lon), Y: c * math.Sin(lon), Z: math.Sin(lat)}.Normalize()}
}

func vectors(points []xy) s2.Polyline {
	var out s2.Polyline
	for _, p := range points {
		if v := vector(p); len(out) == 0 || v != out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }

// appendEdges appends the lines, rings and points of a geometry.
func appendEdges(dst [][]xy, g geom.Geometry) [][]xy {
	switch g.Type() {
	case geom.TypePoint:
		if p, ok := g.MustAsPoint().XY(); ok {
			dst = append(dst, []xy{p})
		}
	case geom.TypeLineString:
		seq := g.MustAsLineString().Coordinates()
		line := make([]xy, seq.Length())
		for i := range line {
			line[i] = seq.GetXY(i)
		}
		if len(line) > 0 {
			dst = append(dst, line)
		}
	case geom.TypePolygon:
		for _, r := range g.MustAsPolygon().DumpRings() {
			dst = appendEdges(dst, r.AsGeometry())
		}
	case geom.TypeMultiPoint:
		m := g.MustAsMultiPoint()
		for i := range m.NumPoints() {
			dst = appendEdges(dst, m.PointN(i).AsGeometry())
		}
	case geom.TypeMultiLineString:
		m := g.MustAsMultiLineString()
		for i := range m.NumLineStrings() {
			dst = appendEdges(dst, m.LineStringN(i).AsGeometry())
		}
	case geom.TypeMultiPolygon:
		m := g.MustAsMultiPolygon()
		for i := range m.NumPolygons() {
			dst = appendEdges(dst, m.PolygonN(i).AsGeometry())
		}
	case geom.TypeGeometryCollection:
		m := g.MustAsGeometryCollection()
		for i := range m.NumGeometries() {
			dst = appendEdges(dst, m.GeometryN(i))
		}
	}
	return dst
}
