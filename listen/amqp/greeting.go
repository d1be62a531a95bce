package amqp

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strings"
)

// saw says what the first eight bytes of a connection are when they are not AMQP 1.0,
// and where such a client is served.
func (s *Server) saw(head string) string {
	switch {
	case head[0] == 22 && head[1] == 3:
		return "this is TLS; " + s.port("AMQPS", "amqps", "5671")
	case strings.HasPrefix(head, "AMQP\x02"):
		return "the client asks for TLS inside AMQP; " + s.port("AMQPS", "amqps", "5671")
	case strings.HasPrefix(head, "AMQP\x00\x01"), strings.HasPrefix(head, "AMQP\x03\x01"):
		return "the client leaves SASL out, or speaks another version of AMQP 1"
	case strings.HasPrefix(head, "AMQP"):
		return "this is AMQP 0.x; Event Hubs clients speak AMQP 1.0"
	case isHTTP(head):
		return "this is HTTP; " + s.port("HTTP", "console", "8790")
	case isKafka(head):
		return "this is Kafka; " + s.port("Kafka", "kafka", "9092")
	}
	return "the first bytes are not AMQP"
}

// port names a port of this process, or the one that is usual.
func (s *Server) port(name, key, usual string) string {
	if _, p, err := net.SplitHostPort(s.o.Ports[key]); err == nil {
		return "the " + name + " port is " + p
	}
	return "the " + name + " port is another, by default " + usual
}

func isHTTP(head string) bool {
	for _, verb := range []string{"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "PRI * "} {
		if n := min(len(verb), len(head)); head[:n] == verb[:n] {
			return true
		}
	}
	return false
}

// isKafka reports that head may begin a request: a size, a key and a version.
func isKafka(head string) bool {
	b := []byte(head)
	size, key, version := binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	return size >= 10 && size < 100<<20 && key < 128 && version < 32
}

// reason is err as it is logged: of a client without TLS on a port with TLS, what it
// sent instead.
func (s *Server) reason(err error) string {
	var bad tls.RecordHeaderError
	if !errors.As(err, &bad) || bad.Conn == nil {
		return err.Error()
	}
	head := string(bad.RecordHeader[:])
	switch {
	case strings.HasPrefix(head, "AMQP"):
		return "this is AMQP without TLS; " + s.port("AMQP", "amqp", "5672")
	case isHTTP(head):
		return "this is HTTP without TLS; " + s.port("HTTP", "console", "8790")
	}
	return "this is not TLS"
}
