package config

import (
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"spate/pipeline"
)

// fields is a map in the order in which it is printed; empty values are left out.
type fields struct{ items yaml.MapSlice }

func (f *fields) add(key string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case *fields:
		if v == nil || len(v.items) == 0 {
			return
		}
		value = v.items
	case time.Duration:
		value = FormatDuration(v)
	}
	f.items = append(f.items, yaml.MapItem{Key: key, Value: value})
}

// always adds a map that may be empty.
func (f *fields) always(key string, value *fields) {
	f.items = append(f.items, yaml.MapItem{Key: key, Value: value.items})
}

// Print writes the effective configuration of p as a pipeline file, with *** for
// secrets.
func Print(w io.Writer, p *Pipeline) error {
	o := &p.Options
	top := &fields{}
	top.add("version", 1)
	top.add("name", o.Name)
	top.add("subscription", o.Subscription)
	top.add("location", o.Location)
	top.add("server", printServer(o))
	top.add("namespace", printNamespace(o))
	storage := &fields{}
	storage.add("path", o.Dir)
	storage.add("account", o.Storage.Account)
	storage.add("container", o.Storage.Container)
	storage.add("database", o.Storage.Database)
	top.add("storage", storage)
	tables := &fields{}
	for _, t := range o.Tables {
		tables.always(t.Database+"."+t.Name, printTable(t))
	}
	top.add("tables", tables)
	jobs := &fields{}
	for _, j := range o.Jobs {
		jobs.always(j.Name, p.printJob(j))
	}
	top.add("jobs", jobs)
	captures := &fields{}
	for _, c := range o.Captures {
		f := &fields{}
		f.add("table", c.Table)
		f.add("columns", printColumns(c.Columns))
		f.add("mismatch", strict(c.Strict))
		captures.always(c.Hub, f)
	}
	top.add("capture", captures)
	top.add("monitor", printMonitor(o))
	notify := &fields{}
	for _, n := range o.Notify {
		f := &fields{}
		f.add("hub", n.Hub)
		f.add("actionGroups", n.ActionGroups)
		notify.always(n.Name, f)
	}
	top.add("notify", notify)
	top.add("simulate", printSimulate(o.Simulate))
	data, err := yaml.MarshalWithOptions(top.items, yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	text := string(data)
	for _, s := range p.Secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	_, err = io.WriteString(w, text)
	return err
}

func printServer(o *pipeline.Options) *fields {
	port := func(addr string) any {
		if _, port, err := net.SplitHostPort(addr); err == nil {
			return port
		}
		return "off"
	}
	one := func(key, addr string) *fields {
		f := &fields{}
		f.add(key, port(addr))
		return f
	}
	f := &fields{}
	for _, addr := range []string{o.Listen.AMQPS, o.Listen.AMQP, o.Listen.Kafka, o.Listen.HTTP} {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			f.add("bind", host)
			break
		}
	}
	f.add("advertisedHost", o.Listen.Advertised)
	amqp := one("port", o.Listen.AMQP)
	amqp.add("tlsPort", port(o.Listen.AMQPS))
	f.add("amqp", amqp)
	kafka := one("port", o.Listen.Kafka)
	if o.Listen.KafkaAnonymous {
		kafka.add("allowAnonymous", true)
	}
	f.add("kafka", kafka)
	f.add("console", one("port", o.Listen.HTTP))
	tls := &fields{}
	tls.add("cert", o.Listen.CertFile)
	tls.add("key", o.Listen.KeyFile)
	f.add("tls", tls)
	return f
}

func printNamespace(o *pipeline.Options) *fields {
	f := &fields{}
	f.add("name", o.Namespace)
	f.add("emulatorKey", o.Auth.EmulatorKey)
	f.add("authorizationRules", printRules(o, ""))
	hubs := &fields{}
	for _, h := range o.Hubs {
		m := &fields{}
		m.add("partitionCount", h.Partitions)
		retention := h.Retention
		if retention == pipeline.Forever {
			retention = 0
		}
		m.add("messageRetention", retention)
		m.add("consumerGroups", h.ConsumerGroups)
		m.add("authorizationRules", printRules(o, h.Name))
		hubs.always(h.Name, m)
	}
	if len(o.Hubs) > 0 && o.Hubs[0].Acknowledge == pipeline.AckOS { // all hubs of a file have one
		f.add("acknowledge", string(pipeline.AckOS))
	}
	f.add("eventHubs", hubs)
	return f
}

func printRules(o *pipeline.Options, hub string) *fields {
	rules := &fields{}
	for _, r := range o.Auth.Rules {
		if !strings.EqualFold(r.Hub, hub) {
			continue
		}
		m := &fields{}
		m.add("rights", r.Rights)
		for key, value := range map[string]string{"primaryKey": r.PrimaryKey, "secondaryKey": r.SecondaryKey} {
			if value != "" {
				m.add(key, "***")
			}
		}
		rules.always(r.Name, m)
	}
	return rules
}

// strict is the word of mismatch.
func strict(yes bool) string {
	if yes {
		return "strict"
	}
	return ""
}

// ddl is the schema of a table as text: columns alone cannot say NOT NULL.
func ddl(t pipeline.Table) string {
	var cols []string
	for _, c := range t.Columns {
		col := c.Name + " " + strings.ToUpper(c.Type)
		if c.NotNull {
			col += " NOT NULL"
		}
		cols = append(cols, col)
	}
	return "CREATE TABLE " + t.Name + " (" + strings.Join(cols, ", ") + ") USING DELTA"
}

func printTable(t pipeline.Table) *fields {
	f := &fields{}
	f.add("path", t.Path)
	if slices.ContainsFunc(t.Columns, func(c pipeline.TableColumn) bool { return c.NotNull }) {
		f.add("schema", ddl(t))
	} else {
		columns := &fields{}
		for _, c := range t.Columns {
			columns.add(c.Name, c.Type)
		}
		f.add("columns", columns)
	}
	var by []string
	for _, p := range t.PartitionBy {
		if p.Date {
			by = append(by, "date("+p.Column+")")
		} else {
			by = append(by, p.Column)
		}
	}
	f.add("partitionBy", by)
	if t.Flush.Interval > 0 {
		flush := &fields{}
		flush.add("interval", t.Flush.Interval)
		f.add("flush", flush)
	}
	return f
}

func printColumns(cols []pipeline.OutputColumn) *fields {
	f := &fields{}
	for _, c := range cols {
		f.add(c.Name, c.Expr)
	}
	return f
}

func (p *Pipeline) printJob(j pipeline.Job) *fields {
	f := &fields{}
	query := j.Script
	if j.ScriptFile != "" {
		query = filepath.Base(j.ScriptFile)
		if rel, err := filepath.Rel(filepath.Dir(p.Path), j.ScriptFile); err == nil && p.Kind == File {
			query = rel
		}
	}
	f.add("query", query)
	if j.Disabled {
		f.add("enabled", false)
	}
	if j.Parallelism > 0 {
		f.add("parallelism", j.Parallelism)
	}
	f.add("outputStartMode", string(j.Start.Mode))
	if !j.Start.Time.IsZero() {
		f.add("outputStartTime", j.Start.Time.UTC().Format(time.RFC3339Nano))
	}
	f.add("eventsOutOfOrderPolicy", string(j.Policies.Action))
	if j.Policies.MaxDisorder > 0 {
		f.add("eventsOutOfOrderMaxDelay", j.Policies.MaxDisorder)
	}
	if l := j.Policies.MaxLate; l != nil && *l < 0 {
		f.add("eventsLateArrivalMaxDelay", "infinite")
	} else if l != nil {
		f.add("eventsLateArrivalMaxDelay", *l)
	}
	f.add("outputErrorPolicy", string(j.Policies.OutputError))
	if j.Policies.IgnoreCase {
		f.add("stringCompare", "ignoreCase")
	}
	if d := j.Policies.DeadLetter; d != (pipeline.DeadLetter{}) {
		dead := &fields{}
		dead.add("enabled", !d.Disabled)
		dead.add("retain", d.Retain)
		dead.add("maxBytes", d.MaxBytes)
		f.add("deadLetter", dead)
	}
	if j.CheckpointInterval > 0 {
		checkpoint := &fields{}
		checkpoint.add("interval", j.CheckpointInterval)
		f.add("checkpoint", checkpoint)
	}
	inputs, outputs := &fields{}, &fields{}
	for _, in := range j.Inputs {
		m := &fields{}
		m.add("eventHub", in.Hub)
		m.add("consumerGroup", in.ConsumerGroup)
		if in.Delimiter == "" && !in.NoHeader {
			m.add("serialization", in.Format)
		} else {
			s := &fields{}
			s.add("type", in.Format)
			s.add("fieldDelimiter", in.Delimiter)
			if in.NoHeader {
				s.add("header", false)
			}
			m.add("serialization", s)
		}
		inputs.add(in.Alias, m)
	}
	for _, out := range j.Outputs {
		m := &fields{}
		m.add("table", out.Table)
		m.add("eventHub", out.Hub)
		m.add("columns", printColumns(out.Columns))
		rename := &fields{}
		for _, c := range slices.Sorted(maps.Keys(out.Rename)) {
			rename.add(c, out.Rename[c])
		}
		m.add("rename", rename)
		m.add("partitionKey", out.PartitionKey)
		if out.Immediate {
			m.add("visibility", "immediate")
		}
		m.add("mismatch", strict(out.Strict))
		m.add("errorPolicy", string(out.ErrorPolicy))
		outputs.add(out.Alias, m)
	}
	f.add("inputs", inputs)
	f.add("outputs", outputs)
	return f
}

func printMonitor(o *pipeline.Options) *fields {
	f, groups := &fields{}, &fields{}
	f.add("metricsRetention", o.MetricsRetention)
	for _, g := range o.ActionGroups {
		m := &fields{}
		m.add("shortName", g.ShortName)
		if g.Disabled {
			m.add("enabled", false)
		}
		var receivers []yaml.MapSlice
		for _, r := range g.Receivers {
			one := &fields{}
			one.add("name", r.Name)
			if r.Webhook != "" {
				one.add("webhook", "***")
			}
			one.add("file", r.File)
			headers := &fields{}
			for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
				headers.add(name, r.Headers[name])
			}
			one.add("headers", headers)
			if r.Secret != "" {
				one.add("secret", "***")
			}
			receivers = append(receivers, one.items)
		}
		m.add("receivers", receivers)
		groups.always(g.Name, m)
	}
	f.add("actionGroups", groups)
	return f
}

func printSimulate(s *pipeline.Simulate) *fields {
	if s == nil {
		return nil
	}
	f := &fields{}
	f.add("hub", s.Hub)
	f.add("devices", s.Devices)
	f.add("interval", s.Interval)
	if s.Duration > 0 {
		f.add("duration", s.Duration)
	}
	f.add("scenario", s.Scenario)
	f.add("seed", s.Seed)
	f.add("via", s.Via)
	f.add("locations", s.Locations)
	f.add("deviceTypes", s.Types)
	return f
}
