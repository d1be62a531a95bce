package main

import (
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"spate"
	"spate/config"
	"spate/jobs"
	"spate/monitor"
	"spate/pipeline"
	"spate/simulator"
)

func TestRateIsAMeanOfSeconds(t *testing.T) {
	begin := time.Unix(0, 0)
	r := rate{seen: []sample{{at: begin}}}
	for i := range int64(60) { // 20 events arrive at once, every second; looked at twice a second
		got := r.add(begin.Add(time.Duration(i+1)*redrawEvery), (i+1)/2*20)
		if i >= 20 && (got < 16 || got > 24) {
			t.Errorf("after %d looks the rate is %.1f, want about 20", i+1, got)
		}
	}
}

func TestTheLineOfStateFitsATerminal(t *testing.T) {
	const long = 36500 * 24 * time.Hour
	short := spate.Status{EventsIn: 362, RowsOut: 42, Alerts: 22, WatermarkDelay: 100 * time.Millisecond}
	big := spate.Status{EventsIn: math.MaxInt64, RowsOut: 99_949_999, Alerts: 99_999, WatermarkDelay: 99*24*time.Hour + 23*time.Hour}
	stopped, failed, many := short, short, big
	stopped.Jobs = []jobs.Status{{Name: "a", State: "Running"}, {Name: "b", State: "Stopped"}}
	failed.Problems = []string{"job totals failed: read line 7:\nno number"}
	many.Problems = []string{strings.Repeat("the disk is full ", 20), "job a failed", "job b failed"}
	for _, c := range []struct {
		st   spate.Status
		rate float64
		up   time.Duration
		want string
	}{
		{short, 18.2, 20 * time.Second, "up 20s  events in 362 (18/s)  rows out 42  alerts 22  delay 0.1s"},
		{stopped, 18.2, 200 * time.Second, "b stopped  up 3m20s  events in 362 (18/s)  rows out 42  alerts 22  delay 0.1s"},
		{failed, 0, 90 * time.Minute, "! job totals failed: read line 7: no number  up 1h30m  events in 362 (0/s)"},
		{many, 123456, long, "! the disk is full the disk i… (and 2 more)  up 36500d  events in 9.2E (123k/s)"},
		{big, 99999, 80 * time.Hour, "up 3d8h  events in 9.2E (99999/s)  rows out 99.9M  alerts 99999  delay 99d23h"},
	} {
		got := describe(c.st, c.rate, c.up)
		if got != c.want || len([]rune(got)) >= 80 {
			t.Errorf("got  %q, %d wide\nwant %q", got, len([]rune(got)), c.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 99_999: "99999", 100_000: "100k", 999_499: "999k", 999_500: "1.0M", 99_949_999: "99.9M", 99_950_000: "100M"} {
		if got := compact(n); got != want {
			t.Errorf("compact(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestProgressOnATerminalAndInAPipe(t *testing.T) {
	for _, live := range []bool{false, true} {
		var b strings.Builder
		show := progress(&statusLine{w: &b, live: live}, time.Second)
		for i := int64(1); i <= 40; i++ {
			show(simulator.Progress{Total: 40, Stats: simulator.Stats{Sent: i * 20, Batches: i, Elapsed: time.Duration(i) * time.Second}})
		}
		text := b.String()
		if live != strings.Contains(text, "\r") || live != strings.Contains(text, "[===============               ]  50%  400 events sent (20/s)  20s left") {
			t.Errorf("live %v: %q", live, text)
		}
		if !live && text != "batch 10: 200 events sent (20/s)\nbatch 20: 400 events sent (20/s)\nbatch 30: 600 events sent (20/s)\nbatch 40: 800 events sent (20/s)\n" {
			t.Errorf("in a pipe: %q", text)
		}
	}
	if got := describeRun(simulator.Progress{Stats: simulator.Stats{Sent: 7, Failed: 3, Elapsed: 7500 * time.Millisecond}}, time.Second); got != "7s  7 events sent (1/s), 3 failed" {
		t.Errorf("without an end: %q", got)
	}
}

func TestWhatAConnectionStringReaches(t *testing.T) {
	for text, want := range map[string]bool{
		"Endpoint=sb://localhost:5673;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true": true,
		"Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true":      false,
		"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=b":                 false,
		"nonsense": false,
	} {
		if namesPort(text) != want {
			t.Errorf("%s: names a port: %v", text, !want)
		}
	}
}

func TestSeveralAggregationsAreColumns(t *testing.T) {
	two, three := monitor.Number(2), monitor.Number(3)
	answer := &monitor.Answer{Value: []monitor.Metric{{Name: monitor.Localized{Value: "Size"}, Timeseries: []monitor.Timeseries{{
		Data: []monitor.Point{{TimeStamp: "10:00", Average: &two, Maximum: &three}, {TimeStamp: "10:01"}},
	}}}}}
	var out, errs strings.Builder
	if err := (&app{stdout: &out, stderr: &errs}).printMetrics("tsv", answer, []string{"Maximum", "average"}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "Time\tSize maximum\tSize average\n10:00\t3.0\t2.0\n10:01\t-\t-\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsPrintedCanBePasted(t *testing.T) {
	p := &config.Pipeline{Kind: config.File, Path: "my pipe.yaml", Options: pipeline.Options{
		Name: "p", Dir: "d", Hubs: []pipeline.Hub{{Name: "h"}}, Tables: []pipeline.Table{{Database: "default", Name: "t"}},
		ActionGroups: []pipeline.ActionGroup{{Name: "ops", Receivers: []pipeline.Receiver{{Name: "hook", Webhook: "https://example.com/?sig=planted"}}}},
		Notify:       []pipeline.Notify{{Name: "n", Hub: "h", ActionGroups: []string{"ops"}}},
	}}
	a := &app{data: "d"}
	text := string(readyText(p, spate.Endpoints{ConnectionString: "c"}, nil, a.again("my pipe.yaml")))
	for _, want := range []string{
		` query -f 'my pipe.yaml' --data d "SELECT TOP 5 * FROM default.t"`,
		` simulate -f 'my pipe.yaml' --data d --scenario`,
		"the webhook hook",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not printed: %s\n%s", want, text)
		}
	}
	if strings.Contains(text, "planted") {
		t.Errorf("a secret is printed:\n%s", text)
	}
	if got := shellWord("it's"); got != `'it'\''s'` {
		t.Errorf("shellWord: %s", got)
	}
}

// interruptSelf is Ctrl-C. Windows has no such signal for a process alone.
func interruptSelf() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Signal(os.Interrupt)
}

func TestAnInterruptedRunSaysSo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt itself there")
	}
	var out, errs screen
	code := make(chan int, 1)
	go func() {
		code <- run([]string{"simulate", "--dry-run", "--devices", "1", "--interval", "1ms"}, strings.NewReader(""), &out, &errs)
	}()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), "device-000"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was printed")
		}
	}
	if err := interruptSelf(); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != interrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit %d, %s", got, &errs)
	}
}
