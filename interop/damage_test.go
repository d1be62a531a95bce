package interop

import (
	"context"
	crand "crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// segment is the file that holds the events of a partition of the telemetry hub:
// the largest one.
func (i *instance) segment(t testing.TB, partition int) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(i.data, "log", "hubs", "*", fmt.Sprintf("%04d", partition), "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	largest, size := "", int64(0)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > size {
			largest, size = f, info.Size()
		}
	}
	if largest == "" {
		t.Fatalf("no segment of partition %d: %v", partition, files)
	}
	return largest
}

func flipByte(t testing.TB, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// A flipped bit in acknowledged data costs the partition its appends, not the
// pipeline; nothing wrong is ever read.
func TestDamagedSegment(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		stop func(i *instance)
	}{{"after a kill", (*instance).kill}, {"after an orderly stop", (*instance).stop}} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, short(t)).start()
			const batches = 30
			for p := range int32(4) {
				for n := range batches {
					if err := i.produce(t, p, good(fmt.Sprintf("%d-%d", p, n))); err != nil {
						t.Fatal(err)
					}
				}
			}
			eventually(t, 20*time.Second, "all events in raw_telemetry", i.hasEvents(4*batches))
			end.stop(i)
			path := i.segment(t, 0)
			written := int64(0)
			if raw, err := os.ReadFile(path); err != nil {
				t.Fatal(err)
			} else {
				written = int64(strings.LastIndex(string(raw), "EventId")) // the file may be longer than what is in it
			}
			flipByte(t, path, written/2)
			i.start()

			for p := range int32(4) {
				values := i.readWhatIsLeft(t, p)
				for n, v := range values {
					if v != good(fmt.Sprintf("%d-%d", p, n)) {
						t.Errorf("partition %d offset %d reads %q", p, n, v)
					}
				}
				if whole := len(values) == batches; whole != (p != 0) {
					t.Errorf("%d of %d events of partition %d are read", len(values), batches, p)
				}
			}
			for p := range int32(4) {
				if err := i.produce(t, p, good("later")); err != nil && p != 0 {
					t.Errorf("sending to partition %d: %v", p, err)
				} else if p == 0 {
					t.Logf("sending to the damaged partition: %v", err)
				}
			}
			code, text := i.health()
			t.Logf("health: %d %s", code, text)
			if !strings.Contains(i.log.String(), "damaged") && !strings.Contains(i.log.String(), "crc") {
				t.Error("the damage is not reported")
			}
			if n := i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry WHERE EventId <> 'later'"); n != 4*batches {
				t.Errorf("raw_telemetry has %d rows, want %d", n, 4*batches)
			}
			i.stop()
		})
	}
}

// readWhatIsLeft reads a partition from its start until there is nothing more or
// an error comes.
func (i *instance) readWhatIsLeft(t testing.TB, partition int32) (values []string) {
	t.Helper()
	c := i.kafka(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{telemetryHub: {partition: kgo.NewOffset().AtStart()}}))
	defer c.Close()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		fetches := c.PollFetches(ctx)
		cancel()
		n := fetches.NumRecords()
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
		if n == 0 {
			return values
		}
	}
}

// smallDisk has the data of an instance that does not run yet lie on a disk of its own of
// so many MiB.
func (i *instance) smallDisk(size int) error {
	if err := os.MkdirAll(i.data, 0o755); err != nil {
		return err
	}
	unmount, err := mountSmall(i.data, size)
	if err != nil {
		return err
	}
	i.t.Cleanup(func() {
		if i.cmd != nil {
			i.kill()
		}
		if err := unmount(); err != nil {
			i.t.Errorf("unmounting the small disk: %v", err)
		}
	})
	return nil
}

// Without space senders get an error that says so; what is stored stays readable,
// and once there is space again everything goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	i := newInstance(t, short(t))
	if err := i.smallDisk(48); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v", err)
	}
	i.start()
	sent := int64(0)
	for ; sent < 20; sent++ {
		if err := i.produce(t, int32(sent%4), good(fmt.Sprint(sent))); err != nil {
			t.Fatal(err)
		}
	}
	filler := filepath.Join(i.data, "filler")
	fill(t, filler)
	var full error
	for n := 0; full == nil && n < 2000; n++ { // preallocated space may take some
		if full = i.produce(t, int32(n%4), good(fmt.Sprint("full-", n))+strings.Repeat(" ", 100_000)); full == nil {
			sent++
		}
	}
	t.Logf("%d events stored; then: %v", sent, full)
	if !strings.Contains(i.log.String(), "disk is full") {
		t.Error("the full disk is not reported")
	}
	if full == nil {
		t.Fatal("the disk is full and everything is accepted")
	}
	a := &amqpClient{connection: i.plain()}
	defer a.close()
	if err := a.send(patience(t), [][]byte{[]byte(good("full-amqp"))}); err == nil {
		sent++
	} else {
		t.Logf("over AMQP: %v", err)
	}
	if n := countRecords(i.readLog(t, telemetryHub)); int64(n) != sent {
		t.Errorf("the full log reads %d events, want the %d acknowledged ones", n, sent)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "sends that work again", func() bool {
		for p := range int32(4) {
			if err := i.produce(t, p, good("again")); err != nil {
				t.Logf("partition %d with space: %v", p, err)
				return false
			}
			sent++
		}
		return true
	})
	eventually(t, 30*time.Second, "all events in raw_telemetry", func() bool {
		return i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry") >= sent
	})
	if n := i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry"); n != sent {
		t.Errorf("raw_telemetry has %d rows, want %d", n, sent)
	}
	eventually(t, 30*time.Second, "jobs that work again", func() bool {
		code, _ := i.health()
		return code == http.StatusOK
	})
	eventually(t, 30*time.Second, "all events in aggregated_metrics", func() bool {
		return i.number("SELECT COALESCE(SUM(EventCount), 0) AS n FROM telemetry.aggregated_metrics") >= sent
	})
	if n := i.number("SELECT SUM(EventCount) AS n FROM telemetry.aggregated_metrics"); n != sent {
		t.Errorf("aggregated_metrics counts %d events, want %d", n, sent)
	}
	i.stop()
}

// fill writes a file until no byte more fits on its disk.
func fill(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

// A log that may not grow refuses what it cannot store; once it may, everything
// that was acknowledged is there.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is missing: it sets the limit")
	}
	i := newInstance(t, short(t))
	i.launch(exec.Command(shell, "-c", `ulimit -f 3072; exec "$0" "$@"`, binary, "up", i.file, "--no-simulator", "--data", i.data))
	if err := i.ready(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	sent := 0
	noise := make([]byte, 75_000)
	for full := error(nil); full == nil && sent < 100; {
		crand.Read(noise)
		if full = i.produce(t, 0, good(strconv.Itoa(sent))+strings.Repeat(" ", 1000)+"\n"+strings.Replace(good("noise"), "device-001", base64.StdEncoding.EncodeToString(noise), 1)); full == nil {
			sent++
		} else {
			t.Logf("%d events stored; then: %v", sent, full)
		}
	}
	if sent == 100 {
		t.Fatal("a file of 3 MiB holds 10 MiB")
	}
	if err := i.produce(t, 1, good("another partition")); err != nil {
		t.Errorf("sending to another partition: %v", err)
	}
	i.stop()
	i.start()
	if err := i.produce(t, 0, good("later")); err != nil {
		t.Errorf("sending without the limit: %v", err)
	}
	eventually(t, 20*time.Second, "all events in raw_telemetry", i.hasEvents(int64(sent+2)))
	if n := len(i.readLog(t, telemetryHub)[0]); n != sent+1 {
		t.Errorf("partition 0 holds %d events, want %d", n, sent+1)
	}
	i.stop()
}
