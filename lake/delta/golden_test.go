package delta

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/lake/parquetfile"
)

func goldenDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SPATE_GOLDEN")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "golden")
	}
	if _, err := os.Stat(filepath.Join(dir, "delta")); err != nil {
		t.Skip("no golden tables; SPATE_GOLDEN names their folder")
	}
	return filepath.Join(dir, "delta")
}

type goldenCase struct {
	Name     string `json:"name"`
	Versions []struct {
		Version int64 `json:"version"`
		Rows    int64 `json:"rows"`
	} `json:"versions"`
	Latest     int64           `json:"latest_version"`
	Schema     json.RawMessage `json:"schema"`
	Partitions []string        `json:"partition_columns"`
}

// refused are the tables that need a feature we do not read, and its name.
var refused = map[string]string{"spark_variant": "variantType"}

// readOnly are the tables that we read and must not write to.
var readOnly = map[string]string{
	"spark_constraint": "delta.constraints.vpos", "spark_defaults": "allowColumnDefaults", "spark_identity": "identityColumns",
}

func TestGoldenTables(t *testing.T) {
	dir := goldenDir(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		seen++
		t.Run(e.Name(), func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(dir, e.Name(), "case.json"))
			if err != nil {
				t.Fatal(err)
			}
			var c goldenCase
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			golden(t, dir, e.Name(), c)
		})
	}
	if seen < 25 {
		t.Errorf("%d golden tables found, want all", seen)
	}
}

func golden(t *testing.T, dir, name string, c goldenCase) {
	ctx, store := t.Context(), blob.NewLocal(dir)
	table, err := Open(ctx, store, name+"/delta")
	if feature := refused[name]; feature != "" {
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), feature) || !strings.HasSuffix(err.Error(), "table feature is not supported yet") {
			t.Fatalf("Open: %v, want a refusal that names %s", err, feature)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := table.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != c.Latest {
		t.Errorf("version %d, want %d", s.Version, c.Latest)
	}
	if got, want := strings.Join(s.Metadata.PartitionColumns, ","), strings.Join(c.Partitions, ","); got != want {
		t.Errorf("partition columns %s, want %s", got, want)
	}
	want, err := ParseSchema(string(c.Schema))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != len(s.Columns) {
		t.Fatalf("%d columns, want %d", len(s.Columns), len(want))
	}
	for i := range want {
		if !sameType(want[i].Type, s.Columns[i].Type) || want[i].Name != s.Columns[i].Name || want[i].Nullable != s.Columns[i].Nullable {
			t.Errorf("column %+v, want %+v", s.Columns[i], want[i])
		}
	}
	err = s.CanWrite()
	if feature := readOnly[name]; feature == "" && err != nil || feature != "" && (err == nil || !strings.Contains(err.Error(), feature)) {
		t.Errorf("CanWrite: %v, want %q", err, feature)
	}
	for _, v := range c.Versions {
		at, err := table.SnapshotAt(ctx, v.Version)
		if err != nil {
			t.Errorf("version %d: %v", v.Version, err)
			continue
		}
		rows := int64(0)
		for _, a := range at.Files() {
			data, err := table.read(ctx, at.Key(a))
			if err != nil {
				t.Fatalf("version %d: %v", v.Version, err)
			}
			if int64(len(data)) != a.Size {
				t.Errorf("version %d, %s: %d bytes, the log says %d", v.Version, a.Path, len(data), a.Size)
			}
			n, err := parquetfile.CountRows(data)
			if err != nil {
				t.Fatalf("version %d, %s: %v", v.Version, a.Path, err)
			}
			rows += n
			if dv := a.DeletionVector; dv != nil {
				deleted, err := at.DeletedRows(ctx, store, dv)
				if err != nil {
					t.Fatalf("version %d, %s: %v", v.Version, a.Path, err)
				}
				rows -= int64(len(deleted))
			}
			if st, err := ParseStats(a.Stats); err != nil || st.NumRecords != nil && *st.NumRecords != n {
				t.Errorf("version %d, %s: stats %s, want %d rows (%v)", v.Version, a.Path, a.Stats, n, err)
			}
		}
		if rows != v.Rows {
			t.Errorf("version %d: %d rows, want %d", v.Version, rows, v.Rows)
		}
	}
	h, err := table.History(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(h) == 0 || h[0].Version != c.Latest || h[0].Operation == "" {
		t.Errorf("history begins with %+v", h[0])
	}
	if name == "rs_ops" {
		if v, ok := s.TxnVersion("job/out/0"); !ok || v != 19 {
			t.Errorf("txn version %d %v, want 19", v, ok)
		}
	}
}

// sameType compares types; the members of nested ones may come in any order, and the ids and
// physical names of fields do not count.
func sameType(a, b Type) bool {
	if !a.Nested() || !b.Nested() {
		return a == b
	}
	var plain func(x any) any
	plain = func(x any) any {
		switch x := x.(type) {
		case map[string]any:
			delete(x, "metadata")
			for k, v := range x {
				x[k] = plain(v)
			}
		case []any:
			for i, v := range x {
				x[i] = plain(v)
			}
		}
		return x
	}
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && string(marshal(plain(x))) == string(marshal(plain(y)))
}

// Files of other writers keep their rows when we pack them.
func TestOptimizeOfGoldenTables(t *testing.T) {
	dir := goldenDir(t)
	for _, name := range []string{"rs_ops", "rs_cdf", "rs_part_types", "spark_v1ckpt", "spark_v2ckpt", "spark_generated", "spark_cdf", "spark_appendonly", "spark_part_types"} {
		t.Run(name, func(t *testing.T) {
			store := blob.NewLocal(t.TempDir())
			if err := os.CopyFS(filepath.Join(store.Dir(), "t"), os.DirFS(filepath.Join(dir, name, "delta"))); err != nil {
				t.Fatal(err)
			}
			table, err := Open(t.Context(), store, "t")
			if err != nil {
				t.Fatal(err)
			}
			rows := func() []string {
				var out []string
				s := table.Known()
				for _, a := range s.Files() {
					data, err := table.read(t.Context(), s.Key(a))
					if err != nil {
						t.Fatal(err)
					}
					list, err := parquetfile.ReadRows(data, nil)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range list {
						for k := range r { // Spark puts partition columns into the files too
							if FindColumn(s.Columns, k) == nil || slices.Contains(s.Metadata.PartitionColumns, k) {
								delete(r, k)
							}
						}
						out = append(out, string(marshal(r))+string(marshal(a.PartitionValues)))
					}
				}
				slices.Sort(out)
				return out
			}
			before := rows()
			col := table.Known().Columns[0].Name
			res, err := table.Optimize(t.Context(), OptimizeOptions{ZOrderBy: []string{col}})
			if err != nil {
				t.Fatal(err)
			}
			if res.FilesAdded == 0 {
				t.Errorf("nothing was rewritten: %+v", res)
			}
			if got := rows(); !slices.Equal(got, before) {
				t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
			}
			again, err := Open(t.Context(), store, "t")
			if err != nil || state(again.Known()) != state(table.Known()) {
				t.Errorf("reopened it is another table: %v", err)
			}
		})
	}
}
