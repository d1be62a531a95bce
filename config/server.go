package config

import (
	"cmp"
	"net"
	"net/netip"
	"strings"

	"spate/access"
	"spate/pipeline"
)

// Ports of the listeners where the file names none.
const (
	amqpPort    = "5672"
	amqpsPort   = "5671"
	kafkaPort   = "9092"
	consolePort = "8790"
	healthPort  = "5300" // of Microsoft's emulator

	portOff = "off"
)

// server is the map server as the file has it.
type server struct {
	bind, ports, advertised string
	connections             int
	plaintext               bool
	amqp, kafka             listener
	console, health         listener
	tls                     certificate
}

type listener struct {
	enabled       bool
	port, tlsPort string // portOff; empty: the usual one
	anonymous     bool
}

type certificate struct {
	auto      bool
	cert, key string
}

var serverKeys = section[server]{
	key("bind", ChangeStart, "Address of all listeners. A plain port listens on loopback only, unless `allowPlaintext` is `true`.",
		text("127.0.0.1", func(s *server) *string { return &s.bind })),
	key("ports", ChangeStart, "With `auto` every port that is not named is any free one; `spate status` and the instance file name it.",
		word("fixed", func(s *server) *string { return &s.ports }, "fixed", "auto")).unprinted(),
	key("allowPlaintext", ChangeStart, "Lets the plain ports of `amqp`, `kafka` and `health` listen beyond loopback, where whoever is on the way reads keys and events. Every policy of `namespace` must have a `primaryKey` of yours then, `RootManageSharedAccessKey` too; the console stays on loopback.",
		boolean(false, func(s *server) *bool { return &s.plaintext })),
	key("advertisedHost", ChangeStart, "Host in connection strings, and what Kafka clients are told; without it, that of the listener.",
		text("", func(s *server) *string { return &s.advertised })),
	key("maxConnections", ChangeStart, "Clients that may be connected, over all listeners but `console` and `health`; one more is refused.",
		integer(pipeline.DefaultMaxConnections, 1, 1_000_000, func(s *server) *int { return &s.connections })),
	key("amqp", ChangeInside, "AMQP, for the clients of Event Hubs.", part(amqpKeys, func(s *server) *listener { return &s.amqp }, nil)),
	key("kafka", ChangeInside, "Kafka, with SASL.", part(kafkaKeys, func(s *server) *listener { return &s.kafka }, nil)),
	key("console", ChangeInside, "HTTP: metrics, health and state.", part(consoleKeys, func(s *server) *listener { return &s.console }, nil)),
	key("health", ChangeInside, "`GET /health`, as Microsoft's emulator answers it.", part(healthKeys, func(s *server) *listener { return &s.health }, nil)),
	key("tls", ChangeInside, "The certificate of the TLS ports.", optional(tlsKeys, func(s *server) *certificate { return &s.tls })),
	later[server]("rest", "mqtt", "tds", "sqlLogins"),
}

var amqpKeys = section[listener]{
	listenerEnabled("server.amqp.port"),
	key("port", ChangeStart, "Plain port; `0` is any free one, `off` closes it.", port(amqpPort, func(x *listener) *string { return &x.port })),
	key("tlsPort", ChangeStart, "Port with TLS.", port(amqpsPort, func(x *listener) *string { return &x.tlsPort })),
	later[listener]("webSocket", "maxFrameSize", "idleTimeout", "listeners"),
}

var kafkaKeys = section[listener]{
	listenerEnabled("server.kafka.port"),
	key("port", ChangeStart, "Plain port.", port(kafkaPort, func(x *listener) *string { return &x.port })),
	key("allowAnonymous", ChangeStart, "Lets clients in that do not authenticate.", boolean(false, func(x *listener) *bool { return &x.anonymous })),
	later[listener]("tlsPort", "advertised", "autoCreateTopics", "listeners"),
}

var consoleKeys = section[listener]{
	listenerEnabled("server.console.port"),
	key("port", ChangeStart, "Plain port, on loopback only.", port(consolePort, func(x *listener) *string { return &x.port })),
	later[listener]("auth", "hosts"),
}

var healthKeys = section[listener]{
	listenerEnabled("server.health.port"),
	key("port", ChangeStart, "Plain port, on loopback whatever `bind` says, unless `allowPlaintext` is `true`. `5300` stays closed, with a warning, where another process has it.",
		port(healthPort, func(x *listener) *string { return &x.port })),
}

func listenerEnabled(refusal string) field[listener] {
	return key("enabled", ChangeStart, "`false` closes its ports.", boolean(true, func(x *listener) *bool { return &x.enabled })).unprinted().refusal(refusal)
}

var tlsKeys = section[certificate]{
	key("auto", ChangeStart, "Makes a local authority and a certificate where none is given. With `false` and none the TLS port must be off.",
		boolean(true, func(c *certificate) *bool { return &c.auto })).unprinted().refusal("server.tls"),
	key("cert", ChangeStart, "PEM file; together with `key`.", text("", func(c *certificate) *string { return &c.cert })).refusal("server.tls"),
	key("key", ChangeStart, "PEM file.", text("", func(c *certificate) *string { return &c.key })).refusal("server.tls"),
	later[certificate]("ca", "minVersion"),
}

// serverValue is the map server: the addresses of the listeners.
func serverValue() value[pipeline.Options] {
	return value[pipeline.Options]{Key{Form: FormMap, Keys: serverKeys.keys()},
		func(l *loader, o *object, key string, _ *pipeline.Options) {
			m := o.child(key, true)
			if m == nil {
				return
			}
			var s server
			serverKeys.read(l, m, &s)
			l.listen(m, &s)
		},
		func(p *Pipeline, from *pipeline.Options) any { return serverKeys.show(p, serverOf(from.Listen)) }}
}

// serverOf is what a file says for the listeners l.
func serverOf(l pipeline.Listen) *server {
	port := func(addr string) string {
		if _, port, err := net.SplitHostPort(addr); err == nil {
			return port
		}
		return portOff
	}
	s := &server{advertised: l.Advertised, tls: certificate{cert: l.CertFile, key: l.KeyFile},
		amqp:    listener{port: port(l.AMQP), tlsPort: port(l.AMQPS)},
		kafka:   listener{port: port(l.Kafka), anonymous: l.KafkaAnonymous},
		console: listener{port: port(l.HTTP)}, health: listener{port: port(l.Health)},
		plaintext:   l.AllowPlaintext,
		connections: cmp.Or(l.MaxConnections, pipeline.DefaultMaxConnections)}
	for _, addr := range []string{l.AMQPS, l.AMQP, l.Kafka, l.HTTP, l.Health} {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			s.bind = host
			break
		}
	}
	return s
}

// listen makes addresses of what the file says, and checks them together.
func (l *loader) listen(o *object, s *server) {
	used := map[string]portUse{}
	bind := s.bind
	address := func(proto, key string, x listener, port, usual string, plain bool) string {
		if port == "" {
			if port = usual; s.ports == "auto" {
				port = "0"
			}
		}
		if port == portOff || !x.enabled {
			return ""
		}
		return l.address(o, bind, proto, key, port, plain && !s.plaintext, used)
	}
	to := &l.o.Listen
	to.Advertised, to.KafkaAnonymous, to.MaxConnections, to.AllowPlaintext = s.advertised, s.kafka.anonymous, s.connections, s.plaintext
	to.AMQP = address("amqp", "port", s.amqp, s.amqp.port, amqpPort, true)
	to.AMQPS = address("amqp", "tlsPort", s.amqp, s.amqp.tlsPort, amqpsPort, false)
	to.Kafka = address("kafka", "port", s.kafka, s.kafka.port, kafkaPort, true)
	wide := bind
	if s.plaintext && !loopback(bind) {
		bind = "127.0.0.1" // what it tells needs no key
	}
	to.HTTP = address("console", "port", s.console, s.console.port, consolePort, true)
	if bind = wide; !s.plaintext && !loopback(bind) {
		bind = "127.0.0.1" // who asks is on this machine
	}
	to.Health = address("health", "port", s.health, s.health.port, healthPort, true)
	to.HealthIfFree = strings.HasSuffix(to.Health, ":"+healthPort)
	l.refs = append(l.refs, func() { l.exposed(o) })
	if t := o.within("tls"); t != nil {
		l.certificate(t, &s.tls)
	}
}

// exposed checks that no stranger knows a key of the plain listeners beyond loopback.
func (l *loader) exposed(o *object) {
	at := l.o.Listen
	wide := ""
	for _, addr := range []string{at.AMQP, at.Kafka, at.Health} {
		if host, _, err := net.SplitHostPort(addr); err == nil && !loopback(host) {
			wide = host
		}
	}
	if wide == "" || l.lax { // who only asks for tables has not the keys at hand
		return
	}
	refuse := func(hint, why string) {
		o.fail(o.find("allowPlaintext"), "E320", hint, "a listener without TLS may listen on %s only where no stranger knows a key: %s", wide, why)
	}
	if at.KafkaAnonymous {
		refuse("leave server.kafka.allowAnonymous out", "Kafka lets clients in that do not authenticate")
	}
	if l.o.Auth.EmulatorKey {
		refuse("leave namespace.emulatorKey out", "the key of Microsoft's emulator is accepted")
	}
	var given []access.Rule
	for _, r := range l.o.Auth.Rules {
		given = append(given, access.Rule{Name: r.Name, Primary: r.PrimaryKey, Secondary: r.SecondaryKey, Hub: r.Hub})
	}
	if err := access.CheckGiven(given); err != nil {
		refuse("namespace: { authorizationRules: { "+access.RootRule+": { rights: [Manage], primaryKey: \"${env:SPATE_KEY}\" } } }", err.Error())
	}
}

// portUse is the key that names a port.
type portUse struct {
	path string
	at   place
}

// address is the address of one listener.
func (l *loader) address(o *object, bind, proto, key, port string, plain bool, used map[string]portUse) string {
	addr := net.JoinHostPort(strings.Trim(bind, "[]"), port)
	of := o.within(proto)
	if of == nil {
		return "" // it is not a map, and has been said not to be
	}
	path, at, e := join(of.path, key), of.at, of.find(key)
	if e != nil {
		at = placeOf(e.value)
	}
	if plain && !loopback(bind) {
		if b := o.find("bind"); b != nil && e == nil {
			at = placeOf(b.value)
		}
		l.fail(at, "E320", path, "set "+path+" to off, or bind to 127.0.0.1, or set server.allowPlaintext to true where the network is yours", "%s: a listener without TLS may not listen on %s", path, bind)
	}
	if other, taken := used[addr]; taken && port != "0" {
		if e == nil { // the place that can be changed is the other key
			at, path, other.path = other.at, other.path, path
		}
		l.fail(at, "E307", path, "", "port %s is used by %s too", port, other.path)
	}
	used[addr] = portUse{path, at}
	return addr
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// certificate checks the keys of server.tls together.
func (l *loader) certificate(o *object, c *certificate) {
	cert, key := o.find("cert"), o.find("key")
	switch {
	case (cert == nil) != (key == nil):
		e := cert
		if e == nil {
			e = key
		}
		o.fail(e, "E207", "give cert and key, or neither", "cert and key stand together")
	case cert == nil:
		if !c.auto && l.o.Listen.AMQPS != "" {
			o.r.fail(o.at, "E208", o.path, "give cert and key, or close the TLS ports", "tls: auto is false and there is no certificate")
		}
	case c.cert != "" && c.key != "":
		l.o.Listen.CertFile, l.o.Listen.KeyFile = resolvePath(l.folder.dir, c.cert), resolvePath(l.folder.dir, c.key)
		for _, e := range []struct {
			*entry
			name string
		}{{cert, c.cert}, {key, c.key}} {
			if _, err := l.folder.read(e.name); err != nil {
				o.fail(e.entry, "E303", "", "%v", err)
			}
		}
	}
}
