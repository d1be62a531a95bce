package simulator

import (
	"fmt"
	"time"
)

// device is the state of one walk. Its beats are computed in order, so that beat n
// depends on the random numbers of beats 0..n of this device only.
type device struct {
	index    int
	id       string
	location string
	kind     string
	role     role
	prefix   []byte // of every body, up to the temperature
	skew     time.Duration
	offset   time.Duration // within a beat: devices of one batch speak one after the other

	temperature, humidity, pressure, battery, signal reading
}

// reading is a value and whether it is written as an integer, as Python does where
// a clamp replaced a float by its own integer bound.
type reading struct {
	v     float64
	whole bool
}

func (r *reading) walk(step, lo, hi float64) {
	r.v, r.whole = r.v+step, false
	r.clamp(lo, hi)
}

func (r *reading) clamp(lo, hi float64) {
	switch {
	case r.v >= hi:
		r.v, r.whole = hi, true
	case r.v <= lo:
		r.v, r.whole = lo, true
	}
}

func (d *device) init(o *Options, r *rules, i int) {
	rng := newRandom(o.Seed, i, -1)
	d.index = i
	d.id = fmt.Sprintf("device-%03d", i)
	d.location = o.Locations[rng.below(len(o.Locations))]
	d.kind = o.Types[rng.below(len(o.Types))]
	d.temperature.v, d.humidity.v, d.pressure.v, d.battery.v, d.signal.v = 25, 60, 1013.25, 100, -65
	d.offset = time.Duration(i) * min(37*time.Microsecond, o.Interval/time.Duration(o.Devices))
	if r.overheating {
		switch d.role = roleOf(i, o.Devices); d.role {
		case dying:
			d.battery.v = 9
		case lowBattery:
			d.battery.v = 16
		case weakSignal:
			d.signal.v = -90
		}
	}
	if r.clock && rng.below(20) == 0 {
		d.skew = 6 * time.Minute
	}
	d.prefix = appendPrefix(nil, d.id, d.location, d.kind)
}

// advance computes one beat and appends its body to f.buf. Without an event in that
// beat it returns false.
func (d *device) advance(f *Fleet, beat int64) (Event, bool) {
	o, rules := &f.o, &f.rules
	rng := newRandom(o.Seed, d.index, beat)
	d.walk(&rng)

	if rules.overheating && beat%d.role.every(o.Interval) != 0 {
		return Event{}, false
	}
	if rules.silent && silentAt(o, d.index, beat) {
		return Event{}, false
	}
	sent := o.Start.Add(time.Duration(beat)*o.Interval + d.offset).Truncate(time.Microsecond)
	stamp := sent.Add(d.skew)
	if rules.disorder {
		if pair := newRandom(o.Seed, d.index, -2-beat/2); pair.below(3) == 0 {
			stamp = stamp.Add(time.Duration(1-2*(beat&1)) * o.Interval) // an even beat takes the time of the odd one behind it
		}
	}
	if rules.late && rng.below(10) == 0 {
		stamp = stamp.Add(-30*time.Second - time.Duration(rng.below(570_000_000))*time.Microsecond)
	}

	temperature := d.temperature
	if rules.overheating {
		if t := rules.shape(temperature.v, d.index, o.Devices, beat); t != temperature.v {
			temperature = reading{v: t}
			temperature.clamp(-10, 120)
		}
	}
	start := len(f.buf)
	f.buf = append(f.buf, d.prefix...)
	f.buf = appendReadings(f.buf, temperature, d.humidity, d.pressure, d.battery, d.signal)
	f.buf = appendTimes(f.buf, d.id, stamp)
	if rules.malformed && rng.below(100) == 0 {
		f.buf = damage(f.buf, start, rng.below(4))
	}
	return Event{Device: d.id, Beat: beat, Time: sent, Type: d.kind, Location: d.location}, true
}

// walk makes one step of the seed's random walk. The clamps of the overheating
// scenario's weak devices are the same: only where they began differs.
func (d *device) walk(rng *random) {
	t := rng.between(-0.5, 0.5)
	h := rng.between(-1, 1)
	p := rng.between(-0.1, 0.1)
	b := -rng.between(0.01, 0.05)
	s := rng.between(-2, 2)
	if rng.float() < 0.05 {
		t += rng.between(-20, 20)
	}
	d.temperature.walk(t, -10, 50)
	d.humidity.walk(h, 0, 100)
	d.pressure.walk(p, 950, 1050)
	d.battery.walk(b, 0, 100)
	d.signal.walk(s, -100, -50)
	switch d.role {
	case lowBattery: // does not run down into the other role
		d.battery.clamp(12, 100)
		d.battery.whole = false
	case weakSignal: // does not recover
		d.signal.v = min(d.signal.v, -85)
	}
}

// silentAt says whether a device is in one of its quarters of an hour.
func silentAt(o *Options, device int, beat int64) bool {
	at := time.Duration(beat) * o.Interval
	rng := newRandom(o.Seed, device, -1<<40-int64(at/time.Hour))
	if rng.below(10) != 0 {
		return false
	}
	from := time.Duration(rng.below(45)) * time.Minute
	in := at % time.Hour
	return in >= from && in < from+15*time.Minute
}

// damage makes the body that begins at start undecodable.
func damage(b []byte, start, how int) []byte {
	body := b[start:]
	switch how {
	case 0: // cut off, as by a device that lost its link
		return b[:start+len(body)/2]
	case 1: // a byte that no UTF-8 text has
		body[len(body)/2] = 0xff
		body[len(body)-1] = ' '
		return b
	case 2: // not JSON
		return append(b[:start], "ERR sensor bus timeout"...)
	default: // nothing
		return b[:start]
	}
}

// random is a counter-based generator (SplitMix64): its sequence is a function of
// seed, device and beat.
type random struct{ s uint64 }

func newRandom(seed int64, device int, beat int64) random {
	s := mix(uint64(seed) + 0x9e3779b97f4a7c15)
	s = mix(s ^ uint64(device)*0xd1342543de82ef95)
	return random{mix(s ^ uint64(beat)*0xaf251af3b0f025b5)}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) next() uint64 {
	r.s += 0x9e3779b97f4a7c15
	return mix(r.s)
}

// float returns [0, 1).
func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }

func (r *random) between(lo, hi float64) float64 { return lo + (hi-lo)*r.float() }

// below returns 0..n-1.
func (r *random) below(n int) int { return int(r.next() >> 33 % uint64(n)) }
