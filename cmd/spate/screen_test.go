package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"spate"
	"spate/config"
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
