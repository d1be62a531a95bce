package reference

import (
	"errors"
	"math"

	"spate/column"
)

// The ellipsoid of WGS 84, in metres.
const (
	earth  = 6378137.0
	oblate = 1 / 298.257223563
)

var errGlobe = errors.New("below compatibility level 1.2 it takes no such geometry")

// globeArgs reads two arguments, which are points, lines, or polygons without holes.
func globeArgs(name string, a []column.Value) (x, y *geometry, err error) {
	if x, y, err = geometries(name, a); err != nil {
		return nil, nil, err
	}
	for _, g := range []*geometry{x, y} {
		switch {
		case g.whole != "point" && g.whole != "linestring" && g.whole != "polygon", g.empty(), g.dimension() == 2 && len(g.polygons[0]) > 1:
			return nil, nil, errGlobe
		}
		if !onEarth(g) {
			return nil, nil, errGlobe
		}
	}
	return x, y, nil
}

func onEarth(g *geometry) bool {
	for _, c := range g.chains() {
		for _, p := range c {
			if math.Abs(p[1]) > 90 {
				return false
			}
		}
	}
	return true
}

type vec [3]float64

// centric is the direction from the centre of the earth to a place.
func centric(p place) vec {
	lat, lon := p[1]*math.Pi/180, p[0]*math.Pi/180
	// On the ellipsoid the height over the plane of the equator is smaller than on a sphere.
	v := vec{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), (1 - oblate) * (1 - oblate) * math.Sin(lat)}
	return v.unit()
}

func (a vec) dot(b vec) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (a vec) cross(b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func (a vec) unit() vec {
	n := math.Sqrt(a.dot(a))
	return vec{a[0] / n, a[1] / n, a[2] / n}
}

func (a vec) plus(b vec, t float64) vec { return vec{a[0] + b[0]*t, a[1] + b[1]*t, a[2] + b[2]*t} }

// arcsMeet says whether two arcs shorter than half of the globe cross.
func arcsMeet(a, b, c, d vec) bool {
	n, m := a.cross(b), c.cross(d)
	s := n.dot(c) * n.dot(d)
	t := m.dot(a) * m.dot(b)
	return s < 0 && t < 0 && n.dot(c)*m.dot(b) > 0
}

type arc [2]vec

// has says whether a place lies on an arc, as well as floats can tell.
func (a arc) has(p vec) bool {
	const near = 1e-14
	for _, end := range a {
		if d := p.plus(end, -1); math.Sqrt(d.dot(d)) < near {
			return true
		}
	}
	n := a[0].cross(a[1]).unit()
	return math.Abs(n.dot(p)) < near && n.cross(a[0]).dot(p) > 0 && n.cross(a[1]).dot(p) < 0
}

func arcsOf(chain []place) []arc {
	var out []arc
	for i := 1; i < len(chain); i++ {
		out = append(out, arc{centric(chain[i-1]), centric(chain[i])})
	}
	return out
}

func anyMeet(a, b []arc) bool {
	for _, x := range a {
		for _, y := range b {
			if arcsMeet(x[0], x[1], y[0], y[1]) {
				return true
			}
		}
	}
	return false
}

// leftOf says whether a place lies in what is left of a ring: whether the way to it from a
// place just left of an edge crosses the ring an even number of times.
func leftOf(ring []arc, p vec) bool {
	e := ring[0]
	middle := e[0].plus(e[1], 1).unit()
	from := middle.plus(e[0].cross(e[1]).unit(), 1e-9).unit()
	left := true
	for _, e := range ring {
		if arcsMeet(e[0], e[1], from, p) {
			left = !left
		}
	}
	return left
}

func sameCorners(a, b []arc) bool {
	at := map[vec]bool{}
	for _, x := range a {
		at[x[0]] = true
	}
	for _, x := range b {
		if !at[x[0]] {
			return false
		}
	}
	return len(a) == len(b)
}

// covers says whether the left of one ring holds the left of another.
func covers(a, b []arc) bool {
	if sameCorners(a, b) {
		return leftOf(a, b[0][0].plus(b[1][1], 1).plus(b[1][0], 1).unit()) == leftOf(b, b[0][0].plus(b[1][1], 1).plus(b[1][0], 1).unit())
	}
	return !anyMeet(a, b) && leftOf(a, b[0][0]) && !leftOf(b, a[0][0])
}

func globeWithin(_ *runner, args []column.Value) (column.Value, error) {
	x, y, err := globeArgs("ST_WITHIN", args)
	if err != nil {
		return null, err
	}
	if y.dimension() != 2 || x.dimension() == 1 {
		return null, errGlobe
	}
	ring := arcsOf(y.polygons[0][0])
	if x.dimension() == 0 {
		p := centric(x.points[0])
		for _, e := range ring {
			if e.has(p) {
				return bit(false), nil
			}
		}
		return bit(leftOf(ring, p)), nil
	}
	return bit(covers(ring, arcsOf(x.polygons[0][0]))), nil
}

func globeOverlaps(_ *runner, args []column.Value) (column.Value, error) {
	x, y, err := globeArgs("ST_OVERLAPS", args)
	if err != nil {
		return null, err
	}
	if x.dimension() != 2 || y.dimension() != 2 {
		return null, errGlobe
	}
	a, b := arcsOf(x.polygons[0][0]), arcsOf(y.polygons[0][0])
	share := anyMeet(a, b) || leftOf(a, b[0][0]) || leftOf(b, a[0][0])
	return bit(share && !covers(a, b) && !covers(b, a)), nil
}

func globeIntersects(_ *runner, args []column.Value) (column.Value, error) {
	x, y, err := globeArgs("ST_INTERSECTS", args)
	if err != nil {
		return null, err
	}
	if x.dimension() != 1 || y.dimension() != 1 {
		return null, errGlobe
	}
	return bit(linesTouch(x.lines[0], y.lines[0])), nil
}

func linesTouch(a, b []place) bool {
	for _, p := range a {
		for _, q := range b {
			if p == q {
				return true
			}
		}
	}
	return anyMeet(arcsOf(a), arcsOf(b))
}

func globeDistance(_ *runner, args []column.Value) (column.Value, error) {
	x, y, err := globeArgs("ST_DISTANCE", args)
	if err != nil {
		return null, err
	}
	return apart(x, y, round, func() bool {
		return x.dimension() == 2 || y.dimension() == 2 || x.dimension() == 1 && y.dimension() == 1 && linesTouch(x.lines[0], y.lines[0])
	})
}

// straight is a place of an edge that is straight in degrees.
func straight(a, b place, t float64) place {
	return place{a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t}
}

// round is a place of an edge in a plane through the centre of the earth.
func round(a, b place, t float64) place {
	u, v := centric(a), centric(b)
	angle := math.Acos(max(-1, min(1, u.dot(v))))
	if angle == 0 {
		return a
	}
	w := vec{}.plus(u, math.Sin((1-t)*angle)/math.Sin(angle)).plus(v, math.Sin(t*angle)/math.Sin(angle))
	lat := math.Atan2(w[2], math.Hypot(w[0], w[1])*(1-oblate)*(1-oblate))
	return place{math.Atan2(w[1], w[0]) * 180 / math.Pi, lat * 180 / math.Pi}
}

// apart is the least way from a corner of one geometry to a place of the other: 0 where they
// meet. An edge is tried at many places, and then more closely around the best of them.
func apart(x, y *geometry, between func(a, b place, t float64) place, meet func() bool) (column.Value, error) {
	if !onEarth(x) || !onEarth(y) {
		return null, errGlobe
	}
	if x.empty() || y.empty() {
		return null, nil
	}
	if meet() {
		return column.FloatOf(0), nil
	}
	least := math.Inf(1)
	look := func(corners, edges *geometry) {
		for _, c := range corners.chains() {
			for _, p := range c {
				for _, e := range edges.chains() {
					least = min(least, way(p, e[0]))
					for i := 1; i < len(e); i++ {
						on := func(t float64) float64 { return way(p, between(e[i-1], e[i], t)) }
						low, high, best, shortest := 0.0, 1.0, 0.0, on(0)
						for high-low > 1e-9 {
							step := (high - low) / 16
							for k := range 17 {
								t := low + float64(k)*step
								if l := on(t); l < shortest {
									best, shortest = t, l
								}
							}
							low, high = max(low, best-step), min(high, best+step)
						}
						least = min(least, shortest)
					}
				}
			}
		}
	}
	look(x, y)
	look(y, x)
	return column.FloatOf(least), nil
}

// way is the length of the shortest line on the ellipsoid between two places: the line that
// sets out at the angle that leads to the other place, found by halving, and followed in
// small steps. Simpson's rule adds them up.
// Source: Karney, Algorithms for geodesics, 2013, sections 2 to 4.
func way(p, q place) float64 {
	if p == q {
		return 0
	}
	a, b := p[1], q[1]
	if math.Abs(b) > math.Abs(a) {
		a, b = b, a
	}
	if a > 0 {
		a, b = -a, -b
	}
	from := math.Atan((1 - oblate) * math.Tan(math.Min(a, -1e-12)*math.Pi/180))
	to := math.Atan((1 - oblate) * math.Tan(b*math.Pi/180))
	lon := math.Abs(math.Remainder(p[0]-q[0], 360)) * math.Pi / 180
	// The angle is counted from the east, so that near the equator it is told finely.
	low, high := -math.Pi/2, math.Pi/2
	length := 0.0
	for range 120 {
		angle := (low + high) / 2
		if angle == low || angle == high {
			break
		}
		var turned float64
		if turned, length = follow(angle, from, to); turned < lon {
			low = angle
		} else {
			high = angle
		}
	}
	return length
}

// follow is the longitude and the length of a line between two reduced latitudes. It sets out
// at an angle south of east.
func follow(angle, from, to float64) (lon, length float64) {
	first := math.Cos(angle) * math.Cos(from) // sine of the angle to the north at the equator
	rise := math.Hypot(math.Sin(angle), math.Cos(angle)*math.Sin(from))
	x := -math.Sin(angle) * math.Cos(from)
	y := math.Sqrt(max(0, x*x+(math.Sin(from)-math.Sin(to))*(math.Sin(from)+math.Sin(to))))
	begin, end := math.Atan2(math.Sin(from), x), math.Atan2(math.Sin(to), y)
	around := math.Atan2(first*math.Sin(to), y) - math.Atan2(first*math.Sin(from), x)
	k := rise * rise * (1/((1-oblate)*(1-oblate)) - 1)
	const pieces = 60 // of Simpson's rule
	var turn float64
	for i := range pieces + 1 {
		weight := []float64{2, 4}[i%2]
		if i == 0 || i == pieces {
			weight = 1
		}
		s := math.Sin(begin + (end-begin)*float64(i)/pieces)
		root := math.Sqrt(1 + k*s*s)
		turn += weight * (2 - oblate) / (1 + (1-oblate)*root)
		length += weight * root
	}
	part := (end - begin) / (3 * pieces)
	lon = around - oblate*first*turn*part
	return lon, earth * (1 - oblate) * length * part
}
