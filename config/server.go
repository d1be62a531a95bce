package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"spate/pipeline"
)

// Ports of the listeners where the file names none.
const (
	amqpPort    = "5672"
	amqpsPort   = "5671"
	kafkaPort   = "9092"
	consolePort = "8790"
)

func (l *loader) server(o *object) {
	if o == nil {
		o = &object{r: l.reader, path: "server", at: place{1, 1}}
	}
	bind := o.text("bind", "127.0.0.1")
	if e := o.find("bind"); e != nil {
		l.bind = placeOf(e.value)
	}
	auto := o.oneOf("ports", "fixed", "fixed", "auto") == "auto"
	l.o.Listen.Advertised = o.text("advertisedHost", "")
	l.ports = map[string]portUse{}

	amqp := o.child("amqp")
	enabled := amqp == nil || amqp.boolean("enabled", true)
	l.o.Listen.AMQP = l.address(amqp, "port", bind, amqpPort, auto, enabled, true)
	l.o.Listen.AMQPS = l.address(amqp, "tlsPort", bind, amqpsPort, auto, enabled, false)
	if amqp != nil {
		amqp.later("webSocket", "maxFrameSize", "idleTimeout", "listeners", "allowPlain")
		amqp.done()
	}
	kafka := o.child("kafka")
	enabled = kafka == nil || kafka.boolean("enabled", true)
	l.o.Listen.Kafka = l.address(kafka, "port", bind, kafkaPort, auto, enabled, true)
	if kafka != nil {
		l.o.Listen.KafkaAnonymous = kafka.boolean("allowAnonymous", false)
		kafka.later("tlsPort", "advertised", "autoCreateTopics", "listeners")
		kafka.done()
	}
	console := o.child("console")
	enabled = console == nil || console.boolean("enabled", true)
	l.o.Listen.HTTP = l.address(console, "port", bind, consolePort, auto, enabled, true)
	if console != nil {
		console.later("auth", "hosts")
		console.done()
	}
	if t := o.child("tls"); t != nil {
		l.tls(t)
	}
	o.later("rest", "mqtt", "tds", "health", "sqlLogins")
	o.done()
}

// address is the address of one listener; empty if it is closed.
func (l *loader) address(o *object, key, bind, port string, auto, enabled, plain bool) string {
	if auto {
		port = "0"
	}
	var e *entry
	if o != nil {
		if e = o.take(key); e != nil {
			s, ok := o.word(e)
			if !ok {
				return ""
			}
			if s == "off" || s == "false" {
				return ""
			}
			if n, err := strconv.Atoi(s); err != nil || n < 0 || n > 65535 {
				o.fail(e, "E205", "a port is 0 to 65535, or off", "%s is not a port", s)
				return ""
			}
			port = s
		}
	}
	if !enabled {
		return ""
	}
	addr := net.JoinHostPort(strings.Trim(bind, "[]"), port)
	path, at := "", place{1, 1}
	switch {
	case o != nil:
		path, at = join(o.path, key), o.at
	case port == kafkaPort:
		path = "server.kafka." + key
	case port == consolePort:
		path = "server.console." + key
	default:
		path = "server.amqp." + key
	}
	if e != nil {
		at = placeOf(e.value)
	}
	if plain && !loopback(bind) {
		if e == nil {
			at = l.bind
		}
		l.fail(at, "E320", path, "set "+path+" to off, or bind to 127.0.0.1", "%s: a listener without TLS may not listen on %s", path, bind)
	}
	if other, taken := l.ports[addr]; taken && port != "0" {
		if e == nil { // the place that can be changed is the other key
			at, path, other.path = other.at, other.path, path
		}
		l.fail(at, "E307", path, "", "port %s is used by %s too", port, other.path)
	}
	l.ports[addr] = portUse{path, at}
	return addr
}

// portUse is the key that names a port.
type portUse struct {
	path string
	at   place
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

func (l *loader) tls(o *object) {
	auto := o.boolean("auto", true)
	cert, key := o.take("cert"), o.take("key")
	if (cert == nil) != (key == nil) {
		e := cert
		if e == nil {
			e = key
		}
		o.fail(e, "E207", "give cert and key, or neither", "cert and key stand together")
	} else if cert != nil {
		c, ok := o.textOf(cert)
		k, ok2 := o.textOf(key)
		if ok && ok2 {
			l.o.Listen.CertFile, l.o.Listen.KeyFile = resolvePath(l.folder.dir, c), resolvePath(l.folder.dir, k)
			for e, name := range map[*entry]string{cert: c, key: k} {
				if _, err := l.folder.read(name); err != nil {
					o.fail(e, "E303", "", "%v", err)
				}
			}
		}
	} else if !auto && l.o.Listen.AMQPS != "" {
		o.r.fail(o.at, "E208", o.path, "give cert and key, or close the TLS ports", "tls: auto is false and there is no certificate")
	}
	o.later("ca", "minVersion")
	o.done()
}

func (l *loader) namespace(o *object) {
	def := defaultNamespace(l.o.Name)
	l.o.Namespace = def
	l.o.Auth.EmulatorKey = true
	if o == nil {
		return
	}
	l.o.Namespace = o.name("name", def, namespaceName)
	sku := o.oneOf("sku", "Standard", "Basic", "Standard", "Premium", "Dedicated")
	o.integer("throughputUnits", 1, 1, 40)
	ack := pipeline.Acknowledge(o.oneOf("acknowledge", "sync", "sync", "os"))
	switch o.oneOf("emulatorKey", "auto", "auto", "true", "false") {
	case "false":
		l.o.Auth.EmulatorKey = false
	case "auto":
		l.o.Auth.EmulatorKey = loopbackOnly(l.o.Listen)
	}
	if rules := o.child("authorizationRules"); rules != nil {
		l.authRules(rules, "")
	}
	if hubs := o.child("eventHubs"); hubs != nil {
		hubs.each(func(name string, e *entry) {
			hubs.named(e, hubName)
			if h := hubs.r.object(e.value, join(hubs.path, name)); h != nil {
				l.hub(name, h, sku, ack)
			}
		})
	}
	o.later("isAutoInflateEnabled", "maximumThroughputUnits", "enforceQuotas", "commitLinger", "clockTolerance",
		"groupOffsetRetention", "disableLocalAuth")
	o.done()
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

func (l *loader) authRules(o *object, hub string) {
	if len(o.entries) > 12 {
		o.r.fail(o.at, "E205", o.path, "", "%d rules, at most 12 are allowed", len(o.entries))
	}
	o.each(func(name string, e *entry) {
		o.named(e, ruleName)
		r := o.r.object(e.value, join(o.path, name))
		if r == nil {
			return
		}
		rule := pipeline.AuthRule{Name: name, Hub: hub}
		words := []string{"Listen", "Send", "Manage"}
		if !r.list("rights", func(e *entry) {
			s, ok := r.textOf(e)
			if ok && s != "Listen" && s != "Send" && s != "Manage" {
				r.fail(e, "E206", didYouMean(s, words), "%q is not one of Listen, Send, Manage", s)
			}
			rule.Rights = append(rule.Rights, s)
		}) {
			r.missing("rights", "rights: [Listen, Send]")
		}
		rule.PrimaryKey, rule.SecondaryKey = r.secret("primaryKey"), r.secret("secondaryKey")
		l.o.Auth.Rules = append(l.o.Auth.Rules, rule)
		r.done()
	})
}

func (l *loader) hub(name string, o *object, sku string, ack pipeline.Acknowledge) {
	h := pipeline.Hub{Name: name, Acknowledge: ack}
	h.Partitions = int(o.integer("partitionCount", 4, 1, 1024))
	if h.Partitions > 32 && (sku == "Basic" || sku == "Standard") {
		e := o.find("partitionCount")
		o.fail(e, "W512", "", "%d is more than Azure's %s tier has (32)", h.Partitions, sku)
	}
	h.Retention = 24 * time.Hour
	if e := o.take("messageRetention"); e != nil {
		if d, ok := o.durationOf(e, 0, 3650*24*time.Hour); ok {
			if d == 0 {
				d = pipeline.Forever
			} else if d < time.Hour {
				o.fail(e, "E205", "", "%s is outside 1h to 3650d, or 0 to keep everything", FormatDuration(d))
			}
			h.Retention = d
			limit := map[string]time.Duration{"Basic": 24 * time.Hour, "Standard": 7 * 24 * time.Hour}[sku]
			if limit == 0 {
				limit = 90 * 24 * time.Hour
			}
			if d > limit || d == pipeline.Forever {
				o.fail(e, "W512", "", "longer than Azure's %s tier keeps events (%s)", sku, FormatDuration(limit))
			}
		}
	}
	o.list("consumerGroups", func(e *entry) {
		s, ok := o.textOf(e)
		if ok && !groupOfHub.form.MatchString(s) {
			o.fail(e, "E202", "want "+groupOfHub.want, "%q is not a name", s)
		}
		if ok && s != "$Default" {
			h.ConsumerGroups = append(h.ConsumerGroups, s)
		}
	})
	if rules := o.child("authorizationRules"); rules != nil {
		l.authRules(rules, name)
	}
	o.later("retentionBytes", "cleanupPolicy", "maxMessageSize", "status", "headers", "segmentBytes")
	l.o.Hubs = append(l.o.Hubs, h)
	o.done()
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
