package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"spate/pipeline"
)

var monitorKeys = section[pipeline.Options]{
	key("metricsRetention", ChangeLive, "How long the minutes of metrics are kept.", duration(93*24*time.Hour, time.Hour, maxDuration,
		func(o *pipeline.Options) *time.Duration { return &o.MetricsRetention })),
	key("actionGroups", ChangeInside, "Named lists of receivers.", names[pipeline.Options, pipeline.ActionGroup]{
		rule: plainName, keys: groupKeys, at: func(o *pipeline.Options) *[]pipeline.ActionGroup { return &o.ActionGroups },
		name: func(g *pipeline.ActionGroup) *string { return &g.Name },
	}.value()),
	later[pipeline.Options]("alertRetention", "historyMemory", "deviceField", "deviceTimeField", "allowCommands", "builtInRules", "smtp",
		"alerts", "processingRules"),
}

var groupKeys = section[pipeline.ActionGroup]{
	key("shortName", ChangeNone, "At most 12 characters. Messages that have no room use it in Azure; it has no effect here.", shortName()),
	key("enabled", ChangeLive, "`false`: nobody is told.", unless(func(g *pipeline.ActionGroup) *bool { return &g.Disabled })),
	key("receivers", ChangeInside, "Who is told: each has one of `webhook` and `file`.", listOf(receiverKeys,
		func(g *pipeline.ActionGroup) *[]pipeline.Receiver { return &g.Receivers }, checkReceiver)),
}

var receiverKeys = section[pipeline.Receiver]{
	key("name", ChangeLive, "Name, once in a group.", name(plainName, "", func(r *pipeline.Receiver) *string { return &r.Name })).required(""),
	key("webhook", ChangeLive, "http or https address that events are posted to.", secret(func(r *pipeline.Receiver) *string { return &r.Webhook })),
	key("file", ChangeLive, "File that events are appended to as lines of JSON.", receiverFile()),
	later[pipeline.Receiver](receiverTargets...),
	key("useCommonAlertSchema", ChangeNone, "Only `false`: messages are the events themselves.", commonSchema()),
	key("headers", ChangeLive, "Headers of the requests to the webhook.", texts(
		func(r *pipeline.Receiver, name, text string) {
			if r.Headers == nil {
				r.Headers = map[string]string{}
			}
			r.Headers[name] = text
		},
		func(r *pipeline.Receiver) *fields { return sortedTexts(r.Headers) })),
	key("secret", ChangeLive, "Signs what is posted: the header X-Spate-Signature.", secret(func(r *pipeline.Receiver) *string { return &r.Secret })),
}

// receiverTargets are the receivers that are not built.
var receiverTargets = []string{"email", "logicApp", "azureFunction", "eventHub", "chat", "alertmanager", "command", "sms", "voice", "armRole", "push"}

// sortedTexts is what is printed of a map.
func sortedTexts(m map[string]string) *fields {
	out := &fields{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out.add(name, m[name])
	}
	return out
}

func shortName() value[pipeline.ActionGroup] {
	v := text("", func(g *pipeline.ActionGroup) *string { return &g.ShortName })
	v.Default, v.High = "the name, cut to 12", 12
	v.read = func(_ *loader, o *object, key string, g *pipeline.ActionGroup) {
		g.ShortName = o.text(key, "")
		if utf8.RuneCountInString(g.ShortName) > 12 {
			o.fail(o.find(key), "E205", "", "%q is longer than 12 characters", g.ShortName)
		}
		if g.ShortName == "" {
			g.ShortName = string([]rune(g.Name)[:min(12, utf8.RuneCountInString(g.Name))])
		}
	}
	return v
}

func receiverFile() value[pipeline.Receiver] {
	v := text("", func(r *pipeline.Receiver) *string { return &r.File })
	v.read = func(l *loader, o *object, key string, r *pipeline.Receiver) {
		if s := o.text(key, ""); s != "" {
			r.File = absolute(resolvePath(l.folder.dir, s))
		}
	}
	return v
}

func commonSchema() value[pipeline.Receiver] {
	return value[pipeline.Receiver]{Key{Form: FormFlag, Default: "false", Words: []string{"false"}},
		func(_ *loader, o *object, key string, _ *pipeline.Receiver) {
			if o.boolean(key, false) {
				o.fail(o.find(key), "E206", "messages are the events themselves", "true is not supported yet")
			}
		}, nil}
}

// checkReceiver checks the keys of a receiver together.
func checkReceiver(_ *loader, o *object, g *pipeline.ActionGroup, r *pipeline.Receiver) {
	hook, file := o.find("webhook"), o.find("file")
	switch {
	case hook != nil && file != nil:
		o.fail(file, "E207", "keep one of the two", "webhook and file exclude each other")
	case hook != nil:
		if u, err := url.Parse(r.Webhook); r.Webhook != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			o.fail(hook, "E206", "", "want an http or https URL")
		}
	case file == nil && !o.hasAny(receiverTargets):
		o.missing("webhook or file", "say where messages go")
	}
	if slices.ContainsFunc(g.Receivers, func(other pipeline.Receiver) bool { return strings.EqualFold(other.Name, r.Name) }) {
		o.r.fail(o.at, "E103", o.path, "", "the receiver %q is there twice", r.Name)
	}
}

var notifyKeys = section[pipeline.Notify]{
	key("hub", ChangeLive, "Hub whose events are sent.", hubOf(func(n *pipeline.Notify) *string { return &n.Hub })).
		required("name the hub whose events are sent"),
	key("actionGroups", ChangeLive, "Groups of `monitor.actionGroups`.", actionGroups()).required("name the groups of monitor.actionGroups"),
	later[pipeline.Notify]("consumerGroup", "where", "groupBy", "groupWait", "repeat", "severityFrom", "template"),
}

func notifyNames() value[pipeline.Options] {
	return names[pipeline.Options, pipeline.Notify]{rule: jobName, keys: notifyKeys,
		at:   func(o *pipeline.Options) *[]pipeline.Notify { return &o.Notify },
		name: func(n *pipeline.Notify) *string { return &n.Name },
	}.value()
}

func actionGroups() value[pipeline.Notify] {
	v := list(func(n *pipeline.Notify) *[]string { return &n.ActionGroups })
	v.read = func(l *loader, o *object, key string, n *pipeline.Notify) {
		for e, s := range o.texts(key) {
			n.ActionGroups = append(n.ActionGroups, s)
			l.needActionGroup(o, e, s)
		}
	}
	return v
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
