package kafka

import "spate/metric"

// namespaceOnly is the entity of what concerns no hub, as Azure Monitor spells it.
const namespaceOnly = "-NamespaceOnlyMetric-"

// connectionCounters count connections.
type connectionCounters struct {
	opened, closed *metric.Counter
	active         *metric.Gauge
}

func newConnectionCounters(m *metric.Recorder) connectionCounters {
	return connectionCounters{
		opened: m.Counter("ConnectionsOpened", "EntityName", namespaceOnly),
		closed: m.Counter("ConnectionsClosed", "EntityName", namespaceOnly),
		active: m.Gauge("ActiveConnections", "EntityName", namespaceOnly, "Listener", "kafka"),
	}
}

// requestCounters count the requests about one entity: a produce or fetch request
// is one for each topic in it. Events and bytes are the hub's to count.
type requestCounters struct {
	incoming, succeeded, userErrors, serverErrors *metric.Counter
}

func newRequestCounters(m *metric.Recorder, entity string) requestCounters {
	return requestCounters{
		incoming:     m.Counter("IncomingRequests", "EntityName", entity),
		succeeded:    m.Counter("SuccessfulRequests", "EntityName", entity, "OperationResult", "Success"),
		userErrors:   m.Counter("UserErrors", "EntityName", entity, "OperationResult", "ClientError"),
		serverErrors: m.Counter("ServerErrors", "EntityName", entity, "OperationResult", "InternalServerError"),
	}
}

// count records one answered request with its error code.
func (r *requestCounters) count(code int16) {
	r.incoming.Add(1)
	switch code {
	case codeNone:
		r.succeeded.Add(1)
	case codeStorage, codeUnknown:
		r.serverErrors.Add(1)
	default:
		r.userErrors.Add(1)
	}
}

// requests returns the counters of a topic, or of the namespace for an unknown one.
func (s *Server) requests(t *topic) *requestCounters {
	if t != nil {
		return &t.requests
	}
	return &s.requestsOfNone
}

// worse chooses between the codes of two partitions: our own faults first.
func worse(a, b int16) int16 {
	if b == codeNone || a == codeStorage || a == codeUnknown {
		return a
	}
	return b
}
