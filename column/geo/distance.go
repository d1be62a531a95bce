package geo

import (
	"fmt"
	"math"

	"github.com/golang/geo/s2"
	"github.com/peterstace/simplefeatures/geom"

	"spate/column"
)

// distance is how many metres lie between the closest points of two geometries: 0 where they
// meet, and on the globe wherever one of them is a polygon. It is NULL where one is empty.
func (f *Functions) distance(a []column.Value) (column.Value, error) {
	x, y, err := f.two(a)
	if err != nil {
		return column.Value{}, err
	}
	for i, s := range []*shape{x, y} {
		for _, l := range s.edges {
			for _, p := range l {
				if err := onEarth(p); err != nil {
					return column.Value{}, fmt.Errorf("the %s argument of %s: %w", ordinal(i), f.name, err)
				}
			}
		}
	}
	switch {
	case len(x.edges) == 0 || len(y.edges) == 0:
		return column.Value{}, nil
	case f.globe && (x.loop != nil || y.loop != nil),
		f.globe && x.line != nil && y.line != nil && linesMeet(x.line, y.line),
		!f.globe && geom.Intersects(x.flat, y.flat):
		return column.FloatOf(0), nil
	}
	n := nearest{globe: f.globe}
	n.look(x, y)
	n.look(y, x)
	return column.FloatOf(n.metres()), nil
}

// nearest finds the least distance between corners and edges. Where two edges do not meet,
// one of the closest points is a corner.
type nearest struct {
	globe bool
	least float64 // straight through the earth, in metres
	pairs []closest
}

// closest is where an edge, between two corners, is closest to a point, going straight
// through the earth.
type closest struct {
	point, a, b xy
	at          float64 // 0 at a, 1 at b
	chord       float64
}

// look compares the corners of one shape with the edges of another.
func (n *nearest) look(corners, edges *shape) {
	for _, l := range corners.edges {
		for _, p := range l {
			for _, e := range edges.edges {
				for i := range max(1, len(e)-1) {
					n.add(p, e[i], e[min(i+1, len(e)-1)])
				}
			}
		}
	}
}

// add compares a point with an edge, in pieces short enough to have one closest point each.
func (n *nearest) add(p, a, b xy) {
	length := n.length(a, b)
	pieces := 1 + int(length/1e6)
	from := cartesian(p)
	chord := func(at float64) float64 { return cartesian(n.between(a, b, at)).Sub(from).Norm() }
	for i := range pieces {
		low, high := float64(i)/float64(pieces), float64(i+1)/float64(pieces)
		c := closest{point: p, a: a, b: b}
		if a != b {
			if middle := chord((low + high) / 2); len(n.pairs) > 0 && middle-length/float64(pieces) > n.near() {
				continue // all of it is too far
			}
			c.at = lowest(chord, low, high)
		}
		c.chord = chord(c.at)
		if len(n.pairs) == 0 || c.chord < n.least {
			n.least = c.chord
		}
		n.pairs = append(n.pairs, c)
	}
}

// near is how far through the earth the closest place along it may be.
func (n *nearest) near() float64 { return n.least*1.01 + 1e-3 }

// length is no less than the length of an edge.
func (n *nearest) length(a, b xy) float64 {
	angle := math.Hypot(a.X-b.X, a.Y-b.Y) * (math.Pi / 180)
	if n.globe {
		angle = vector(a).Angle(vector(b).Vector).Radians()
	}
	return 1.01 * equator * angle
}

// metres is the least distance along the ellipsoid. It differs little in its order from the
// distance through the earth, so places that are nearly as close as the closest are
// measured too.
func (n *nearest) metres() float64 {
	least := math.Inf(1)
	for _, c := range n.pairs {
		if c.chord > n.near() {
			continue
		}
		if c.a == c.b {
			least = min(least, metres(c.point, c.a))
			continue
		}
		on := func(at float64) float64 { return metres(c.point, n.between(c.a, c.b, at)) }
		at := lowest(on, max(0, c.at-0.02), min(1, c.at+0.02))
		least = min(least, on(at), on(0), on(1))
	}
	return least
}

// between is a place of an edge: straight in degrees in the plane, along the shorter arc on
// the globe.
func (n *nearest) between(a, b xy, at float64) xy {
	switch {
	case at == 0:
		return a
	case at == 1:
		return b
	case !n.globe:
		return xy{X: a.X + (b.X-a.X)*at, Y: a.Y + (b.Y-a.Y)*at}
	}
	ll := s2.LatLngFromPoint(s2.Interpolate(at, vector(a), vector(b)))
	lat := math.Atan(math.Tan(ll.Lat.Radians()) / ((1 - flattening) * (1 - flattening)))
	return xy{X: ll.Lng.Degrees(), Y: lat * (180 / math.Pi)}
}

// lowest is where a function that falls and then rises is lowest, by the golden section.
func lowest(f func(float64) float64, low, high float64) float64 {
	const part = 0.6180339887498949
	begin, end := low, high
	x, y := high-part*(high-low), low+part*(high-low)
	fx, fy := f(x), f(y)
	for high-low > 1e-11 {
		if fx <= fy {
			high, y, fy = y, x, fx
			x = high - part*(high-low)
			fx = f(x)
		} else {
			low, x, fx = x, y, fy
			y = low + part*(high-low)
			fy = f(y)
		}
	}
	best := (low + high) / 2
	for _, at := range []float64{begin, end} {
		if f(at) <= f(best) {
			best = at
		}
	}
	return best
}
