package lake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"spate/blob"
	"spate/lake"
	"spate/lake/delta"
	"spate/lake/query"
)

func TestCatalogNamesAndFindsTables(t *testing.T) {
	store := blob.NewMemory()
	columns := []delta.Column{{Name: "Id", Type: delta.Long, Nullable: true}}
	for _, prefix := range []string{"delta/raw", "telemetry.db/Other", "deep/down/there", "telemetry.db/raw"} {
		if _, err := (delta.Options{}).Create(t.Context(), store, prefix, delta.Definition{Columns: columns}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := lake.NewCatalog(lake.Options{Store: store, Discover: true, Tables: []lake.TableSpec{
		{Database: "telemetry", Name: "raw", Prefix: "delta/raw"}, {Name: "later"}}})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := c.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range tables {
		got = append(got, fmt.Sprintf("%s.%s@%s", s.Database, s.Name, s.Prefix))
	}
	want := "default.later@default.db/later default.there@deep/down/there telemetry.other@telemetry.db/Other telemetry.raw@delta/raw telemetry.telemetry_db_raw@telemetry.db/raw"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
	for name, has := range map[string]bool{"TELEMETRY": true, "default": true, "deep": false} {
		if c.HasDatabase(name) != has {
			t.Errorf("HasDatabase(%s) is not %t", name, has)
		}
	}
	if _, err := c.Delta(t.Context(), "Telemetry", "RAW"); err != nil {
		t.Error(err)
	}
	for missing, want := range map[string]error{"later": query.ErrNotWritten, "nothing": query.ErrNoTable} {
		if _, err := c.Table(t.Context(), "", missing, query.AsOf{}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", missing, err, want)
		}
	}
	if _, err := c.Table(t.Context(), "telemetry", "raw", query.AsOf{}); err == nil || !strings.Contains(err.Error(), "queries over tables that are not on a local disk are not supported yet") {
		t.Errorf("table in memory: got %v", err)
	}
}

func TestCatalogRefusesTwoTablesOfOneName(t *testing.T) {
	_, err := lake.NewCatalog(lake.Options{Store: blob.NewMemory(), Tables: []lake.TableSpec{{Database: "a", Name: "T"}, {Database: "A", Name: "t"}}})
	if err == nil {
		t.Error("no error")
	}
}
