package conform_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"spate/conform"
	"spate/sql/plan"
)

// flat makes geometries on a small grid, where corners and edges often fall on each other.
type flat struct{ *rand.Rand }

func (r flat) at() [2]int { return [2]int{r.IntN(7), r.IntN(7)} }

func chain(points ...[2]int) string {
	var out []string
	for _, p := range points {
		out = append(out, fmt.Sprintf("%d %d", p[0], p[1]))
	}
	return "(" + strings.Join(out, ",") + ")"
}

// ring is a triangle, a box, one with a dent or with a hole.
func (r flat) ring() string {
	p := r.at()
	w, h := 1+r.IntN(5), 1+r.IntN(5)
	x, y := p[0]+w, p[1]+h
	switch r.IntN(4) {
	case 0:
		return "(" + chain(p, [2]int{x, p[1]}, [2]int{p[0] + r.IntN(w+1), y}, p) + ")"
	case 1:
		return "(" + chain(p, [2]int{p[0], y}, [2]int{x, y}, [2]int{x, p[1]}, p) + ")"
	case 2:
		return "(" + chain(p, [2]int{x + 2, p[1]}, [2]int{x, p[1] + 1}, [2]int{x, y + 2}, p) + ")"
	}
	return "(" + chain(p, [2]int{x + 2, p[1]}, [2]int{x + 2, y + 2}, [2]int{p[0], y + 2}, p) + "," +
		chain([2]int{p[0] + 1, p[1] + 1}, [2]int{x + 1, p[1] + 1}, [2]int{x, y + 1}, [2]int{p[0] + 1, p[1] + 1}) + ")"
}

func (r flat) line() string {
	points := [][2]int{r.at()}
	for len(points) < 2 || r.IntN(2) == 0 {
		if p := r.at(); p != points[len(points)-1] {
			points = append(points, p)
		}
	}
	return chain(points...)
}

func (r flat) geometry() string {
	switch r.IntN(9) {
	case 0:
		return "POINT" + chain(r.at())
	case 1:
		return "MULTIPOINT" + chain(r.at(), r.at())
	case 2, 3:
		return "LINESTRING" + r.line()
	case 4:
		return "MULTILINESTRING(" + r.line() + "," + r.line() + ")"
	case 5: // the second is far from the first
		return "MULTIPOLYGON(" + r.ring() + ",((50 50,51 50,51 51,50 50)))"
	}
	return "POLYGON" + r.ring()
}

// The relations of geometries are those that exact arithmetic finds.
func TestRelationsInThePlane(t *testing.T) {
	t.Parallel()
	r := flat{rand.New(rand.NewPCG(1, 2))}
	var events strings.Builder
	for n := range 300 {
		fmt.Fprintf(&events, "{\"n\":%d,\"a\":%q,\"b\":%q}\n", n, r.geometry(), r.geometry())
	}
	compareGeometries(t, "SELECT n, i.a, i.b, ST_WITHIN(i.a, i.b) AS w, ST_OVERLAPS(i.a, i.b) AS o, ST_INTERSECTS(i.a, i.b) AS m INTO o FROM i", false, events.String())
}

// Distances in the plane and on the globe, and relations on the globe, are those that a
// plain search finds.
func TestGeometriesOnTheEllipsoid(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	point := func() string { return fmt.Sprintf("%.3f %.3f", r.Float64()*80-40, r.Float64()*120-60) }
	ring := func() string { // left of it is the inside, or all but that
		x, y, w, h := r.Float64()*300-150, r.Float64()*100-60, 5+r.Float64()*50, 5+r.Float64()*20
		corners := []string{fmt.Sprintf("%.3f %.3f", x, y), fmt.Sprintf("%.3f %.3f", x+w, y+r.Float64()*3), fmt.Sprintf("%.3f %.3f", x+w*0.9, y+h), fmt.Sprintf("%.3f %.3f", x+1, y+h*0.8)}
		if r.IntN(4) == 0 {
			corners[1], corners[3] = corners[3], corners[1]
		}
		return "POLYGON((" + strings.Join(append(corners, corners[0]), ",") + "))"
	}
	line := func() string { return "LINESTRING(" + point() + "," + point() + "," + point() + ")" }
	pick := func(kinds ...func() string) string { return kinds[r.IntN(len(kinds))]() }
	place := func() string { return "POINT(" + point() + ")" }
	var far, within, overlaps, meets strings.Builder
	for n := range 16 {
		fmt.Fprintf(&far, "{\"n\":%d,\"a\":%q,\"b\":%q}\n", n, pick(place, line, ring), pick(place, place, line))
	}
	for n := range 100 {
		fmt.Fprintf(&within, "{\"n\":%d,\"a\":%q,\"b\":%q}\n", n, pick(place, ring), ring())
		fmt.Fprintf(&overlaps, "{\"n\":%d,\"a\":%q,\"b\":%q}\n", n, ring(), ring())
		fmt.Fprintf(&meets, "{\"n\":%d,\"a\":%q,\"b\":%q}\n", n, line(), line())
	}
	for _, globe := range []bool{false, true} {
		compareGeometries(t, "SELECT n, i.a, i.b, ST_DISTANCE(i.a, i.b) AS d INTO o FROM i", globe, far.String())
		compareGeometries(t, "SELECT n, i.a, i.b, ST_WITHIN(i.a, i.b) AS d INTO o FROM i", globe, within.String())
		compareGeometries(t, "SELECT n, i.a, i.b, ST_OVERLAPS(i.a, i.b) AS d INTO o FROM i", globe, overlaps.String())
		compareGeometries(t, "SELECT n, i.a, i.b, ST_INTERSECTS(i.a, i.b) AS d INTO o FROM i", globe, meets.String())
	}
}

func compareGeometries(t *testing.T, script string, globe bool, events string) {
	t.Helper()
	records, err := conform.Records([]byte(events))
	if err != nil {
		t.Fatal(err)
	}
	level := plan.Level12
	if globe {
		level = plan.Level11
	}
	c := &conform.Case{Script: script, Level: level, Inputs: []conform.Input{{Name: "i", Events: records}}, Options: conform.Options{Late: -1}}
	job, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	want, err := conform.Reference(t.Context(), job, c.Events(job), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	got, err := conform.Streaming{Batch: 100}.Run(t.Context(), job, c.Events(job), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Published, true); err != nil {
		t.Errorf("%s, globe %v: %v", script, globe, err)
	}
}
