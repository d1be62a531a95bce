package format

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// layered returns a decoder for each choice of layers; the first has the general
// one alone.
func layered(paths []string, bigints bool) (names []string, ds []*Decoder) {
	for _, o := range []Options{{General: true}, {NoTemplates: true}, {}} {
		o.Bigints = bigints
		names = append(names, fmt.Sprintf("%+v", o))
		ds = append(ds, NewDecoder(columnsOf(paths...), o))
	}
	return names, ds
}

// sameLayers fails if the layers print different rows or errors of messages.
func sameLayers(t *testing.T, paths, messages []string, times int) string {
	t.Helper()
	agree(t, paths, messages, times, true)
	return agree(t, paths, messages, times, false)
}

func agree(t *testing.T, paths, messages []string, times int, bigints bool) string {
	t.Helper()
	names, ds := layered(paths, bigints)
	want := dump(ds[0], messages...)
	for i, d := range ds[1:] {
		for range times {
			got := dump(d, messages...)
			if got == want {
				continue
			}
			g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
			for k := range w {
				if k >= len(g) || g[k] != w[k] {
					t.Fatalf("%s, line %d\n got %s\nwant %s", names[i+1], k, strings.Join(g[min(k, len(g)):], "\n"), w[k])
				}
			}
			t.Fatalf("%s: more than wanted: %s", names[i+1], got)
		}
	}
	return want
}

// Words of JSON that are read as numbers are so wherever they stand; a record that JSON_PARSE
// reads has bits.
func TestWordsAsBigints(t *testing.T) {
	got := agree(t, []string{"a", "*", "r", "r.x"}, []string{`{"a":true}`, `{"a":false}`, `{"a":null,"r":{"x":true,"y":[false]}}`, `{"a":true}`, `{"r":{"x":false}}`}, 3, true)
	want := "0: 1 {\"a\":1} null null\n1: 0 {\"a\":0} null null\n2: null {\"a\":null,\"r\":{\"x\":1,\"y\":[0]}} {\"x\":1,\"y\":[0]} 1\n3: 1 {\"a\":1} null null\n4: null {\"r\":{\"x\":0}} {\"x\":0} 0"
	if strings.TrimSpace(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if v, ok := ParseRecord(`{"x":true}`); !ok || !v.Field("x").Bool() {
		t.Errorf("got %v", v)
	}
}

func TestPredictTakesWhatItShould(t *testing.T) {
	f := func(paths string, taken bool, event, want string) {
		t.Helper()
		d := NewDecoder(columnsOf(strings.Fields(paths)...), Options{NoTemplates: true})
		for range 3 {
			before := d.Stats()
			if got := strings.TrimSpace(dump(d, event)); got != want {
				t.Errorf("%s\n got %s\nwant %s", event, got, want)
			}
			if got := d.Stats().Predictive > before.Predictive; got != taken {
				t.Errorf("%s: taken = %v", event, got)
			}
		}
	}
	f("a b", true, `{"b":"x","a":1}`, `0: 1 "x"`)
	f("a b", true, " {\n\t\"b\" : \"x\" , \"c\":[1,{\"d\":[ ]},{}],\r\n\"a\":1.50 } ", `0: 1.5 "x"`)
	f("a b", true, `{}`, `0: null null`)
	f("a b", true, `{"b":null,"a":true}`, `0: true null`)
	f("a b", true, `{"B":"\u00e9\n","A":-0}`, `0: 0 "é\n"`)
	f("a", true, `{"a":{"x":[1]}}`, `0: {"x":[1]}`)
	f("a.b a.c.d", true, `{"x":1,"a":{"c":{"e":"","d":7},"b":2}}`, `0: 2 7`)
	f("a.b", true, `{"a":[{"b":1}]}`, `0: null`)
	f("name-of-more-than-16-bytes name-of-more-then-16-bytes", true, `{"name-of-more-then-16-bytes":2,"name-of-more-than-16-bytes":1}`, `0: 1 2`)
	f("é", true, `{"é":1}`, `0: 1`)
	f("", true, `{"x":1,"x":2}`, `0:`)
	f("a", true, `{"x":["\u00e9",{"\n":"\\"}],"a":1}`, `0: 1`)
	f("a.b", true, `{"a":{"x":`+strings.Repeat("[", 254)+strings.Repeat("]", 254)+`,"b":1}}`, `0: 1`)

	f("a", false, `{"a":1,"a":2}`, `0: 2`)
	f("a", false, `{"a":1,"a":null}`, `0: null`)
	f("a", false, `{"A":1,"a":2}`, `0: 2`)
	f("a", false, `{"\u0061":1}`, `0: 1`)
	f("a a.b", false, `{"a":{"b":1}}`, `0: {"b":1} 1`)
	f("a.b", false, `{"a":{"b":1},"a":{}}`, `0: null`)
	for _, bad := range []string{
		`{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{"a" 1}`, `{"a":01}`, `{"a":1.}`, `{"x":9223372036854775808}`, `{"x":1e999}`,
		`{"x":[9223372036854775808]}`, `{"x":[1,]}`, `{"x":[1 2]}`, `{"x":{"y"}}`, `{"x":{"y":1,}}`, `{"x":[}`, `{"x":{]}`, `{"x":[1}}`,
		"{\"x\":\"\x01\"}", "{\"x\":\"\x80\"}", "{\"x\":[\"\\x\"]}", "{\"\x80\":1}", "{\"\t\":1}", `{"x":nul}`, `{"x":[nul]}`, `{"x":tru`, `{"x":"`, `{"x`, `{"x"`, `{"x":`, `{"x":1`, `{`,
		`{"x":` + strings.Repeat("[", 256) + strings.Repeat("]", 256) + `}`,
		`{"y":{"x":` + strings.Repeat("[", 255) + strings.Repeat("]", 255) + `}}`,
	} {
		d := NewDecoder(columnsOf("a", "y.b"), Options{NoTemplates: true})
		if got := dump(d, bad); !strings.HasPrefix(got, "bad 0") || d.Stats() != (Stats{}) {
			t.Errorf("%s: got %s", bad, got)
		}
	}
	f("a", true, `{"x":`+strings.Repeat("[", 255)+strings.Repeat("]", 255)+`}`, `0: null`)
}

// randomEvent is an event of few names, spelled and spaced at random; its names
// differ also ignoring case if unique.
func randomEvent(rnd *rand.Rand, unique bool) string {
	names := []string{"a", "A", "b", "Nest", "nest", "DeviceId", "deviceid", "a-rather-long-name-0", "a-rather-long-name-1", "é", "c", `\u0062`, fmt.Sprint("new", rnd.IntN(2000))}
	values := []string{"1", "-10", "2.5", "1e3", `"x"`, `"\u00e9"`, `"y\n"`, "true", "null", "[]", `[1,{"a":"b"}]`, "{}", `{"b":1}`, `{"c" : {"a":2},"b":"z"}`, "12345678901", `""`, `"a text of more than sixteen bytes"`}
	space := func() string {
		if rnd.IntN(4) > 0 {
			return ""
		}
		return []string{" ", "  ", "\n", "\t", "\r\n"}[rnd.IntN(5)]
	}
	var sb strings.Builder
	sb.WriteString("{" + space())
	seen := map[string]bool{}
	for i, n := 0, rnd.IntN(7); i < n; i++ {
		name := names[rnd.IntN(len(names))]
		if lower := strings.ToLower(strings.ReplaceAll(name, `\u0062`, "b")); unique && seen[lower] {
			continue
		} else if len(seen) > 0 {
			sb.WriteString("," + space())
			seen[lower] = true
		} else {
			seen[lower] = true
		}
		sb.WriteString(`"` + name + `"` + space() + ":" + space() + values[rnd.IntN(len(values))] + space())
	}
	return sb.String() + "}"
}

func TestRandomEventsLayersAgree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 9))
	var messages []string
	for range 6000 {
		m := randomEvent(rnd, false)
		switch rnd.IntN(10) {
		case 0:
			m = m[:rnd.IntN(len(m))]
		case 1:
			at := rnd.IntN(len(m))
			m = m[:at] + string(rune(rnd.IntN(256))) + m[at+1:]
		case 2:
			m += randomEvent(rnd, true)
		case 3:
			m = "[" + m + "," + randomEvent(rnd, false) + "]"
		}
		messages = append(messages, m)
	}
	sameLayers(t, []string{"a", "DeviceId", "Nest.b", "nest.c.a", "a-rather-long-name-1", "b"}, messages, 2)
	sameLayers(t, []string{"A", "a", "Nest", "é"}, messages, 2)
	sameLayers(t, []string{"Nest", "nest.b", "*", "c"}, messages, 2)
}

func TestPredictAgreesWithEncodingJSON(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 1))
	paths := []string{"a", "b", "DeviceId", "c", "é", "a-rather-long-name-0"}
	d := NewDecoder(columnsOf(paths...), Options{NoTemplates: true})
	for range 5000 {
		m := randomEvent(rnd, true)
		want, ok := oracle(m)
		if !ok {
			t.Fatalf("encoding/json refuses %s", m)
		}
		data, starts, ends := pack(m)
		r := d.Decode(data, starts, ends, 0)
		for i, p := range paths {
			var x any // NULL, as for a missing name
			for name, v := range want {
				if sameName(name, p) {
					x = v
				}
			}
			dec := json.NewDecoder(strings.NewReader(string(AppendCell(nil, &r.Cols[i], 0))))
			dec.UseNumber()
			var got any
			if err := dec.Decode(&got); err != nil || !sameJSON(got, x) {
				t.Fatalf("%s of %s: got %v, want %v", p, m, got, x)
			}
		}
	}
	if s := d.Stats(); s.Predictive < 3000 {
		t.Errorf("layers: %+v", s)
	}
}

func TestPredictForgetsStrangers(t *testing.T) {
	d := NewDecoder(columnsOf("a"), Options{NoTemplates: true})
	for batch := range 12 {
		var messages []string
		for i := range 1000 {
			messages = append(messages, fmt.Sprintf(`{"id-%d":1,"A":%d}`, batch*1000+i, i))
		}
		data, starts, ends := pack(messages...)
		v := d.Decode(data, starts, ends, 0).Cols[0]
		for i := range messages {
			if v.IsNull(i) || v.Ints[i] != int64(i) {
				t.Fatalf("batch %d row %d", batch, i)
			}
		}
		if n := len(d.predicted.top.keys); n > maxKeys+1 {
			t.Fatalf("%d keys", n)
		}
	}
	data, starts, ends := pack(strings.Repeat(`{"fresh":1}`, 2*strangerLimit))
	d.Decode(data, starts, ends, 0)
	if keys := d.predicted.top.keys; keys[len(keys)-1].text != "fresh" {
		t.Errorf("a name that comes all the time is not known; the last known is %s", keys[len(keys)-1].text)
	}
	if s := d.Stats(); s.General != 0 {
		t.Errorf("layers: %+v", s)
	}
}

func TestDecodeVaryingLayoutsStayOffTheGeneralLayer(t *testing.T) {
	for _, orders := range []int{3, 20, 0} {
		events := shuffled(seedEvents(8192, 1000), orders, 10)
		d := NewDecoder(columnsOf(seedPaths...), Options{})
		data, starts, ends := pack(events...)
		for first := 0; first < len(starts); {
			first = d.Decode(data, starts, ends, first).Next
		}
		s := d.Stats()
		if s.General != 0 {
			t.Errorf("%d orders: %+v", orders, s)
		}
		if orders == 3 && s.Template < 6000 {
			t.Errorf("3 orders are not learned: %+v", s)
		}
	}
}

func TestPredictNeedsNoMemoryPerEvent(t *testing.T) {
	events := shuffled(seedEvents(1024, 50), 0, 10)
	events[7] = strings.Replace(events[7], "Factory-", `Factory\u002d`, 1)
	d := NewDecoder(columnsOf(seedPaths...), Options{NoTemplates: true})
	data, starts, ends := pack(events...)
	data = append(data, make([]byte, slack)...)
	d.Decode(data, starts, ends, 0)
	if got := testing.AllocsPerRun(10, func() { d.Decode(data, starts, ends, 0) }); got > 30 {
		t.Errorf("%v allocations for a batch of %d events", got, len(events))
	}
}
