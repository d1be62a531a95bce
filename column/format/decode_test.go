package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"spate/column"
)

// pack lays messages behind one another, as a chunk does.
func pack(messages ...string) (data []byte, starts, ends []uint32) {
	for _, m := range messages {
		starts = append(starts, uint32(len(data)))
		data = append(data, m...)
		ends = append(ends, uint32(len(data)))
	}
	return data, starts, ends
}

func columnsOf(paths ...string) []Column {
	cols := make([]Column, len(paths))
	for i, p := range paths {
		if p == "*" {
			cols[i].Whole = true
			continue
		}
		cols[i].Path = strings.Split(p, ".")
	}
	return cols
}

// dump prints every row as JSON with its message, then the bad messages.
func dump(d *Decoder, messages ...string) string {
	data, starts, ends := pack(messages...)
	var sb strings.Builder
	for first := 0; first < len(starts); {
		r := d.Decode(data, starts, ends, first)
		for i := range r.Rows {
			fmt.Fprintf(&sb, "%d:", r.Src[i])
			for c := range r.Cols {
				fmt.Fprintf(&sb, " %s", AppendCell(nil, &r.Cols[c], i))
			}
			sb.WriteByte('\n')
		}
		for _, b := range r.Bad {
			fmt.Fprintf(&sb, "bad %d at %d: %s\n", b.Message, b.ByteOffset, b.Reason)
		}
		first = r.Next
	}
	return sb.String()
}

func TestDecodeShapesAndValues(t *testing.T) {
	f := func(paths, want string, messages ...string) {
		t.Helper()
		names, ds := layered(strings.Fields(paths), false)
		for i, d := range ds {
			for range 4 { // learned layouts take part from the third time on
				if got := dump(d, messages...); got != want {
					t.Errorf("%s\n got %s\nwant %s", names[i], got, want)
				}
			}
		}
	}
	f("a b", "0: 1 \"x\"\n0: 2 null\n1: 1.0 \"é\\n\"\n2: -10 null\n", `{"a":1,"b":"x"} {"a":2}`, `{"a":1.0,"b":"\u00e9\n"}`, `[{"a":-10}]`)
	f("a", "", ``, ` `, `[]`, " [ ] ")
	f("a.b", "0: 3\n1: null\n2: null\n", `{"a":{"b":3}}`, `{"a":4}`, `{"a":null}`)
	f("A", "0: 1\n1: 2\n2: 2\n", `{"a":1}`, `{"a":1,"A":2}`, `{"A":1,"A":2}`)
	f("a", "0: 9223372036854775807\n1: 2\nbad 2 at 12: integer 9223372036854775808 does not fit bigint\n",
		`{"a":9223372036854775807}`, `{"a":2}`, `{"a":1}{"b":9223372036854775808}`)
	f("a", "bad 0 at 0: Json input stream should either be an array of objects or line separated objects. Found token type: Integer\n", `25`)
	f("a", "bad 0 at 9: Json input stream should either be an array of objects or line separated objects. Found token type: String\n", `[{"a":1},"x"]`)
	f("a", "0: true\n1: {\"x\":[1,null]}\n2: 1.5\n", `{"a":true}`, `{"a":{"x":[1,null]}}`, `{"a":1.5}`)
	f("a", "0: \"\uFFFD\"\n", `{"a":"\ud800"}`)
	f("a", "bad 0 at 5: bad number\nbad 1 at 6: want , or } behind the value of \"a\"\n", `{"a":-}`, `{"a":01}`)
	f("a", "0: 1\n", "\xEF\xBB\xBF{\"a\":1}")
	f("* a b.c", "0: {\"a\":1,\"b\":{\"c\":\"\\n\",\"d\":true},\"e\":null} 1 \"\\n\"\n", `{"a": 1, "b": {"c": "\n", "d": true}, "e": null}`)
	f("*", "0: {\"a\":1,\"b\":{\"c\":[]}}\n", `{"a":1,"b":{"c":[]}}`)
}

func TestDecodeNestingLimit(t *testing.T) {
	d := NewDecoder(columnsOf("a"), Options{})
	ok := `{"a":` + strings.Repeat("[", 255) + strings.Repeat("]", 255) + `}`
	deep := `{"a":` + strings.Repeat("[", 256) + strings.Repeat("]", 256) + `}`
	if got := dump(d, ok); !strings.HasPrefix(got, "0: [[[") {
		t.Errorf("256 levels: %s", got)
	}
	if got := dump(d, deep); !strings.Contains(got, "nested deeper than 256") {
		t.Errorf("257 levels: %s", got)
	}
}

func TestDecodeBatchesAtRowLimitAndKeepsMessagesWhole(t *testing.T) {
	d := NewDecoder(columnsOf("n"), Options{})
	many := strings.Repeat(`{"n":1}`, 700)
	data, starts, ends := pack(many, many, many)
	r := d.Decode(data, starts, ends, 0)
	if r.Rows != 1400 || r.Next != 2 || len(r.Src) != 1400 || r.Src[699] != 0 || r.Src[700] != 1 {
		t.Errorf("got %d rows, next %d", r.Rows, r.Next)
	}
	if r = d.Decode(data, starts, ends, r.Next); r.Rows != 700 || r.Next != 3 {
		t.Errorf("got %d rows, next %d", r.Rows, r.Next)
	}
}

func TestDecodeIntegersAmongFloatsStayBigints(t *testing.T) {
	d := NewDecoder(columnsOf("t"), Options{})
	data, starts, ends := pack(`{"t":1.5}`, `{"t":-10}`, `{"t":25.0}`, `{"x":0}`)
	for range 3 {
		v := d.Decode(data, starts, ends, 0).Cols[0]
		if v.Kind != column.Float64 || v.Whole == nil || !v.IsNull(3) {
			t.Fatalf("kind %v, whole %v", v.Kind, v.Whole)
		}
		got := string(AppendCell(nil, &v, 0)) + string(AppendCell(nil, &v, 1)) + string(AppendCell(nil, &v, 2))
		if got != "1.5-1025.0" {
			t.Errorf("got %s", got)
		}
	}
}

func TestDecodeUniqueTextGoesPlain(t *testing.T) {
	d := NewDecoder(columnsOf("id", "kind"), Options{})
	for batch := range 20 {
		var messages []string
		for i := range 100 {
			messages = append(messages, fmt.Sprintf(`{"id":"id-%d-%d","kind":"k%d"}`, batch, i, i%3))
		}
		data, starts, ends := pack(messages...)
		r := d.Decode(data, starts, ends, 0)
		id, kind := &r.Cols[0], &r.Cols[1]
		if coded := id.Codes != nil; coded != (batch < dictWatch) {
			t.Errorf("batch %d: unique column coded = %v", batch, coded)
		}
		if kind.Codes == nil {
			t.Errorf("batch %d: column of 3 values is plain", batch)
		}
		if got, want := string(id.TextAt(99)), fmt.Sprintf("id-%d-99", batch); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDecodeFullDictionaryIsRetired(t *testing.T) {
	d := NewDecoder(columnsOf("id"), Options{})
	var owner *column.Dict
	for batch := range 70 {
		var messages []string
		for i := range 2048 { // every value twice: never proves unique
			messages = append(messages, fmt.Sprintf(`{"id":"%d"}`, batch*1024+i/2))
		}
		data, starts, ends := pack(messages...)
		for first := 0; first < len(starts); {
			r := d.Decode(data, starts, ends, first)
			for i := range r.Rows {
				want := fmt.Sprint(batch*1024 + int(r.Src[i])/2)
				if got := string(r.Cols[0].TextAt(i)); got != want {
					t.Fatalf("batch %d row %d: got %s, want %s", batch, i, got, want)
				}
			}
			if v := r.Cols[0].Dict; v != nil {
				owner = v.Owner()
				if v.Len() > maxDictEntries+1 {
					t.Fatalf("%d entries", v.Len())
				}
			}
			first = r.Next
		}
	}
	if owner == nil {
		t.Error("no batch was coded")
	}
}

// oracle decodes by encoding/json; ok false: not one JSON object.
func oracle(msg string) (map[string]any, bool) {
	dec := json.NewDecoder(strings.NewReader(msg))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil || v == nil {
		return nil, false
	}
	return v, json.Valid([]byte(msg))
}

func FuzzDecodeLayersAgree(f *testing.F) {
	for _, e := range seedEvents(3, 5) {
		f.Add(e)
	}
	f.Add(`{"Location":{"Lat":1,"b":[1,2]},"Temperature":null,"x":true}`)
	f.Add(`[{"Temperature":1e5},{"Temperature":-0}]`)
	f.Add(`{"Temperature":12345678.12345678,"DeviceId":"\u00e9\ud83d\ude00"}`)
	f.Add(`{ "x":{"z":{"b":[{}],"a":1 } ,"y" : 2},"Extra":[true,{"k":"\n"}],"DEVICEID":"d"}`)
	f.Add(`{"Temperature":1.25E-3,"temperature":4,"DEVICEID":"é"}`)
	paths := []string{"DeviceId", "Location", "Location.Lat", "Temperature", "*", "Humidity", "x"}
	f.Fuzz(func(t *testing.T, msg string) {
		messages := append(seedEvents(2, 5), msg, msg, msg, msg+"9", msg)
		sameLayers(t, []string{"DeviceId", "Location", "Temperature", "Humidity", "x.y", "x.z.a"}, messages, 2)
		general := NewDecoder(columnsOf(paths...), Options{General: true})
		want := dump(general, messages...)
		fast := NewDecoder(columnsOf(paths...), Options{})
		for range 2 {
			if got := dump(fast, messages...); got != want {
				t.Fatalf("layers differ\n fast %s\nwant %s", got, want)
			}
		}
		if !utf8.ValidString(msg) {
			return // encoding/json replaces what is refused here
		}
		whole := dump(NewDecoder(columnsOf("*"), Options{}), msg)
		if strings.Contains(whole, "bad") {
			if v, ok := oracle(msg); ok && !strings.Contains(whole, "fit") && !strings.Contains(whole, "deeper") {
				t.Fatalf("refused, but encoding/json reads %v: %s", v, whole)
			}
			return
		}
		v, ok := oracle(msg)
		if !ok || strings.Count(whole, "\n") != 1 {
			return
		}
		back, ok := oracle(strings.TrimPrefix(whole, "0: "))
		if !ok || !sameJSON(v, back) {
			t.Fatalf("%s\n got %v\nwant %v", msg, back, v)
		}
	})
}

// sameJSON compares decoded JSON; numbers by value, keys that the order of equal
// names could change are not compared.
func sameJSON(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, ok := y[k]; !ok || !sameJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameJSON(x[i], y[i]) {
				return false
			}
		}
		return true
	case json.Number:
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		if xi, err := x.Int64(); err == nil {
			yi, err := y.Int64()
			return err == nil && xi == yi
		}
		xf, _ := x.Float64()
		yf, _ := y.Float64()
		return xf == yf
	}
	return a == b
}

func TestDecodeMutatedEventsLayersAgree(t *testing.T) {
	base := seedEvents(1, 7)[0]
	paths := []string{"DeviceId", "Temperature", "Humidity", "Timestamp", "EventId", "SignalStrength"}
	rnd := rand.New(rand.NewPCG(1, 2))
	var messages []string
	for i := range base {
		for _, c := range []byte{'"', '\\', '0', '9', 'e', '.', '-', '{', '}', ',', ' ', 0x1f, 0x80, 'n'} {
			messages = append(messages, base[:i]+string([]byte{c})+base[i+1:])
		}
		messages = append(messages, base[:i], base[:i]+base[i+1:], base)
	}
	rnd.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	sameLayers(t, paths, messages, 1)
	paths = append(paths, "*")
	want := dump(NewDecoder(columnsOf(paths...), Options{General: true}), messages...)
	got := dump(NewDecoder(columnsOf(paths...), Options{}), messages...)
	if got != want {
		g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range w {
			if i >= len(g) || g[i] != w[i] {
				t.Fatalf("line %d\n got %s\nwant %s", i, g[i], w[i])
			}
		}
	}
	// Digits behind the end of a message belong to the next one.
	cut := []byte(base + "99999999999999999999999999")
	for end := range 2 * len(base) {
		read := paths
		if end >= len(base) { // the whole event takes no predictive layer
			end -= len(base)
			read = paths[:len(paths)-1]
		}
		d := NewDecoder(columnsOf(read...), Options{})
		full, s, e := pack(base, base, base)
		d.Decode(full, s, e, 0)
		r := d.Decode(cut, []uint32{0}, []uint32{uint32(end)}, 0)
		if end > 0 && (r.Rows != 0 || len(r.Bad) != 1) {
			t.Errorf("event cut at %d of %d gave %d rows", end, len(base), r.Rows)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.5", "-10.25", "1013.25", "123456789012345678", "1e5", "00", "1.", ".5", "1.5e", "9223372036854775808", "0.1234567890123456"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || strings.ContainsAny(s, " \t\r\n,]}") {
			return
		}
		padded := append([]byte(s), bytes.Repeat([]byte{'7'}, slack)...)
		got, ok := parseNumber(padded, 0, len(s))
		p := parser{data: padded, end: len(s)}
		want, err := p.value(0)
		isNumber := err == nil && (want.Kind == column.Int64 || want.Kind == column.Float64)
		if !isNumber {
			if ok && got.next == len(s) {
				t.Fatalf("%q accepted as %+v", s, got)
			}
			return
		}
		if !ok || got.next != p.pos {
			if p.pos == len(s) {
				t.Fatalf("%q: ok %v next %d, want %d", s, ok, got.next, p.pos)
			}
			return
		}
		have := column.FloatOf(got.float)
		if got.whole {
			have = column.IntOf(got.int)
		}
		if h, w := AppendValue(nil, have), AppendValue(nil, want); have.Kind != want.Kind || string(h) != string(w) {
			t.Fatalf("%q: got %s, want %s", s, h, w)
		}
	})
}

// A fleet larger than what a first look shows stays coded: all of it has spoken in the
// end. What never ends being new goes plain, whether all of it is new or most.
func TestDecodeLargeFleetStaysCoded(t *testing.T) {
	for _, c := range []struct {
		name  string
		text  func(row int) int
		coded bool
	}{
		{"12,000 devices in turns", func(row int) int { return row % 12_000 }, true},
		{"12,000 devices, two in three rows new at first", func(row int) int { return row * 2 / 3 % 12_000 }, true},
		{"three in four rows new for ever", func(row int) int { return row * 3 / 4 }, false},
		{"all new", func(row int) int { return row }, false},
	} {
		d := NewDecoder(columnsOf("id"), Options{})
		row, coded := 0, false
		for range 4 * dictWatch {
			var messages []string
			for range 500 {
				messages = append(messages, fmt.Sprintf(`{"id":"device-%d"}`, c.text(row)))
				row++
			}
			data, starts, ends := pack(messages...)
			v := d.Decode(data, starts, ends, 0).Cols[0]
			coded = v.Codes != nil
			for i := range 500 {
				if got, want := string(v.TextAt(i)), fmt.Sprintf("device-%d", c.text(row-500+i)); got != want {
					t.Fatalf("%s: got %s, want %s", c.name, got, want)
				}
			}
		}
		if coded != c.coded {
			t.Errorf("%s: coded %v in the end, want %v", c.name, coded, c.coded)
		}
	}
}
