package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/monitor"
)

// metricFlags are the flags of metrics list.
type metricFlags struct {
	resource, interval, start, end, offset, filter string
	metrics, aggregations, split                   []string
	top                                            int
}

func (a *app) metrics() *cobra.Command {
	cmd := &cobra.Command{Use: "metrics", Short: "Metrics of the pipeline", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var f metricFlags
	list := &cobra.Command{
		Use:   "list --metric NAME[,NAME]",
		Short: "Minute values of metrics, of a running or a stopped pipeline",
		Args:  cobra.NoArgs,
		RunE:  do(func(cmd *cobra.Command, _ []string) error { return a.listMetrics(cmd.Context(), &f) }),
	}
	fl := list.Flags()
	fl.StringVar(&f.resource, "resource", "", "namespace, eventhub/NAME, job/NAME, pipeline or a resource id")
	fl.StringSliceVar(&f.metrics, "metric", nil, "metrics")
	fl.StringSliceVar(&f.metrics, "metrics", nil, "metrics")
	fl.StringVar(&f.interval, "interval", "PT1M", "1m, PT1M, 5m, 1h, ...")
	fl.StringSliceVar(&f.aggregations, "aggregation", nil, "Average, Count, Maximum, Minimum, Total (default: the metric's own)")
	fl.StringVar(&f.start, "start-time", "", "begin")
	fl.StringVar(&f.end, "end-time", "", "end (default: now)")
	fl.StringVar(&f.offset, "offset", "1h", "span, where begin or end is not given")
	fl.StringSliceVar(&f.split, "split", nil, "dimensions that make series of their own")
	fl.StringSliceVar(&f.split, "dimension", nil, "same as --split")
	fl.StringVar(&f.filter, "filter", "", "EntityName eq 'NAME', ...")
	fl.IntVar(&f.top, "top", 0, "series at most")
	definitions := &cobra.Command{
		Use:   "list-definitions",
		Short: "The metrics there are",
		Args:  cobra.NoArgs,
		RunE:  do(func(*cobra.Command, []string) error { return a.listDefinitions() }),
	}
	cmd.AddCommand(list, definitions)
	return cmd
}

// values are the parameters of the metrics call.
func (f *metricFlags) values(now time.Time) (url.Values, error) {
	if len(f.metrics) == 0 {
		return nil, errors.New("name the metrics: --metric InputEvents,OutputEvents")
	}
	interval, err := config.ParseDuration(f.interval)
	if err != nil {
		return nil, fmt.Errorf("--interval: %w", err)
	}
	grain := ""
	for name, d := range monitor.Grains() {
		if d == interval {
			grain = name
		}
	}
	if grain == "" {
		return nil, fmt.Errorf("--interval %s: want 1m, 5m, 15m, 30m, 1h, 6h, 12h or 1d", f.interval)
	}
	offset, err := config.ParseDuration(f.offset)
	if err != nil {
		return nil, fmt.Errorf("--offset: %w", err)
	}
	from, to, err := f.span(now, offset)
	if err != nil {
		return nil, err
	}
	v := url.Values{"metricnames": {strings.Join(f.metrics, ",")}, "interval": {grain},
		"timespan": {from.UTC().Format(time.RFC3339) + "/" + to.UTC().Format(time.RFC3339)}}
	for key, value := range map[string]string{"resource": f.resource, "aggregation": strings.Join(f.aggregations, ","),
		"split": strings.Join(f.split, ","), "$filter": f.filter} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if f.top > 0 {
		v.Set("top", strconv.Itoa(f.top))
	}
	return v, nil
}

func (f *metricFlags) span(now time.Time, offset time.Duration) (from, to time.Time, err error) {
	to = now.Add(time.Second) // the span's end is open, and this second counts
	if f.end != "" {
		if to, err = config.ParseTime(f.end); err != nil {
			return from, to, fmt.Errorf("--end-time: %w", err)
		}
	}
	from = to.Add(-offset)
	if f.start != "" {
		if from, err = config.ParseTime(f.start); err != nil {
			return from, to, fmt.Errorf("--start-time: %w", err)
		}
		if f.end == "" && offset != time.Hour {
			to = from.Add(offset)
		}
	}
	return from, to, nil
}

func (a *app) listMetrics(ctx context.Context, f *metricFlags) error {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	v, err := f.values(time.Now())
	if err != nil {
		return withCode(usage, err)
	}
	answer, err := a.askMetrics(ctx, v)
	if err != nil {
		var e *monitor.Error
		if errors.As(err, &e) && e.Status == 404 {
			return withCode(notFound, err)
		} else if errors.As(err, &e) && e.Status == 400 {
			return withCode(usage, err)
		}
		return err
	}
	return a.printMetrics(form, answer, f.aggregations)
}

// askMetrics asks the running instance, or reads the history that it left.
func (a *app) askMetrics(ctx context.Context, v url.Values) (*monitor.Answer, error) {
	i, err := a.instance()
	if err != nil {
		return nil, err
	}
	dir := i.dir
	if i.address != "" {
		answer, err := getMetrics(ctx, i, v, cmpTimeout(a.timeout))
		var lost *url.Error
		if err == nil || !errors.As(err, &lost) {
			return answer, err
		}
		if a.address != "" {
			return nil, withCode(noConnection, err)
		}
		// The instance was killed: what it wrote is still there.
	}
	h, err := monitor.Read(monitor.Options{Dir: filepath.Join(dir, "metrics")})
	if err != nil {
		return nil, err
	}
	q, err := monitor.ParseQuery("", v)
	if err != nil {
		return nil, err
	}
	return h.List(q)
}

func cmpTimeout(d time.Duration) time.Duration {
	if d <= 0 {
		return 30 * time.Second
	}
	return d
}

func getMetrics(ctx context.Context, i instance, v url.Values, timeout time.Duration) (*monitor.Answer, error) {
	answer := &monitor.Answer{}
	return answer, i.call(ctx, http.MethodGet, "/api/metrics?"+v.Encode(), timeout, answer)
}

// metricColumn is a series of an answer, and how its points are read.
type metricColumn struct {
	title string
	data  []monitor.Point
	of    func(p *monitor.Point) (monitor.Number, bool)
}

// metricColumns are the columns of an answer: one per series and asked aggregation.
func metricColumns(answer *monitor.Answer, aggregations []string) []metricColumn {
	var columns []metricColumn
	for i := range answer.Value {
		m := &answer.Value[i]
		for k := range m.Timeseries {
			t := &m.Timeseries[k]
			if len(aggregations) < 2 {
				columns = append(columns, metricColumn{m.Title(t), t.Data, (*monitor.Point).Value})
				continue
			}
			for _, name := range aggregations {
				columns = append(columns, metricColumn{m.Title(t) + " " + strings.ToLower(name), t.Data,
					func(p *monitor.Point) (monitor.Number, bool) { return p.Of(name) }})
			}
		}
	}
	return columns
}

// printMetrics prints one row per time. Times at which no series has a value are left
// out of the table.
func (a *app) printMetrics(form string, answer *monitor.Answer, aggregations []string) error {
	head := []string{"Time"}
	columns := metricColumns(answer, aggregations)
	for _, c := range columns {
		head = append(head, c.title)
	}
	rows := 0
	err := a.printList(form, answer, strings.Join(head, "\t"), func(out io.Writer) {
		for i := 0; len(columns) > 0 && i < len(columns[0].data); i++ {
			cells, some := []string{columns[0].data[i].TimeStamp}, false
			for _, c := range columns {
				cell := "-"
				if v, ok := c.of(&c.data[i]); ok {
					cell, some = v.String(), true
				}
				cells = append(cells, cell)
			}
			if some || form == "tsv" {
				fmt.Fprintln(out, strings.Join(cells, "\t"))
				rows++
			}
		}
	})
	if err != nil {
		return err
	}
	if rows == 0 && form != "json" && !a.quiet {
		fmt.Fprintln(a.stderr, "nothing was recorded in "+answer.Timespan)
	}
	return nil
}

func (a *app) listDefinitions() error {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	return a.printList(form, monitor.Definitions(), "Metric\tUnit\tAggregation\tNamespace", func(out io.Writer) {
		for _, d := range monitor.Definitions() {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", d.Name, d.Unit, d.Primary, d.Namespace)
		}
	})
}
