package kafka

import (
	"fmt"
	"slices"
)

// foreign says which other protocol begins with the four bytes in front of a Kafka
// request, nil if none does that is known.
func (s *Server) foreign(head [4]byte) error {
	port := func(keys ...string) string {
		for _, k := range keys {
			if at := s.o.Ports[k]; at != "" {
				return ": the port of that is " + at
			}
		}
		return ""
	}
	switch {
	case string(head[:]) == "AMQP":
		return fmt.Errorf("this is AMQP, on the port of Kafka%s", port("amqp", "amqps"))
	case head[0] == 0x16 && head[1] == 3:
		return fmt.Errorf("this is TLS, and the port of Kafka speaks none: security.protocol is SASL_PLAINTEXT; for AMQP over TLS%s", port("amqps"))
	case slices.Contains([]string{"GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN", "PRI "}, string(head[:])):
		return fmt.Errorf("this is HTTP, on the port of Kafka%s", port("console"))
	}
	return nil
}
