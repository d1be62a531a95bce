package amqp

import (
	"fmt"
	"strconv"
	"strings"

	"spate/listen/limit"
	wire "spate/wire/amqp"
)

const filterName = "apache.org:selector-filter:string"

// filterCode is the number that stands for filterName.
const filterCode uint64 = 0x468C00000004

// start is where a receiver begins.
type start struct {
	by        startBy
	inclusive bool
	value     int64 // as written: an offset or milliseconds
}

type startBy byte

const (
	byOldest startBy = iota
	byLatest
	byOffset
	bySequence
	byTime
)

// parseFilter reads the filter map of a source as it was encoded.
func parseFilter(raw []byte) (start, *wire.Error) {
	if raw == nil {
		return start{}, nil
	}
	v, _, err := wire.Decode(raw)
	if err != nil {
		return start{}, fault(condDecode, "The filter cannot be read.")
	}
	m, ok := v.(wire.Map)
	if !ok {
		return start{}, fault(condInvalidField, "The filter is not a map.")
	}
	var st start
	for _, e := range m {
		d, ok := e.Value.(wire.Described)
		if !ok {
			if text, isText := e.Value.(string); isText { // some clients leave the descriptor out
				d, ok = wire.Described{Descriptor: e.Key, Value: text}, true
			}
		}
		if !ok || !isSelector(d.Descriptor) {
			return start{}, fault(condNotBuilt, "The filter '%s' is not supported.", limit.Name(fmt.Sprint(e.Key)))
		}
		text, ok := d.Value.(string)
		if !ok {
			return start{}, fault(condInvalidField, "The filter '%s' holds no text.", limit.Name(fmt.Sprint(e.Key)))
		}
		var bad *wire.Error
		if st, bad = parseSelector(text); bad != nil {
			return start{}, bad
		}
	}
	return st, nil
}

func isSelector(descriptor any) bool {
	switch d := descriptor.(type) {
	case wire.Symbol:
		return d == filterName
	case string:
		return d == filterName
	case uint64:
		return d == filterCode
	}
	return false
}

// parseSelector reads amqp.annotation.NAME > 'value' or >=.
func parseSelector(text string) (start, *wire.Error) {
	invalid := fault(condInvalidField, "The filter expression \"%s\" is not supported.", limit.Name(text))
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "amqp.annotation.")
	if !ok {
		return start{}, invalid
	}
	name, value, ok := strings.Cut(rest, ">")
	if !ok {
		return start{}, invalid
	}
	var st start
	value, st.inclusive = strings.CutPrefix(value, "=")
	value = strings.TrimSpace(value)
	if len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' {
		return start{}, invalid
	}
	value = value[1 : len(value)-1]
	name = strings.Trim(strings.TrimSpace(name), "'\"")
	switch name {
	case wire.KeyOffset:
		st.by = byOffset
		if value == "@latest" {
			return start{by: byLatest}, nil
		}
		if value == "-1" {
			return start{by: byOldest}, nil
		}
	case wire.KeySequenceNumber:
		st.by = bySequence
	case wire.KeyEnqueuedTime:
		st.by = byTime
	default:
		return start{}, invalid
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		if st.by == byOffset {
			return start{}, fault(condArgument, "The supplied offset '%s' is invalid.", limit.Name(value))
		}
		return start{}, fault(condArgument, "The supplied value '%s' of %s is invalid.", limit.Name(value), name)
	}
	st.value = n
	return st, nil
}

// resolve returns the first offset to send and the earliest append time, in
// milliseconds, of what is sent. next is the end of the log.
func (st start) resolve(next int64, offsetAt func(ms int64) (int64, error)) (offset, minTime int64, bad *wire.Error) {
	switch st.by {
	case byOldest:
		return 0, 0, nil
	case byLatest:
		return next, 0, nil
	case byTime:
		minTime = st.value
		if !st.inclusive {
			minTime++
		}
		offset, err := offsetAt(minTime)
		if err != nil {
			return 0, 0, ofHub(err)
		}
		return offset, minTime, nil
	}
	offset = st.value
	if !st.inclusive {
		offset++
	}
	if offset > next {
		if st.by == bySequence {
			return 0, 0, fault(condArgument, "The supplied sequence number '%d' is invalid. The last sequence number in the system is '%d'", st.value, next-1)
		}
		return 0, 0, fault(condArgument, "The supplied offset '%d' is invalid. The last offset in the system is '%d'", st.value, next-1)
	}
	return max(offset, 0), 0, nil
}
