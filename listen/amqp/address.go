package amqp

import (
	"strings"

	"spate/access"
	"spate/listen/limit"
)

// node says what stands at an address.
type node byte

const (
	nodeEvents node = iota
	nodeCBS
	nodeManagement
)

// address is a parsed link address.
type address struct {
	node      node
	path      string // without scheme and host, as the client wrote it
	hub       string
	partition string // as written, "" if none
	group     string
	publisher string
}

// entity names what the address is of as the service does in its texts. Names that
// nothing can have are cut.
func (a *address) entity() string {
	const longest = 256
	name := func(s string) string {
		if len(s) > longest {
			return limit.Name(s)
		}
		return s
	}
	e := ":eventhub:" + name(a.hub)
	if a.partition != "" {
		e += "~" + name(a.partition)
	}
	if a.group != "" {
		e += "|" + name(a.group)
	}
	return e
}

// parseAddress reads an address of the forms
//
//	hub, hub/Partitions/N, hub/Publishers/P, hub/ConsumerGroups/G/Partitions/N,
//	$cbs, $management, hub/$management
//
// with or without a scheme and host or a leading slash. It reads from the right,
// since the name of a hub may have slashes.
func parseAddress(s string) address {
	path := access.Path(s)
	a := address{path: path}
	rest := path
	last := func() (head, tail string) {
		if i := strings.LastIndexByte(rest, '/'); i >= 0 {
			return rest[:i], rest[i+1:]
		}
		return "", rest
	}
	head, tail := last()
	switch {
	case strings.EqualFold(tail, "$cbs"):
		a.node = nodeCBS
		return a
	case strings.EqualFold(tail, "$management"):
		a.node, a.hub = nodeManagement, head
		return a
	}
	// cut takes "/word/value" off the end.
	cut := func(word string) (string, bool) {
		head, value := last()
		i := strings.LastIndexByte(head, '/')
		if i < 1 || value == "" || !strings.EqualFold(head[i+1:], word) {
			return "", false
		}
		rest = head[:i]
		return value, true
	}
	if v, ok := cut("Partitions"); ok {
		a.partition = v
		if g, ok := cut("ConsumerGroups"); ok {
			a.group = g
		}
	} else if v, ok := cut("Publishers"); ok {
		a.publisher = v
	} else if v, ok := cut("ConsumerGroups"); ok {
		a.group = v
	}
	a.hub = rest
	return a
}
