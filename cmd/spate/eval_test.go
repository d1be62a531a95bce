package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// evalOut runs spate eval in a folder and returns what it prints.
func evalOut(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(append([]string{"eval"}, args...), strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// An event whose time cannot be read is dropped, and the others are where they would be
// without it.
func TestEvalDroppedEventMovesNobody(t *testing.T) {
	t.Chdir(t.TempDir())
	const script = `SELECT d, COUNT(*) AS n, System.Timestamp() AS e INTO o FROM i TIMESTAMP BY t GROUP BY d, TumblingWindow(minute, 1);
		SELECT n, System.Timestamp() AS ts INTO p FROM i TIMESTAMP BY t`
	good := []string{
		`{"d":"a","n":1,"t":"2026-03-01T10:00:10Z"}`, `{"d":"a","n":2,"t":"2026-03-01T10:00:40Z"}`, `{"d":"a","n":3,"t":"2026-03-01T10:05:10Z"}`,
	}
	code, want, _ := evalOut(t, "", "-e", script, "--input", "i="+write(t, "good.jsonl", strings.Join(good, "\n")))
	if code != done || strings.Count(want, "\n") != 5 {
		t.Fatalf("exit %d: %s", code, want)
	}
	for _, bad := range []string{`{"d":"a","t":"soon"}`, `{"d":"a"}`, `{"d":`, `{"d":"a","x":99223372036854775808}`, `{"d":"a","t":7}`} {
		for at := range len(good) + 1 {
			lines := append(append(append([]string{}, good[:at]...), bad), good[at:]...)
			file := write(t, "bad.jsonl", strings.Join(lines, "\n"))
			for _, rows := range []string{"1", "2", "1024"} {
				code, got, errs := evalOut(t, "", "-e", script, "--input", "i="+file, "--batch-rows", rows)
				if code != done || got != want {
					t.Errorf("%s as line %d, batches of %s: exit %d\n%s\nwant\n%s", bad, at+1, rows, code, got, want)
				}
				if !strings.Contains(errs, "events were dropped, 0 were moved in time by the policies, 0 arrivals were raised") {
					t.Errorf("%s: %s", bad, errs)
				}
			}
		}
	}
}

// Two references see an event that only one of them drops: it arrives with the event
// before it, as the first with the first arrival in the file.
func TestEvalArrivalOfEventsWithoutTime(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "{\"n\":1}\n{\"n\":2,\"t\":\"2026-01-05T00:00:02Z\"}\n{\"n\":3}\n"
	const script = `SELECT n INTO a FROM i TIMESTAMP BY t; SELECT n, System.Timestamp() AS ts INTO b FROM i`
	want := `{"output":"b","row":{"n":1,"ts":"2026-01-05T00:00:02.0000000Z"}}
{"output":"b","row":{"n":2,"ts":"2026-01-05T00:00:02.0000000Z"}}
{"output":"b","row":{"n":3,"ts":"2026-01-05T00:00:02.0000000Z"}}
`
	_, file, _ := evalOut(t, "", "-e", script, "--input", "i="+write(t, "i.jsonl", text))
	_, stdin, _ := evalOut(t, text, "-e", script, "--input", "i=-")
	if !strings.HasSuffix(file, want) || stdin != file {
		t.Errorf("a file gives\n%s\nstandard input\n%s\nwant\n%s", file, stdin, want)
	}
}

// The rows are the same bytes for every batch size and however uneven the partitions.
func TestEvalRowsDoNotDependOnBatches(t *testing.T) {
	t.Chdir(t.TempDir())
	var a, b strings.Builder
	for i := range 3000 {
		at := fmt.Sprintf("2026-01-05T00:%02d:%02dZ", i/60%60, i%60)
		p := 0
		if i%997 == 0 {
			p = 3
		}
		fmt.Fprintf(&a, `{"k":"k%d","p":%d,"v":%d,"at":"%s"}`+"\r\n", i%7, p, i, at)
		if i%50 == 0 {
			fmt.Fprintf(&b, `{"k":"b","v":%d,"at":"%s"}`+"\n\n", i, at)
		}
	}
	write(t, "a.jsonl", "\xef\xbb\xbf"+a.String())
	write(t, "b/1.jsonl", b.String())
	write(t, "b/2.jsonl", "")
	const script = `WITH u AS (SELECT k, v FROM a TIMESTAMP BY at UNION SELECT k, v FROM b TIMESTAMP BY at)
		SELECT k, COUNT(*) AS n, SUM(v) AS s INTO w FROM u GROUP BY k, TumblingWindow(minute, 5);
		SELECT k, v, LAG(v) OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS l INTO p FROM a TIMESTAMP BY at WHERE v > 100;
		SELECT k, v INTO q FROM u`
	var want string
	for _, rows := range []string{"1024", "1", "7"} {
		for _, parts := range []string{"", ",partition=p,partitions=4"} {
			code, got, errs := evalOut(t, "", "-e", script, "--input", "a=a.jsonl"+parts, "--input", "b=b", "--batch-rows", rows, "--late", "infinite")
			if code != done {
				t.Fatalf("exit %d: %s", code, errs)
			}
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("batches of %s%s give other rows", rows, parts)
			}
		}
	}
	if n := strings.Count(want, "\n"); n < 6000 {
		t.Errorf("%d rows", n)
	}
}

// What the script made of the rows before the one that fails is printed.
func TestEvalPrintsRowsBeforeARuntimeError(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "{\"v\":1}\n{\"v\":2}\n{\"v\":\"x\"}\n{\"v\":4}\n"
	for _, rows := range []string{"1", "3", "1024"} {
		code, out, _ := evalOut(t, text, "-e", "SELECT v + 1 AS w INTO o FROM i", "--input", "i=-", "--batch-rows", rows, "-o", "o=o.csv")
		csv, err := os.ReadFile("o.csv")
		if err != nil {
			t.Fatal(err)
		}
		if code != failed || out != "" || string(csv) != "w\r\n2\r\n3\r\n" {
			t.Errorf("batches of %s: exit %d, %q, file %q", rows, code, out, csv)
		}
	}
}

// The last line of a run names what was moved and the line that is to blame.
func TestEvalSaysWhatMoved(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "{\"t\":\"2026-01-05T00:00:01Z\"}\n{\"t\":\"2030-01-01T00:00:00Z\"}\n{\"t\":\"2026-01-05T00:00:03Z\"}\n"
	write(t, "i.jsonl", text)
	_, _, errs := evalOut(t, "", "-e", "SELECT t INTO o FROM i TIMESTAMP BY t", "--input", "i=i.jsonl")
	if want := "0 events were dropped, 1 were moved in time by the policies, 1 arrivals were raised; by 34967h59m57s at most, because of i.jsonl:2\n"; errs != want {
		t.Errorf("%s, want %s", errs, want)
	}
	if _, _, errs := evalOut(t, "", "-q", "-e", "SELECT t INTO o FROM i TIMESTAMP BY t", "--input", "i=i.jsonl"); errs != "" {
		t.Errorf("with -q: %s", errs)
	}
	_, _, errs = evalOut(t, "", "-e", "SELECT t INTO o FROM i WHERE ok = true", "--input", "i=i.jsonl")
	if !strings.HasPrefix(errs, "<text>:1:") || !strings.Contains(errs, "W518") {
		t.Errorf("the warning of the script is missing: %q", errs)
	}
	if _, _, errs := evalOut(t, "", "-q", "-e", "SELECT t INTO o FROM i WHERE ok = true", "--input", "i=i.jsonl"); errs != "" {
		t.Errorf("with -q: %s", errs)
	}
}

func TestEvalOutputs(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "i.jsonl", "{\"a\":1,\"b\":\"x,\\\"y\"}\n{\"a\":2.5,\"b\":null}\n")
	const script = "SELECT * INTO o FROM i; SELECT a INTO p FROM i"
	code, out, errs := evalOut(t, "", "-e", script, "--input", "i=i.jsonl", "--output", "o=x/o.csv")
	if code != done || strings.Count(out, `"output":"p"`) != 2 || strings.Contains(out, `"o"`) {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if csv, err := os.ReadFile("x/o.csv"); err != nil || string(csv) != "a,b\r\n1,\"x,\"\"y\"\r\n2.5,\r\n" {
		t.Errorf("%q, %v", csv, err)
	}
	for range 2 { // each run appends one version
		if code, _, errs := evalOut(t, "", "-e", script, "--input", "i=i.jsonl", "--output", "o=delta:t/o", "--output-dir", "d"); code != done {
			t.Fatalf("exit %d: %s", code, errs)
		}
	}
	if _, err := os.Stat("t/o/_delta_log/00000000000000000002.json"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("d/p.jsonl"); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ to, want string }{
		{"o=x.txt", "want a file"}, {"o=i.jsonl", "is read by input i"}, {"none=x.csv", "no output none"},
	} {
		if code, _, errs := evalOut(t, "", "-e", script, "--input", "i=i.jsonl", "--output", c.to); code != usage || !strings.Contains(errs, c.want) {
			t.Errorf("--output %s: exit %d: %s", c.to, code, errs)
		}
	}
}

func TestEvalNamesWhatItCannotRead(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "x.jsonl", "\x1f\x8b\x08")
	write(t, "y.jsonl", "{\"a\":1}\n"+strings.Repeat("x", 22<<20)+"\n")
	code, _, errs := evalOut(t, "", "-e", "SELECT a INTO o FROM i", "--input", "i=x.jsonl")
	if code != usage || !strings.Contains(errs, "x.jsonl: is gzip-compressed, not JSON lines") {
		t.Errorf("exit %d: %s", code, errs)
	}
	code, _, errs = evalOut(t, "", "-e", "SELECT a INTO o FROM i", "--input", "i=y.jsonl")
	if code != usage || !strings.Contains(errs, "y.jsonl:2: longer than") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// What a user gets wrong is exit 2, with what to do about it.
func TestEvalWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "i.jsonl", "{\"a\":1}\n")
	write(t, "mixed/a.jsonl", "{\"a\":1}\n")
	write(t, "mixed/b.csv", "a\n1\n")
	write(t, "broken/a.jsonl", "{\"a\":1}\n")
	if err := errors.Join(os.Symlink("nowhere", "broken/b.jsonl"), os.Mkdir("empty", 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"nothing is given for input i of the script: --input i=FILE", nil},
		{"none.jsonl: no such file", []string{"--input", "i=none.jsonl"}},
		{"mixed/b.csv: is csv among files that are jsonl: say format=", []string{"--input", "i=mixed"}},
		{"broken/b.jsonl: cannot be opened: no such file", []string{"--input", "i=broken"}},
		{"empty: the folder holds no file", []string{"--input", "i=empty"}},
		{"the script has no output oupt (did you mean outp?)", []string{"--input", "i=i.jsonl", "-o", "oupt=x.csv"}},
		{"--input I is given twice", []string{"--input", "i=i.jsonl", "--input", "I=i.jsonl"}},
		{`setting "partition": a hub takes format, delimiter and group`, []string{"--input", "i=hub:h,partition=a"}},
		{"unknown flag: --nope", []string{"--nope"}},
	} {
		code, out, errs := evalOut(t, "", append(c.args, "-e", "SELECT a INTO outp FROM i")...)
		if code != usage || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit %d: %s%s", c.args, code, out, errs)
		}
	}
}

// closedPipe is standard output that nobody reads any more.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

// Whoever closes the pipe has seen enough: the run ends in silence, and leaves the other
// outputs readable.
func TestEvalEndsWhenNobodyReads(t *testing.T) {
	t.Chdir(t.TempDir())
	var errs bytes.Buffer
	code := run([]string{"eval", "-e", "SELECT a INTO p FROM i; SELECT a INTO o FROM i", "--input", "i=-", "--log-format", "json", "-o", "p=p.csv"},
		strings.NewReader("no JSON\n"+strings.Repeat("{\"a\":1}\n", 50_000)), closedPipe{}, &errs)
	if code != pipeClosed || errs.Len() > 0 {
		t.Errorf("exit %d: %s", code, &errs)
	}
	if csv, err := os.ReadFile("p.csv"); err != nil || strings.Count(string(csv), "\n") != 50_001 {
		t.Errorf("%.20q, %v", csv, err)
	}
}

// Of files the properties say where an event stands.
func TestEvalPropertiesOfFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in/a.jsonl", "{\"a\":1,\"p\":0}\n\n{\"a\":2,\"p\":1}\n")
	write(t, "in/b.jsonl", "{\"a\":3,\"p\":1}\n")
	const script = `SELECT a, GetMetadataPropertyValue(i, 'BlobName') AS f, GetMetadataPropertyValue(i, '[EventHub].[SequenceNumber]') AS n,
		GetMetadataPropertyValue(i, 'PartitionId') AS p, GetMetadataPropertyValue(i, 'BlobLastModifiedUtcTime') AS at, GetMetadataPropertyValue(i, 'EventId') AS id,
		GetMetadataPropertyValue(i, 'User') AS u INTO o FROM i`
	for _, input := range []string{"i=in", "i=in,partition=p,partitions=2"} {
		code, out, errs := evalOut(t, "", "-e", script, "--input", input)
		want := []string{`{"a":1,"f":"in/a.jsonl","n":1,"p":0,"at":"2000-01-01T00:00:00.0000000Z","id":"`, `{"a":2,"f":"in/a.jsonl","n":3,"p":`, `{"a":3,"f":"in/b.jsonl","n":4,"p":`}
		ids := make(map[string]bool)
		for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
			if i >= len(want) || !strings.Contains(line, want[i]) || !strings.Contains(line, `"u":null`) {
				t.Errorf("%s: row %d: %s", input, i, line)
			}
			ids[regexp.MustCompile(`"id":"([^"]*)"`).FindString(line)] = true
		}
		if code != done || len(ids) != len(want) {
			t.Errorf("%s: exit %d, ids %v: %s", input, code, ids, errs)
		}
	}
}

// A full disk is named once.
func TestEvalFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	var errs bytes.Buffer
	code := run([]string{"eval", "-e", "SELECT a INTO o FROM i", "--input", "i=-"}, strings.NewReader("{\"a\":1}\n"), full, &errs)
	if code != failed || strings.Count(errs.String(), "no space left") != 1 {
		t.Errorf("exit %d: %s", code, &errs)
	}
}

// A run that is interrupted says so.
func TestEvalStoppedRunEnds(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "i.jsonl", "{\"a\":1}\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	a := &app{stdin: strings.NewReader(""), stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	root := a.root()
	root.SetArgs([]string{"eval", "-e", "SELECT COUNT(*) AS n INTO o FROM i GROUP BY HoppingWindow(Duration(hour, 20), Hop(second, 1))", "--input", "i=i.jsonl"})
	if code := a.exit(ctx, root.ExecuteContext(ctx)); code != interrupted {
		t.Errorf("exit %d, want %d: %s", code, interrupted, a.stderr)
	}
}

// The hub of a running instance gives the same bytes as that of a stopped one, whichever
// protocol the events came by.
func TestEvalReadsHubs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "spate.yaml", "version: 1\nname: h\nnamespace: { eventHubs: { in: { partitionCount: 2 }, void: { partitionCount: 1 } } }\n")
	stop, _, errs := startUp(t, filepath.Join(dir, "data"), "--ports", "auto")
	defer stop()
	for _, via := range []string{"kafka", "amqp"} {
		spateOut(t, func(string) bool { return true }, "simulate", "-q", "--hub", "in", "--via", via, "--devices", "40", "--interval", "100ms", "--duration", "1s")
	}
	const script = `SELECT DeviceId, EventEnqueuedUtcTime, PartitionId INTO o FROM i;
		SELECT *, System.Timestamp() AS at INTO p FROM i;
		SELECT GetMetadataPropertyValue(i, 'EventId') AS id, GetMetadataPropertyValue(i, 'User') AS sent,
			GetMetadataPropertyValue(i, 'EventHub') AS hub INTO m FROM i;
		SELECT DeviceId, COUNT(*) AS n, AVG(Temperature) AS t INTO w FROM i TIMESTAMP BY EventEnqueuedUtcTime GROUP BY DeviceId, TumblingWindow(second, 1)`
	args := []string{"-e", script, "--data", filepath.Join(dir, "data"), "--input"}
	_, all, _ := evalOut(t, "", append(args, "i=hub:in")...)
	times := regexp.MustCompile(`"EventEnqueuedUtcTime":"([^"]*)"`).FindAllStringSubmatch(all, -1)
	if len(times) < 800 {
		t.Fatalf("%d times in %s", len(times), all)
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"id":"([0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})","sent":\{"DeviceType":"[^"]+","Location":"[^"]+"\},"hub":\{`).FindAllStringSubmatch(all, -1) {
		ids[m[1]] = true
	}
	if len(ids) < 800 || 2*len(ids) != len(times)-len(ids) { // each time stands in o, p and m
		t.Errorf("%d ids of events with properties, %d times", len(ids), len(times))
	}
	early, late := times[100][1], times[len(times)-100][1]
	ranges := []string{"in", "in@" + early + "..", "in@.." + late, "in@" + early + ".." + late, "in@2000-01-01T00:00:00Z..2001-01-01T00:00:00Z",
		"in@2999-01-01T00:00:00Z..", "in@5..", "in@..17", "in@5..17", "in@99999..", "void"}
	type outcome struct {
		code      int
		out, errs string
	}
	read := func() (all []outcome) {
		for _, r := range append(ranges, "im") {
			code, out, errs := evalOut(t, "", append(args, "i=hub:"+r)...)
			all = append(all, outcome{code, out, errs})
		}
		return all
	}
	running := read()
	if code := stop(); code != done {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for i, stopped := range read() {
		if i == len(ranges) {
			if want := "there is no hub \"im\" (did you mean in?)"; stopped.code != notFound || !strings.Contains(stopped.errs, want) {
				t.Errorf("a hub that does not exist: exit %d: %s", stopped.code, stopped.errs)
			}
		} else if stopped.code != done {
			t.Errorf("%s: exit %d: %s", ranges[i], stopped.code, stopped.errs)
		}
		if running[i] != stopped {
			t.Errorf("range %d of %v: running: %+v\nstopped: %+v", i, ranges, running[i], stopped)
		}
	}
	rows := func(i int) int { return strings.Count(running[i].out, "\n") }
	if rows(0) < 1600 || rows(3) == 0 || rows(3) >= rows(1) || rows(4)+rows(5)+rows(9)+rows(10) != 0 {
		t.Errorf("rows of the ranges: %d", func() (n []int) {
			for i := range ranges {
				n = append(n, rows(i))
			}
			return n
		}())
	}
}

// More events of one time than the tail holds for a partition that is ahead.
func TestEvalManyEventsOfOneTime(t *testing.T) {
	text := strings.Repeat("{\"k\":\"a\",\"p\":0}\n{\"k\":\"b\",\"p\":1}\n", 100_000)
	for _, parts := range []string{"", ",partition=p,partitions=2"} {
		code, out, errs := evalOut(t, text, "-e", "WITH s AS (SELECT LAG(k) OVER (LIMIT DURATION(hour, 1)) AS l FROM i) SELECT COUNT(l) AS n INTO o FROM s GROUP BY TumblingWindow(minute, 1)",
			"--input", "i=-"+parts)
		if want := `{"output":"o","row":{"n":199999}}` + "\n"; code != done || out != want {
			t.Errorf("partitions %q: exit %d: %s%s", parts, code, out, errs)
		}
	}
}

// A level below the newest is asked for by a flag, or by the job whose script runs.
func TestEvalAtALevel(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "i.jsonl", `{"A":true,"At":"2026-01-05T01:00:00+01:00"}`+"\n")
	write(t, "c.csv", "A,At\ntrue,2026-01-05T01:00:00+01:00\n")
	write(t, "spate.yaml", "version: 1\nnamespace:\n  eventHubs:\n    i: {}\n    o: {}\njobs:\n  old:\n    compatibilityLevel: \"1.1\"\n    query: SELECT * INTO o FROM i\n")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`{"A":true,"At":"2026-01-05T01:00:00+01:00"}`, []string{"-e", "SELECT * INTO o FROM i", "--input", "i=i.jsonl"}},
		{`{"A":1,"At":"2026-01-05T01:00:00+01:00"}`, []string{"-e", "SELECT * INTO o FROM i", "--input", "i=i.jsonl", "--compat", "1.1"}},
		{`{"a":1,"at":"2026-01-05T00:00:00.0000000Z"}`, []string{"-e", "SELECT * INTO o FROM i", "--input", "i=i.jsonl", "--compat", "1.0"}},
		{`{"a":"true","at":"2026-01-05T01:00:00+01:00"}`, []string{"-e", "SELECT * INTO o FROM i", "--input", "i=c.csv", "--compat", "1.0"}},
		{`{"A":1,"At":"2026-01-05T01:00:00+01:00"}`, []string{"--job", "old", "--input", "i=i.jsonl"}},
		{`{"A":true,"At":"2026-01-05T01:00:00+01:00"}`, []string{"--job", "old", "--input", "i=i.jsonl", "--compat", "1.2"}},
	} {
		code, out, errs := evalOut(t, "", c.args...)
		if code != 0 || out != `{"output":"o","row":`+c.want+"}\n" {
			t.Errorf("%v: exit %d, got %s, want %s: %s", c.args, code, out, c.want, errs)
		}
	}
	if code, _, errs := evalOut(t, "", "-e", "SELECT * INTO o FROM i", "--input", "i=i.jsonl", "--compat", "1.3"); code != usage || !strings.Contains(errs, "want 1.0, 1.1 or 1.2") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
