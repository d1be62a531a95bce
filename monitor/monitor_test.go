package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spate/metric"
)

// clock is set by the test.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-11-22T"+s+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

func site() Site {
	return Site{Subscription: "s", Group: "rg", Pipeline: "p", Namespace: "eh-ns", Location: "local", Hubs: []string{"devices", "alerts"}, Jobs: []string{"j"}, Captures: []string{"capture-devices"}}
}

func open(t *testing.T, dir string, r *metric.Recorder, c *clock) *History {
	t.Helper()
	h, err := Open(Options{Dir: dir, Recorder: r, Site: site(), Clock: c.read})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// values is the first aggregation of each point, "-" for none, one series a line.
func values(t *testing.T, h *History, q Query) string {
	t.Helper()
	a, err := h.List(q)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range a.Value {
		for _, s := range m.Timeseries {
			line := m.Title(&s) + ":"
			for _, p := range s.Data {
				if v, ok := p.Value(); ok {
					line += " " + v.String()
				} else {
					line += " -"
				}
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func check(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMinuteRowsWhileRunningAndAfterwards(t *testing.T) {
	dir, r, c := t.TempDir(), &metric.Recorder{}, &clock{at("10:00:30")}
	in, out := r.Counter("InputEvents", "JobName", "j", "LogicalName", "in"), r.Counter("OutputEvents", "JobName", "j", "LogicalName", "out")
	h := open(t, dir, r, c)
	in.Add(5)
	h.Sample()
	c.now = at("10:01:00")
	h.Sample()
	in.Add(7)
	out.Add(2)
	c.now = at("10:02:00")
	h.Sample() // 10:01 is over
	c.now = at("10:03:00")
	h.Sample() // 10:02 was idle
	in.Add(1)
	c.now = at("10:03:20")
	h.Sample()
	q := Query{Metrics: []string{"InputEvents", "outputevents"}, From: at("09:59:00"), To: at("10:05:00")}
	want := "InputEvents: - 5.0 7.0 0.0 1.0 -\nOutputEvents: - 0.0 2.0 0.0 0.0 -"
	check(t, values(t, h, q), want)

	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := Read(Options{Dir: dir, Clock: c.read}) // names come from the folder
	if err != nil {
		t.Fatal(err)
	}
	check(t, values(t, read, q), want)

	// A second process in the same minute goes on where the first stopped.
	r2 := &metric.Recorder{}
	h2 := open(t, dir, r2, c)
	r2.Counter("InputEvents", "JobName", "j", "LogicalName", "in").Add(10)
	if err := h2.Close(); err != nil {
		t.Fatal(err)
	}
	read, err = Read(Options{Dir: dir, Clock: c.read})
	if err != nil {
		t.Fatal(err)
	}
	check(t, values(t, read, Query{Metrics: []string{"InputEvents"}, From: at("10:03:00"), To: at("10:04:00")}), "InputEvents: 11.0")
}

func TestRollUpSplitAndFilter(t *testing.T) {
	r, c := &metric.Recorder{}, &clock{at("10:00:00")}
	h := open(t, t.TempDir(), r, c)
	a, b := r.Counter("IncomingMessages", "EntityName", "devices"), r.Counter("IncomingMessages", "EntityName", "alerts")
	bytes := r.Counter("IncomingBytes", "EntityName", "devices")
	conns := []*metric.Gauge{r.Gauge("ActiveConnections", "Listener", "amqp"), r.Gauge("ActiveConnections", "Listener", "kafka")}
	for i := range 10 {
		a.Add(int64(i))
		b.Add(1)
		bytes.Add(int64(i) * 100)
		conns[0].Set(float64(i))
		conns[1].Set(1)
		h.Sample()
		c.now = c.now.Add(time.Minute)
		h.Sample()
		conns[0].Set(0) // the second sample belongs to the next minute
	}
	span := Query{From: at("10:00:00"), To: at("10:10:00"), Interval: 5 * time.Minute}
	with := func(f func(q *Query)) string {
		q := span
		f(&q)
		return values(t, h, q)
	}
	check(t, with(func(q *Query) { q.Metrics = []string{"IncomingMessages"} }), "IncomingMessages: 15.0 40.0")
	check(t, with(func(q *Query) { q.Metrics = []string{"IncomingMessages"}; q.Split = []string{"EntityName"} }),
		"IncomingMessages entityname=alerts: 5.0 5.0\nIncomingMessages entityname=devices: 10.0 35.0")
	check(t, with(func(q *Query) { q.Metrics = []string{"IncomingMessages"}; q.Filter = "EntityName eq '*'"; q.Top = 1 }),
		"IncomingMessages entityname=alerts: 5.0 5.0")
	check(t, with(func(q *Query) {
		q.Metrics = []string{"IncomingMessages"}
		q.Filter = "(entityname ne 'devices') and startswith(EntityName,'al')"
	}),
		"IncomingMessages: 5.0 5.0")
	check(t, with(func(q *Query) { q.Metrics = []string{"IncomingMessages"}; q.Resource = "eventhub/DEVICES" }), "IncomingMessages: 10.0 35.0")
	check(t, with(func(q *Query) { q.Metrics = []string{"IncomingBytes"}; q.Aggregations = []string{"average"} }), "IncomingBytes: 100.0 100.0")
	check(t, with(func(q *Query) { q.Metrics = []string{"ActiveConnections"}; q.Aggregations = []string{"Maximum"} }), "ActiveConnections: 5.0 10.0")
}

func TestRefusedQueries(t *testing.T) {
	h := open(t, t.TempDir(), &metric.Recorder{}, &clock{at("10:00:00")})
	f := func(q Query, status int, want string) {
		t.Helper()
		_, err := h.List(q)
		var e *Error
		if !errors.As(err, &e) || e.Status != status || !strings.Contains(e.Message, want) {
			t.Errorf("got %v, want status %d with %q", err, status, want)
		}
	}
	f(Query{}, 400, "one metric")
	f(Query{Metrics: []string{"Foo"}, Resource: "namespace"}, 400, "metric: Foo, Valid metrics: IncomingRequests,SuccessfulRequests")
	f(Query{Metrics: []string{"Errors"}, Resource: "job/k"}, 404, `no job "k"`)
	f(Query{Metrics: []string{"Errors"}, Resource: "/subscriptions/x"}, 400, "not a resource id")
	f(Query{Metrics: []string{"Errors"}, Interval: 2 * time.Minute}, 400, "PT1M")
	f(Query{Metrics: []string{"Errors"}, Aggregations: []string{"p99"}}, 400, "p99")
	f(Query{Metrics: []string{"Errors"}, Filter: "a eq"}, 400, "not understood")
	f(Query{Metrics: []string{"Errors"}, From: at("10:00:00"), To: at("09:00:00")}, 400, "ends before")
}

func TestAnUnknownMetricSaysWhatWasMeant(t *testing.T) {
	h := open(t, t.TempDir(), &metric.Recorder{}, &clock{at("10:00:30")})
	defer h.Close()
	for _, c := range []struct{ resource, name, want string }{
		{"", "IncomingMesages", "Did you mean IncomingMessages?"},
		{"namespace", "InputEvents", "InputEvents is a metric of Microsoft.StreamAnalytics/streamingjobs"},
		{"", "Temperature", "Valid metrics: "},
	} {
		_, err := h.List(Query{Resource: c.resource, Metrics: []string{c.name}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %q: %v, want %q", c.name, c.resource, err, c.want)
		}
	}
}

func TestAnswerPrintsAsTheServiceDoes(t *testing.T) {
	r, c := &metric.Recorder{}, &clock{at("10:00:00")}
	h := open(t, t.TempDir(), r, c)
	r.Counter("IncomingMessages", "EntityName", "devices").Add(1200)
	h.Sample()
	a, err := h.List(Query{Metrics: []string{"IncomingMessages"}, Resource: "/subscriptions/<sub-id>/resourceGroups/RG/providers/microsoft.eventhub/namespaces/EH-NS",
		From: at("10:00:00"), To: at("10:02:00")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "answer.json")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(got)), strings.TrimSpace(string(want)))
}

func TestTornAndFlippedJournalServesTheSoundPart(t *testing.T) {
	dir, r, c := t.TempDir(), &metric.Recorder{}, &clock{at("10:00:00")}
	n := r.Counter("Errors", "JobName", "j")
	h := open(t, dir, r, c)
	for range 3 {
		n.Add(1)
		c.now = c.now.Add(time.Minute)
		h.Sample()
	}
	path := filepath.Join(dir, "2026-11-22.rows")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Metrics: []string{"Errors"}, From: at("10:00:00"), To: at("10:04:00")}
	for i := range data {
		cut := append([]byte(nil), data[:i]...)
		flip := append([]byte(nil), data...)
		flip[i] ^= 0x40
		for _, bad := range [][]byte{cut, flip} {
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			read, err := Read(Options{Dir: dir, Clock: c.read})
			if err != nil {
				t.Fatalf("byte %d: %v", i, err)
			}
			got := strings.Trim(values(t, read, q), "- ")
			if want := "Errors: 1.0 1.0 1.0"; !strings.HasPrefix(want, strings.TrimRight(got, " -")) {
				t.Fatalf("byte %d: %q", i, got)
			}
		}
		// The next process cuts the tail and goes on.
		if err := os.WriteFile(path, cut, 0o644); err != nil {
			t.Fatal(err)
		}
		j := newJournal(dir)
		if err := errors.Join(j.append(minuteOf(at("10:03:00")), []entry{{1, &Series{Name: "Errors", Labels: []metric.Label{{Name: "JobName", Value: "j"}}}, Row{Count: 9, Total: 9, Min: 1, Max: 1}}}, time.Time{}), j.close()); err != nil {
			t.Fatal(err)
		}
		read, err := Read(Options{Dir: dir, Clock: c.read})
		if err != nil {
			t.Fatal(err)
		}
		if got := values(t, read, q); !strings.HasSuffix(got, " 9.0") {
			t.Fatalf("cut at %d: %s", i, got)
		}
	}
}

func TestOldDaysAreReadFromDiskAndExpire(t *testing.T) {
	dir, r, c := t.TempDir(), &metric.Recorder{}, &clock{at("10:00:00")}
	n := r.Counter("Errors", "JobName", "j")
	h := open(t, dir, r, c)
	for range 5 { // one event a day
		h.Sample()
		n.Add(1)
		c.now = c.now.Add(time.Minute)
		h.Sample()
		c.now = c.now.Add(24*time.Hour - time.Minute)
	}
	got := values(t, h, Query{Metrics: []string{"Errors"}, From: at("00:00:00"), To: at("00:00:00").Add(5 * 24 * time.Hour), Interval: 24 * time.Hour})
	check(t, got, "Errors: 1.0 1.0 1.0 1.0 1.0")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Open(Options{Dir: dir, Recorder: r, Clock: c.read, Retention: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	h.Sample()
	c.now = c.now.Add(time.Minute)
	h.Sample()
	files, err := dayFiles(dir)
	if err != nil || len(files) > 4 || files[0].day.Before(at("00:00:00").Add(24*time.Hour)) {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestAShorterRetentionRemovesOldDaysAtOnce(t *testing.T) {
	dir, r, c := t.TempDir(), &metric.Recorder{}, &clock{at("00:00:30")}
	n := r.Counter("Errors", "JobName", "j")
	h := open(t, dir, r, c)
	for range 5 { // one event a day
		h.Sample()
		n.Add(1)
		c.now = c.now.Add(time.Minute)
		h.Sample()
		c.now = c.now.Add(24*time.Hour - time.Minute)
	}
	for _, step := range []struct {
		d       time.Duration
		changed bool
		files   int
	}{{0, false, 5}, {1000 * 24 * time.Hour, true, 5}, {48 * time.Hour, true, 2}, {48 * time.Hour, false, 2}} {
		changed, err := h.Retain(step.d)
		files, e := dayFiles(dir)
		if err != nil || e != nil || changed != step.changed || len(files) != step.files {
			t.Errorf("retain %v: %t, %v; %d files, want %t and %d", step.d, changed, err, len(files), step.changed, step.files)
		}
	}
}

func TestClockThatRunsBackwardsReopensNothing(t *testing.T) {
	r, c := &metric.Recorder{}, &clock{at("10:00:00")}
	h := open(t, t.TempDir(), r, c)
	n := r.Counter("Errors", "JobName", "j")
	n.Add(1)
	c.now = at("10:01:00")
	h.Sample()
	c.now = at("09:30:00")
	n.Add(1)
	h.Sample()
	c.now = at("10:02:00")
	h.Sample()
	check(t, values(t, h, Query{Metrics: []string{"Errors"}, From: at("09:30:00"), To: at("09:31:00")}), "Errors: -")
	check(t, values(t, h, Query{Metrics: []string{"Errors"}, From: at("10:00:00"), To: at("10:02:00")}), "Errors: 1.0 1.0")
}

func FuzzReplay(f *testing.F) {
	s := &Series{Name: "Errors", Labels: []metric.Label{{Name: "JobName", Value: "j"}}}
	f.Add(append([]byte{2, 1}, appendSeries([]byte{2}, 1, s)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		series := map[string]*Series{}
		if err := replayMinute(data, map[uint64]*Series{1: s}, series); err != nil && !errors.Is(err, errRows) {
			t.Error(err)
		}
		if err := replay(data, series); err != nil && fmt.Sprint(err) == "" {
			t.Error("an error without text")
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"a eq 'b'", "(a ne '*') or startswith(b,'c''d')", "((((", "a eq 'x", "a and b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseFilter(s)
		if err == nil {
			c.match(&Series{})
			c.split()
		}
	})
}

// A capture is a job whose metrics are asked for by name; without one the
// pipeline's only job is meant.
func TestMetricsOfACapture(t *testing.T) {
	rec := new(metric.Recorder)
	h, err := Open(Options{Dir: t.TempDir(), Recorder: rec, Site: site(), Clock: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	a, b := rec.Counter("InputEvents", "JobName", "j"), rec.Counter("InputEvents", "JobName", "capture-devices")
	h.Sample()
	a.Add(3)
	b.Add(5)
	h.Sample()
	for resource, want := range map[string]Number{"": 3, "job/j": 3, "job/Capture-Devices": 5} {
		got, err := h.List(Query{Metrics: []string{"InputEvents"}, Resource: resource})
		if err != nil {
			t.Errorf("%q: %v", resource, err)
			continue
		}
		sum := Number(0)
		for _, p := range got.Value[0].Timeseries[0].Data {
			if v, ok := p.Value(); ok {
				sum += v
			}
		}
		if sum != want {
			t.Errorf("%q: %v events, want %v", resource, sum, want)
		}
	}
}
