package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"context"
	"testing/synctest"
)

var start = time.Date(2026, 11, 27, 10, 0, 0, 123456000, time.UTC)

func fleet(t testing.TB, o Options) *Fleet {
	t.Helper()
	if o.Start.IsZero() {
		o.Start = start
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type body struct {
	DeviceId, Location, DeviceType, Timestamp, EventId            string
	Temperature, Humidity, Pressure, BatteryLevel, SignalStrength float64
}

func decode(t testing.TB, b []byte) body {
	t.Helper()
	var v body
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

func TestBodyIsWhatPythonPrints(t *testing.T) {
	e := fleet(t, Options{}).Next()
	want := `{"DeviceId": "device-000", "Location": "` + e.Location + `", "DeviceType": "` + e.Type + `", "Temperature": `
	if !strings.HasPrefix(string(e.Body), want) {
		t.Errorf("body %s, want prefix %s", e.Body, want)
	}
	if want := `, "Timestamp": "2026-11-27T10:00:00.123456", "EventId": "device-000-1795773600.123456"}`; !strings.HasSuffix(string(e.Body), want) {
		t.Errorf("body %s, want suffix %s", e.Body, want)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	f := fleet(t, Options{Scenario: Overheating, Devices: 40})
	var in bytes.Buffer
	for range 20_000 {
		in.Write(append(f.Next().Body, '\n'))
	}
	cmd := exec.Command(python, "-c", "import sys,json\nfor l in sys.stdin: print(json.dumps(json.loads(l)))")
	cmd.Stdin = bytes.NewReader(in.Bytes())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, in.Bytes()) {
		t.Error("Python's json.dumps prints the same events differently")
	}
}

func TestReadingsAreRoundedAsPythonDoes(t *testing.T) {
	f := func(v float64) {
		t.Helper()
		want, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 2, 64), 64)
		text := strconv.FormatFloat(want, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		if got := string(appendReading(nil, reading{v: v})); got != text {
			t.Errorf("%v: got %s, want %s", v, got, text)
		}
	}
	for _, v := range []float64{0, 25, 1.005, 2.675, 0.125, -0.125, 1.115, -0.004, -0.005, -0.0051, -0.01, 949.999, 1013.25, 99.995, -99.995, 0.1 + 0.2, math.Copysign(0, -1), 1e12} {
		f(v)
	}
	rng := newRandom(1, 2, 3)
	for range 50_000 {
		f(rng.between(-1100, 1100))
		f(math.Round(rng.between(-20, 20)*1000) / 1000)
	}
	if got := string(appendReading(nil, reading{v: -10, whole: true})); got != "-10" {
		t.Errorf("clamped: got %s", got)
	}
}

func TestTimesWithoutFraction(t *testing.T) {
	got := string(appendTimes(nil, "d", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	if want := `, "Timestamp": "2026-01-02T03:04:05", "EventId": "d-1767323045.0"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = string(appendTimes(nil, "d", time.Date(2026, 1, 2, 3, 4, 5, 120000, time.UTC)))
	if want := `, "Timestamp": "2026-01-02T03:04:05.000120", "EventId": "d-1767323045.00012"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEqualOptionsGiveEqualEventsAndDevicesAreIndependent(t *testing.T) {
	for _, s := range Scenarios() {
		a, b := fleet(t, Options{Scenario: s, Seed: 7}), fleet(t, Options{Scenario: s, Seed: 7})
		other, differs := fleet(t, Options{Scenario: s, Seed: 8}), false
		for range 3000 {
			x, y := a.Next(), b.Next()
			if !bytes.Equal(x.Body, y.Body) || x.Beat != y.Beat || x.Device != y.Device {
				t.Fatalf("%s: %s and %s", s, x.Body, y.Body)
			}
			differs = differs || !bytes.Equal(x.Body, other.Next().Body)
		}
		if !differs {
			t.Errorf("%s: another seed gives the same events", s)
		}
	}
	// The first device of a small fleet walks as in a large one.
	one, many := fleet(t, Options{Devices: 4}), fleet(t, Options{Devices: 1000})
	for range 3 {
		x, y := decode(t, one.Next().Body), decode(t, many.Next().Body)
		if x != y {
			t.Fatalf("%v and %v", x, y)
		}
		for range 3 {
			one.Next()
		}
		for range 999 {
			many.Next()
		}
	}
}

func TestSeedKeepsItsClampsAndAlertShare(t *testing.T) {
	// 500 devices for an hour; the producer it imitates alerts on 19.6 % of the
	// events of a first hour.
	f := fleet(t, Options{Devices: 500})
	last := map[string]float64{}
	alerts, whole, n := 0, 0, 720*500
	for range n {
		e := f.Next()
		v := decode(t, e.Body)
		if v.Temperature < -10 || v.Temperature > 50 || v.Humidity < 0 || v.Humidity > 100 ||
			v.Pressure < 950 || v.Pressure > 1050 || v.BatteryLevel < 0 || v.BatteryLevel > 100 ||
			v.SignalStrength < -100 || v.SignalStrength > -50 {
			t.Fatalf("outside the clamps: %s", e.Body)
		}
		if bytes.Contains(e.Body, []byte(`"Temperature": 50,`)) || bytes.Contains(e.Body, []byte(`"Temperature": -10,`)) {
			whole++
		}
		if p, ok := last[v.DeviceId]; ok && math.Abs(v.Temperature-p) > 15 || v.Temperature < 0 {
			alerts++
		}
		last[v.DeviceId] = v.Temperature
	}
	if share := float64(alerts) / float64(n); share < 0.17 || share > 0.22 {
		t.Errorf("%.1f %% of the first hour's events alert, want about 19.6", share*100)
	}
	t.Logf("%.2f %% alert", float64(alerts)/float64(n)*100)
	if whole == 0 {
		t.Error("no clamped temperature was written as an integer")
	}
}

// alertKinds applies the conditions of the usual alert query to the first two
// minutes of a fleet; its ten-minute windows are cut at ten minutes.
func alertKinds(t *testing.T, o Options) map[string]bool {
	f := fleet(t, o)
	kinds := map[string]bool{}
	last := map[string]float64{}
	type health struct {
		n       int
		battery float64
		signal  float64
	}
	devices := map[string]*health{}
	for _, e := range f.Step(start.Add(10*time.Minute - time.Second)) {
		v := decode(t, e.Body)
		p, ok := last[v.DeviceId]
		last[v.DeviceId] = v.Temperature
		if e.Time.Sub(start) < 2*time.Minute {
			delta := math.Abs(v.Temperature - p)
			switch {
			case v.Temperature > 80:
				kinds["temperature critical"] = true
			case ok && delta > 20:
				kinds["temperature high"] = true
			case ok && delta > 15:
				kinds["temperature medium"] = true
			}
		}
		h := devices[v.DeviceId]
		if h == nil {
			h = new(health)
			devices[v.DeviceId] = h
		}
		h.n++
		h.battery += v.BatteryLevel
		h.signal += v.SignalStrength
	}
	for _, h := range devices {
		n := float64(h.n)
		switch {
		case h.battery/n < 10:
			kinds["health critical"] = true
		case h.n < 5:
			kinds["health high"] = true
		case h.n < 10:
			kinds["health rare"] = true
		case h.battery/n < 20:
			kinds["health battery"] = true
		case h.signal/n < -80:
			kinds["health signal"] = true
		}
	}
	return kinds
}

func TestOverheatingReachesEveryAlert(t *testing.T) {
	for _, o := range []Options{{}, {Interval: time.Second}, {Devices: 8}, {Devices: 200, Seed: 3}, {Seed: 99, Interval: 500 * time.Millisecond}} {
		o.Scenario = Overheating
		kinds := alertKinds(t, o)
		for _, want := range []string{"temperature critical", "temperature high", "temperature medium",
			"health critical", "health high", "health rare", "health battery", "health signal"} {
			if !kinds[want] {
				t.Errorf("%+v: no %s", o, want)
			}
		}
	}
}

func TestScenariosDistortWhatTheySay(t *testing.T) {
	const n = 40_000
	count := func(s Scenario, f func(e Event, stamp time.Time, err error) bool) float64 {
		fl, hits := fleet(t, Options{Scenario: s, Devices: 100}), 0
		for range n {
			e := fl.Next()
			var v body
			err := json.Unmarshal(e.Body, &v)
			if err == nil && !validUTF8(e.Body) {
				err = errors.New("not UTF-8")
			}
			stamp, _ := time.Parse("2006-01-02T15:04:05.999999", v.Timestamp)
			if f(e, stamp, err) {
				hits++
			}
		}
		return float64(hits) / n
	}
	f := func(name string, got, lo, hi float64) {
		t.Helper()
		if got < lo || got > hi {
			t.Errorf("%s: share %.4f, want %.4f to %.4f", name, got, lo, hi)
		}
	}
	f("late", count(Late, func(e Event, s time.Time, err error) bool {
		d := e.Time.Sub(s)
		return d >= 30*time.Second && d <= 10*time.Minute
	}), 0.09, 0.11)
	f("disorder", count(Disorder, func(e Event, s time.Time, err error) bool { return !s.Equal(e.Time) }), 0.30, 0.37)
	f("malformed", count(Malformed, func(e Event, s time.Time, err error) bool { return err != nil }), 0.007, 0.013)
	f("clock", count(Clock, func(e Event, s time.Time, err error) bool { return s.Sub(e.Time) == 6*time.Minute }), 0.01, 0.12)
	f("seed", count(Seed, func(e Event, s time.Time, err error) bool { return err != nil || !s.Equal(e.Time) }), 0, 0)
}

func validUTF8(b []byte) bool { return bytes.Equal(bytes.ToValidUTF8(b, nil), b) }

func TestSilentDevicesComeBack(t *testing.T) {
	f := fleet(t, Options{Scenario: Silent, Devices: 50, Interval: time.Minute})
	n := map[string]int{}
	for _, e := range f.Step(start.Add(2*time.Hour - time.Second)) {
		n[e.Device]++
	}
	gaps := 0
	for d, got := range n {
		if got != 120 {
			gaps++
			if got != 105 && got != 90 {
				t.Errorf("%s sent %d of 120, want whole quarters of an hour missing", d, got)
			}
		}
	}
	if gaps == 0 {
		t.Error("no device fell silent")
	}
}

func TestRunKeepsPaceCountsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, Options{Devices: 3, Interval: 5 * time.Second, Duration: time.Minute})
		begin := time.Now()
		calls := 0
		target := Func(func(_ context.Context, events []Event) error {
			if got, want := time.Since(begin), time.Duration(calls)*5*time.Second; got != want {
				t.Errorf("batch %d after %v, want %v", calls, got, want)
			}
			calls++
			if calls == 4 {
				return errors.New("down")
			}
			return nil
		})
		failures := 0
		s, err := f.Run(t.Context(), target, func(p Progress) {
			if p.Err != nil {
				failures++
			}
			if p.Total != 12 {
				t.Errorf("total %d", p.Total)
			}
		})
		if err != nil || s.Sent != 33 || s.Failed != 3 || s.Batches != 12 || failures != 1 || s.Elapsed != 55*time.Second {
			t.Errorf("stats %+v, %d failures, err %v", s, failures, err)
		}
	})
}

func TestRunStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		s, err := fleet(t, Options{Devices: 2}).Run(ctx, Func(func(context.Context, []Event) error { return nil }), nil)
		if err != nil || s.Sent != 6 {
			t.Errorf("stats %+v, err %v", s, err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{Devices: -1}, {Devices: MaxDevices + 1}, {Interval: time.Microsecond}, {Scenario: "x"}, {Scenario: "burst"}, {Rate: -1}, {Duration: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
	f := fleet(t, Options{Devices: 100, Rate: 1000})
	if f.Options().Interval != 100*time.Millisecond {
		t.Errorf("interval %v", f.Options().Interval)
	}
}

func TestPayloads(t *testing.T) {
	p := Payloads(1000, 1)
	if p.Len() != 1000 {
		t.Fatalf("%d bodies", p.Len())
	}
	if mean := len(p.Data) / p.Len(); mean < 250 || mean > 290 {
		t.Errorf("mean body %d bytes, want about 270", mean)
	}
	var last string
	for i := range p.Len() {
		v := decode(t, p.At(i))
		if v.Timestamp <= last && i > 0 {
			t.Fatalf("body %d at %s after %s", i, v.Timestamp, last)
		}
		last = v.Timestamp
	}
}

func BenchmarkPayloads(b *testing.B) {
	for b.Loop() {
		p := Payloads(10_000, 1)
		b.SetBytes(int64(len(p.Data)))
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "events/s")
}
