package listen

import (
	"net"
	"path/filepath"

	"spate/access"
	"spate/pipeline"
)

// Endpoints are where a running pipeline is reached.
type Endpoints struct {
	AMQP, AMQPS, Kafka, HTTP, Health string // addresses; empty: closed

	ConnectionString    string // with UseDevelopmentEmulator=true, for the plain port
	TLSConnectionString string // for the TLS port; empty if that is closed
	CAFile              string
	DataDir             string
	TablesDir           string
}

// EndpointsOf says how clients find the bound addresses of a pipeline. key is that of the
// root policy.
func EndpointsOf(o pipeline.Options, bound Addresses, key string) Endpoints {
	e := Endpoints{
		AMQP: bound["amqp"], AMQPS: bound["amqps"], Kafka: bound["kafka"], HTTP: bound["console"], Health: bound["health"], DataDir: o.Dir,
		TablesDir: filepath.Join(o.Dir, "lake", o.Storage.Account, o.Storage.Container),
	}
	if e.AMQP != "" {
		c := access.ConnectionString{Endpoint: endpointOf(e.AMQP, "5672", o.Listen.Advertised), KeyName: access.RootRule, Key: key, Emulator: true}
		e.ConnectionString = c.Print()
	}
	if e.AMQPS != "" {
		c := access.ConnectionString{Endpoint: endpointOf(e.AMQPS, "5671", o.Listen.Advertised), KeyName: access.RootRule, Key: key}
		e.TLSConnectionString = c.Print()
		if o.Listen.CertFile == "" {
			certs := CertsDir(o.Dir)
			e.CAFile = filepath.Join(certs, "ca.pem")
			if c, err := access.ReadCerts(certs); err == nil {
				e.CAFile = c.CA
			}
		}
	}
	return e
}

// endpointOf is an address as connection strings have it: without the usual port, and
// with the advertised host, if there is one.
func endpointOf(addr, usual, advertised string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "sb://" + addr
	}
	if advertised != "" {
		host = advertised
	} else if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	if port == usual {
		return "sb://" + host
	}
	return "sb://" + net.JoinHostPort(host, port)
}

// Advertised is the address that clients are told for a bound one: with the advertised
// host, if there is one; else empty.
func Advertised(l pipeline.Listen, addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if l.Advertised == "" || err != nil {
		return ""
	}
	return net.JoinHostPort(l.Advertised, port)
}
