package simulator

import (
	"fmt"
	"strings"
	"time"
)

// Scenario names what a fleet does.
type Scenario string

// Scenarios.
const (
	// Seed is the plain random walk with its clamps: temperature -10..50, humidity
	// 0..100, pressure 950..1050, battery 0..100, signal -100..-50.
	Seed Scenario = "seed"

	// Overheating leaves those clamps, so that each kind of alert in the usual
	// telemetry query has a device that causes it. In every cycle of two minutes (12
	// beats at least) the next device in turn is heated to 95 degrees and cooled
	// again, another makes a jump of 25 degrees and back, a third one of 17. Counted
	// from the end of the fleet, one in twenty devices each has a battery below 10,
	// speaks only every 200 seconds, has a battery of about 15, speaks every 80
	// seconds, has a signal near -90. Temperature alerts come within the first
	// cycle; health alerts at the end of the query's first window of ten minutes.
	// Fleets of fewer than 8 devices do not show every kind.
	Overheating Scenario = "overheating"

	// Late lets a tenth of the events carry a Timestamp 30 seconds to 10 minutes ago.
	Late Scenario = "late"

	// Disorder exchanges the Timestamps of neighbouring beats, for a third of the pairs.
	Disorder Scenario = "disorder"

	// Malformed damages one body in a hundred so that it is no JSON object.
	Malformed Scenario = "malformed"

	// Clock sets the clocks of one device in twenty 6 minutes ahead.
	Clock Scenario = "clock"

	// Silent lets one device in ten say nothing for 15 minutes of each hour.
	Silent Scenario = "silent"

	// Mixed is all of the above together.
	Mixed Scenario = "mixed"
)

// Scenarios lists the names ParseScenario accepts.
func Scenarios() []Scenario {
	return []Scenario{Seed, Overheating, Late, Disorder, Malformed, Clock, Silent, Mixed}
}

// ParseScenario checks a name; empty means Seed.
func ParseScenario(name string) (Scenario, error) {
	if name == "" {
		return Seed, nil
	}
	for _, s := range Scenarios() {
		if strings.EqualFold(name, string(s)) {
			return s, nil
		}
	}
	switch strings.ToLower(name) {
	case "cold", "battery", "weak-signal", "burst", "skew":
		return "", fmt.Errorf("simulator: scenario %q is not supported yet", name)
	}
	names := make([]string, 0, 8)
	for _, s := range Scenarios() {
		names = append(names, string(s))
	}
	return "", fmt.Errorf("simulator: unknown scenario %q, want one of %s", name, strings.Join(names, ", "))
}

// rules is a scenario as switches.
type rules struct {
	overheating, late, disorder, malformed, clock, silent bool

	cycle int64 // beats of one overheating cycle
}

func rulesOf(o Options) rules {
	s, all := o.Scenario, o.Scenario == Mixed
	return rules{
		overheating: all || s == Overheating,
		late:        all || s == Late,
		disorder:    all || s == Disorder,
		malformed:   all || s == Malformed,
		clock:       all || s == Clock,
		silent:      all || s == Silent,
		cycle:       max(12, int64(2*time.Minute/o.Interval)),
	}
}

// role is what one device is for in the overheating scenario, besides its turns
// at being hot or jumping.
type role uint8

const (
	ordinary   role = iota
	dying           // battery below 10
	quiet           // an event every 200 s
	lowBattery      // battery about 15
	rare            // an event every 80 s
	weakSignal      // signal near -90
)

// roleOf counts from the end, so that the first devices are left for the temperature.
func roleOf(device, devices int) role {
	if r := role((devices - 1 - device) % 20); r < 5 && device >= 3 || devices == 1 {
		return dying + r
	}
	return ordinary
}

// every returns how many beats lie between two events of a device with that role.
func (r role) every(interval time.Duration) int64 {
	switch r {
	case quiet:
		return max(1, int64(200*time.Second/interval))
	case rare:
		return max(1, int64(80*time.Second/interval))
	}
	return 1
}

const (
	hotTemperature = 95
	highJump       = 25 // above the query's 20
	mediumJump     = 17 // between its 15 and 20
)

// shape returns the temperature that a device shows at a beat, for the walk's one.
func (r *rules) shape(walk float64, device, devices int, beat int64) float64 {
	turn, at := beat/r.cycle, beat%r.cycle
	mod := int64(devices)
	t := walk
	if turn%mod == int64(device) {
		t += (hotTemperature - walk) * heat(at, r.cycle)
	}
	high, medium := r.cycle/4, r.cycle/4+3
	if devices < 3 { // the one being heated has to cool first
		high, medium = r.cycle*3/4, r.cycle*3/4+2
	}
	if at == high && (turn+1)%mod == int64(device) {
		t += highJump
	}
	if at == medium && (turn+2)%mod == int64(device) {
		t += mediumJump
	}
	return t
}

// heat is how much of the way to hotTemperature is gone at beat at of a cycle: up
// in three eighths of it, held for an eighth, down within the next quarter.
func heat(at, cycle int64) float64 {
	x := float64(at) / float64(cycle)
	switch {
	case x < 0.375:
		return x / 0.375
	case x < 0.5:
		return 1
	case x < 0.75:
		return 1 - (x-0.5)/0.25
	}
	return 0
}
