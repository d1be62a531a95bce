package reference

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"spate/column"
	"spate/column/format"
)

// place is a longitude and a latitude in degrees.
type place [2]float64

// geometry is points, lines and polygons; a polygon is its rings. whole is what it was
// called, in lower case.
type geometry struct {
	whole    string
	points   []place
	lines    [][]place
	polygons [][][]place
}

func (g *geometry) empty() bool { return len(g.points)+len(g.lines)+len(g.polygons) == 0 }

// chains are all that has corners: points, lines and rings.
func (g *geometry) chains() [][]place {
	var out [][]place
	for _, p := range g.points {
		out = append(out, []place{p})
	}
	out = append(out, g.lines...)
	for _, p := range g.polygons {
		out = append(out, p...)
	}
	return out
}

var errGeometry = errors.New("it is no geometry")

// geometryOf reads the n-th argument of a function, from 1.
func geometryOf(name string, v column.Value, n int) (*geometry, error) {
	g := &geometry{}
	switch v.Kind {
	case column.Record:
		return g, g.addRecord(v)
	case column.Text:
		text := strings.TrimSpace(v.Text())
		if strings.HasPrefix(text, "{") {
			rec, ok := format.ParseRecord(text)
			if !ok {
				return nil, errGeometry
			}
			return g, g.addRecord(rec)
		}
		w := &wkt{words: wktWords(text)}
		w.geometry(g)
		if w.bad || len(w.words) > 0 {
			return nil, errGeometry
		}
		return g, g.sound()
	}
	return nil, wrongType(name, n, v, column.Record, column.Text)
}

// wkt reads Well Known Text of two coordinates.
type wkt struct {
	words []string
	bad   bool
}

func wktWords(s string) []string {
	for _, sign := range []string{"(", ")", ","} {
		s = strings.ReplaceAll(s, sign, " "+sign+" ")
	}
	return strings.Fields(s)
}

func (w *wkt) next() string {
	if len(w.words) == 0 {
		w.bad = true
		return ""
	}
	word := w.words[0]
	w.words = w.words[1:]
	return strings.ToLower(word)
}

// list reads "(one, one, ...)" or EMPTY.
func (w *wkt) list(one func()) {
	first := w.next()
	if first == "empty" {
		return
	}
	for sign := first; !w.bad && sign != ")"; sign = w.next() {
		if sign != "(" && sign != "," {
			w.bad = true
			return
		}
		one()
	}
}

func (w *wkt) place() place {
	var p place
	for i := range p {
		f, err := strconv.ParseFloat(w.next(), 64)
		w.bad = w.bad || err != nil
		p[i] = f
	}
	for len(w.words) > 0 { // a height
		if _, err := strconv.ParseFloat(w.words[0], 64); err != nil {
			break
		}
		w.next()
	}
	return p
}

func (w *wkt) chain() []place {
	var out []place
	w.list(func() { out = append(out, w.place()) })
	return out
}

func (w *wkt) rings() [][]place {
	var out [][]place
	w.list(func() { out = append(out, w.chain()) })
	return out
}

func (w *wkt) geometry(g *geometry) {
	kind := w.next()
	if g.whole == "" {
		g.whole = kind
	}
	if len(w.words) > 0 && strings.Contains(" z m zm ", " "+strings.ToLower(w.words[0])+" ") {
		w.next()
	}
	switch kind {
	case "point":
		g.points = append(g.points, w.chain()...)
	case "multipoint":
		w.list(func() {
			if len(w.words) > 0 && w.words[0] == "(" {
				g.points = append(g.points, w.chain()...)
			} else {
				g.points = append(g.points, w.place())
			}
		})
	case "linestring":
		g.addLines(w.chain())
	case "multilinestring":
		g.addLines(w.rings()...)
	case "polygon":
		g.addPolygons(w.rings())
	case "multipolygon":
		w.list(func() { g.addPolygons(w.rings()) })
	case "geometrycollection":
		w.list(func() { w.geometry(g) })
	default:
		w.bad = true
	}
}

func (g *geometry) addLines(lines ...[]place) {
	for _, l := range lines {
		if len(l) > 0 {
			g.lines = append(g.lines, l)
		}
	}
}

func (g *geometry) addPolygons(polygons ...[][]place) {
	for _, p := range polygons {
		if len(p) > 0 {
			g.polygons = append(g.polygons, p)
		}
	}
}

// addRecord reads GeoJSON.
func (g *geometry) addRecord(v column.Value) error {
	if err := g.unchecked(v); err != nil {
		return err
	}
	return g.sound()
}

func (g *geometry) unchecked(v column.Value) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errGeometry // something has not the shape that it must have
		}
	}()
	kind, c := strings.ToLower(field(v, "type").Text()), field(v, "coordinates")
	if g.whole == "" {
		g.whole = kind
	}
	switch kind {
	case "point":
		g.points = append(g.points, placeOf(c))
	case "multipoint":
		g.points = append(g.points, chainOf(c)...)
	case "linestring":
		g.addLines(chainOf(c))
	case "multilinestring":
		g.addLines(ringsOf(c)...)
	case "polygon":
		if c.Array()[0].Array()[0].Kind != column.Array {
			g.addPolygons([][]place{chainOf(c)})
		} else {
			g.addPolygons(ringsOf(c))
		}
	case "multipolygon":
		for _, p := range elements(c) {
			g.addPolygons(ringsOf(p))
		}
	case "geometrycollection":
		for _, m := range elements(field(v, "geometries")) {
			if err := g.unchecked(m); err != nil {
				return err
			}
		}
	default:
		return errGeometry
	}
	return nil
}

func elements(v column.Value) []column.Value {
	if v.Kind != column.Array {
		panic(errGeometry)
	}
	return v.Array()
}

func placeOf(v column.Value) place {
	a := elements(v)
	if !isNumber(a[0]) || !isNumber(a[1]) {
		panic(errGeometry)
	}
	return place{floatOf(a[0]), floatOf(a[1])}
}

func chainOf(v column.Value) []place {
	var out []place
	for _, e := range elements(v) {
		out = append(out, placeOf(e))
	}
	return out
}

func ringsOf(v column.Value) [][]place {
	var out [][]place
	for _, e := range elements(v) {
		out = append(out, chainOf(e))
	}
	return out
}

// sound says whether lines have a length and rings are closed. That rings do not meet
// themselves is not looked at here.
func (g *geometry) sound() error {
	for _, l := range g.lines {
		if distinct(l) < 2 {
			return errGeometry
		}
	}
	for _, p := range g.polygons {
		for _, r := range p {
			if distinct(r) < 3 || r[0] != r[len(r)-1] {
				return errGeometry
			}
		}
	}
	return nil
}

func distinct(l []place) int {
	seen := map[place]bool{}
	for _, p := range l {
		seen[p] = true
	}
	return len(seen)
}

// spot is a place of the plane, exactly.
type spot struct{ x, y *big.Rat }

func exactly(p place) spot {
	return spot{new(big.Rat).SetFloat64(p[0]), new(big.Rat).SetFloat64(p[1])}
}

func (p spot) minus(q spot) spot { return spot{new(big.Rat).Sub(p.x, q.x), new(big.Rat).Sub(p.y, q.y)} }

// along is p + t*d.
func (p spot) along(d spot, t *big.Rat) spot {
	x, y := new(big.Rat).Mul(d.x, t), new(big.Rat).Mul(d.y, t)
	return spot{x.Add(x, p.x), y.Add(y, p.y)}
}

func cross(a, b spot) *big.Rat {
	l, r := new(big.Rat).Mul(a.x, b.y), new(big.Rat).Mul(a.y, b.x)
	return l.Sub(l, r)
}

func dot(a, b spot) *big.Rat {
	l, r := new(big.Rat).Mul(a.x, b.x), new(big.Rat).Mul(a.y, b.y)
	return l.Add(l, r)
}

// segment is an edge of a geometry.
type segment struct{ a, b spot }

// holdsSpot says whether p lies on the edge.
func (s segment) holdsSpot(p spot) bool {
	d := s.b.minus(s.a)
	return cross(d, p.minus(s.a)).Sign() == 0 && dot(p.minus(s.a), p.minus(s.b)).Sign() <= 0
}

func sidesOf(chain []place) []segment {
	var out []segment
	for i := 1; i < len(chain); i++ {
		if chain[i] != chain[i-1] {
			out = append(out, segment{exactly(chain[i-1]), exactly(chain[i])})
		}
	}
	return out
}

// Where a spot lies in a geometry.
const (
	outside = iota
	onEdge
	inside
)

// locate says where a spot lies. Ends of lines are their edge, where an odd number meets.
func (g *geometry) locate(p spot) int {
	found, ends := outside, 0
	for _, q := range g.points {
		if q := exactly(q); q.x.Cmp(p.x) == 0 && q.y.Cmp(p.y) == 0 {
			return inside
		}
	}
	for _, l := range g.lines {
		for _, s := range sidesOf(l) {
			if s.holdsSpot(p) {
				found = inside
			}
		}
		for _, q := range []place{l[0], l[len(l)-1]} {
			if q := exactly(q); q.x.Cmp(p.x) == 0 && q.y.Cmp(p.y) == 0 {
				ends++
			}
		}
	}
	if found == inside && ends%2 == 1 {
		found = onEdge
	}
	for _, rings := range g.polygons {
		in, edge := false, false
		for _, r := range rings {
			for _, s := range sidesOf(r) {
				edge = edge || s.holdsSpot(p)
				if above := s.a.y.Cmp(p.y) > 0; above != (s.b.y.Cmp(p.y) > 0) {
					turn := cross(s.b.minus(s.a), p.minus(s.a)).Sign()
					if above && turn < 0 || !above && turn > 0 {
						in = !in
					}
				}
			}
		}
		switch {
		case edge:
			found = max(found, onEdge)
		case in:
			return inside
		}
	}
	return found
}

// relation holds, for each pair of where a spot lies in two geometries, of what dimension
// the spots are that lie so; -1: there is none.
type relation [3][3]int

// relate looks at a spot of every kind that the edges of both make of the plane: the corners
// and crossings, the middles of the pieces between them, and one in each part beside a piece.
func relate(a, b *geometry) relation {
	var out relation
	for i := range out {
		out[i] = [3]int{-1, -1, -1}
	}
	look := func(p spot, dimension int) {
		at := &out[a.locate(p)][b.locate(p)]
		*at = max(*at, dimension)
	}
	var sides []segment
	for _, g := range []*geometry{a, b} {
		for _, c := range g.chains() {
			look(exactly(c[0]), 0)
			sides = append(sides, sidesOf(c)...)
		}
	}
	half := big.NewRat(1, 2)
	for _, s := range sides {
		cuts := []*big.Rat{new(big.Rat), big.NewRat(1, 1)}
		for _, o := range sides {
			cuts = append(cuts, cutsOf(s, o)...)
		}
		for _, g := range []*geometry{a, b} {
			for _, p := range g.points {
				if q := exactly(p); s.holdsSpot(q) {
					cuts = append(cuts, s.placeOn(q))
				}
			}
		}
		d := s.b.minus(s.a)
		for _, from := range cuts {
			look(s.a.along(d, from), 0)
			var to *big.Rat
			for _, c := range cuts {
				if c.Cmp(from) > 0 && (to == nil || c.Cmp(to) < 0) {
					to = c
				}
			}
			if to == nil {
				continue
			}
			middle := s.a.along(d, new(big.Rat).Mul(half, new(big.Rat).Add(from, to)))
			look(middle, 1)
			for _, sign := range []int64{1, -1} {
				t := big.NewRat(sign, 1)
				normal := spot{new(big.Rat).Mul(t, new(big.Rat).Neg(d.y)), new(big.Rat).Mul(t, d.x)}
				look(middle.along(normal, beside(middle, normal, sides)), 2)
			}
		}
	}
	return out
}

// relate relates arguments. Fractions are slow, so what was found is kept.
func (r *runner) relate(a []column.Value, x, y *geometry) relation {
	var key []byte
	for _, v := range a {
		key = append(column.AppendJSON(key, v), 0)
	}
	m, ok := r.related[string(key)]
	if !ok {
		m = relate(x, y)
		if r.related == nil {
			r.related = make(map[string]relation)
		}
		r.related[string(key)] = m
	}
	return m
}

// placeOn is where on the edge a spot of it lies, from 0 to 1.
func (s segment) placeOn(p spot) *big.Rat {
	d := s.b.minus(s.a)
	return new(big.Rat).Quo(dot(p.minus(s.a), d), dot(d, d))
}

// cutsOf are the places on s, from 0 to 1, at which o ends or crosses it.
func cutsOf(s, o segment) []*big.Rat {
	var out []*big.Rat
	for _, end := range []spot{o.a, o.b} {
		if s.holdsSpot(end) {
			out = append(out, s.placeOn(end))
		}
	}
	d, e := s.b.minus(s.a), o.b.minus(o.a)
	c := cross(d, e)
	if c.Sign() == 0 {
		return out
	}
	t := new(big.Rat).Quo(cross(o.a.minus(s.a), e), c)
	if p := s.a.along(d, t); t.Sign() >= 0 && t.Cmp(big.NewRat(1, 1)) <= 0 && o.holdsSpot(p) {
		out = append(out, t)
	}
	return out
}

// beside is half of the way from a spot along d to the first edge on it.
func beside(p, d spot, sides []segment) *big.Rat {
	first := big.NewRat(1, 1)
	for _, o := range sides {
		e := o.b.minus(o.a)
		c := cross(d, e)
		if c.Sign() == 0 {
			for _, end := range []spot{o.a, o.b} { // an edge along the way
				if t := new(big.Rat).Quo(dot(end.minus(p), d), dot(d, d)); cross(d, end.minus(p)).Sign() == 0 && t.Sign() > 0 && t.Cmp(first) < 0 {
					first = t
				}
			}
			continue
		}
		t := new(big.Rat).Quo(cross(o.a.minus(p), e), c)
		if t.Sign() > 0 && t.Cmp(first) < 0 && o.holdsSpot(p.along(d, t)) {
			first = t
		}
	}
	return new(big.Rat).Mul(first, big.NewRat(1, 2))
}

// dimension is 2 where a geometry has polygons, 1 where it has lines, 0 of points.
func (g *geometry) dimension() int {
	switch {
	case len(g.polygons) > 0:
		return 2
	case len(g.lines) > 0:
		return 1
	}
	return 0
}

func (m relation) within() bool {
	return m[inside][inside] >= 0 && m[inside][outside] < 0 && m[onEdge][outside] < 0
}

func (m relation) overlap(a, b *geometry) bool {
	return a.dimension() == b.dimension() && m[inside][inside] == a.dimension() && m[inside][outside] >= 0 && m[outside][inside] >= 0
}

func (m relation) meet() bool {
	return m[inside][inside] >= 0 || m[inside][onEdge] >= 0 || m[onEdge][inside] >= 0 || m[onEdge][onEdge] >= 0
}

func bit(yes bool) column.Value {
	if yes {
		return column.IntOf(1)
	}
	return column.IntOf(0)
}

// geometries reads two arguments.
func geometries(name string, a []column.Value) (x, y *geometry, err error) {
	if x, err = geometryOf(name, a[0], 1); err == nil {
		y, err = geometryOf(name, a[1], 2)
	}
	return x, y, err
}

// planar wraps a relation in the plane.
func planar(name string, holds func(m relation, x, y *geometry) bool) function {
	return function{run: func(r *runner, a []column.Value) (column.Value, error) {
		x, y, err := geometries(name, a)
		if err != nil {
			return null, err
		}
		return bit(holds(r.relate(a, x, y), x, y)), nil
	}}
}

func geoJSON(kind string, coordinates column.Value) column.Value {
	return column.RecordOf(&column.RecordValue{Names: []string{"type", "coordinates"}, Values: []column.Value{column.TextOf(kind), coordinates}})
}

func coordinatesOf(l []place) column.Value {
	var out []column.Value
	for _, p := range l {
		out = append(out, column.ArrayOf([]column.Value{column.FloatOf(p[0]), column.FloatOf(p[1])}))
	}
	return column.ArrayOf(out)
}

// pointArgs are arguments that are all points.
func pointArgs(name string, a []column.Value, least int) ([]place, error) {
	var out []place
	for i := range a {
		g, err := geometryOf(name, a[i], i+1)
		if err != nil {
			return nil, err
		}
		if g.whole != "point" || len(g.points) != 1 {
			return nil, fmt.Errorf("argument %d of %s is no point", i+1, name)
		}
		out = append(out, g.points[0])
	}
	if distinct(out) < least {
		return nil, fmt.Errorf("%s has too few points", name)
	}
	return out, nil
}

var geoFunctions = map[string]function{
	"CREATEPOINT": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		for i := range a {
			if !isNumber(a[i]) {
				return null, wrongType("CREATEPOINT", i+1, a[i], column.Int64, column.Float64)
			}
		}
		return geoJSON("Point", coordinatesOf([]place{{floatOf(a[1]), floatOf(a[0])}}).Array()[0]), nil
	}},
	"CREATELINESTRING": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		points, err := pointArgs("CREATELINESTRING", a, 2)
		return geoJSON("LineString", coordinatesOf(points)), err
	}},
	"CREATEPOLYGON": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		points, err := pointArgs("CREATEPOLYGON", a, 3)
		if err == nil && points[0] != points[len(points)-1] {
			points = append(points, points[0])
		}
		return geoJSON("Polygon", column.ArrayOf([]column.Value{coordinatesOf(points)})), err
	}},
	"ST_WITHIN":     planar("ST_WITHIN", func(m relation, _, _ *geometry) bool { return m.within() }),
	"ST_OVERLAPS":   planar("ST_OVERLAPS", relation.overlap),
	"ST_INTERSECTS": planar("ST_INTERSECTS", func(m relation, _, _ *geometry) bool { return m.meet() }),
	"ST_DISTANCE": {run: func(r *runner, a []column.Value) (column.Value, error) {
		x, y, err := geometries("ST_DISTANCE", a)
		if err != nil {
			return null, err
		}
		return apart(x, y, straight, func() bool { return r.relate(a, x, y).meet() })
	}},
	"GEODESIC ST_WITHIN":     {run: globeWithin},
	"GEODESIC ST_OVERLAPS":   {run: globeOverlaps},
	"GEODESIC ST_INTERSECTS": {run: globeIntersects},
	"GEODESIC ST_DISTANCE":   {run: globeDistance},
}
