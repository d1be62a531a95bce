package interop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lives is an instance to which something happens in every round.
type lives struct {
	*instance
	rnd      *rand.Rand
	script   string         // as it was at first
	editable bool           // the script may change
	disk     bool           // the data lie on a small disk
	edits    int            // so far
	copied   int            // how often the output copies came
	done     map[string]int // rounds by what happened in them
}

// within is a random time.
func (l *lives) within(limit time.Duration) time.Duration {
	return time.Duration(l.rnd.Int64N(int64(limit)))
}

// round waits, and does something.
func (l *lives) round() {
	l.t.Helper()
	time.Sleep(l.within(1500 * time.Millisecond))
	acts := map[string]func(){"kill": l.crashed, "restart of a job": l.restarted, "growth": l.grown}
	if l.editable {
		acts["edit"], acts["edit and kill"] = l.edited, func() { l.edited(); time.Sleep(l.within(time.Second)); l.crashed() }
	}
	if l.disk {
		acts["full disk"] = l.filled
	}
	names := []string{"kill", "restart of a job", "growth", "edit", "edit and kill", "full disk"}
	for {
		name := names[l.rnd.IntN(len(names))]
		if act := acts[name]; act != nil {
			act()
			l.done[name]++
			return
		}
	}
}

// crashed kills the process, at times once more while it starts.
func (l *lives) crashed() {
	l.t.Helper()
	l.kill()
	if l.rnd.IntN(3) == 0 {
		l.launch(l.up())
		time.Sleep(l.within(300 * time.Millisecond))
		l.kill()
	}
	l.start()
}

// grown gives the hub a partition more; the running instance takes it over.
func (l *lives) grown() {
	l.rewrite(func(p *variant) { p.Partitions = min(p.Partitions+1, 12) })
}

// restarted stops a job and starts it.
func (l *lives) restarted() {
	l.t.Helper()
	job := []string{"sa-telemetry-processor", "capture-device-telemetry"}[l.rnd.IntN(2)]
	l.spate("job", "stop", job)
	time.Sleep(l.within(time.Second))
	l.spate("job", "start", job)
}

// filled leaves no space on the disk for a second.
func (l *lives) filled() {
	l.t.Helper()
	path := filepath.Join(l.data, "filler")
	fill(l.t, path)
	time.Sleep(time.Second)
	if err := os.Remove(path); err != nil {
		l.t.Fatal(err)
	}
}

// edited writes another script, which gives the same rows, and marks the alerts with its
// number. Some steps are other ones, and at times there is an output more.
func (l *lives) edited() {
	l.t.Helper()
	raw, err := os.ReadFile(l.script)
	if err != nil {
		l.t.Fatal(err)
	}
	const from = "FROM [device-telemetry] TIMESTAMP BY EventEnqueuedUtcTime"
	parts := strings.Split(string(raw), from)
	script := parts[0]
	for _, part := range parts[1:] {
		script += from + []string{"", " WHERE DeviceId IS NOT NULL", " WHERE DeviceId <> '' AND Temperature < 1e9"}[l.rnd.IntN(3)] + part
	}
	l.edits++
	script = strings.ReplaceAll(script, "INTO [alert-eventhub]", fmt.Sprintf(", 'edit %d' AS Edit\nINTO [alert-eventhub]", l.edits))
	copies := l.rnd.IntN(2) == 0
	if copies {
		script += "\nSELECT EventId INTO [copies] " + from + ";\n"
	}
	if copies && !l.p.Copies {
		l.copied++
	}
	path := filepath.Join(filepath.Dir(l.file), fmt.Sprintf("edit%d.asaql", l.edits))
	write(l.t, path, script)
	l.rewrite(func(p *variant) { p.Query, p.Copies = path, copies })
}

// checkCopies checks the output that comes and goes: of every partition it has the events
// that came while it was there, each once, so that they follow each other without a gap
// but where it was away.
func (l *lives) checkCopies() {
	t := l.t
	t.Helper()
	times := make(map[string]int)
	for _, c := range bodies(t, l.readLog(t, "copies")) {
		times[c["EventId"].(string)]++
	}
	copied := 0
	for p, records := range l.readEvents(t, telemetryHub) {
		runs, in := 0, false
		for _, r := range records {
			var e row
			decode(t, r.Value, &e)
			id := e["EventId"].(string)
			if times[id] > 1 {
				t.Errorf("event %s was copied %d times", id, times[id])
			}
			if is := times[id] > 0; is && !in {
				runs++
			}
			in = times[id] > 0
			copied += times[id]
			delete(times, id)
		}
		if runs > l.copied {
			t.Errorf("partition %d: the copies are %d runs of events, and the output came %d times", p, runs, l.copied)
		}
	}
	for id := range times {
		t.Errorf("%s was copied and is not in the log", id)
	}
	t.Logf("%d events copied, by an output that came %d times", copied, l.copied)
	if l.copied > 1 && copied == 0 {
		t.Error("nothing was copied")
	}
}
