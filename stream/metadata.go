package stream

import (
	"crypto/sha1"
	"fmt"
	"slices"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
)

// iotNames are the message annotations under which an IoT hub, or a gateway in its place,
// writes what it knows of a message.
var iotNames = map[string]string{
	"ConnectionDeviceId": "iothub-connection-device-id",
	"ConnectionModuleId": "iothub-connection-module-id",
	"AuthMethod":         "iothub-connection-auth-method",
	"AuthGenerationId":   "iothub-connection-auth-generation-id",
	"EnqueuedTime":       "iothub-enqueuedtime",
	"MessageSource":      "iothub-message-source",
	"InterfaceName":      "iothub-interface-name",
}

// factOf is what the source is asked for a property.
func factOf(path []string) connector.Fact {
	switch group, name := path[0], path[len(path)-1]; group {
	case "EventId":
		return connector.Fact{Kind: connector.Identity}
	case "BlobName", "BlobLastModifiedUtcTime":
		return connector.Fact{Kind: connector.FileName}
	case "User":
		if len(path) == 1 {
			return connector.Fact{Kind: connector.Properties}
		}
		return connector.Fact{Kind: connector.Property, Name: name}
	case "IoTHub":
		switch name {
		case "MessageId":
			return connector.Fact{Kind: connector.MessageID}
		case "CorrelationId":
			return connector.Fact{Kind: connector.CorrelationID}
		}
		return connector.Fact{Kind: connector.Gateway, Name: iotNames[name]}
	default:
		switch name {
		case "PartitionKey":
			return connector.Fact{Kind: connector.PartitionKey}
		case "Publisher":
			return connector.Fact{Kind: connector.Publisher}
		}
		return connector.Fact{Kind: connector.Sequence}
	}
}

// fact is the index of a fact among those that the source is asked for.
func (p *partition) fact(f connector.Fact) int {
	i := slices.Index(p.facts, f)
	if i < 0 {
		i, p.facts = len(p.facts), append(p.facts, f)
	}
	return i
}

// metadata makes one column of properties.
func (p *partition) metadata(s plan.Source, fact int, c *connector.Chunk, rows format.Rows, arrivals []column.Ticks) column.Vector {
	b := column.NewBuilder(nil)
	index := 0 // of the event in its message
	for i, m := range rows.Src {
		if index++; i == 0 || rows.Src[i-1] != m {
			index = 0
		}
		var v column.Value
		if fact < len(c.Facts) && int(m) < len(c.Facts[fact]) {
			v = c.Facts[fact][m]
		}
		b.Append(propertyOf(s, v, index, arrivals[i]))
	}
	return b.Vector()
}

// propertyOf is a property of an event, of the type that the plan gives it.
func propertyOf(s plan.Source, v column.Value, index int, arrival column.Ticks) column.Value {
	switch {
	case v.IsNull():
		return v
	case s.Path[0] == "EventId":
		return column.TextOf(eventID(v.Text(), index))
	case s.Path[0] == "BlobLastModifiedUtcTime": // a file has the times that its events give
		return column.TimeOf(arrival)
	case s.Type == column.Null || v.Kind == s.Type:
		return v
	}
	v, ok := column.Cast(v, s.Type)
	if !ok {
		return column.Value{}
	}
	return v
}

// idSpace is the name space of event ids.
var idSpace = [16]byte{0x5b, 0x0f, 0x4e, 0x2a, 0x9d, 0x3c, 0x5d, 0x71, 0x8a, 0x64, 0x1f, 0xe2, 0x37, 0xc0, 0xb9, 0x46}

// eventID is the id of an event: the UUID, version 5, of its message and its place in it.
// Source: RFC 9562, 5.5.
func eventID(message string, index int) string {
	name := fmt.Appendf(slices.Clone(idSpace[:]), "%s/%d", message, index)
	h := sha1.Sum(name)
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
