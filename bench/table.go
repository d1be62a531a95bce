package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"spate/workload/ingest"
)

// table prints everything as one table that is Markdown too. The ratios are to Spate under
// the same load: its events to those of the peer, and the server time of the peer to its.
func table(w io.Writer, rows []row, versions, missing []string) error {
	lines := [][]string{
		{"Log", "Acknowledges when", "Events/s", "MB/s", "p50 ms", "p99 ms", "max ms", "Server CPU-s per million", "Client CPU-s per million", "Peak MiB", "Spate's events to it", "Its server CPU to Spate's"},
		{"---", "---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"},
	}
	var spate *ingest.Outcome
	var load *ingest.Load
	for _, r := range rows {
		if r.load != load {
			load = r.load
			lines = append(lines, []string{"**" + describe(load) + "**", "", "", "", "", "", "", "", "", "", "", ""})
		}
		if r.peer.name == spateName {
			spate = r.Outcome
		}
		lines = append(lines, []string{
			r.peer.name, r.peer.syncs, strconv.FormatFloat(r.PerSecond(), 'f', 0, 64), short(float64(r.Bytes) / r.Took.Seconds() / 1e6),
			milliseconds(r.P50), milliseconds(r.P99), milliseconds(r.Max), short(r.ServerCost()), short(r.ClientCost()), short(r.Peak),
			short(spate.PerSecond() / r.PerSecond()), short(r.ServerCost() / spate.ServerCost()),
		})
	}
	widths := make([]int, len(lines[0]))
	for _, l := range lines {
		if strings.HasPrefix(l[0], "**") {
			continue // a heading may stand out
		}
		for i, cell := range l {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, l := range lines {
		var b strings.Builder
		b.WriteByte('|')
		for i, cell := range l {
			switch {
			case i < 2:
				fmt.Fprintf(&b, " %-*s |", widths[i], cell)
			default:
				fmt.Fprintf(&b, " %*s |", widths[i], cell)
			}
		}
		if _, err := fmt.Fprintln(w, b.String()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%d processors, %s, %s, load %s\n%s\n", runtime.NumCPU(), runtime.GOOS, runtime.Version(), machineLoad(), strings.Join(versions, ", "))
	for _, m := range missing {
		if err == nil {
			_, err = fmt.Fprintf(w, "left out: %s\n", m)
		}
	}
	return err
}

func milliseconds(d time.Duration) string { return short(float64(d.Microseconds()) / 1000) }

// short is a number with three digits, or all before the point.
func short(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// machineLoad is how many processes want the processors, of the last minute.
func machineLoad() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(raw), " ")
	return one
}
