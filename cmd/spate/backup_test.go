package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"spate/console"
	"spate/datafolder"
	"spate/internal/pipetest"
	"spate/simulator"
)

// A chain: what one job writes to a hub another reads, a notifier too.
const chainPipeline = `version: 1
name: chain
namespace:
  eventHubs:
    in: { partitionCount: 3 }
    odd: { partitionCount: 2 }
tables:
  all_events: { flush: { interval: 200ms } }
  counts: { flush: { interval: 200ms } }
  seen: { flush: { interval: 200ms } }
jobs:
  first:
    query: first.asaql
    outputs:
      all_events: { table: all_events }
      counts: { table: counts }
      odd: { eventHub: odd, visibility: VISIBILITY }
  second:
    query: second.asaql
    outputs: { seen: { table: seen } }
monitor:
  actionGroups:
    people: { receivers: [{ name: file, file: data/told.jsonl }] }
notify:
  odd: { hub: odd, actionGroups: [people] }
`

const chainFirst = `
SELECT Sender, Seq INTO all_events FROM [in];
SELECT Sender, System.Timestamp() AS WindowEnd, COUNT(*) AS n INTO counts FROM [in] GROUP BY Sender, TumblingWindow(millisecond, 200);
SELECT Sender, Seq, PartitionId AS Place INTO odd FROM [in] WHERE Seq % 2 = 1;
`

const chainSecond = `SELECT Sender, Seq INTO seen FROM odd;`

// chainFolder is a folder with the pipeline in it.
func chainFolder(t *testing.T, visibility string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"spate.yaml": strings.Replace(chainPipeline, "VISIBILITY", visibility, 1),
		"first.asaql": chainFirst, "second.asaql": chainSecond} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// chainEvent is an event of the load, and a row about one.
type chainEvent struct {
	Sender string
	Seq    int
	Place  int // partition that it came through, of a row
}

// chainLoad sends from several senders until it is stopped.
type chainLoad struct {
	mu    sync.Mutex
	acked []chainEvent

	count   atomic.Int64
	stopped chan struct{}
	senders sync.WaitGroup
}

func startChainLoad(t *testing.T, data, name string) *chainLoad {
	t.Helper()
	i, err := console.ReadInstance(data)
	if err != nil {
		t.Fatal(err)
	}
	l := &chainLoad{stopped: make(chan struct{})}
	for k := range 3 {
		target, err := simulator.NewKafka(t.Context(), simulator.Connection{String: i.ConnectionStrings["emulator"], Hub: "in", Brokers: []string{i.Addresses["kafka"]}, Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		l.senders.Go(func() {
			defer target.Close()
			l.send(t, target, name+strconv.Itoa(k))
		})
	}
	return l
}

func (l *chainLoad) send(t *testing.T, target *simulator.Kafka, sender string) {
	for seq := 0; ; {
		select {
		case <-l.stopped:
			return
		default:
		}
		var batch []simulator.Event
		var sent []chainEvent
		for range 10 {
			batch = append(batch, simulator.Event{Body: fmt.Appendf(nil, `{"Sender":%q,"Seq":%d}`, sender, seq), Time: time.Now()})
			sent = append(sent, chainEvent{Sender: sender, Seq: seq})
			seq++
		}
		if _, err := target.Send(t.Context(), batch); err != nil {
			t.Errorf("%s: %v", sender, err)
			return
		}
		l.mu.Lock()
		l.acked = append(l.acked, sent...)
		l.mu.Unlock()
		l.count.Add(int64(len(sent)))
	}
}

// until waits until so many more events are acknowledged.
func (l *chainLoad) until(t *testing.T, more int64) {
	t.Helper()
	want := l.count.Load() + more
	pipetest.Until(t, "events to be acknowledged", func() bool { return l.count.Load() >= want })
}

func (l *chainLoad) sofar() []chainEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}

func (l *chainLoad) stop() {
	close(l.stopped)
	l.senders.Wait()
}

// A backup that is made while clients send holds what was acknowledged before it began, and
// the jobs go on from it so that every row comes once.
func TestABackupUnderLoadGoesOn(t *testing.T) {
	needsDuckDB(t)
	if testing.Short() {
		t.Skip("runs whole pipelines")
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SPATE_BACKUP_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("SPATE_BACKUP_SEED=%d", seed)
	for _, visibility := range []string{"epoch", "immediate"} {
		t.Run(visibility, func(t *testing.T) { backupUnderLoad(t, visibility, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func backupUnderLoad(t *testing.T, visibility string, rnd *rand.Rand) {
	dir := chainFolder(t, visibility)
	data := filepath.Join(dir, "data")
	child := upChild(t, dir, data)
	load := startChainLoad(t, data, "a")
	spateOut(t, func(out string) bool { return strings.HasPrefix(out, "Sender") && strings.Count(out, "\n") > 1 }, "query", "-o", "csv", "-f", dir, "SELECT TOP 1 Sender FROM seen")
	const backups = 2
	before := make([][]chainEvent, backups)
	folder := func(k int) string { return filepath.Join(dir, "backup-"+strconv.Itoa(k)) }
	for k := range backups {
		load.until(t, 1+rnd.Int64N(4000)) // somewhere between two checkpoints
		before[k] = load.sofar()
		out := spateCode(t, done, "backup", folder(k), "-f", dir)
		for _, part := range []string{"hubs", "jobs", "tables", "notifications", "keys"} {
			if !strings.Contains(out, part) {
				t.Errorf("no %s were copied: %s", part, out)
			}
		}
	}
	load.until(t, 500)
	load.stop()
	if left, err := os.ReadDir(filepath.Join(data, "run", "backup")); err != nil || len(left) != 1 {
		t.Errorf("left of the backups: %v, %v", left, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	spateCode(t, done, "backup", folder(backups), "-f", dir) // of what the kill has left
	for k, acked := range append(before, load.sofar()) {
		goesOn(t, chainFolder(t, visibility), folder(k), acked)
	}
	// The instance itself was not disturbed.
	goesOn(t, dir, "", load.sofar())
}

// goesOn starts a pipeline on a backup, sends more, and checks every row of it.
func goesOn(t *testing.T, dir, backup string, acked []chainEvent) {
	t.Helper()
	data := filepath.Join(dir, "data")
	if backup != "" {
		spateCode(t, done, "restore", backup, "--data", data)
	}
	child := upChild(t, dir, data)
	load := startChainLoad(t, data, "b")
	load.until(t, 300)
	load.stop()
	acked = append(acked, load.sofar()...)
	total := 0
	for _, h := range hubsOf(t, data) {
		if h.Name == "in" {
			total = int(h.Events)
		}
	}
	one := func(sql string) int {
		out := spateOut(t, func(string) bool { return true }, "query", "-o", "csv", "-f", filepath.Dir(data), sql)
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out, "n\r\n")))
		if err != nil {
			return 0
		}
		return n
	}
	pipetest.Until(t, "all rows", func() bool {
		return one("SELECT COUNT(*) AS n FROM all_events") >= total && one("SELECT SUM(n) AS n FROM counts") >= total && one("SELECT COUNT(*) AS n FROM seen") >= total/2
	})
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatalf("it did not stop in order: %v", err)
	}
	checkChain(t, data, acked)
}

// hubsOf is what hub list says.
func hubsOf(t *testing.T, data string) (list []console.Hub) {
	t.Helper()
	out := spateOut(t, func(string) bool { return true }, "hub", "list", "-o", "json", "-f", filepath.Dir(data))
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// checkChain compares all that a stopped pipeline holds with the log of its hub.
func checkChain(t *testing.T, data string, acked []chainEvent) {
	t.Helper()
	h, err := datafolder.OpenHubs(t.Context(), data, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	key := func(e chainEvent) string { return e.Sender + " " + strconv.Itoa(e.Seq) }
	place := make(map[string]int)
	var all, odd []string
	for p, bodies := range pipetest.Events(t, h.Namespace, "in") {
		last := make(map[string]int)
		for _, b := range bodies {
			e := decodeChain(t, b)
			if was, some := last[e.Sender]; some && e.Seq <= was {
				t.Errorf("partition %d: event %v lies behind %d", p, e, was)
			}
			last[e.Sender] = e.Seq
			place[key(e)] = p
			all = append(all, key(e))
			if e.Seq%2 == 1 {
				odd = append(odd, key(e))
			}
		}
	}
	for _, e := range acked {
		if _, found := place[key(e)]; !found {
			t.Errorf("event %v was acknowledged before the backup, and is not there", e)
		}
	}
	if len(place) != len(all) {
		t.Errorf("%d events, %d of them different", len(all), len(place))
	}
	var shown []string
	for p, bodies := range pipetest.Events(t, h.Namespace, "odd") {
		last := make(map[chainEvent]int) // by sender and place
		for _, b := range bodies {
			e := decodeChain(t, b)
			shown = append(shown, key(e))
			line := chainEvent{Sender: e.Sender, Place: e.Place}
			if was, some := last[line]; some && e.Seq <= was {
				t.Errorf("partition %d of odd: row %v lies behind %d", p, e, was)
			}
			last[line] = e.Seq
			if place[key(e)] != e.Place {
				t.Errorf("row %v: its event lies in partition %d", e, place[key(e)])
			}
		}
	}
	sameKeys(t, "rows of odd", shown, odd)
	sameKeys(t, "rows of all_events", tableKeys(t, data, "SELECT Sender, CAST(Seq AS bigint) AS Seq FROM all_events"), all)
	sameKeys(t, "rows of seen", tableKeys(t, data, "SELECT Sender, CAST(Seq AS bigint) AS Seq FROM seen"), odd)

	counted := make(map[string]int)
	for _, k := range all {
		sender, _, _ := strings.Cut(k, " ")
		counted[sender]++
	}
	var want []string
	for sender, n := range counted {
		want = append(want, sender+" "+strconv.Itoa(n))
	}
	sameKeys(t, "sums of counts", tableKeys(t, data, "SELECT Sender, SUM(n) AS n FROM counts GROUP BY Sender"), want)
	if twice := tableKeys(t, data, "SELECT Sender, WindowEnd FROM counts GROUP BY Sender, WindowEnd HAVING COUNT(*) > 1"); len(twice) > 0 {
		t.Errorf("windows that came twice: %v", twice)
	}

	told := make(map[string]bool)
	for line := range strings.Lines(mustRead(t, filepath.Join(data, "told.jsonl"))) {
		told[key(decodeChain(t, strings.TrimSpace(line)))] = true
	}
	for _, k := range odd {
		if !told[k] {
			t.Errorf("nobody was told of %s", k)
		}
	}
}

func decodeChain(t *testing.T, text string) (e chainEvent) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// tableKeys are the rows of a query of two columns.
func tableKeys(t *testing.T, data, sql string) (keys []string) {
	t.Helper()
	out := spateCode(t, done, "query", "-o", "csv", "--max-rows", "0", "-f", filepath.Dir(data), sql)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		keys = append(keys, strings.Join(r, " "))
	}
	return keys
}

// sameKeys compares without order, and says what is missing and what is too much.
func sameKeys(t *testing.T, what string, got, want []string) {
	t.Helper()
	n := make(map[string]int)
	for _, k := range want {
		n[k]++
	}
	for _, k := range got {
		n[k]--
	}
	var missing, more []string
	for k, d := range n {
		if d > 0 {
			missing = append(missing, k)
		} else if d < 0 {
			more = append(more, k)
		}
	}
	if len(missing)+len(more) > 0 {
		t.Errorf("%s: got %d, want %d; %d are missing, such as %v; %d are too much, such as %v",
			what, len(got), len(want), len(missing), missing[:min(3, len(missing))], len(more), more[:min(3, len(more))])
	}
}
