package interop

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The seed's producer knows nothing but its two variables; over TLS it must be
// told which authority to trust.
func TestSeedProducer(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		i := newInstance(t, variant{Query: seed(t, "telemetry-processing.asaql")}).start()
		testSeedProducer(t, i, 32*time.Second, 120, i.plain())
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		// Without the emulator's flag this SDK knows only the port of the service,
		// so the test takes it on an address that nobody else uses.
		const host = "127.0.0.2"
		ln, err := net.Listen("tcp", host+":5671")
		if err != nil {
			missing(t, "port 5671 of "+host, err.Error())
		}
		ln.Close()
		i := newInstance(t, variant{Query: seed(t, "telemetry-processing.asaql"), Host: host, TLSPort: 5671})
		i.spate("certs", "init", "--host", host)
		ca := filepath.Join(i.data, "certs", "ca.pem")
		i.start()
		if i.info.CAFile != ca {
			t.Errorf("the instance names the authority %s, want the one of certs init, %s", i.info.CAFile, ca)
		}
		testSeedProducer(t, i, 8*time.Second, 20, i.info.ConnectionStrings["tls"], "PYTHONPATH="+filepath.Join(i.data, "certs", "python"))
	})
}

func testSeedProducer(t *testing.T, i *instance, run time.Duration, want int, connection string, env ...string) {
	cmd := exec.Command(python(t), seed(t, "iot_device_simulator.py"))
	cmd.Env = slices.Concat(os.Environ(), env, []string{"EVENT_HUB_CONNECTION_STRING=" + connection, "EVENT_HUB_NAME=" + telemetryHub})
	said := new(logBuffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(run) // it sends every 5 seconds for an hour
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("the producer ended early: %v\n%s", err, said)
	}
	cmd.Wait() // it ends by an exception, in the middle of what it did
	if !strings.Contains(said.String(), "Created 20 simulated devices") || strings.Contains(said.String(), "Error sending") {
		t.Errorf("the producer printed\n%s", said)
	}

	var sent []string
	for _, records := range i.readLog(t, telemetryHub) {
		for _, r := range records {
			var e struct{ EventId string }
			decode(t, r.Value, &e)
			sent = append(sent, e.EventId)
		}
	}
	slices.Sort(sent)
	if len(sent) < want || len(sent)%20 != 0 || len(slices.Compact(slices.Clone(sent))) != len(sent) {
		t.Errorf("%d events arrived, %d of them different; want %d or more, in batches of 20 devices", len(sent), len(slices.Compact(slices.Clone(sent))), want)
	}
	table := filepath.Join(i.data, "lake", "spate", "telemetry-data", "delta", "raw_telemetry")
	eventually(t, 20*time.Second, "all events in raw_telemetry", func() bool {
		return i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry") >= int64(len(sent))
	})
	same(t, "EventIds in spate query", column(t, i.query("SELECT EventId FROM telemetry.raw_telemetry"), "EventId"), sent)
	same(t, "EventIds in delta-rs", column(t, deltaRows(t, table), "EventId"), sent)
	if rows := i.query("SELECT TOP 100 * FROM telemetry.raw_telemetry ORDER BY Timestamp DESC"); len(rows) != min(100, len(sent)) {
		t.Errorf("the seed's first query answers %d rows", len(rows))
	}
	queries, err := os.ReadFile(seed(t, "queries.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if text := i.ask(string(queries), "query", "-o", "csv"); !strings.Contains(text, sent[len(sent)-1]) || !strings.Contains(text, "WindowStart") {
		t.Errorf("the seed's queries answer\n%s", tail(text, 1000))
	}
	i.stop()
}

// deltaRows reads a table by delta-rs.
func deltaRows(t testing.TB, table string) []row {
	t.Helper()
	return lines(t, output(t, 2*time.Minute, nil, "", python(t), script(t, "delta_read.py"), table))
}

// lines reads a count and as many lines of JSON.
func lines(t testing.TB, text string) []row {
	t.Helper()
	var rows []row
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	n := 0
	if err := d.Decode(&n); err != nil {
		t.Fatalf("%v in %s", err, tail(text, 500))
	}
	for range n {
		var r row
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%v after %d of %d rows", err, len(rows), n)
		}
		rows = append(rows, r)
	}
	return rows
}

// column is one column of rows as sorted text.
func column(t testing.TB, rows []row, name string) []string {
	t.Helper()
	out := make([]string, len(rows))
	for k, r := range rows {
		s, ok := r[name].(string)
		if !ok {
			t.Fatalf("row %v has no text %s", r, name)
		}
		out[k] = s
	}
	slices.Sort(out)
	return out
}

// same compares sorted texts and shows the first differences.
func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	left := make(map[string]int)
	for _, w := range want {
		left[w]++
	}
	var extra, lost []string
	for _, g := range got {
		if left[g] == 0 {
			extra = append(extra, g)
			continue
		}
		left[g]--
	}
	for _, w := range want {
		if left[w] > 0 {
			lost = append(lost, w)
			left[w] = 0
		}
	}
	t.Errorf("%s: %d, want %d\nmissing %d:\n%s\ntoo many %d:\n%s", what, len(got), len(want),
		len(lost), strings.Join(lost[:min(len(lost), 10)], "\n"), len(extra), strings.Join(extra[:min(len(extra), 10)], "\n"))
}
