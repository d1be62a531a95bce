package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// Names of the seed's pipeline.
const (
	telemetryHub = "device-telemetry"
	alertHub     = "telemetry-alerts"
)

// variant is what the tests vary in a pipeline file.
type variant struct {
	Query       string // path of the script; empty: no job
	WindowStart string // expression of the column WindowStart
	Partitions  int    // of the telemetry hub; default 4
	Parallelism int    // of the job; 0: its default
	Anonymous   bool   // Kafka clients need no SASL
	Rules       string // YAML of namespace.authorizationRules, one line
	Port        int    // of plain AMQP; TLS, Kafka and HTTP follow; default: free ones
	TLSPort     int    // of AMQP over TLS; default Port + 1
	Host        string // loopback address; default 127.0.0.1
	Flush       string // of the tables; default 1s
	Visibility  string // of the alerts: epoch or immediate; default epoch
	Copies      bool   // the script has an output copies, which is a hub
}

var pipelineText = template.Must(template.New("").Parse(`version: 1
name: rg-streaming-pipeline
server:
{{- with .Host}}
  bind: {{.}}
  advertisedHost: {{.}}
{{- end}}
  amqp: { port: {{.Port}}, tlsPort: {{.TLS}} }
  kafka: { port: {{.At 2}}, allowAnonymous: {{.Anonymous}} }
  console: { port: {{.At 3}} }
namespace:
  name: eh-telemetry-ns
{{- with .Rules}}
  authorizationRules: {{.}}
{{- end}}
  eventHubs:
    device-telemetry: { partitionCount: {{.Partitions}}, messageRetention: 7d }
    telemetry-alerts: { partitionCount: 2, messageRetention: 1d }
    copies: { partitionCount: 1, messageRetention: 1d }
storage: { path: ./data, container: telemetry-data, database: telemetry }
tables:
  raw_telemetry:
    path: delta/raw_telemetry
    schema: tables/raw_telemetry.sql
    partitionBy: [date(Timestamp)]
    flush: { interval: {{.Flush}} }
  aggregated_metrics:
    path: delta/aggregated_metrics
    schema: tables/aggregated_metrics.sql
    partitionBy: [date(WindowEnd)]
    flush: { interval: {{.Flush}} }
{{- with .Query}}
jobs:
  sa-telemetry-processor:
    query: {{.}}
{{- with $.Parallelism}}
    parallelism: {{.}}
{{- end}}
    inputs:
      device-telemetry: { eventHub: device-telemetry }
    outputs:
      synapse-output:
        table: aggregated_metrics
        columns: { WindowStart: "{{$.WindowStart}}" }
        rename: { WindowEndTime: WindowEnd }
      alert-eventhub: { eventHub: telemetry-alerts{{with $.Visibility}}, visibility: {{.}}{{end}} }
{{- if $.Copies}}
      copies: { eventHub: copies }
{{- end}}
{{- end}}
capture:
  device-telemetry:
    table: raw_telemetry
    columns: { IngestionTime: EventEnqueuedUtcTime }
`))

// TLS is the port of AMQP over TLS.
func (p variant) TLS() int {
	if p.TLSPort != 0 {
		return p.TLSPort
	}
	return p.At(1)
}

// At is the k-th port behind the first.
func (p variant) At(k int) int { return p.Port + k }

// instance is a pipeline file with its data folder, and the process that runs it.
type instance struct {
	t    testing.TB
	p    variant
	file string
	data string
	env  []string // of the processes, besides that of the test
	args []string // of spate up, besides those of start

	info struct {
		Addresses         map[string]string `json:"addresses"`
		ConnectionStrings map[string]string `json:"connectionStrings"`
		CAFile            string            `json:"caFile"`
	}
	cmd    *exec.Cmd
	log    *logBuffer // of all processes so far
	exited chan error
}

// logBuffer collects what processes print.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newInstance writes the pipeline file; start runs it.
func newInstance(t testing.TB, p variant) *instance {
	t.Helper()
	dir := t.TempDir()
	if p.Partitions == 0 {
		p.Partitions = 4
	}
	if p.Flush == "" {
		p.Flush = "1s"
	}
	if p.WindowStart == "" {
		p.WindowStart = "DATEADD(minute, -5, WindowEndTime)"
	}
	if p.Port == 0 {
		p.Port = freePorts(t, 4)
	}
	i := &instance{t: t, p: p, file: filepath.Join(dir, "spate.yaml"), data: filepath.Join(dir, "data"), log: new(logBuffer)}
	i.rewrite(func(*variant) {})
	for _, name := range []string{"raw_telemetry.sql", "aggregated_metrics.sql"} {
		schema, err := os.ReadFile(filepath.Join("..", "examples", "telemetry", "tables", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "tables", name), string(schema))
	}
	t.Cleanup(func() {
		if i.cmd != nil {
			i.kill()
		}
		if t.Failed() {
			t.Logf("what the command printed:\n%s", tail(i.log.String(), 6000))
		}
	})
	return i
}

// rewrite changes the pipeline file; the next start reads it.
func (i *instance) rewrite(change func(p *variant)) {
	i.t.Helper()
	change(&i.p)
	var text bytes.Buffer
	if err := pipelineText.Execute(&text, i.p); err != nil {
		i.t.Fatal(err)
	}
	write(i.t, i.file+".new", text.String())
	if err := os.Rename(i.file+".new", i.file); err != nil { // a running instance may read it
		i.t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// freePorts finds n free ports in a row, below those the system gives to outgoing
// connections, so that they are still free when a killed process starts again.
func freePorts(t testing.TB, n int) int {
	t.Helper()
next:
	for range 100 {
		first := 12000 + rand.IntN(18000)
		for k := range n {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+k))
			if err != nil {
				continue next
			}
			ln.Close()
		}
		return first
	}
	t.Fatal("no free ports")
	return 0
}

// start runs the command and waits until it is ready.
func (i *instance) start() *instance {
	i.t.Helper()
	i.launch(i.up())
	if err := i.ready(30 * time.Second); err != nil {
		i.t.Fatal(err)
	}
	return i
}

// up is the command that runs the pipeline.
func (i *instance) up() *exec.Cmd {
	return exec.Command(binary, append([]string{"up", i.file, "--no-simulator", "--data", i.data}, i.args...)...)
}

func (i *instance) launch(cmd *exec.Cmd) {
	i.t.Helper()
	os.Remove(i.runFile()) // a killed process left it
	cmd.Env = slices.Concat(os.Environ(), i.env)
	cmd.Stdout, cmd.Stderr = i.log, i.log
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.cmd, i.exited = cmd, make(chan error, 1)
	go func(exited chan<- error) { exited <- cmd.Wait() }(i.exited)
}

func (i *instance) runFile() string { return filepath.Join(i.data, "run", "instance.json") }

// ready waits for the instance file, which is written when all listeners accept.
func (i *instance) ready(limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if raw, err := os.ReadFile(i.runFile()); err == nil {
			i.info.Addresses = nil
			if err := json.Unmarshal(raw, &i.info); err != nil {
				return err
			}
			return nil
		}
		select {
		case err := <-i.exited:
			i.cmd = nil
			return fmt.Errorf("spate up ended: %v\n%s", err, tail(i.log.String(), 4000))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("spate up was not ready in time")
}

// kill ends the process without a chance to do anything.
func (i *instance) kill() {
	i.t.Helper()
	i.cmd.Process.Kill()
	<-i.exited
	i.cmd = nil
}

// stop asks for an orderly end and checks that it is one.
func (i *instance) stop() {
	i.t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGINT); err != nil {
		i.t.Fatal(err)
	}
	select {
	case err := <-i.exited:
		i.cmd = nil
		if err != nil {
			i.t.Errorf("spate up after SIGINT: %v, want exit 0", err)
		}
	case <-time.After(40 * time.Second):
		i.t.Error("spate up did not end after SIGINT")
		i.kill()
	}
}

// plain is the connection string of the port without TLS.
func (i *instance) plain() string { return i.info.ConnectionStrings["emulator"] }

// spate runs another verb of the command on the same pipeline.
func (i *instance) spate(args ...string) string {
	i.t.Helper()
	return i.ask("", args...)
}

// ask is spate with a standard input.
func (i *instance) ask(stdin string, args ...string) string {
	i.t.Helper()
	return output(i.t, time.Minute, i.env, stdin, binary, append(args, "-f", i.file, "--data", i.data)...)
}

// row is a row of a table or an event.
type row = map[string]any

// query asks the tables and returns rows with numbers as they were written.
func (i *instance) query(sql string) []row {
	i.t.Helper()
	var answer struct {
		Rows      []row `json:"rows"`
		Truncated bool  `json:"truncated"`
	}
	decode(i.t, []byte(i.spate("query", sql, "-o", "json", "--max-rows", "0")), &answer)
	if answer.Truncated {
		i.t.Errorf("%s: the answer is truncated", sql)
	}
	return answer.Rows
}

// number asks for one number.
func (i *instance) number(sql string) int64 {
	i.t.Helper()
	rows := i.query(sql)
	if len(rows) != 1 || len(rows[0]) != 1 {
		i.t.Fatalf("%s: %v, want one number", sql, rows)
	}
	for _, v := range rows[0] {
		n, err := v.(json.Number).Int64()
		if err != nil {
			i.t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	return 0
}

func decode(t testing.TB, raw []byte, to any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%v in %s", err, tail(string(raw), 500))
	}
}

// eventually waits until want is true, which another process decides.
func eventually(t testing.TB, limit time.Duration, what string, want func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !want(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", limit, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
