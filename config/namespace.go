package config

import (
	"net"
	"strings"
	"time"

	"spate/pipeline"
)

// namespace is the map namespace as the file has it.
type namespace struct {
	name, sku, emulatorKey string
	acknowledge            pipeline.Acknowledge
	rules                  []pipeline.AuthRule
	hubs                   []hub
}

type hub struct {
	pipeline.Hub
	rules []pipeline.AuthRule
}

var namespaceKeys = section[namespace]{
	key("name", ChangeStart, "Name of the Event Hubs namespace.", nameOr(namespaceName, "the name with -ns", func(l *loader) string { return defaultNamespace(l.o.Name) },
		func(n *namespace) *string { return &n.name })),
	key("sku", ChangeNone, "Azure's tier. It has no effect here, but for warnings of what the tier does not have.",
		word("Standard", func(n *namespace) *string { return &n.sku }, "Basic", "Standard", "Premium", "Dedicated")).unprinted(),
	key("throughputUnits", ChangeNone, "Throughput that Azure sells. It has no effect here.", integer[namespace](1, 1, 40, nil)),
	key("emulatorKey", ChangeLive, "Accepts `RootManageSharedAccessKey` with the key `SAS_KEY_VALUE` of Microsoft's emulator; `auto`: where all listeners are on loopback.",
		word("auto", func(n *namespace) *string { return &n.emulatorKey }, "auto", "true", "false")).
		printed(func(n *namespace) any { return n.emulatorKey == "true" }),
	key("authorizationRules", ChangeInside, "Shared access policies, at most 12. Without one of its name `RootManageSharedAccessKey` has all rights.",
		ruleNames(func(n *namespace) *[]pipeline.AuthRule { return &n.rules })),
	key("acknowledge", ChangeLive, "When a sender gets its answer: `sync` after the disk has the event, `os` when the system has it.",
		word(pipeline.AckSync, func(n *namespace) *pipeline.Acknowledge { return &n.acknowledge }, "sync", "os")).
		printed(func(n *namespace) any {
			if n.acknowledge == pipeline.AckOS {
				return "os"
			}
			return nil
		}),
	key("eventHubs", ChangeInside, "The hubs. One that is gone from the file is kept.", names[namespace, hub]{
		rule: hubName, keys: hubKeys, at: func(n *namespace) *[]hub { return &n.hubs },
		name: func(h *hub) *string { return &h.Name },
	}.value()),
	later[namespace]("isAutoInflateEnabled", "maximumThroughputUnits", "enforceQuotas", "commitLinger", "clockTolerance",
		"groupOffsetRetention", "disableLocalAuth"),
}

var hubKeys = section[hub]{
	key("partitionCount", ChangeGrow, "Partitions. More than 32 are more than Azure's tiers Basic and Standard have.",
		integer(4, 1, 1024, func(h *hub) *int { return &h.Partitions })).refusal("cannot shrink"),
	key("messageRetention", ChangeLive, "How long events are kept; `0` keeps everything.", retention()),
	key("consumerGroups", ChangeLive, "Groups besides `$Default`.", consumerGroups()),
	key("authorizationRules", ChangeInside, "Policies for this hub alone.", ruleNames(func(h *hub) *[]pipeline.AuthRule { return &h.rules })),
	later[hub]("retentionBytes", "cleanupPolicy", "maxMessageSize", "status", "headers", "segmentBytes"),
}

var ruleKeys = section[pipeline.AuthRule]{
	key("rights", ChangeLive, "Rights; `Manage` holds the others.", list(func(r *pipeline.AuthRule) *[]string { return &r.Rights }, "Listen", "Send", "Manage")).
		required("rights: [Listen, Send]"),
	key("primaryKey", ChangeLive, "Key; without it one is made and kept in the data folder.", secret(func(r *pipeline.AuthRule) *string { return &r.PrimaryKey })),
	key("secondaryKey", ChangeLive, "A second key.", secret(func(r *pipeline.AuthRule) *string { return &r.SecondaryKey })),
}

func ruleNames[T any](at func(*T) *[]pipeline.AuthRule) value[T] {
	return names[T, pipeline.AuthRule]{rule: ruleName, keys: ruleKeys, at: at, name: func(r *pipeline.AuthRule) *string { return &r.Name }}.value()
}

// retention is a duration of an hour or more, or 0, which is kept as Forever.
func retention() value[hub] {
	return value[hub]{Key{Form: FormDuration, Default: "1d", Low: int64(time.Hour), High: int64(3650 * 24 * time.Hour), Words: []string{"0"}},
		func(_ *loader, o *object, key string, h *hub) {
			h.Retention = o.duration(key, 24*time.Hour, 0, 3650*24*time.Hour)
			if h.Retention == 0 {
				h.Retention = pipeline.Forever
			} else if h.Retention < time.Hour {
				o.fail(o.find(key), "E205", "", "%s is outside 1h to 3650d, or 0 to keep everything", FormatDuration(h.Retention))
			}
		},
		func(_ *Pipeline, h *hub) any {
			if h.Retention == pipeline.Forever {
				return time.Duration(0)
			}
			return h.Retention
		}}
}

func consumerGroups() value[hub] {
	v := list(func(h *hub) *[]string { return &h.ConsumerGroups })
	v.rule = groupOfHub
	v.read = func(_ *loader, o *object, key string, h *hub) {
		for e, s := range o.texts(key) {
			if !groupOfHub.form.MatchString(s) {
				o.fail(e, "E202", "want "+groupOfHub.want, "%q is not a name", s)
			}
			if s != "$Default" {
				h.ConsumerGroups = append(h.ConsumerGroups, s)
			}
		}
	}
	return v
}

// namespaceValue is the map namespace: the hubs, and who may use them.
func namespaceValue() value[pipeline.Options] {
	return value[pipeline.Options]{Key{Form: FormMap, Keys: namespaceKeys.keys()},
		func(l *loader, o *object, key string, to *pipeline.Options) {
			m := o.child(key, true)
			if m == nil {
				return
			}
			var n namespace
			namespaceKeys.read(l, m, &n)
			checkTier(m, &n)
			checkRules(m)
			to.Namespace = n.name
			to.Auth.EmulatorKey = n.emulatorKey == "true" || n.emulatorKey == "auto" && loopbackOnly(to.Listen)
			to.Auth.Rules = n.rules
			for _, h := range n.hubs {
				h.Acknowledge = n.acknowledge
				for _, r := range h.rules {
					r.Hub = h.Name
					to.Auth.Rules = append(to.Auth.Rules, r)
				}
				to.Hubs = append(to.Hubs, h.Hub)
			}
		},
		func(p *Pipeline, from *pipeline.Options) any { return namespaceKeys.show(p, namespaceOf(from)) }}
}

// namespaceOf is what a file says for the hubs of o, and for who may use them.
func namespaceOf(o *pipeline.Options) *namespace {
	n := &namespace{name: o.Namespace, rules: rulesOf(o, "")}
	if o.Auth.EmulatorKey {
		n.emulatorKey = "true"
	}
	for _, h := range o.Hubs {
		n.hubs = append(n.hubs, hub{h, rulesOf(o, h.Name)})
		n.acknowledge = o.Hubs[0].Acknowledge // all hubs of a file have one
	}
	return n
}

func rulesOf(o *pipeline.Options, hub string) []pipeline.AuthRule {
	var out []pipeline.AuthRule
	for _, r := range o.Auth.Rules {
		if strings.EqualFold(r.Hub, hub) {
			out = append(out, r)
		}
	}
	return out
}

// checkRules refuses more policies than Azure has.
func checkRules(o *object) {
	maps := []*object{o.within("authorizationRules")}
	for _, h := range o.within("eventHubs").all() {
		maps = append(maps, o.within("eventHubs", h.key, "authorizationRules"))
	}
	for _, m := range maps {
		if n := len(m.all()); n > 12 {
			m.r.fail(m.at, "E205", m.path, "", "%d rules, at most 12 are allowed", n)
		}
	}
}

// checkTier warns of what the tier of the namespace does not have.
func checkTier(o *object, n *namespace) {
	limit := map[string]time.Duration{"Basic": 24 * time.Hour, "Standard": 7 * 24 * time.Hour}[n.sku]
	if limit == 0 {
		limit = 90 * 24 * time.Hour
	}
	for _, h := range n.hubs {
		m := o.within("eventHubs", h.Name)
		if e := m.find("partitionCount"); e != nil && h.Partitions > 32 && (n.sku == "Basic" || n.sku == "Standard") {
			m.fail(e, "W512", "", "%d is more than Azure's %s tier has (32)", h.Partitions, n.sku)
		}
		if e := m.find("messageRetention"); e != nil && (h.Retention > limit || h.Retention == pipeline.Forever) {
			m.fail(e, "W512", "", "longer than Azure's %s tier keeps events (%s)", n.sku, FormatDuration(limit))
		}
	}
}

// defaultNamespace is "<name>-ns", made to fit the rules of namespace names.
func defaultNamespace(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	ns := name[:min(len(name), 47)] + "-ns"
	if !namespaceName.form.MatchString(ns) {
		ns = "spate-" + strings.Trim(ns, "-")
	}
	if !namespaceName.form.MatchString(ns) {
		return "spate-ns"
	}
	return ns
}

func loopbackOnly(l pipeline.Listen) bool {
	for _, addr := range []string{l.AMQP, l.AMQPS, l.Kafka, l.HTTP} {
		if host, _, err := net.SplitHostPort(addr); addr != "" && (err != nil || !loopback(host)) {
			return false
		}
	}
	return true
}

// needHub checks that a hub exists.
func (l *loader) needHub(o *object, e *entry, name string) {
	l.refs = append(l.refs, func() {
		var names []string
		for _, h := range l.o.Hubs {
			if strings.EqualFold(h.Name, name) {
				return
			}
			names = append(names, h.Name)
		}
		hint := didYouMean(name, names)
		if hint == "" {
			hint = "hubs are defined under namespace.eventHubs"
		}
		o.fail(e, "E301", hint, "there is no hub %q", name)
	})
}
