package delta

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/lake/parquetfile"
)

// withProperties is the definition with some more properties.
func withProperties(d Definition, props map[string]string) Definition {
	all := map[string]string{}
	maps.Copy(all, d.Properties)
	maps.Copy(all, props)
	d.Properties = all
	return d
}

// Another writer kept the statistics as columns only.
func TestStatisticsThatACheckpointHoldsAsColumns(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, telemetry)
	s := commitFiles(t, table, file("a", "2025-03-10"))
	at := table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", s.Version))
	meta := map[string]any{"id": "x", "schemaString": s.Metadata.SchemaString, "format": map[string]any{"provider": "parquet"}, "partitionColumns": []any{"TimestampDate"}}
	rows := []map[string]any{
		{"add": map[string]any{"path": "a", "size": int64(5), "partitionValues": map[string]any{"TimestampDate": "2025-03-10"}, "stats_parsed": map[string]any{"numRecords": int64(7),
			"minValues": map[string]any{"EventId": "a", "Timestamp": int64(-1), "Temperature": 0.5}, "maxValues": map[string]any{"EventId": "b\x7f", "Timestamp": int64(1_000_999)},
			"nullCount": map[string]any{"Temperature": int64(3)}}}},
		{"metaData": meta}, {"protocol": map[string]any{"minReaderVersion": int64(1), "minWriterVersion": int64(2)}}}
	double, ts := parquetfile.Type{Kind: parquetfile.Double}, parquetfile.Type{Kind: parquetfile.Timestamp}
	bounds := func(name string) parquetfile.Field {
		return structOf(name, leafOf("EventId", stringType), leafOf("Timestamp", ts), leafOf("Temperature", double))
	}
	fields := checkpointFields(structOf("stats_parsed", leafOf("numRecords", longType), bounds("minValues"), bounds("maxValues"),
		structOf("nullCount", leafOf("Temperature", longType))))
	var b bytes.Buffer
	if err := parquetfile.WriteRows(&b, fields, rows, parquetfile.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(t.Context(), at, &b); err != nil {
		t.Fatal(err)
	}
	fresh, err := Open(t.Context(), store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"numRecords":7,"minValues":{"EventId":"a","Temperature":0.5,"Timestamp":"1969-12-31T23:59:59.999Z"},` +
		"\"maxValues\":{\"EventId\":\"b\x7f\"," + `"Timestamp":"1970-01-01T00:00:01.000Z"},"nullCount":{"Temperature":3}}`
	if got := fresh.Known().Files()[0].Stats; got != want {
		t.Errorf("stats\n%s\nwant\n%s", got, want)
	}
}

// everyType has a column of each type that a schema can name.
var everyType = append(slices.Clone(statTypes), Column{Name: "by", Type: Byte}, Column{Name: "i", Type: Integer}, Column{Name: "de", Type: Decimal(10, 2)},
	Column{Name: "bin", Type: Binary}, Column{Name: "arr", Type: `{"type":"array","elementType":"string","containsNull":true}`})

// What a snapshot knows of its files is the same after a checkpoint, in whatever form the
// statistics are asked for.
func TestCheckpointKeepsStatistics(t *testing.T) {
	texts := append(slices.Clone(statTexts),
		`{"numRecords":9,"minValues":{"by":-128,"de":-1.25,"f":1.5,"r":0.1,"s":"","t":"2025-03-10T00:00:00.000Z","d":"1969-12-31"},"maxValues":{"by":127,"de":99999999.99,"s":"ü"},"nullCount":{"by":0,"bin":2,"arr":1,"b":4}}`,
		`{"numRecords":9,"minValues":{"by":-1000,"de":1.255}}`)
	for _, c := range []struct{ json, columns string }{{"true", "true"}, {"false", "true"}, {"true", "false"}} {
		for name, from := range map[string][]string{"exact": texts[len(texts)-2 : len(texts)-1], "all": texts} {
			t.Run(fmt.Sprint(name, c), func(t *testing.T) {
				store := blob.NewMemory()
				var cols []Column
				for _, k := range everyType {
					if k.Nullable = true; k.Type != TimestampNTZ && k.Name != "st" || name == "all" {
						cols = append(cols, k)
					}
				}
				table := create(t, store, telemetry)
				schema := `{"type":"struct","fields":[` + strings.Join(fieldTexts(cols), ",") + `]}`
				_, err := table.Commit(t.Context(), &Transaction{Operation: "x", Metadata: &Metadata{ID: "x", Format: Format{Provider: "parquet"}, SchemaString: schema,
					PartitionColumns: []string{"i"}, Configuration: map[string]string{"delta.checkpoint.writeStatsAsJson": c.json, "delta.checkpoint.writeStatsAsStruct": c.columns}}})
				if err != nil {
					t.Fatal(err)
				}
				var adds []*Add
				for i, text := range from {
					day := fmt.Sprint(i)
					a := &Add{Path: fmt.Sprint("f", i), Size: 1, Stats: text, PartitionValues: map[string]*string{"i": &day}}
					if i%3 == 1 {
						a.PartitionValues["i"] = nil
						a.Tags = map[string]*string{"k": &day, "null": nil}
					}
					adds = append(adds, a)
				}
				s, err := table.Commit(t.Context(), &Transaction{Operation: "x", Adds: adds})
				if err != nil {
					t.Fatal(err)
				}
				if err := table.Checkpoint(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				fresh, err := Open(t.Context(), store, "lake/t")
				if err != nil {
					t.Fatal(err)
				}
				next := slices.Collect(s.Index().Files())
				for i, f := range slices.Collect(fresh.Known().Index().Files()) {
					if got, want := string(marshal(f.Action())), string(marshal(next[i].Action())); got != want && (c.json == "true" || name == "exact") {
						t.Errorf("file %d is\n%s\nwant\n%s", i, got, want)
					}
					for _, k := range cols {
						got, _ := f.Bounds(k.Name)
						want, _ := next[i].Bounds(k.Name)
						lost := k.Type == TimestampNTZ || k.Type == Decimal(20, 5) || k.Name == "by" && want.Min.Int == -1000 || k.Name == "de" && want.Min.Text == "1.255"
						if got != want && (c.json == "true" || !lost && k.Name != "i" && k.Name != "st") {
							t.Errorf("file %d, column %s: %+v, want %+v (%s)", i, k.Name, got, want, next[i].Action().Stats)
						}
					}
				}
				checkpoint, err := table.read(t.Context(), table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", s.Version)))
				if err != nil {
					t.Fatal(err)
				}
				f, err := parquetfile.OpenRowFile(checkpoint)
				if err != nil {
					t.Fatal(err)
				}
				for path, want := range map[string]bool{"add.stats": c.json == "true", "add.stats_parsed.minValues.t": c.columns == "true", "add.partitionValues_parsed.i": c.columns == "true",
					"add.stats_parsed.minValues.b": false, "add.stats_parsed.minValues.i": false} {
					if slices.Contains(f.Leaves(), path) != want {
						t.Errorf("%s is there: %v", path, !want)
					}
				}
			})
		}
	}
}

func fieldTexts(cols []Column) (out []string) {
	for _, c := range cols {
		typ := string(c.Type)
		if !c.Type.Nested() {
			typ = `"` + typ + `"`
		}
		out = append(out, fmt.Sprintf(`{"name":%q,"type":%s,"nullable":true,"metadata":{}}`, c.Name, typ))
	}
	return out
}

func TestDamagedCheckpointIsPassedOver(t *testing.T) {
	for _, damage := range []string{"", "PAR1nonsensePAR1", "half"} {
		store := blob.NewMemory()
		table := create(t, store, telemetry)
		var versions []string
		for i := range 6 {
			s := commitFiles(t, table, file(fmt.Sprint("f", i), "2025-03-10"))
			versions = append(versions, state(s))
			if i == 1 || i == 4 {
				if err := table.Checkpoint(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		key := table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", 5))
		whole, err := table.read(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if damage == "half" {
			damage = string(whole[:len(whole)/2]) + string(whole[len(whole)/2+20:])
		}
		if _, err := store.Replace(t.Context(), key, strings.NewReader(damage)); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		fresh, err := Options{Log: slog.New(slog.NewTextHandler(&log, nil))}.Open(t.Context(), store, "lake/t")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := state(fresh.Known()), versions[5]; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if !strings.Contains(log.String(), "checkpoint cannot be read") || !strings.Contains(log.String(), "version=5") {
			t.Errorf("log: %s", log.String())
		}
		old, err := fresh.SnapshotAt(t.Context(), 5)
		if err != nil || state(old) != versions[4] {
			t.Errorf("time travel: %v", err)
		}
		// Without the commits behind the older one there is no way.
		if err := store.Delete(t.Context(), table.commitKey(4)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), store, "lake/t"); !errors.Is(err, ErrDamaged) || !strings.Contains(fmt.Sprint(err), "checkpoint 5") {
			t.Errorf("no way: %v", err)
		}
	}
}
