package access

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ConnectionString is a connection string taken apart.
type ConnectionString struct {
	Endpoint   string // sb://host[:port]
	KeyName    string
	Key        string
	Signature  string // a whole token, in place of KeyName and Key
	EntityPath string
	Emulator   bool
}

// ParseConnectionString reads a connection string. Keys may come in any order
// and case; a value may contain '='.
func ParseConnectionString(s string) (ConnectionString, error) {
	var c ConnectionString
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return c, fmt.Errorf("connection string: a part has no '='")
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "endpoint":
			c.Endpoint = strings.TrimRight(value, "/")
		case "sharedaccesskeyname":
			c.KeyName = value
		case "sharedaccesskey":
			c.Key = value
		case "sharedaccesssignature":
			c.Signature = value
		case "entitypath":
			c.EntityPath = value
		case "usedevelopmentemulator":
			c.Emulator = strings.EqualFold(value, "true")
		default:
			return c, fmt.Errorf("connection string: unknown key %q", strings.TrimSpace(name))
		}
	}
	if c.Endpoint == "" {
		return c, fmt.Errorf("connection string: Endpoint is missing")
	}
	if u, err := url.Parse(c.Endpoint); err != nil || u.Hostname() == "" {
		return c, fmt.Errorf("connection string: Endpoint %q is no URL with a host", c.Endpoint)
	}
	if c.Signature == "" {
		switch {
		case c.KeyName == "":
			return c, fmt.Errorf("connection string: SharedAccessKeyName is missing")
		case c.Key == "":
			return c, fmt.Errorf("connection string: SharedAccessKey is missing")
		}
	}
	return c, nil
}

// Host returns host and port of the endpoint; the port is the usual one of
// AMQP, 5671 with TLS and 5672 without, if the endpoint names none.
func (c ConnectionString) Host() (host, port string) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return "", ""
	}
	if port = u.Port(); port == "" {
		if port = "5671"; c.Emulator {
			port = "5672"
		}
	}
	return u.Hostname(), port
}

// Print returns the connection string with its secret. Every SDK understands
// it: no other keys, true in lower case.
func (c ConnectionString) Print() string { return c.print(false) }

// String is Print with the secret blotted out.
func (c ConnectionString) String() string { return c.print(true) }

// GoString is String, so that no verb of fmt prints a key.
func (c ConnectionString) GoString() string { return c.String() }

func (c ConnectionString) print(hide bool) string {
	key, signature := c.Key, c.Signature
	if hide {
		key, signature = "***", "***"
	}
	var b strings.Builder
	b.WriteString("Endpoint=" + c.Endpoint)
	if c.Signature != "" {
		b.WriteString(";SharedAccessSignature=" + signature)
	} else {
		b.WriteString(";SharedAccessKeyName=" + c.KeyName + ";SharedAccessKey=" + key)
	}
	if c.EntityPath != "" {
		b.WriteString(";EntityPath=" + c.EntityPath)
	}
	if c.Emulator {
		b.WriteString(";UseDevelopmentEmulator=true")
	}
	return b.String() + ";"
}

// EndpointOf returns the endpoint of a listener's address; a host that means
// every interface is named localhost.
func EndpointOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "sb://" + addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "sb://" + net.JoinHostPort(host, port)
}
