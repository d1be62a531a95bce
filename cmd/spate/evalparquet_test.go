package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spate/column"
	"spate/lake/parquetfile"
)

// parquetRows are the rows of a file as JSON.
func parquetRows(t *testing.T, name string) (rows []string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := parquetfile.ReadRows(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range list {
		rows = append(rows, fmt.Sprint(row))
	}
	return rows
}

func absent(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", name, err)
	}
}

// A Parquet file has the rows that a file of JSON lines has, in that order, whatever the
// batches were; columns have the types of the plan, else those of the first rows.
func TestEvalWritesAParquetFile(t *testing.T) {
	t.Chdir(t.TempDir())
	var text strings.Builder
	for i := range 12_000 {
		fmt.Fprintf(&text, "{\"k\":\"k%d\",\"v\":%d,\"f\":%d.5,\"l\":[%d],\"n\":null,\"at\":\"2026-01-05T00:00:%02dZ\"}\n", i%7, i, i, i, i/200)
	}
	text.WriteString("{\"k\":5,\"v\":\"x\"}\n{\"other\":1}\n") // behind the rows that make the columns
	write(t, "i.jsonl", text.String())
	const script = `SELECT * INTO o FROM i;
		SELECT k, COUNT(*) AS n, MAX(v) AS m, System.Timestamp() AS at INTO w FROM i TIMESTAMP BY at WHERE f IS NOT NULL GROUP BY k, TumblingWindow(second, 10)`
	var files [2][]byte
	for i, rows := range []string{"1024", "7"} {
		code, out, errs := evalOut(t, "", "-e", script, "--input", "i=i.jsonl", "--batch-rows", rows, "-o", "o=x/o.parquet", "-o", "w=w.parquet")
		// Two have no time for w. In o the column v is bigint, and the last has none of the columns.
		if code != done || out != "" || !strings.Contains(errs, "4 events were dropped") {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
		for _, name := range []string{"x/o.parquet", "w.parquet"} {
			absent(t, name+".partial")
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[i] = append(files[i], data...)
		}
	}
	if string(files[0]) != string(files[1]) {
		t.Error("the files depend on the batches")
	}
	rows := parquetRows(t, "x/o.parquet")
	if want := fmt.Sprint(map[string]any{"k": "k1", "v": int64(8), "f": 8.5, "l": "[8]", "at": "2026-01-05T00:00:00Z"}); len(rows) != 12_000 || rows[8] != want {
		t.Errorf("%d rows, the ninth %s, want %s", len(rows), rows[8], want)
	}
	at, _ := column.ParseTicks("2026-01-05T00:00:10Z") // the end belongs to a window
	rows = parquetRows(t, "w.parquet")
	if want := fmt.Sprint(map[string]any{"k": "k4", "n": int64(286), "m": int64(2195), "at": at.Time().UnixMicro()}); len(rows) != 49 || rows[7] != want {
		t.Errorf("%d rows, the eighth %s, want %s", len(rows), rows[7], want)
	}
	code, _, errs := evalOut(t, "", "--error-policy", "Stop", "-e", "SELECT v INTO o FROM i", "--input", "i=i.jsonl", "-o", "o=s.parquet")
	if code != failed || !strings.Contains(errs, "output o cannot hold the row") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// What is final of a run that fails can be read, under a name that says so.
func TestEvalLeavesAPartOfAParquetFile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "o.parquet", "of another run")
	code, _, errs := evalOut(t, "{\"v\":1}\n{\"v\":2}\n{\"v\":\"x\"}\n{\"v\":4}\n", "-e", "SELECT v + 1 AS w INTO o FROM i", "--input", "i=-", "-o", "o=o.parquet")
	if code != failed || !strings.Contains(errs, "o.parquet.partial") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if rows := parquetRows(t, "o.parquet.partial"); len(rows) != 2 || rows[1] != "map[w:3]" {
		t.Errorf("%v", rows)
	}
	if data, err := os.ReadFile("o.parquet"); err != nil || string(data) != "of another run" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestEvalParquetFileWithoutRows(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "p.parquet", "of another run")
	code, _, errs := evalOut(t, "{\"v\":1}\n", "-e", "SELECT v INTO o FROM i WHERE v > 1; SELECT * INTO p FROM i WHERE v > 1", "--input", "i=-", "-o", "o=o.parquet", "-o", "p=p.parquet")
	if code != done || !strings.Contains(errs, "no row came that names the columns") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if rows := parquetRows(t, "o.parquet"); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
	absent(t, "p.parquet")
	left, err := filepath.Glob("*.partial")
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestEvalOutputsShareNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, args := range [][]string{
		{"-o", "o=x.csv", "-o", "p=./x.csv"}, {"-o", "o=d/p.jsonl", "--output-dir", "d"}, {"-o", "o=t", "-o", "p=delta:" + filepath.Join(dir, "t")},
	} {
		code, _, errs := evalOut(t, "{\"v\":1}\n", append(args, "-e", "SELECT v INTO o FROM i; SELECT v INTO p FROM i", "--input", "i=-")...)
		if code != usage || !strings.Contains(errs, "would share") {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}
