// Package simulator plays a fleet of devices that send telemetry.
//
// The default scenario is the random walk of the well-known Python producer for
// Event Hubs demonstrations: the same keys in the same order, the spacing of
// Python's json.dumps, the same clamps. Other scenarios add what such a fleet
// never shows: overheating, late, disordered and damaged events.
//
// Everything is a pure function: beat n of device d depends on the options and
// on (Seed, d, n), never on the clock or on other devices. Two fleets with equal
// options, Start included, give equal bytes.
//
// Events alias the fleet's buffer and are valid until its next call. A Fleet
// belongs to one goroutine.
//
// Stability: importable, not promised before 1.0.
package simulator

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// MaxDevices is the largest fleet.
const MaxDevices = 100_000

// Options describe a fleet.
type Options struct {
	Devices   int           // 1..MaxDevices, default 20
	Interval  time.Duration // between two beats of one device, 1 ms..1 h, default 5 s
	Rate      float64       // events per second of the whole fleet; when set, Interval = Devices / Rate
	Duration  time.Duration // Run ends after it; 0: when its context ends
	Scenario  Scenario      // default Seed
	Seed      int64         // default 1
	Start     time.Time     // time of the first beat; default: now, in UTC
	Locations []string      // default: five
	Types     []string      // device types, default: four

	Now   func() time.Time                                 // default time.Now
	Sleep func(ctx context.Context, d time.Duration) error // default waits on the wall clock
	Log   *slog.Logger                                     // default discards
}

func (o Options) withDefaults() (Options, error) {
	o.Devices = cmp.Or(o.Devices, 20)
	if o.Devices < 1 || o.Devices > MaxDevices {
		return o, fmt.Errorf("simulator: %d devices, want 1 to %d", o.Devices, MaxDevices)
	}
	if o.Rate < 0 {
		return o, fmt.Errorf("simulator: rate %g per second, want more than 0", o.Rate)
	}
	if o.Rate > 0 {
		o.Interval = max(1, time.Duration(float64(o.Devices)/o.Rate*float64(time.Second)))
	} else {
		o.Interval = cmp.Or(o.Interval, 5*time.Second)
		if o.Interval < time.Millisecond || o.Interval > time.Hour {
			return o, fmt.Errorf("simulator: interval %v, want 1ms to 1h", o.Interval)
		}
	}
	if o.Duration < 0 {
		return o, fmt.Errorf("simulator: duration %v is negative", o.Duration)
	}
	s, err := ParseScenario(string(o.Scenario))
	if err != nil {
		return o, err
	}
	o.Scenario = s
	o.Seed = cmp.Or(o.Seed, 1)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Start.IsZero() {
		o.Start = o.Now()
	}
	o.Start = o.Start.UTC().Truncate(time.Microsecond)
	if len(o.Locations) == 0 {
		o.Locations = []string{"Factory-A", "Factory-B", "Warehouse-1", "Warehouse-2", "Office"}
	}
	if len(o.Types) == 0 {
		o.Types = []string{"Temperature", "Environmental", "HVAC", "Industrial"}
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Event is one message of one device.
type Event struct {
	Device   string    // its id, as in Body
	Beat     int64     // of the device, from 0
	Time     time.Time // when it is sent; the Timestamp in Body may differ, as the scenario says
	Type     string    // property DeviceType
	Location string    // property Location
	Body     []byte    // valid until the fleet's next call
}

// Fleet is a set of devices.
type Fleet struct {
	o       Options
	rules   rules
	devices []device
	next    int   // device whose turn it is
	beat    int64 // of all devices before next it is already past
	buf     []byte
	events  []Event
	ends    []int
}

// New builds a fleet.
func New(o Options) (*Fleet, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &Fleet{o: o, rules: rulesOf(o), devices: make([]device, o.Devices)}
	for i := range f.devices {
		f.devices[i].init(&f.o, &f.rules, i)
	}
	return f, nil
}

// Options returns the options with their defaults filled in.
func (f *Fleet) Options() Options { return f.o }

// Next returns the next event: every device once per beat, in order of their ids.
// It does not wait and does not end.
func (f *Fleet) Next() Event {
	for {
		d := &f.devices[f.next]
		f.buf = f.buf[:0]
		e, ok := d.advance(f, f.beat)
		if f.next++; f.next == len(f.devices) {
			f.next, f.beat = 0, f.beat+1
		}
		if ok {
			e.Body = f.buf
			return e
		}
	}
}

// Step returns the events of all beats that begin at or before t and were not
// returned yet. The slice, too, is valid until the next call.
func (f *Fleet) Step(t time.Time) []Event {
	f.reset()
	for !f.o.Start.Add(time.Duration(f.beat) * f.o.Interval).After(t) {
		f.add()
	}
	return f.collect()
}

// stepBeats returns up to n events of the current beat; more says that the beat has others.
func (f *Fleet) stepBeats(n int) (events []Event, more bool) {
	f.reset()
	beat := f.beat
	for f.beat == beat && len(f.events) < n {
		f.add()
	}
	return f.collect(), f.beat == beat
}

func (f *Fleet) reset() {
	f.buf, f.events, f.ends = f.buf[:0], f.events[:0], f.ends[:0]
}

// add appends the event of the device whose turn it is, if it has one.
func (f *Fleet) add() {
	e, ok := f.devices[f.next].advance(f, f.beat)
	if f.next++; f.next == len(f.devices) {
		f.next, f.beat = 0, f.beat+1
	}
	if ok {
		f.events, f.ends = append(f.events, e), append(f.ends, len(f.buf))
	}
}

// collect points the events at their bodies, which may have moved while buf grew.
func (f *Fleet) collect() []Event {
	start := 0
	for i, end := range f.ends {
		f.events[i].Body = f.buf[start:end:end]
		start = end
	}
	return f.events
}
