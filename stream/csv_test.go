package stream_test

import (
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector/file"
	"spate/stream"
)

// csvRun runs a script over CSV messages and returns the rows and the faults.
func csvRun(t *testing.T, script string, format stream.Format, bodies ...string) (rows, faults []string) {
	t.Helper()
	var in []file.Message
	for i, b := range bodies {
		in = append(in, file.Message{Body: []byte(b), Line: int64(i + 1), Arrival: column.UnixEpoch + column.Ticks(i+1)*column.Second})
	}
	var out table
	o := options(t, script, in, blob.NewMemory(), &out)
	format.CSV = true
	o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(in, 1, 2), Format: format}}
	o.Diagnostic = func(d stream.Diagnostic) {
		faults = append(faults, d.Kind+" "+strings.TrimPrefix(d.Type, "InputDeserializerError.")+": "+d.Reason)
	}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	return out.rows, faults
}

func TestACSVMessageWithoutADeclaredColumnIsBad(t *testing.T) {
	for _, script := range []string{
		"CREATE TABLE i (n bigint, zz float); SELECT n INTO o FROM i",
		"SELECT n INTO o FROM i TIMESTAMP BY zz",
		"SELECT n INTO o FROM i TIMESTAMP BY CAST(zz AS datetime)",
	} {
		rows, faults := csvRun(t, script, stream.Format{}, "n,f\n5,1.5", "n,ZZ\n6,")
		if !slices.Equal(faults[:1], []string{"deserialization MissingColumns: at byte 0: there is no column zz"}) {
			t.Errorf("%s: faults %q", script, faults)
		}
		if strings.Contains(script, "CREATE") != (len(rows) == 1) {
			t.Errorf("%s: rows %q", script, rows)
		}
	}
}

func TestACSVMessageMayLackAColumnThatTimestampByHasAnotherFor(t *testing.T) {
	rows, faults := csvRun(t, "SELECT n INTO o FROM i TIMESTAMP BY COALESCE(a, b)", stream.Format{},
		"n,a\n1,1970-01-01T00:00:01Z", "n,b\n2,1970-01-01T00:00:02Z", "n\n3")
	if len(rows) != 2 || len(faults) != 1 || !strings.HasPrefix(faults[0], "timestamp InvalidInputTimeStamp") {
		t.Errorf("rows %q, faults %q", rows, faults)
	}
}

func TestCSVWithoutAHeaderHasNumberedColumns(t *testing.T) {
	rows, faults := csvRun(t, "CREATE TABLE i (column1 nvarchar(max), column2 bigint); SELECT column1 AS a, column2 * 2 AS b INTO o FROM i",
		stream.Format{NoHeader: true}, "x,1\ny,2", "z", "w,no")
	if !slices.Equal(rows, []string{`{"a":"x","b":2}`, `{"a":"y","b":4}`}) {
		t.Errorf("rows %q", rows)
	}
	if len(faults) != 2 || !strings.Contains(faults[0], "MissingColumns: at byte 0: there is no column column2") || !strings.Contains(faults[1], "TypeConversionError") {
		t.Errorf("faults %q", faults)
	}
}
