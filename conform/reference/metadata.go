package reference

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"

	"spate/column"
)

// metadata is what an input knows of an event besides its fields: the number-th of its
// partition, from 0.
func metadata(path []string, e *Event, number int64) column.Value {
	switch strings.Join(path[:min(2, len(path))], ".") {
	case "EventId":
		return column.TextOf(eventID(Identity(e.Input, e.Partition, number)))
	case "EventHub.SequenceNumber":
		return column.IntOf(number)
	case "EventHub.Offset":
		return column.TextOf(strconv.FormatInt(number, 10))
	case "EventHub.PartitionKey":
		return e.Key
	case "User":
		return e.Properties
	}
	if path[0] != "User" || e.Properties.Kind != column.Record {
		return column.Value{}
	}
	return field(e.Properties, path[1])
}

// Identity is a text that no other message has.
func Identity(input string, partition int, number int64) string {
	return strings.ToLower(input) + "/" + strconv.Itoa(partition) + "/" + strconv.FormatInt(number, 10)
}

// eventID is a UUID of version 5 for the only event of a message.
// Source: RFC 9562, 5.5.
func eventID(message string) string {
	space, _ := hex.DecodeString("5b0f4e2a9d3c5d718a641fe237c0b946")
	h := sha1.New()
	h.Write(space)
	h.Write([]byte(message + "/0"))
	id := h.Sum(nil)[:16]
	id[6] = 0x50 + id[6]%16
	id[8] = 0x80 + id[8]%64
	x := hex.EncodeToString(id)
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}
