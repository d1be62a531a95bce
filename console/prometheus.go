package console

import (
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"spate/metric"
	"spate/monitor"
)

// registry exposes the recorder: nothing is counted a second time.
func registry(o Options) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&exposition{namespace: o.Namespace, recorder: o.Recorder})
	return r
}

// exposition is a collector of what the recorder holds at the scrape.
type exposition struct {
	namespace string
	recorder  *metric.Recorder
}

// Describe sends nothing: the series are not known beforehand.
func (e *exposition) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (e *exposition) Collect(out chan<- prometheus.Metric) {
	for _, s := range e.recorder.Series() {
		name, labels, values := e.exposed(s)
		desc := prometheus.NewDesc(name, help(s.Name), labels, nil)
		kind, value := prometheus.GaugeValue, s.Gauge.Value()
		if s.Counter != nil {
			kind, value = prometheus.CounterValue, float64(s.Counter.Value())
		}
		m, err := prometheus.NewConstMetric(desc, kind, value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		out <- m
	}
}

// help is what the metric is called where it is defined.
func help(name string) string {
	for _, d := range monitor.Definitions() {
		if d.Name == name {
			return d.Display + " (" + d.Namespace + ": " + d.Name + ")."
		}
	}
	return name + "."
}

// exposed is the name and the labels of a series. Names are stable: spate_eventhubs_*,
// spate_job_* and spate_*, in snake case, counters with _total, bytes and seconds as
// units (monitoring.md 11).
func (e *exposition) exposed(s *metric.Series) (name string, labels, values []string) {
	prefix := "spate_"
	switch monitor.NamespaceOf(s.Name) {
	case monitor.EventHubs:
		prefix = "spate_eventhubs_"
		labels, values = []string{"namespace"}, []string{e.namespace}
	case monitor.Jobs:
		prefix = "spate_job_"
	}
	name = prefix + snake(s.Name)
	if s.Name == "Size" {
		name += "_bytes"
	}
	if s.Counter != nil {
		name += "_total"
	}
	for _, l := range s.Labels {
		labels, values = append(labels, labelName(l.Name)), append(values, l.Value)
	}
	return name, labels, values
}

func labelName(s string) string {
	switch s {
	case "EntityName":
		return "eventhub"
	case "JobName":
		return "job"
	case "LogicalName":
		return "alias"
	case "PartitionId":
		return "partition"
	}
	return snake(s)
}

// snake turns OutputWatermarkDelaySeconds into output_watermark_delay_seconds.
func snake(s string) string {
	var b strings.Builder
	rs := []rune(s)
	for i, c := range rs {
		if unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(unicode.ToLower(c))
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}
