package format

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"spate/internal/cputime"
)

// device is one of the seed producer's devices: a random walk whose clamps are
// integers and print as such.
type device struct {
	id, location, kind string
	v                  [5]float64
	whole              [5]bool
}

var walkSteps = [5][2]float64{{-0.5, 0.5}, {-1, 1}, {-0.1, 0.1}, {-0.05, -0.01}, {-2, 2}}
var walkClamps = [5][2]float64{{-10, 50}, {0, 100}, {950, 1050}, {0, 100}, {-100, -50}}

// seedEvents returns n events of devices devices in rotation, spaced and printed
// as Python's json.dumps does.
func seedEvents(n, devices int) []string {
	rnd := rand.New(rand.NewPCG(7, 11))
	ds := make([]device, devices)
	for i := range ds {
		ds[i] = device{
			id:       fmt.Sprintf("device-%03d", i),
			location: []string{"Factory-A", "Factory-B", "Warehouse-1", "Warehouse-2", "Office"}[rnd.IntN(5)],
			kind:     []string{"Temperature", "Environmental", "HVAC", "Industrial"}[rnd.IntN(4)],
			v:        [5]float64{25, 60, 1013.25, 100, -65},
		}
	}
	names := [5]string{"Temperature", "Humidity", "Pressure", "BatteryLevel", "SignalStrength"}
	out := make([]string, n)
	for i := range out {
		d := &ds[i%devices]
		for k := range d.v {
			s := walkSteps[k]
			d.v[k] += s[0] + rnd.Float64()*(s[1]-s[0])
			if k == 0 && rnd.Float64() < 0.05 {
				d.v[k] += rnd.Float64()*40 - 20
			}
			d.whole[k] = false
			if c := walkClamps[k]; d.v[k] < c[0] {
				d.v[k], d.whole[k] = c[0], true
			} else if d.v[k] > c[1] {
				d.v[k], d.whole[k] = c[1], true
			}
		}
		var sb strings.Builder
		fmt.Fprintf(&sb, `{"DeviceId": "%s", "Location": "%s", "DeviceType": "%s"`, d.id, d.location, d.kind)
		for k, name := range names {
			x := math.Round(d.v[k]*100) / 100
			text := strconv.FormatFloat(x, 'f', -1, 64)
			if !d.whole[k] && !strings.Contains(text, ".") {
				text += ".0"
			}
			fmt.Fprintf(&sb, `, "%s": %s`, name, text)
		}
		us := i * 1234567 / 1000
		stamp := fmt.Sprintf("2026-01-05T%02d:%02d:%02d.%06d", us/3_600_000_000%24, us/60_000_000%60, us/1_000_000%60, us%1_000_000)
		fmt.Fprintf(&sb, `, "Timestamp": "%s", "EventId": "%s-%d.%06d"}`, stamp, d.id, 1767571200+us/1_000_000, us%1_000_000)
		out[i] = sb.String()
	}
	return out
}

// shuffled puts the keys of each event into one of orders random orders, into any
// order if orders is 0, and adds an unknown key at a random place to the given
// percentage of them.
func shuffled(events []string, orders, unknown int) []string {
	rnd := rand.New(rand.NewPCG(3, 5))
	n := strings.Count(events[0], ", ") + 1
	perms := make([][]int, orders)
	for i := range perms {
		perms[i] = rnd.Perm(n)
	}
	out := make([]string, len(events))
	for i, e := range events {
		pairs := strings.Split(e[1:len(e)-1], ", ")
		perm := rnd.Perm(n)
		if orders > 0 {
			perm = perms[rnd.IntN(orders)]
		}
		var parts []string
		for _, k := range perm {
			parts = append(parts, pairs[k])
		}
		if rnd.IntN(100) < unknown {
			at := rnd.IntN(n + 1)
			more := []string{`"Extra": 12`, `"Firmware": "1.2.3"`, `"Tags": ["a", {"b": null}]`}[rnd.IntN(3)]
			parts = append(parts[:at], append([]string{more}, parts[at:]...)...)
		}
		out[i] = "{" + strings.Join(parts, ", ") + "}"
	}
	return out
}

var seedPaths = []string{"DeviceId", "Location", "DeviceType", "Temperature", "Humidity", "Pressure", "BatteryLevel", "SignalStrength"}

func TestDecodeSeedTakesTemplates(t *testing.T) {
	d := NewDecoder(columnsOf(seedPaths...), Options{})
	events := seedEvents(10_000, 1000)
	data, starts, ends := pack(events...)
	for first := 0; first < len(starts); {
		first = d.Decode(data, starts, ends, first).Next
	}
	if s := d.Stats(); s.General > 10 {
		t.Errorf("%d of %d events took the general parser", s.General, len(events))
	}
}

func benchmarkDecode(b *testing.B, events []string, cols []Column, o Options) {
	data, starts, ends := pack(events...)
	data = append(data, make([]byte, slack)...)
	d := NewDecoder(cols, o)
	b.SetBytes(int64(len(data) / len(events)))
	b.ReportAllocs()
	first := 0
	from, _ := cputime.Used() // 0 where it is not known
	b.ResetTimer()
	for n := 0; n < b.N; {
		r := d.Decode(data, starts, ends, first)
		n += r.Rows
		if first = r.Next; first >= len(starts) {
			first = 0
		}
	}
	to, _ := cputime.Used()
	b.ReportMetric(float64(to-from)/float64(b.N), "cpu-ns/op")
}

// BenchmarkDecodeSeed reads 8 of the 10 fields of the seed's events; an
// operation is one event.
func BenchmarkDecodeSeed(b *testing.B) {
	events := seedEvents(8192, 1000)
	b.Run("template", func(b *testing.B) { benchmarkDecode(b, events, columnsOf(seedPaths...), Options{}) })
	b.Run("predictive", func(b *testing.B) { benchmarkDecode(b, events, columnsOf(seedPaths...), Options{NoTemplates: true}) })
	b.Run("keys", func(b *testing.B) { benchmarkDecode(b, shuffled(events, 3, 10), columnsOf(seedPaths...), Options{}) })
	b.Run("layouts", func(b *testing.B) { benchmarkDecode(b, shuffled(events, 20, 10), columnsOf(seedPaths...), Options{}) })
	b.Run("random", func(b *testing.B) { benchmarkDecode(b, shuffled(events, 0, 10), columnsOf(seedPaths...), Options{}) })
	b.Run("general", func(b *testing.B) { benchmarkDecode(b, events, columnsOf(seedPaths...), Options{General: true}) })
	b.Run("whole-random", func(b *testing.B) { benchmarkDecode(b, shuffled(events, 0, 10), columnsOf("*"), Options{}) })
	b.Run("whole", func(b *testing.B) { benchmarkDecode(b, events, columnsOf("*"), Options{}) })
}
