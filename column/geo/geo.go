// Package geo holds the geospatial functions of the language: what geometries values are,
// how they lie to each other in the plane and on the globe, and how far they are apart.
//
// A geometry is a record in the form of GeoJSON, a text with one, or a text in the form of
// WKT. Coordinates are degrees, longitude first. In the plane an edge is straight in
// degrees; on the globe it is the shortest line on an ellipsoid that lies in a plane
// through its centre, and what is inside of a polygon lies left of its ring. Distances are
// metres on the ellipsoid of WGS 84 in both.
//
// Stability: importable, not promised before 1.0.
package geo

import (
	"errors"
	"fmt"
	"strings"

	"spate/column"
	"spate/column/format"
)

// Functions runs calls of one geospatial function and remembers the geometries of texts.
// One goroutine uses it.
type Functions struct {
	name  string
	globe bool
	run   func(f *Functions, a []column.Value) (column.Value, error)
	known map[string]*shape // by text
	last  [2]recent
}

// recent is the record that an argument was last, which a constant is for every row.
type recent struct {
	record *column.RecordValue
	shape  *shape
}

const knownShapes = 1000 // remembered

var functions = map[string]func(*Functions, []column.Value) (column.Value, error){
	"CREATEPOINT": (*Functions).createPoint, "CREATELINESTRING": (*Functions).createLine, "CREATEPOLYGON": (*Functions).createPolygon,
	"ST_DISTANCE": (*Functions).distance, "ST_WITHIN": (*Functions).within,
	"ST_OVERLAPS": (*Functions).overlaps, "ST_INTERSECTS": (*Functions).intersects,
}

// New returns the function of an upper-case name, over the globe or the plane; nil if there
// is none.
func New(name string, globe bool) *Functions {
	f := &Functions{name: name, globe: globe, known: make(map[string]*shape)}
	if f.run = functions[f.name]; f.run == nil {
		return nil
	}
	return f
}

// Apply calls f. A NULL argument gives NULL.
func (f *Functions) Apply(a []column.Value) (column.Value, error) {
	for _, v := range a {
		if v.IsNull() {
			return column.Value{}, nil
		}
	}
	return f.run(f, a)
}

// shape reads an argument, the n-th from 0.
func (f *Functions) shape(a []column.Value, n int) (*shape, error) {
	v := a[n]
	switch v.Kind {
	case column.Record:
		last := &f.last[min(n, 1)]
		if last.record == v.Record() {
			return last.shape, nil
		}
		s, err := f.read(v)
		if err != nil {
			return nil, f.failed(n, "", err)
		}
		*last = recent{v.Record(), s}
		return s, nil
	case column.Text:
		text := v.Text()
		if s := f.known[text]; s != nil {
			return s, nil
		}
		s, err := f.readText(text)
		if err != nil {
			return nil, f.failed(n, text, err)
		}
		if len(f.known) >= knownShapes {
			clear(f.known)
		}
		f.known[strings.Clone(text)] = s
		return s, nil
	}
	return nil, wrongType(f.name, n, v, column.Record, column.Text)
}

// failed says which argument is no geometry that the function takes.
func (f *Functions) failed(n int, text string, err error) error {
	if text != "" {
		return fmt.Errorf("the %s argument of %s, '%.80s', is no geometry: %w", ordinal(n), f.name, text, err)
	}
	return fmt.Errorf("the %s argument of %s is no geometry: %w", ordinal(n), f.name, err)
}

func (f *Functions) readText(text string) (*shape, error) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") {
		g, err := fromWKT(trimmed, f.globe)
		if err != nil {
			return nil, err
		}
		return f.newShape(g)
	}
	v, ok := format.ParseRecord(trimmed)
	if !ok {
		return nil, errors.New("it is no JSON object")
	}
	return f.read(v)
}

func (f *Functions) read(v column.Value) (*shape, error) {
	g, err := fromRecord(v, f.globe)
	if err != nil {
		return nil, err
	}
	return f.newShape(g)
}

func ordinal(n int) string {
	if n < 3 {
		return [...]string{"1st", "2nd", "3rd"}[n]
	}
	return fmt.Sprintf("%dth", n+1)
}

func wrongType(name string, n int, v column.Value, allowed ...column.Kind) error {
	words := make([]string, len(allowed))
	for i, k := range allowed {
		words[i] = "'" + k.String() + "'"
	}
	return fmt.Errorf("The %s argument of function %s has invalid type '%s'. Only %s is allowed.",
		ordinal(n), strings.ToLower(name), v.Kind, strings.Join(words, ", "))
}

func flag(yes bool) column.Value {
	if yes {
		return column.IntOf(1)
	}
	return column.IntOf(0)
}
