package workload

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"spate"
	"spate/examples"
)

// ExampleOptions say how the built-in example is put under load.
type ExampleOptions struct {
	Executable string        // the spate whose server and load generator run
	Against    string        // another build whose server is measured in the same run; may be empty
	Devices    int           // default 20000
	Rate       float64       // events per second that the fleet sends; default 138000
	Duration   time.Duration // of the load; default 30s
	Dir        string        // of the data; default a temporary folder
	Log        io.Writer     // progress; may be nil
}

func (o ExampleOptions) withDefaults() ExampleOptions {
	o.Devices = cmp.Or(o.Devices, 20_000)
	o.Rate = cmp.Or(o.Rate, 138_000)
	o.Duration = cmp.Or(o.Duration, 30*time.Second)
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// What the whole pipeline may cost the server.
const (
	exampleCPU  = 3000 // ns/event
	exampleHigh = 300  // MiB
)

// Example measures the built-in example as a person runs it: a server process with
// every event captured, three statements and alerts delivered to a file, and a
// second process that sends over Kafka. Only the server's cost is counted.
func Example(ctx context.Context, o ExampleOptions) (*Report, error) {
	o = o.withDefaults()
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "spate-bench-"); err != nil {
			return nil, fmt.Errorf("making a folder for the benchmark: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	r := &Report{Workload: "example", Conditions: conditions(dir), Counters: make(map[string]int64)}
	r.Conditions.Devices = o.Devices
	here, err := runExample(ctx, o.Executable, filepath.Join(dir, "this"), o)
	if err != nil {
		return nil, err
	}
	r.Conditions.Events = int(here.sent)
	here.report(r, "")
	if o.Against != "" {
		there, err := runExample(ctx, o.Against, filepath.Join(dir, "against"), o)
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", o.Against, err)
		}
		there.report(r, "against-")
		r.Figures = append(r.Figures,
			Figure{Name: "server-cpu-ratio", Unit: "this/against", Value: here.perEvent() / there.perEvent()},
			Figure{Name: "server-peak-ratio", Unit: "this/against", Value: here.peak / there.peak})
	}
	r.Conditions.LoadAfter = load()
	return r, nil
}

// exampleRun is what one server has done under the load.
type exampleRun struct {
	sent      int64         // events acknowledged
	took      time.Duration // of sending
	settled   time.Duration // until everything was in its table or its file
	cpu       time.Duration // of the server, from the first event until settled
	peak      float64       // MiB, resident
	raw       int64         // rows of the table that captures
	rows      int64         // rows of the table of windows
	alerts    int64         // events of the alert hub
	delivered int64         // lines of the receiver's file
}

func (e *exampleRun) perEvent() float64 { return float64(e.cpu) / float64(e.sent) }

func (e *exampleRun) report(r *Report, prefix string) {
	for name, n := range map[string]int64{"sent": e.sent, "raw": e.raw, "windows": e.rows, "alerts": e.alerts, "delivered": e.delivered} {
		r.Counters[prefix+name] = n
	}
	figures := []Figure{
		{Name: "server-cpu", Unit: "ns/event", Value: e.perEvent(), Budget: exampleCPU},
		{Name: "server-peak", Unit: "MiB", Value: e.peak, Budget: exampleHigh},
		{Name: "acknowledged", Unit: "events/s", Value: float64(e.sent) / e.took.Seconds()},
		{Name: "settled", Unit: "events/s", Value: float64(e.sent) / e.settled.Seconds()},
	}
	for _, f := range figures {
		f.Name = prefix + f.Name
		if prefix != "" {
			f.Budget = 0 // the other build's figures are there to compare
		}
		r.Figures = append(r.Figures, f)
	}
}

// Conditions that make about one event in eight an alert: the fleet's temperature
// steps are even in -0.5..0.5, one in twenty is up to 20 degrees wide, and in time the
// walk takes many devices below zero.
var moreAlerts = []struct{ from, to string }{
	{"ABS(Temperature - PrevTemperature) > 15.0", "ABS(Temperature - PrevTemperature) > 0.46"},
	{"Temperature < 0.0", "Temperature < -20.0"},
}

// writeExample writes the built-in example into dir, without its own fleet and with
// more alerts.
func writeExample(dir string) error {
	read := func(name string) (string, error) {
		data, err := examples.Files.ReadFile(path.Join("telemetry", name))
		if err != nil {
			return "", fmt.Errorf("reading the built-in example: %w", err)
		}
		return string(data), nil
	}
	for _, name := range []string{"spate.yaml", "telemetry-processing.asaql", "tables/raw_telemetry.sql", "tables/aggregated_metrics.sql"} {
		text, err := read(name)
		if err != nil {
			return err
		}
		switch name {
		case "spate.yaml":
			var ok bool
			if text, _, ok = strings.Cut(text, "\nsimulate:"); !ok {
				return errors.New("the built-in example has no fleet to leave out")
			}
			text += "\n"
		case "telemetry-processing.asaql":
			for _, c := range moreAlerts {
				if strings.Count(text, c.from) != 1 {
					return fmt.Errorf("the built-in example has no condition %s to change", c.from)
				}
				text = strings.Replace(text, c.from, c.to, 1)
			}
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func runExample(ctx context.Context, server, dir string, o ExampleOptions) (e *exampleRun, err error) {
	if err := writeExample(dir); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Log, "example: %s\n", server)
	s, err := startServer(ctx, server, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if e, err = s.load(ctx, o); err != nil {
		return nil, err
	}
	return e, s.settle(ctx, e)
}

// load sends the fleet's events from a process of its own.
func (s *server) load(ctx context.Context, o ExampleOptions) (*exampleRun, error) {
	var err error
	if s.idle, err = s.CPU(); err != nil {
		return nil, err
	}
	s.began = time.Now()
	cmd := exec.CommandContext(ctx, o.Executable, "simulate", "--file", s.dir, "--via", "kafka", "--devices", strconv.Itoa(o.Devices),
		"--rate", strconv.FormatFloat(o.Rate, 'f', -1, 64), "--duration", o.Duration.String(), "--quiet", "--output", "json")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("sending the fleet's events: %w\n%s%s", err, errs.Bytes(), s.Log())
	}
	var sent struct {
		Sent, Failed int64
		Seconds      float64
	}
	if err := json.Unmarshal(out.Bytes(), &sent); err != nil {
		return nil, fmt.Errorf("reading what the load generator sent: %w", err)
	}
	if sent.Sent == 0 || sent.Failed > 0 {
		return nil, fmt.Errorf("%d events were accepted and %d were not", sent.Sent, sent.Failed)
	}
	return &exampleRun{sent: sent.Sent, took: time.Duration(sent.Seconds * float64(time.Second))}, nil
}

// settleTime is how long a server may take for what it has accepted: a table's
// commit, and a delivery that failed once.
const settleTime = 2 * time.Minute

// settle waits until every event is in the table that captures, every alert in the
// receiver's file and every row of a window in its table, and takes the account.
func (s *server) settle(ctx context.Context, e *exampleRun) error {
	var status spate.Status
	err := s.Poll(ctx, settleTime, func() (bool, error) {
		if err := s.status(ctx, &status); err != nil {
			return false, err
		}
		var err error
		if e.delivered, err = s.counted.count(); err != nil {
			return false, err
		}
		if e.raw, err = s.rows(ctx, "raw_telemetry"); err != nil {
			return false, err
		}
		if e.rows, err = s.rows(ctx, "aggregated_metrics"); err != nil {
			return false, err
		}
		e.alerts = status.Alerts
		if e.raw > e.sent || e.delivered > e.alerts {
			return false, fmt.Errorf("%d rows of %d events, %d lines of %d alerts: something came twice", e.raw, e.sent, e.delivered, e.alerts)
		}
		for _, j := range status.Jobs {
			if j.EventsIn < e.sent {
				return false, nil
			}
		}
		return e.raw == e.sent && e.delivered == e.alerts && e.rows+e.alerts == status.RowsOut, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for what was accepted: %w (%d events, %d rows captured, %d rows of windows and %d alerts of %d rows, %d lines)",
			err, e.sent, e.raw, e.rows, e.alerts, status.RowsOut, e.delivered)
	}
	e.settled = time.Since(s.began)
	whole, err := s.CPU()
	if err != nil {
		return err
	}
	e.cpu = whole - s.idle
	e.peak, err = s.Peak()
	return err
}
