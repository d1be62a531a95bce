package random

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"spate/column"
	"spate/conform"
)

// Stream makes events of the inputs i and j, and the settings of a job that
// reads them: disorder, duplicates, ties, nulls, missing fields, mixed kinds,
// several partitions, gaps, and times on window boundaries and a tick beside.
func Stream(t *rapid.T) ([]conform.Event, conform.Options) {
	g := &generator{t: t}
	o := conform.Options{
		Late:     pick(g, column.Ticks(-1), 0, column.Second, 5*column.Second),
		Disorder: pick(g, column.Ticks(0), 0, column.Second, 3*column.Second),
		Drop:     g.chance(30),
		FoldCase: g.chance(20),
	}
	partitions := g.int(1, 3)
	arrival := conform.DefaultArrival + column.Ticks(g.int(0, 20))*column.Second
	var out []conform.Event
	most, keys := 50, []string{`"a"`, `"b"`, `"c"`, "null"}
	if g.chance(10) { // many events, many keys
		most = 250
		for n := range 60 {
			keys = append(keys, fmt.Sprintf(`"k%d"`, n))
		}
	}
	for range g.int(0, most) {
		arrival += pick(g, column.Ticks(0), 1, column.Second/2, column.Second, column.Second, 3*column.Second, 20*column.Second)
		at := arrival
		if g.chance(40) {
			at -= column.Ticks(g.int(0, 8)) * column.Second / 2
		}
		if g.chance(3) {
			at += 6 * column.Minute
		}
		if g.chance(50) {
			at = at / column.Second * column.Second
		}
		if g.chance(20) {
			at += column.Ticks(g.int(-1, 1))
		}
		e := conform.Event{Input: pick(g, "i", "i", "i", "j"), Partition: g.int(0, partitions-1), Arrival: arrival, Value: g.event(at, keys)}
		if g.chance(50) {
			e.Key = pick(g, column.TextOf("a"), column.TextOf("B"), column.TextOf(""))
		}
		if g.chance(60) {
			e.Properties = g.record(pick(g, `{"p":1}`, `{"p":"x","q":2.5}`, `{"P":true}`, `{"q":null}`, "{}"))
		}
		out = append(out, e)
		if g.chance(5) {
			out = append(out, e)
		}
	}
	times := make([]column.Ticks, len(out))
	for i, e := range out {
		times[i] = e.Arrival
	}
	o.Snapshots = g.snapshots(times, keys)
	return out, o
}

// event makes one payload, by way of its text.
func (g *generator) event(at column.Ticks, keys []string) column.Value {
	var parts []string
	field := func(name string, missing int, values ...string) {
		if !g.chance(missing) {
			parts = append(parts, fmt.Sprintf("%q:%s", name, pick(g, values...)))
		}
	}
	time := fmt.Sprintf("%q", at)
	if g.chance(3) {
		time = pick(g, `"never"`, "null", "5")
	}
	field("t", 0, time)
	field("k", 10, keys...)
	field("d", 10, "1", "2", "3")
	field("b", 20, "true", "false")
	field("s", 20, `"a"`, `"abc"`, `"B"`, `""`, `"x yé"`, "null")
	field("v", 15, "1", "2.5", "-10", "0.1", "25.0", "0", "100", "1e-3", "null")
	field("n", 15, "0", "1", "7", "-3", "1000")
	field("m", 20, "1", "1.0", `"1"`, `"a"`, "true", "null", "0.5")
	field("u", 15, `"2026-01-05"`, fmt.Sprintf("%q", at), `"2025-12-31T23:59:59.9999999Z"`, `"2024-02-29 12:00:00+02:00"`, "null")
	field("w", 15, "1", "1e300", "-1e300", "5e-324", "1e16", "-1", "0.1", "123456789012345678", "1.7e-20", "3e40", "null")
	field("q", 15, "1", `"2.5"`, "2.5", `" 7 "`, "null", "1e3")
	field("a", 20, `[1,"x"]`, "[]", "[2.5]", "null", "[null,3]")
	field("g", 25, "[]", `[[1,"x"],{"x":1,"y":"p"},null]`, `[[[2],3],[]]`, `[{"a":"a","b":null},{}]`, "[7]", "null")
	if !g.chance(25) {
		r := fmt.Sprintf(`{"x":%s,"y":%s}`, pick(g, "1", "2.5", "null"), pick(g, `"p"`, `"q"`))
		field("r", 0, r, r, r, "{}", "null")
	}
	return g.record("{" + strings.Join(parts, ",") + "}")
}

// record reads one record.
func (g *generator) record(json string) column.Value {
	rows, err := conform.Records([]byte(json))
	if err != nil || len(rows) != 1 {
		g.t.Fatalf("make the record %s: %v", json, err)
	}
	return rows[0]
}
