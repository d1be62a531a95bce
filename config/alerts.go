package config

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"spate/pipeline"
	"spate/simulator"
)

func (l *loader) monitor(o *object) {
	l.o.MetricsRetention = 93 * 24 * time.Hour
	if o == nil {
		return
	}
	l.o.MetricsRetention = o.duration("metricsRetention", l.o.MetricsRetention, time.Hour, maxDuration)
	if groups := o.child("actionGroups"); groups != nil {
		groups.each(func(name string, e *entry) {
			groups.named(e, plainName)
			if g := groups.r.object(e.value, join(groups.path, name)); g != nil {
				l.actionGroup(name, g)
			}
		})
	}
	o.later("alertRetention", "historyMemory", "deviceField", "deviceTimeField", "allowCommands", "builtInRules", "smtp",
		"alerts", "processingRules")
	o.done()
}

func (l *loader) actionGroup(name string, o *object) {
	g := pipeline.ActionGroup{Name: name}
	g.ShortName = o.text("shortName", "")
	if utf8.RuneCountInString(g.ShortName) > 12 {
		o.fail(o.find("shortName"), "E205", "", "%q is longer than 12 characters", g.ShortName)
	}
	if g.ShortName == "" {
		g.ShortName = string([]rune(name)[:min(12, utf8.RuneCountInString(name))])
	}
	g.Disabled = !o.boolean("enabled", true)
	seen := map[string]bool{}
	o.list("receivers", func(e *entry) {
		r := o.r.object(e.value, join(o.path, "receivers"))
		if r == nil {
			return
		}
		rec := l.receiver(r)
		if seen[strings.ToLower(rec.Name)] {
			o.r.fail(placeOf(e.value), "E103", r.path, "", "the receiver %q is there twice", rec.Name)
		}
		seen[strings.ToLower(rec.Name)] = true
		g.Receivers = append(g.Receivers, rec)
	})
	o.done()
	l.o.ActionGroups = append(l.o.ActionGroups, g)
}

func (l *loader) receiver(o *object) pipeline.Receiver {
	r := pipeline.Receiver{}
	if o.find("name") == nil {
		o.missing("name", "")
	}
	r.Name = o.name("name", "", plainName)
	hook, file := o.take("webhook"), o.take("file")
	others := []string{"email", "logicApp", "azureFunction", "eventHub", "chat", "alertmanager", "command", "sms", "voice", "armRole", "push"}
	o.later(others...)
	switch {
	case hook != nil && file != nil:
		o.fail(file, "E207", "keep one of the two", "webhook and file exclude each other")
	case hook != nil:
		r.Webhook = o.secretOf(hook)
		if u, err := url.Parse(r.Webhook); r.Webhook != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			o.fail(hook, "E206", "", "want an http or https URL")
		}
	case file != nil:
		if s, ok := o.textOf(file); ok {
			r.File = absolute(resolvePath(l.folder.dir, s))
		}
	default:
		if !o.hasAny(others) {
			o.missing("webhook or file", "say where messages go")
		}
	}
	if o.boolean("useCommonAlertSchema", false) {
		o.fail(o.find("useCommonAlertSchema"), "E206", "messages are the events themselves", "true is not supported yet")
	}
	if h := o.child("headers"); h != nil {
		r.Headers = map[string]string{}
		h.each(func(name string, e *entry) {
			if s, ok := h.textOf(e); ok {
				r.Headers[name] = s
			}
		})
	}
	r.Secret = o.secret("secret")
	o.done()
	return r
}

func (l *loader) notify(o *object) {
	if o == nil {
		return
	}
	o.each(func(name string, e *entry) {
		o.named(e, jobName)
		n := o.r.object(e.value, join(o.path, name))
		if n == nil {
			return
		}
		out := pipeline.Notify{Name: name}
		if h := n.take("hub"); h == nil {
			n.missing("hub", "name the hub whose events are sent")
		} else if s, ok := n.textOf(h); ok {
			out.Hub = s
			l.needHub(n, h, s)
		}
		if !n.list("actionGroups", func(e *entry) {
			if s, ok := n.textOf(e); ok {
				out.ActionGroups = append(out.ActionGroups, s)
				l.needActionGroup(n, e, s)
			}
		}) {
			n.missing("actionGroups", "name the groups of monitor.actionGroups")
		}
		n.later("consumerGroup", "where", "groupBy", "groupWait", "repeat", "severityFrom", "template")
		n.done()
		l.o.Notify = append(l.o.Notify, out)
	})
}

func (l *loader) needActionGroup(o *object, e *entry, name string) {
	l.refs = append(l.refs, func() {
		var names []string
		for _, g := range l.o.ActionGroups {
			if strings.EqualFold(g.Name, name) {
				return
			}
			names = append(names, g.Name)
		}
		hint := didYouMean(name, names)
		if hint == "" {
			hint = "action groups are defined under monitor.actionGroups"
		}
		o.fail(e, "E301", hint, "there is no action group %q", name)
	})
}

func (l *loader) simulate(o *object) {
	if o == nil {
		return
	}
	enabled := o.boolean("enabled", true)
	s := &pipeline.Simulate{}
	e := o.take("hub")
	if e != nil {
		if name, ok := o.textOf(e); ok {
			s.Hub = name
			l.needHub(o, e, name)
		}
	} else if len(l.o.Hubs) == 1 {
		s.Hub = l.o.Hubs[0].Name
	} else {
		o.missing("hub", "name the hub that the devices send to")
	}
	s.Devices = int(o.integer("devices", 20, 1, 100000))
	s.Interval = o.duration("interval", 5*time.Second, time.Millisecond, time.Hour)
	s.Duration = o.duration("duration", 0, 0, maxDuration)
	s.Scenario = o.text("scenario", "seed")
	if _, err := simulator.ParseScenario(s.Scenario); err != nil {
		o.fail(o.find("scenario"), "E206", "", "%s", strings.TrimPrefix(err.Error(), "simulator: "))
	}
	s.Seed = o.integer("seed", 1, 0, 1<<62)
	s.Locations, s.Types = o.texts("locations"), o.texts("deviceTypes")
	s.Via = o.oneOf("via", "kafka", "kafka", "amqp")
	o.done()
	if enabled {
		l.o.Simulate = s
	}
}
