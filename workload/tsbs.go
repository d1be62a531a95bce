package workload

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"spate/column"
	"spate/connector"
	"spate/stream/exec"
)

// TSBSOptions say how tsbs is run.
type TSBSOptions struct {
	Events int       // about, that the trucks send; default 1,000,000, of which the answers are known
	Log    io.Writer // progress, one line per query; may be nil
}

// tsbsPolicy is so narrow that of the events that come late some are put in order, and
// the others adjusted.
var tsbsPolicy = exec.TimePolicy{Late: 2 * column.Second, Disorder: 500 * column.Millisecond}

// TSBS asks the questions of the IoT benchmark of TSBS of a fleet of trucks as they send:
// batches and entries are missing, come late, and have fields and tags that are empty.
func TSBS(ctx context.Context, o TSBSOptions) (*Report, error) {
	if o.Events == 0 {
		o.Events = standardEvents
	}
	r := &Report{Workload: "tsbs"}
	return r, questions(ctx, r, o.Log, tsbsQuestions, "trucks", tsbsSource(o.Events), tsbsPolicy, o.Events == standardEvents)
}

const tsbsSteps = `WITH R AS (SELECT name, fleet, driver, velocity, fuel_consumption, nominal_fuel_consumption
	FROM trucks TIMESTAMP BY time WHERE measurement = 'readings'),
D AS (SELECT name, fleet, driver, model, fuel_state, current_load, load_capacity, status
	FROM trucks TIMESTAMP BY time WHERE measurement = 'diagnostics')`

var tsbsQuestions = []question{
	{name: "low fuel", rows: 89, checksum: "9a2ed8e516baac7e", script: tsbsSteps + `
SELECT name, driver, fuel_state, System.Timestamp() AS at INTO o FROM D
WHERE fuel_state < 0.1 AND LAG(fuel_state) OVER (PARTITION BY name LIMIT DURATION(minute, 10)) >= 0.1`},
	{name: "high load", rows: 50469, checksum: "d99cbfa9c80fc51e", script: tsbsSteps + `
SELECT name, driver, current_load, load_capacity INTO o FROM D WHERE current_load / load_capacity > 0.9`},
	{name: "stationary trucks", rows: 1047, checksum: "c6543e4b910aeaf7", script: tsbsSteps + `
SELECT name, driver, AVG(velocity) AS velocity, System.Timestamp() AS at INTO o FROM R
GROUP BY name, driver, TumblingWindow(minute, 10) HAVING AVG(velocity) < 1`},
	{name: "long driving sessions", rows: 4378, checksum: "99c54feb89f837ef", script: tsbsSteps + `,
W AS (SELECT name, driver, AVG(velocity) AS velocity FROM R GROUP BY name, driver, TumblingWindow(minute, 10))
SELECT name, driver, COUNT(*) AS n, System.Timestamp() AS at INTO o FROM W WHERE velocity > 1
GROUP BY name, driver, HoppingWindow(minute, 240, 10) HAVING COUNT(*) > 22`},
	{name: "average and projected consumption", rows: 81, checksum: "854b3853691e5746", script: tsbsSteps + `
SELECT fleet, AVG(fuel_consumption) AS used, AVG(nominal_fuel_consumption) AS projected, System.Timestamp() AS at INTO o
FROM R WHERE velocity > 1 GROUP BY fleet, TumblingWindow(hour, 1)`},
	{name: "breakdowns", rows: 51, checksum: "46a44ba77777eb5d", script: tsbsSteps + `,
S AS (SELECT model, status, LAG(status) OVER (PARTITION BY name LIMIT DURATION(hour, 1) WHEN status IS NOT NULL) AS before FROM D)
SELECT model, COUNT(*) AS n, System.Timestamp() AS at INTO o FROM S WHERE status = 0 AND before > 0
GROUP BY model, TumblingWindow(hour, 1)`},
	{name: "daily activity", rows: 781, checksum: "286e09952b1e4c53", script: tsbsSteps + `
SELECT fleet, model, COUNT(*) AS n, COUNT(DISTINCT name) AS trucks, SUM(CASE WHEN status > 0 THEN 1 ELSE 0 END) AS active, System.Timestamp() AS at INTO o
FROM D GROUP BY fleet, model, HoppingWindow(hour, 24, 1)`},
}

const (
	trucks       = 100
	tsbsInterval = 10 * column.Second // between two reports of a truck
	tsbsBatch    = 10                 // entries that are sent together
)

var (
	tsbsFleets   = []string{"East", "West", "North", "South"}
	tsbsDrivers  = []string{"Derek", "Rodney", "Albert", "Andy", "Seth", "Trish"}
	tsbsVersions = []string{"v1.0", "v1.5", "v2.0", "v2.3"}
	tsbsModels   = []truckModel{{"F-150", 2000, 200, 15}, {"G-2000", 5000, 300, 19}, {"H-2", 1500, 150, 12}}
)

type truckModel struct {
	name                string
	load, fuel, nominal int
}

type truck struct {
	name, fleet, driver, version string
	model                        truckModel
	lat, lon, elevation, heading float64
	velocity, fuel, load, grade  float64
	parked                       int // reports for which it stands still
}

// entry is what one truck sends at once.
type entry struct {
	at   column.Ticks
	body []byte
}

// tsbsGenerator makes a fleet and what happens to its messages on the way.
type tsbsGenerator struct {
	r     *rand.Rand
	fleet []truck
	next  int // number of the next report of the fleet

	late []entry   // entries that are held back, the first in front
	held [][]entry // batches that are
}

// tsbsSource makes n events in two partitions.
func tsbsSource(n int) *spreadSource {
	g := &tsbsGenerator{r: rand.New(rand.NewPCG(3, 4))}
	for i := range trucks {
		g.fleet = append(g.fleet, truck{
			name: fmt.Sprintf("truck_%d", i), fleet: pickOne(g.r, tsbsFleets), driver: pickOne(g.r, tsbsDrivers),
			version: pickOne(g.r, tsbsVersions), model: pickOne(g.r, tsbsModels),
			lat: g.r.Float64()*180 - 90, lon: g.r.Float64()*360 - 180, elevation: g.r.Float64() * 500,
			heading: g.r.Float64() * 360, velocity: g.r.Float64() * 100, fuel: 1, load: g.r.Float64(), grade: g.r.Float64() * 10,
		})
	}
	var bodies [][]byte
	var arrivals []column.Ticks
	for len(bodies) < n {
		sent, now := g.batch()
		for _, e := range sent {
			bodies, arrivals = append(bodies, e.body), append(arrivals, now)
		}
	}
	src := &spreadSource{n: n, parts: 2, arrival: func(i int) column.Ticks { return arrivals[i] },
		body: func(dst []byte, i int) []byte { return append(dst, bodies[i]...) }}
	src.fill()
	return src
}

var _ connector.Source = (*spreadSource)(nil)

// batch makes ten reports and gives what arrives then, and when.
func (g *tsbsGenerator) batch() (sent []entry, now column.Ticks) {
	var made []entry
	for len(made) < tsbsBatch {
		e := g.report()
		switch x := g.r.Float64(); {
		case x < 0.1: // missing
		case x < 0.4:
			g.late = append(g.late, e)
		default:
			made = append(made, e)
		}
		if len(g.late) > 0 && g.r.IntN(2) == 0 {
			made, g.late = append(made, g.late[0]), g.late[1:]
		}
		now = e.at
	}
	now += 50 * column.Millisecond
	switch x := g.r.Float64(); {
	case x < 0.01: // missing
	case x < 0.06:
		g.held = append(g.held, made)
		return nil, now
	default:
		sent = made
	}
	if len(g.held) > 0 && g.r.IntN(2) == 0 {
		sent, g.held = append(sent, g.held[0]...), g.held[1:]
	}
	return sent, now
}

// report moves the next truck and tells what it sends: readings and diagnostics in turn.
func (g *tsbsGenerator) report() entry {
	n := g.next
	g.next++
	i := n / 2 % trucks
	t := &g.fleet[i]
	at := benchEpoch + column.Ticks(n/2/trucks)*tsbsInterval + column.Ticks(i)*tsbsInterval/trucks
	b := fmt.Appendf(nil, `{"measurement":%q,"time":"%s","name":%q`, [...]string{"readings", "diagnostics"}[n%2], at, t.name)
	tag := func(name, value string) {
		if g.r.IntN(100) > 0 {
			b = fmt.Appendf(b, `,"%s":%q`, name, value)
		}
	}
	field := func(name, form string, value any) {
		if g.r.IntN(10) > 0 {
			b = fmt.Appendf(b, `,"%s":`+form, name, value)
		}
	}
	tag("fleet", t.fleet)
	tag("driver", t.driver)
	tag("model", t.model.name)
	tag("device_version", t.version)
	b = fmt.Appendf(b, `,"load_capacity":%d,"fuel_capacity":%d,"nominal_fuel_consumption":%d`, t.model.load, t.model.fuel, t.model.nominal)
	if n%2 == 0 {
		g.drive(t)
		field("latitude", "%.5f", t.lat)
		field("longitude", "%.5f", t.lon)
		field("elevation", "%.0f", t.elevation)
		field("velocity", "%.0f", t.velocity)
		field("heading", "%.0f", t.heading)
		field("grade", "%.0f", t.grade)
		used := 0.0
		if t.velocity > 0 {
			used = float64(t.model.nominal) * (0.5 + t.velocity/100)
		}
		field("fuel_consumption", "%.1f", used)
	} else {
		field("fuel_state", "%.3f", t.fuel)
		field("current_load", "%.1f", t.load*float64(t.model.load))
		status := 0
		if t.velocity > 0 {
			status = 1 + g.r.IntN(5)
		}
		field("status", "%d", status)
	}
	return entry{at, append(b, '}')}
}

func (g *tsbsGenerator) drive(t *truck) {
	walk := func(x, step, lo, hi float64) float64 { return min(max(x+(g.r.Float64()*2-1)*step, lo), hi) }
	switch {
	case t.parked > 0:
		t.parked--
		t.velocity = 0
		if t.parked == 0 {
			t.fuel, t.load, t.velocity = 1, g.r.Float64(), 30
		}
	case g.r.IntN(2000) == 0:
		t.parked, t.velocity = 30+g.r.IntN(400), 0
	default:
		t.velocity = walk(t.velocity, 10, 1, 100)
		t.fuel = max(t.fuel-0.0005*(0.5+t.velocity/100), 0)
	}
	t.lat, t.lon = walk(t.lat, 0.002*t.velocity/100, -90, 90), walk(t.lon, 0.002*t.velocity/100, -180, 180)
	t.elevation, t.grade = walk(t.elevation, 10, 0, 5000), walk(t.grade, 3, 0, 100)
	t.heading = math.Mod(t.heading+g.r.Float64()*10, 360)
}
