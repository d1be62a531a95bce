package delta

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// The set is compared with a plain list that does what the protocol says, and old sets
// must not change while newer ones are made from them.
func TestFileSetAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	columns := statColumnsOf([]Column{{Name: "a", Type: String}, {Name: "n", Type: Long}})
	type state struct {
		live []*Add
		gone map[string]bool
		set  *fileSet
	}
	day := func(i int) map[string]*string { return map[string]*string{"day": text(fmt.Sprint(i / 700))} }
	now := state{gone: map[string]bool{}, set: &fileSet{}}
	check := func(s state) {
		t.Helper()
		var got []*Add
		s.set.live.each(func(a *Add) bool { got = append(got, a); return true })
		if len(got) != len(s.live) || s.set.live.n != len(s.live) {
			t.Fatalf("%d files (counted %d), want %d", len(got), s.set.live.n, len(s.live))
		}
		bytes := int64(0)
		for i, a := range got {
			want := s.live[i]
			bytes += a.Size
			if a.Path != want.Path || a.Size != want.Size || a.DeletionVector.id() != want.DeletionVector.id() || a.Stats != want.Stats || !samePartition(a.PartitionValues, want.PartitionValues) {
				t.Fatalf("file %d is %s, want %s", i, marshal(a), marshal(want))
			}
		}
		gone := map[string]bool{}
		s.set.gone.each(func(a *Add) bool { gone[fileKey("", a.Path, a.DeletionVector)] = true; return true })
		if !maps.Equal(gone, s.gone) || s.set.gone.n != len(gone) || s.set.bytes != bytes {
			t.Fatalf("%d tombstones (counted %d), want %d; %d bytes, want %d", len(gone), s.set.gone.n, len(s.gone), s.set.bytes, bytes)
		}
	}
	var old []state
	next := 0
	for step := range 500 {
		var adds []*Add
		var rems []*Remove
		s := state{live: slices.Clone(now.live), gone: maps.Clone(now.gone)}
		touched := map[string]bool{}
		remove := func(i int) {
			a := s.live[i]
			k := fileKey("", a.Path, a.DeletionVector)
			if touched[k] {
				return
			}
			touched[k], s.gone[k] = true, true
			rems = append(rems, &Remove{Path: a.Path, DeletionVector: a.DeletionVector, DeletionTimestamp: 5})
			s.live = slices.Delete(s.live, i, i+1)
		}
		add := func(a *Add) {
			k := fileKey("", a.Path, a.DeletionVector)
			if touched[k] {
				return
			}
			touched[k] = true
			delete(s.gone, k)
			s.live = slices.DeleteFunc(s.live, func(b *Add) bool { return fileKey("", b.Path, b.DeletionVector) == k })
			s.live, adds = append(s.live, a), append(adds, a)
		}
		switch many := step%100 == 50; {
		case step%200 == 199: // nearly all go
			for len(s.live) > 20 {
				n := len(s.live)
				if remove(len(s.live) - 1); len(s.live) == n {
					break
				}
			}
		case len(s.live) > 5 && r.IntN(4) == 0:
			for range 1 + r.IntN(4) {
				remove(r.IntN(len(s.live)))
			}
			fallthrough
		default:
			n := 1 + r.IntN(20)
			if many {
				n = 1500
			}
			for range n {
				a := &Add{Path: fmt.Sprintf("day=%d/part-%05d-%s-c000.parquet", next/700, next%3, newUUID()), Size: int64(next), PartitionValues: day(next),
					Stats: fmt.Sprintf(`{"numRecords":%d,"minValues":{"a":"x%d","n":%d},"maxValues":{"a":"y","n":%d},"nullCount":{"a":%d,"n":0}}`, next, next, -next, next, next%5)}
				switch {
				case next%50 == 3:
					a.Path = fmt.Sprintf("file %d", next)
				case next%50 == 4:
					a.DeletionVector = &DeletionVector{StorageType: "u", PathOrInlineDv: "ab", SizeInBytes: int64(next)}
				case next%50 == 5 && len(now.live) > 0: // again, with other statistics
					b := *now.live[r.IntN(len(now.live))]
					b.Stats = `{"numRecords":1}`
					a = &b
				}
				next++
				add(a)
			}
		}
		s.set = now.set.with("", columns, adds, rems, 0)
		now = s
		if step%37 == 0 {
			check(now)
			old = append(old, now)
		}
	}
	check(now)
	for _, s := range old {
		check(s)
	}
}

func TestFilesOfOneSetAreForgottenWhenTheirTombstonesExpired(t *testing.T) {
	set := &fileSet{}
	for i := range 3 * chunkRows {
		a := &Add{Path: fmt.Sprint("f", i)}
		set = set.with("", nil, []*Add{a}, nil, 0)
		set = set.with("", nil, nil, []*Remove{{Path: a.Path, DeletionTimestamp: int64(i)}}, int64(i-chunkRows))
	}
	if n := set.gone.n; n > 2*chunkRows+1 || set.live.n != 0 || len(set.live.chunks) > 2 {
		t.Errorf("%d tombstones, %d files, %d chunks are kept", n, set.live.n, len(set.live.chunks))
	}
	if set.gone.has("", "f0") || !set.gone.has("", fmt.Sprint("f", 3*chunkRows-1)) {
		t.Error("the wrong ones")
	}
}

var statTypes = []Column{{Name: "b", Type: Boolean}, {Name: "d", Type: Date}, {Name: "dec", Type: Decimal(20, 5)}, {Name: "f", Type: Double}, {Name: "n", Type: Long},
	{Name: "r", Type: Float}, {Name: "s", Type: String}, {Name: "t", Type: Timestamp}, {Name: "z", Type: TimestampNTZ}, {Name: "st", Type: `{"type":"struct","fields":[]}`}}

var statTexts = []string{
	`{"numRecords":3,"minValues":{"d":"2025-03-10","dec":-1.50000,"f":-0.0,"n":-5,"r":20.1,"s":"a\"ü","t":"1969-12-31T23:59:59.999Z","z":"2025-01-01T00:00:00.000"},"maxValues":{"d":"2025-03-11","dec":1E-18,"f":"Infinity","n":9223372036854775807,"r":"Infinity","s":"b\u007f","t":"2025-03-10T00:00:00.000Z","z":"2025-01-01T00:00:00.001"},"nullCount":{"b":1,"d":0,"st":2}}`,
	`{"numRecords":1,"tightBounds":false}`,
	`{"minValues":{"s":"x"}}`,
	`{}`, ``, `nonsense`, `{"numRecords":"7"}`, `{"numRecords":7,"minValues":{"n":"7"}}`,
	`{"numRecords":7,"minValues":{"st":{"x":1}},"maxValues":{"st":{}},"nullCount":{"st":{"x":0}}}`,
	`{"numRecords":7,"minValues":{"b":false},"maxValues":{"f":"NaN","t":"2025-03-09T16:59:59.999-07:00"}}`,
	`{"numRecords":7,"other":[1,{"a":"]"}],"minValues":null,"maxValues":{"n":null}}`,
	`{"numRecords":7} `, `{"numRecords":7}x`, `{"numRecords":7,"minValues":{"n":1`, `{"numRecords":7,"minValues":{"t":"1900-01-01T00:00:00Z","t2":1}}`,
}

// What comes out of the columns means what went in.
func FuzzStatistics(f *testing.F) {
	for _, s := range statTexts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		b := newChunkBuilder("", statColumnsOf(statTypes))
		b.add(&Add{Path: "before", Stats: statTexts[0]})
		b.add(&Add{Path: "f", Stats: data})
		b.add(&Add{Path: "behind", Stats: statTexts[0]})
		c := b.take()
		if c.statsOf(0) != c.statsOf(2) {
			t.Errorf("the neighbours differ:\n%s\n%s", c.statsOf(0), c.statsOf(2))
		}
		got := c.statsOf(1)
		if got == data {
			return
		}
		a, err1 := ParseStats(data)
		z, err2 := ParseStats(got)
		if err2 != nil || err1 == nil && !sameStats(a, z) {
			t.Errorf("%s (%v)\nbecame\n%s (%v)", data, err1, got, err2)
		}
		ref := FileRef{c, 1}
		if n, ok := ref.Rows(); err1 == nil && a.NumRecords != nil && *a.NumRecords >= 0 && (!ok || n != *a.NumRecords) {
			t.Errorf("%s: %d rows, %v", data, n, ok)
		}
	})
}

// sameStats compares numbers as numbers and times as times, and takes null for absent.
func sameStats(a, b Stats) bool {
	norm := func(m map[string]json.RawMessage) map[string]any {
		out := map[string]any{}
		for k, raw := range m {
			var v any
			if json.Unmarshal(raw, &v) != nil {
				return nil
			}
			if s, ok := v.(string); ok && (k == "t" || k == "z") {
				if at, ok := parseStatTime(s); ok {
					v = at
				}
			}
			if x, ok := v.(float64); ok && k == "r" {
				v = float32(x)
			}
			if v != nil {
				out[k] = v
			}
		}
		return out
	}
	return reflect.DeepEqual(a.NumRecords, b.NumRecords) && reflect.DeepEqual(a.TightBounds, b.TightBounds) && reflect.DeepEqual(norm(a.MinValues), norm(b.MinValues)) &&
		reflect.DeepEqual(norm(a.MaxValues), norm(b.MaxValues)) && reflect.DeepEqual(norm(a.NullCount), norm(b.NullCount))
}

func TestIndexTellsBounds(t *testing.T) {
	b := newChunkBuilder("", statColumnsOf(statTypes))
	b.add(&Add{Path: "f", Stats: statTexts[0]})
	ref := FileRef{b.take(), 0}
	want := map[string]Bounds{
		"r": {Min: Bound{Kind: FloatBound, Float: float64(float32(20.1))}},
		"n": {Min: Bound{Kind: IntBound, Int: -5}, Max: Bound{Kind: IntBound, Int: 9223372036854775807}},
		"t": {Min: Bound{Kind: TimeBound, Int: -1000}, Max: Bound{Kind: TimeBound, Int: 1741564800000000}},
		"d": {Min: Bound{Kind: DateBound, Int: 20157}, Max: Bound{Kind: DateBound, Int: 20158}, NullsKnown: true},
		"b": {Nulls: 1, NullsKnown: true},
	}
	for name, w := range want {
		got, ok := ref.Bounds(name)
		if name == "r" {
			got.Max = Bound{}
		}
		if !ok || got != w {
			t.Errorf("%s: %+v, want %+v", name, got, w)
		}
	}
	if _, ok := ref.Bounds("nowhere"); ok {
		t.Error("bounds of a column that has none")
	}
}
