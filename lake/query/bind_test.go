package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// fixedCatalog has telemetry.raw with three files, a day each, and dim without
// statistics.
type fixedCatalog struct{}

func (fixedCatalog) HasDatabase(name string) bool { return strings.EqualFold(name, "telemetry") }

func (fixedCatalog) Table(_ context.Context, database, name string, at AsOf) (*Table, error) {
	if !strings.EqualFold(database, "telemetry") {
		return nil, ErrNoTable
	}
	switch strings.ToLower(name) {
	case "raw":
		t := &Table{Database: "telemetry", Name: "raw", Columns: []TableColumn{
			{Name: "DeviceId", Physical: "DeviceId", Type: Type{ID: NVarChar, Size: 4000}},
			{Name: "Temperature", Physical: "Temperature", Type: Type{ID: Float}},
			{Name: "Count", Physical: "Count", Type: Type{ID: BigInt}},
			{Name: "Timestamp", Physical: "Timestamp", Type: Type{ID: DateTime2, Scale: 6}, Zoned: true},
			{Name: "Day", Physical: "Day", Type: Type{ID: Date}, Partition: true}}}
		for i := range 3 {
			day := fmt.Sprintf("2026-11-%d", 25+i)
			t.Files = append(t.Files, File{Path: "/lake/" + day + ".parquet", Size: 1000, Partition: map[string]*string{"Day": &day},
				Stats: fmt.Sprintf(`{"numRecords":100,"minValues":{"DeviceId":"a%d","Temperature":%d,"Count":%d,"Timestamp":"%sT00:00:00.000Z"},"maxValues":{"DeviceId":"b%d","Temperature":%d,"Count":%d,"Timestamp":"%sT23:59:59.999Z"},"nullCount":{"DeviceId":0,"Temperature":%d,"Count":0,"Timestamp":0}}`,
					i, 10*i, 100*i, day, i, 10*i+9, 100*i+99, day, i)})
		}
		return t, nil
	case "dim":
		return &Table{Database: "telemetry", Name: "dim", Columns: []TableColumn{
			{Name: "DeviceId", Physical: "DeviceId", Type: Type{ID: NVarChar, Size: 4000}},
			{Name: "Label", Physical: "Label", Type: Type{ID: NVarChar, Size: 4000}},
			{Name: "Price", Physical: "Price", Type: Type{ID: Decimal, Prec: 10, Scale: 2}}},
			Files: []File{{Path: "/lake/dim.parquet", Size: 10}}}, nil
	}
	return nil, ErrNoTable
}

func fixedSession() *Session {
	return &Session{Catalog: fixedCatalog{}, Database: "telemetry", Now: func() time.Time { return time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC) },
		Params: map[string]Param{"device": TextParam("x' OR 1=1 --"), "n": IntParam(3)}}
}

// TestEmittedSQL compares what the engine is given with testdata/emit.txtar:
// pairs of files NAME.sql and NAME.want. SPATE_UPDATE=1 writes the answers.
func TestEmittedSQL(t *testing.T) {
	const path = "testdata/emit.txtar"
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	update := os.Getenv("SPATE_UPDATE") != ""
	for i := 0; i+1 < len(a.Files); i += 2 {
		in, want := a.Files[i], &a.Files[i+1]
		got := ""
		if r, err := fixedSession().Explain(t.Context(), string(in.Data)); err != nil {
			got = "error: " + err.Error()
		} else {
			got = r.SQL
			for _, c := range r.Columns {
				got += fmt.Sprintf("\n%s %s", c.Name, c.Type)
			}
		}
		got += "\n"
		if update {
			want.Data = []byte(got)
		} else if got != string(want.Data) {
			t.Errorf("%s\n got %swant %s", in.Name, got, want.Data)
		}
	}
	if update {
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilesAreSkipped(t *testing.T) {
	f := func(where, want string) {
		t.Helper()
		r, err := fixedSession().Explain(t.Context(), "SELECT Temperature FROM raw "+where)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		var got []string
		for i := range 3 {
			name := fmt.Sprintf("/lake/2026-11-%d.parquet", 25+i)
			if at := strings.Index(r.SQL, name); at >= 0 {
				got = append(got, fmt.Sprint(25+i))
			}
		}
		if s := strings.Join(got, " "); s != want || r.Stats.FilesSkipped != 3-len(got) {
			t.Errorf("%s: opened %s (%+v), want %s", where, s, r.Stats, want)
		}
	}
	f("", "25 26 27")
	f("WHERE Timestamp >= '2026-11-27'", "27")
	f("WHERE Timestamp >= DATEADD(day, -1, GETUTCDATE())", "26 27")
	f("WHERE '2026-11-26' > Timestamp", "25")
	f("WHERE Timestamp > '2026-11-25T23:59:59.9995'", "25 26 27") // bounds are cut to milliseconds
	f("WHERE Timestamp > '2026-11-26T00:00:00.001'", "26 27")
	f("WHERE Day = '2026-11-26'", "26")
	f("WHERE Day BETWEEN '2026-11-26' AND '2026-12-01'", "26 27")
	f("WHERE DeviceId = 'a1   '", "25 26") // b0 > a1
	f("WHERE DeviceId > 'b1'", "26 27")    // 'b1 ' would count as equal
	f("WHERE DeviceId LIKE 'b2%'", "27")
	f("WHERE Count IN (150, 10)", "25 26")
	f("WHERE Count = 150 OR Count = 10", "25 26")
	f("WHERE Count = 150 OR DeviceId LIKE 'b2%'", "26 27")
	f("WHERE Count = 150 OR UPPER(DeviceId) = 'X'", "25 26 27")
	f("WHERE NOT (Count = 150 OR Count >= 200)", "25 26")
	f("WHERE Count NOT BETWEEN 50 AND 350", "25")
	f("WHERE Day <> '2026-11-26'", "25 27")
	f("WHERE Day NOT IN ('2026-11-26', '2026-11-27')", "25")
	f("WHERE Count <> 150", "25 26 27")
	f("WHERE Temperature IS NULL", "26 27")
	f("WHERE Temperature IS NOT NULL AND Count IS NULL", "")
	f("WHERE NOT (Temperature IS NOT NULL OR Count < 200)", "27")
	f("WHERE Day IS NULL", "")
	f("WHERE DeviceId NOT LIKE 'b2%'", "25 26 27")
	f("a LEFT JOIN (SELECT Label FROM dim) d ON a.Count = 1 WHERE d.Label IS NULL AND a.Count < 100", "25")
	f("b RIGHT JOIN dim d ON b.DeviceId = d.DeviceId WHERE b.Temperature IS NULL", "25 26 27")
	f("b RIGHT JOIN dim d ON b.DeviceId = d.DeviceId WHERE b.Count = 150 OR b.Count = 10", "25 26")
	f("b RIGHT JOIN dim d ON b.DeviceId = d.DeviceId WHERE b.Count = 150 OR d.Label = 'x'", "25 26 27")
	f("WHERE Temperature < 10 AND Count > 5", "25")
	f("WHERE NOT Count > 5", "25")
	f("WHERE Temperature > 15.5", "26 27")
	f("WHERE Count > 1000", "")
	f("a LEFT JOIN (SELECT Label FROM dim) d ON a.Count > 250 WHERE a.Count < 100", "25")
	f("a LEFT JOIN (SELECT Label FROM dim) d ON a.Count > 250", "25 26 27")
	f("a WHERE NOT EXISTS (SELECT 1 FROM dim d WHERE a.Count > 250)", "25 26 27")
	f("ORDER BY Timestamp DESC OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY", "27")
	f("ORDER BY Timestamp DESC OFFSET 98 ROWS FETCH NEXT 5 ROWS ONLY", "26 27")
	f("ORDER BY Timestamp OFFSET 0 ROWS FETCH NEXT 100 ROWS ONLY", "25")
	f("ORDER BY Temperature OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY", "25 26 27") // NULLs of the others come first
	f("ORDER BY Temperature DESC OFFSET 0 ROWS FETCH NEXT 99 ROWS ONLY", "26 27")
	f("ORDER BY DeviceId + '' OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY", "25 26 27")
	f("WHERE Count > 0 ORDER BY Timestamp DESC OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY", "25 26 27")
}

func TestNewestFileIsListedFirst(t *testing.T) {
	r, err := fixedSession().Explain(t.Context(), "SELECT TOP 150 DeviceId FROM raw WHERE Count >= 0 ORDER BY Timestamp DESC")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := strings.Index(r.SQL, "11-27.parquet"), strings.Index(r.SQL, "11-25.parquet"); a < 0 || b < a {
		t.Errorf("not newest first: %s", r.SQL)
	}
}

func TestLimitOnFiles(t *testing.T) {
	s := fixedSession()
	s.MaxFiles = 2
	_, err := s.Explain(t.Context(), "SELECT * FROM raw")
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "SPATE-QUERY-003") {
		t.Errorf("got %v", err)
	}
}

func FuzzBind(f *testing.F) {
	a, err := txtar.ParseFile("testdata/emit.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(a.Files); i += 2 {
		f.Add(string(a.Files[i].Data))
	}
	f.Fuzz(func(t *testing.T, sql string) {
		r, err := fixedSession().Explain(t.Context(), sql)
		if err != nil {
			return
		}
		if strings.ContainsRune(r.SQL, 0) {
			t.Errorf("a scan was left open in %q", r.SQL)
		}
	})
}
