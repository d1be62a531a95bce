package interop

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCrash does something to the pipeline in every round while clients send: it is
// killed, its script is edited, the hub gets more partitions, a job is stopped and
// started, the disk is full for a second. Every acknowledged event, every aggregate and
// every alert is there once then, with one shard and with four, and whether alerts are
// shown with the checkpoint or at once.
// SPATE_CRASH_ROUNDS says how often, SPATE_CRASH_SEED repeats a run's choices.
func TestCrash(t *testing.T) {
	rounds, seed := 3, uint64(time.Now().UnixNano())
	if os.Getenv("CI") == "true" {
		rounds = 6
	}
	for name, to := range map[string]func(n uint64){
		"SPATE_CRASH_ROUNDS": func(n uint64) { rounds = int(n) },
		"SPATE_CRASH_SEED":   func(n uint64) { seed = n },
	} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			to(n)
		}
	}
	t.Logf("%d rounds, SPATE_CRASH_SEED=%d", rounds, seed)
	for _, parallelism := range []int{1, 4} {
		for _, visibility := range []string{"epoch", "immediate"} {
			t.Run("parallelism "+strconv.Itoa(parallelism)+" "+visibility, func(t *testing.T) { crash(t, parallelism, visibility, rounds, seed) })
		}
	}
}

// crash runs the rounds.
func crash(t *testing.T, parallelism int, visibility string, rounds int, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	query, err := filepath.Abs(filepath.Join("testdata", "short.asaql"))
	if err != nil {
		t.Fatal(err)
	}
	i := newInstance(t, variant{Query: query, WindowStart: "DATEADD(second, -2, WindowEndTime)", Flush: "200ms",
		Parallelism: parallelism, Visibility: visibility})
	i.args = []string{"--watch"}
	i.env = append(i.env, "GOMAXPROCS="+strconv.Itoa(2*parallelism)) // so that all shards run
	l := &lives{instance: i, rnd: rnd, script: query, editable: visibility == "epoch", done: make(map[string]int)}
	if err := i.smallDisk(1024); err != nil {
		t.Logf("the disk is never full: %v", err)
	} else {
		l.disk = true
	}
	i.start()
	senders := i.senders(t, rnd)
	stop := load(senders)
	for range rounds {
		l.round()
	}
	time.Sleep(time.Second)
	stop()
	t.Logf("%v; %d steps got new state", l.done, strings.Count(i.log.String(), "a step has new state"))
	checkOnce(t, i, query, senders)
	l.checkCopies()
	if visibility == "immediate" {
		inOrder(t, i.readLog(t, alertHub))
	}
	i.stop()
}

// inOrder checks that alerts that were shown at once stand in the order of their times,
// those of a crash and its repetition too.
func inOrder(t *testing.T, partitions [][]*kgo.Record) {
	t.Helper()
	for p, records := range partitions {
		last := ""
		for _, r := range records {
			var a row
			decode(t, r.Value, &a)
			at, ok := a["EventTime"].(string)
			if !ok {
				at = a["WindowEnd"].(string)
			}
			if at < last {
				t.Errorf("partition %d: the alert of %s lies behind that of %s", p, at, last)
			}
			last = at
		}
	}
}

// checkOnce waits until everything that was sent has gone through, and compares
// the tables and the alerts with the log.
func checkOnce(t *testing.T, i *instance, query string, senders []*sender) {
	t.Helper()
	telemetry := i.readEvents(t, telemetryHub)
	var ids, rows []string
	for p, records := range telemetry {
		last := make(map[string]int) // number of each sender's newest event
		for _, r := range records {
			var e row
			decode(t, r.Value, &e)
			id := e["EventId"].(string)
			ids = append(ids, id)
			name, text, _ := strings.Cut(id, "-")
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			if before, some := last[name]; some && n <= before {
				t.Errorf("partition %d: event %s lies behind %s-%d", p, id, name, before)
			}
			last[name] = n
			e["IngestionTime"] = r.Timestamp.UTC().Format(time.RFC3339Nano)
			rows = append(rows, canonical(t, e, "Timestamp"))
		}
	}
	slices.Sort(ids)
	slices.Sort(rows)
	for k := 1; k < len(ids); k++ {
		if ids[k] == ids[k-1] {
			t.Errorf("event %s is in the log more than once", ids[k])
		}
	}
	acked, lost := 0, 0
	for _, s := range senders {
		acked, lost = acked+len(s.acked), lost+s.lost
		for _, id := range s.acked {
			if _, found := slices.BinarySearch(ids, id); !found {
				t.Errorf("event %s was acknowledged and is not in the log", id)
			}
		}
	}
	aggregates, alerts := evaluate(t, query, telemetry)
	t.Logf("%d events acknowledged, %d not, %d in the log; %d aggregates, %d alerts", acked, lost, len(ids), len(aggregates), len(alerts))
	if acked == 0 || len(aggregates) == 0 || len(alerts) == 0 {
		t.Error("the load did nothing")
	}

	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry") >= int64(len(ids)) &&
			i.number("SELECT COUNT(*) AS n FROM telemetry.aggregated_metrics") >= int64(len(aggregates)) &&
			countRecords(i.readLog(t, alertHub)) >= len(alerts) {
			break
		}
	}
	same(t, "rows of raw_telemetry", canonicals(t, i.query("SELECT * FROM telemetry.raw_telemetry"), "Timestamp", "TimestampDate"), rows)
	got := bodies(t, i.readLog(t, alertHub))
	for _, a := range got {
		delete(a, "Edit") // which script wrote it
	}
	seen := make(map[string]bool)
	for _, a := range got {
		key := canonical(t, row{"DeviceId": a["DeviceId"], "EventTime": a["EventTime"], "WindowEnd": a["WindowEnd"], "AlertType": a["AlertType"]})
		if seen[key] {
			t.Errorf("alert twice: %s", key)
		}
		seen[key] = true
	}
	same(t, "alerts", canonicals(t, got), canonicals(t, alerts))
	rename(aggregates, map[string]string{"WindowEndTime": "WindowEnd"})
	same(t, "aggregates", canonicals(t, i.query("SELECT * FROM telemetry.aggregated_metrics"), "WindowStart", "WindowEndDate"), canonicals(t, aggregates))
}

func countRecords(partitions [][]*kgo.Record) int {
	n := 0
	for _, records := range partitions {
		n += len(records)
	}
	return n
}
