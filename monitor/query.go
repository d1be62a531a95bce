package monitor

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"spate/internal/near"
)

// Query is a question for metrics.
type Query struct {
	Resource     string // namespace, eventhub/NAME, job/NAME, pipeline, a resource id; empty: what the metrics belong to
	Metrics      []string
	From, To     time.Time     // default the last hour
	Interval     time.Duration // default one minute
	Aggregations []string      // default each metric's primary one
	Split        []string      // dimensions that make series of their own
	Filter       string        // $filter of the service
	Top          int           // series at most; 0: all, or 10 with a filter
}

// Grains are the intervals that can be asked for, by their ISO 8601 names.
func Grains() map[string]time.Duration {
	return map[string]time.Duration{"PT1M": time.Minute, "PT5M": 5 * time.Minute, "PT15M": 15 * time.Minute,
		"PT30M": 30 * time.Minute, "PT1H": time.Hour, "PT6H": 6 * time.Hour, "PT12H": 12 * time.Hour, "P1D": 24 * time.Hour}
}

func grainName(d time.Duration) (string, bool) {
	for name, g := range Grains() {
		if g == d {
			return name, true
		}
	}
	return "", false
}

// ParseQuery reads the parameters of the metrics call.
func ParseQuery(resource string, v url.Values) (Query, error) {
	q := Query{Resource: resource, Filter: v.Get("$filter")}
	if q.Resource == "" {
		q.Resource = v.Get("resource")
	}
	list := func(name string) []string {
		var out []string
		for _, s := range strings.Split(v.Get(name), ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	q.Metrics, q.Aggregations, q.Split = list("metricnames"), list("aggregation"), list("split")
	if s := v.Get("interval"); s != "" {
		d, ok := Grains()[strings.ToUpper(s)]
		if !ok {
			return q, badRequest("interval %q is not one of PT1M, PT5M, PT15M, PT30M, PT1H, PT6H, PT12H, P1D", s)
		}
		q.Interval = d
	}
	if s := v.Get("timespan"); s != "" {
		from, to, ok := strings.Cut(s, "/")
		var err, err2 error
		q.From, err = time.Parse(time.RFC3339, from)
		q.To, err2 = time.Parse(time.RFC3339, to)
		if !ok || err != nil || err2 != nil {
			return q, badRequest("timespan %q is not START/END", s)
		}
	}
	if s := v.Get("top"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, badRequest("top %q is not a number above 0", s)
		}
		q.Top = n
	}
	return q, nil
}

// Answer is what the metrics call of Azure Monitor answers.
type Answer struct {
	Cost           int      `json:"cost"`
	Interval       string   `json:"interval"`
	Namespace      string   `json:"namespace"`
	ResourceRegion string   `json:"resourceregion"`
	Timespan       string   `json:"timespan"`
	Value          []Metric `json:"value"`
}

// Metric is one metric of an Answer.
type Metric struct {
	DisplayDescription string       `json:"displayDescription"`
	ErrorCode          string       `json:"errorCode"`
	ID                 string       `json:"id"`
	Name               Localized    `json:"name"`
	ResourceGroup      string       `json:"resourceGroup"`
	Timeseries         []Timeseries `json:"timeseries"`
	Type               string       `json:"type"`
	Unit               string       `json:"unit"`
}

// Localized is a name and how it is shown.
type Localized struct {
	LocalizedValue string `json:"localizedValue"`
	Value          string `json:"value"`
}

// Timeseries is the points of one metric with one set of dimension values.
type Timeseries struct {
	Data     []Point    `json:"data"`
	Metadata []Metadata `json:"metadatavalues"`
}

// Metadata is one dimension of a Timeseries.
type Metadata struct {
	Name  Localized `json:"name"`
	Value string    `json:"value"`
}

// Point is one interval; it is labelled with its start. An aggregation that was not
// asked for, or has no value, is nil.
type Point struct {
	Average   *Number `json:"average,omitempty"`
	Count     *Number `json:"count,omitempty"`
	Maximum   *Number `json:"maximum,omitempty"`
	Minimum   *Number `json:"minimum,omitempty"`
	TimeStamp string  `json:"timeStamp"`
	Total     *Number `json:"total,omitempty"`
}

// Number prints as the service prints: 12.0, never 12.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

// String is the shortest form with a point or an exponent.
func (n Number) String() string {
	s := strconv.FormatFloat(float64(n), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// List answers q.
func (h *History) List(q Query) (*Answer, error) {
	if len(q.Metrics) == 0 {
		return nil, badRequest("name one metric at least")
	}
	site := h.site()
	res, err := site.find(q.Resource, q.Metrics)
	if err != nil {
		return nil, err
	}
	now := h.o.Clock()
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-time.Hour)
	}
	if q.Interval == 0 {
		q.Interval = time.Minute
	}
	grain, ok := grainName(q.Interval)
	if !ok {
		return nil, badRequest("interval %s is not one of PT1M, PT5M, PT15M, PT30M, PT1H, PT6H, PT12H, P1D", q.Interval)
	}
	if !q.From.Before(q.To) {
		return nil, badRequest("the time span ends before it begins")
	}
	if q.To.Sub(q.From)/q.Interval > 150_000 {
		return nil, badRequest("the time span has more than 150000 intervals: ask for a longer interval")
	}
	from := q.From.Truncate(q.Interval)
	filter, err := parseFilter(q.Filter)
	if err != nil {
		return nil, err
	}
	split := append(slices.Clone(q.Split), filter.split()...)
	series, err := h.Select(q.Metrics, from, q.To)
	if err != nil {
		return nil, err
	}
	a := &Answer{Interval: grain, Namespace: res.namespace, ResourceRegion: site.Location,
		Timespan: stamp(q.From) + "/" + stamp(q.To), Cost: max(0, int(q.To.Sub(q.From)/time.Minute)*len(q.Metrics)-1)}
	for _, name := range q.Metrics {
		d, err := h.definition(res.namespace, name)
		if err != nil {
			return nil, err
		}
		var mine []*Series
		for _, s := range series {
			if strings.EqualFold(s.Name, name) && res.has(s) && filter.match(s) {
				mine = append(mine, s)
			}
		}
		lists, err := aggregations(q.Aggregations, d)
		if err != nil {
			return nil, err
		}
		m := Metric{DisplayDescription: d.Display + " for " + strings.Split(res.namespace, "/")[0] + ".", ErrorCode: "Success",
			ID:   res.id + "/providers/Microsoft.Insights/metrics/" + d.Name,
			Name: Localized{d.Display, d.Name}, ResourceGroup: site.Group, Type: "Microsoft.Insights/metrics", Unit: d.Unit,
			Timeseries: []Timeseries{}}
		for _, g := range grouped(mine, split) {
			rows := collapse(g.series, d.Unit, q.Interval)
			m.Timeseries = append(m.Timeseries, Timeseries{Data: points(rows, from, q.To, q.Interval, lists), Metadata: g.meta})
		}
		if q.Top == 0 && q.Filter != "" {
			q.Top = 10
		}
		if q.Top > 0 && len(m.Timeseries) > q.Top {
			m.Timeseries = m.Timeseries[:q.Top]
		}
		a.Value = append(a.Value, m)
	}
	return a, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// definition finds a metric of the namespace, among Spate's own too.
func (h *History) definition(namespace, name string) (Definition, error) {
	if d, ok := define(namespace, name); ok {
		return d, nil
	}
	var valid []string
	if namespace == Pipelines {
		for _, n := range h.Names() {
			if NamespaceOf(n) == Pipelines {
				valid = append(valid, n)
				if strings.EqualFold(n, name) {
					return Definition{Namespace: namespace, Name: n, Display: n, Unit: "Unspecified",
						Aggregations: []string{total, average, minimum, maximum}, Primary: average}, nil
				}
			}
		}
	}
	for _, d := range Definitions() {
		if d.Namespace == namespace {
			valid = append(valid, d.Name)
		}
	}
	provider, kind, _ := strings.Cut(namespace, "/")
	return Definition{}, badRequest("Failed to find metric configuration for provider: %s, resource Type: %s, metric: %s, Valid metrics: %s%s",
		provider, kind, name, strings.Join(valid, ","), h.meant(name))
}

// meant ends the text about a metric that its resource does not have.
func (h *History) meant(name string) string {
	known := h.Names()
	for _, d := range Definitions() {
		known = append(known, d.Name)
	}
	switch meant := near.Word(name, known); {
	case meant == "":
		return ""
	case strings.EqualFold(meant, name):
		return fmt.Sprintf(". %s is a metric of %s: ask for it in a call of its own, or name that resource", meant, NamespaceOf(meant))
	default:
		return ". Did you mean " + meant + "?"
	}
}

// aggregations are the asked ones in their own spelling, or the primary one.
func aggregations(asked []string, d Definition) ([]string, error) {
	if len(asked) == 0 {
		return []string{d.Primary}, nil
	}
	var out []string
	all := []string{average, count, maximum, minimum, total}
	for _, a := range asked {
		i := slices.IndexFunc(all, func(w string) bool { return strings.EqualFold(w, a) })
		if i < 0 {
			return nil, badRequest("aggregation %q is not one of %s", a, strings.Join(all, ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// group is the series that are shown as one.
type group struct {
	key    string
	meta   []Metadata
	series []*Series
}

// grouped puts series together that agree in the split dimensions. Without a split
// there is one group, even of none.
func grouped(series []*Series, split []string) []*group {
	if len(split) == 0 {
		return []*group{{meta: []Metadata{}, series: series}}
	}
	byKey := map[string]*group{}
	var out []*group
	for _, s := range series {
		g := &group{}
		for _, name := range split {
			v, _ := s.Label(name)
			g.key += v + "\x00"
			low := strings.ToLower(name)
			g.meta = append(g.meta, Metadata{Name: Localized{low, low}, Value: v})
		}
		if have := byKey[g.key]; have != nil {
			g = have
		} else {
			byKey[g.key] = g
			out = append(out, g)
		}
		g.series = append(g.series, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].key < out[j].key })
	return out
}

// collapse merges series into one row per interval. Gauges that count things add up
// across series, because they count different things; those in seconds and percent
// keep their extremes.
func collapse(series []*Series, unit string, interval time.Duration) map[int64]Row {
	minutes := int64(interval / time.Minute)
	out := map[int64]Row{}
	perMinute := map[int64][]Row{}
	for _, s := range series {
		sum := s.Gauge && (unit == "Count" || unit == "Bytes")
		for _, r := range s.Rows {
			if sum && r.Count > 0 {
				perMinute[r.Minute] = append(perMinute[r.Minute], r)
				continue
			}
			slot := floor(r.Minute, minutes)
			have := out[slot]
			have.merge(r)
			out[slot] = have
		}
	}
	for minute, rows := range perMinute {
		var added Row
		for _, r := range rows {
			added.Count = max(added.Count, r.Count)
			added.Total += r.Total / float64(r.Count)
			added.Min += r.Min
			added.Max += r.Max
		}
		added.Total *= float64(added.Count)
		slot := floor(minute, minutes)
		have := out[slot]
		have.merge(added)
		out[slot] = have
	}
	return out
}

func floor(minute, minutes int64) int64 { return minute - minute%minutes }

func points(rows map[int64]Row, from, to time.Time, interval time.Duration, lists []string) []Point {
	out := []Point{}
	for t := from; t.Before(to); t = t.Add(interval) {
		p := Point{TimeStamp: stamp(t)}
		if r, ok := rows[minuteOf(t)]; ok {
			for _, a := range lists {
				p.set(a, r)
			}
		}
		out = append(out, p)
	}
	return out
}

func (p *Point) set(aggregation string, r Row) {
	var mean float64
	if r.Count > 0 {
		mean = r.Total / float64(r.Count)
	}
	switch aggregation {
	case average:
		p.Average = number(mean)
	case count:
		p.Count = number(float64(r.Count))
	case maximum:
		p.Maximum = number(r.Max)
	case minimum:
		p.Minimum = number(r.Min)
	case total:
		p.Total = number(r.Total)
	}
}

func number(f float64) *Number {
	n := Number(f)
	return &n
}

// Value is the point's value for the first aggregation that it has.
func (p *Point) Value() (Number, bool) {
	for _, n := range []*Number{p.Total, p.Average, p.Maximum, p.Minimum, p.Count} {
		if n != nil {
			return *n, true
		}
	}
	return 0, false
}

// Of is the point's value for an aggregation, whatever its case.
func (p *Point) Of(aggregation string) (Number, bool) {
	for name, n := range map[string]*Number{average: p.Average, count: p.Count, maximum: p.Maximum, minimum: p.Minimum, total: p.Total} {
		if n != nil && strings.EqualFold(name, aggregation) {
			return *n, true
		}
	}
	return 0, false
}

// Title names a series of the answer: the metric, and its dimensions if split.
func (m *Metric) Title(t *Timeseries) string {
	s := m.Name.Value
	for _, d := range t.Metadata {
		s += fmt.Sprintf(" %s=%s", d.Name.Value, d.Value)
	}
	return s
}
