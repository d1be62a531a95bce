package amqp

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// BodyKind says what the body of a stored message was.
type BodyKind byte

// Kinds of bodies, as the $amqp record header counts them.
const (
	BodyData      BodyKind = 0 // one Data section
	BodyNull      BodyKind = 1 // a Data section holding null
	BodySections  BodyKind = 2 // several Data sections; the value is their concatenation
	BodyString    BodyKind = 3 // amqp-value string
	BodyBinary    BodyKind = 4 // amqp-value binary
	BodyOther     BodyKind = 5 // other amqp-value or amqp-sequence; the value is the sections
	BodyAbsent    BodyKind = 6 // no body section
	storedVersion byte     = 1
)

// Annotations that the service owns. A client's own are dropped, but for the
// partition key, which is kept as the record's key.
const (
	KeyPartitionKey   = "x-opt-partition-key"
	KeySequenceNumber = "x-opt-sequence-number"
	KeyOffset         = "x-opt-offset"
	KeyEnqueuedTime   = "x-opt-enqueued-time"
	KeyPublisher      = "x-opt-publisher"
)

// StoredHeader is the name of the record header that holds a Stored.
const StoredHeader = "$amqp"

// Message is one encoded message taken apart for the log. Its slices lie in
// the encoded message or in the scratch that Split was given.
type Message struct {
	Key  []byte // partition key, nil if none
	Body []byte // value of the record, nil for null
	AMQP []byte // value of the $amqp record header, nil if not needed
}

// maxSections bounds the Data sections of one message.
const maxSections = 1 << 16

// Split takes apart one encoded message. What it has to build it appends to
// scratch, which it returns. publisher, if not empty, is stored as the
// annotation of that name.
func Split(msg []byte, publisher string, scratch []byte) (Message, []byte, error) {
	var m Message
	var annotations, properties, application, footer Section
	var bodies, bodyBytes, dataBytes, nulls int
	var first Section
	mixed := false
	for rest := msg; len(rest) > 0; {
		s, after, err := NextSection(rest)
		if err != nil {
			return m, scratch, err
		}
		rest = after
		var seen *Section
		switch s.Code {
		case SectionHeader, SectionDeliveryAnnotations:
			continue
		case SectionAnnotations:
			seen = &annotations
		case SectionProperties:
			seen = &properties
		case SectionAppProperties:
			seen = &application
		case SectionFooter:
			seen = &footer
		default:
			if bodies++; bodies == 1 {
				first = s
			} else if s.Code != first.Code || s.Code == SectionValue || bodies > maxSections {
				mixed = true
			}
			bodyBytes += 3 + len(s.Value)
			if s.Code == SectionData {
				d, isNull := s.Data()
				dataBytes += len(d)
				if isNull {
					nulls++
				}
			}
			continue
		}
		if seen.Raw != nil {
			return m, scratch, fmt.Errorf("%w: two sections %#02x in one message", ErrDecode, s.Code)
		}
		*seen = s
	}
	if mixed {
		return m, scratch, fmt.Errorf("%w: %d body sections that do not go together", ErrDecode, bodies)
	}

	kind := BodyAbsent
	switch {
	case bodies == 0:
	case first.Code == SectionData && bodies == 1:
		kind = BodyData
		if m.Body, _ = first.Data(); nulls == 1 {
			kind = BodyNull
		}
	case first.Code == SectionData:
		kind = BodySections
	case first.Code == SectionValue && (first.Value[0] == 0xa1 || first.Value[0] == 0xb1):
		kind = BodyString
		m.Body, _ = variable(first.Value)
	case first.Code == SectionValue && (first.Value[0] == 0xa0 || first.Value[0] == 0xb0):
		kind = BodyBinary
		m.Body, _ = variable(first.Value)
	default:
		kind = BodyOther
	}
	if kind == BodySections || kind == BodyOther {
		scratch, m.Body = joinBody(msg, kind, scratch)
	}
	return split(m, kind, msg, [4]*Section{&annotations, &properties, &application, &footer}, publisher, scratch)
}

// joinBody appends the record value of a body of several sections.
func joinBody(msg []byte, kind BodyKind, scratch []byte) (grown, body []byte) {
	at := len(scratch)
	eachBody(msg, func(s *Section) {
		if kind == BodySections {
			d, _ := s.Data()
			scratch = append(scratch, d...)
		} else {
			scratch = s.AppendTo(scratch)
		}
	})
	return scratch, scratch[at:len(scratch):len(scratch)]
}

// eachBody calls f with the body sections of a message that has been walked.
func eachBody(msg []byte, f func(*Section)) {
	for rest := msg; len(rest) > 0; {
		s, after, err := NextSection(rest)
		if err != nil {
			return
		}
		if rest = after; s.Code >= SectionData && s.Code <= SectionValue {
			f(&s)
		}
	}
}

// split builds the $amqp value of a message whose sections are known:
// annotations, properties, application properties, footer.
func split(m Message, kind BodyKind, msg []byte, parts [4]*Section, publisher string, scratch []byte) (Message, []byte, error) {
	start := len(scratch)
	scratch = append(scratch, storedVersion, byte(kind))
	kept, keptBytes := 0, 0
	count, items, err := pairs(parts[0].Value)
	if err != nil {
		return m, scratch, err
	}
	for rest := items; count > 0; count-- {
		var k, v []byte
		if k, v, rest, err = nextPair(rest); err != nil {
			return m, scratch, err
		}
		switch name, _ := Text(k); string(name) {
		case KeyPartitionKey:
			if key, ok := Text(v); ok {
				m.Key = key
			}
		case KeySequenceNumber, KeyOffset, KeyEnqueuedTime, KeyPublisher:
		default:
			kept++
			keptBytes += len(k) + len(v)
		}
	}
	if publisher != "" {
		kept++
		keptBytes += symbolSize(KeyPublisher) + symbolSize(publisher)
	}
	properties, application, footer := parts[1], parts[2], parts[3]
	if kind == BodyData && kept == 0 && empty(properties) && empty(application) && empty(footer) {
		return m, scratch[:start], nil
	}
	scratch = binary.AppendUvarint(scratch, uint64(kept))
	scratch = binary.AppendUvarint(scratch, uint64(keptBytes))
	if kept > 0 {
		scratch = appendKept(scratch, parts[0].Value, publisher)
	}
	propertyBytes := sectionSize(properties) + sectionSize(application)
	scratch = binary.AppendUvarint(scratch, uint64(propertyBytes))
	scratch = appendSection(appendSection(scratch, properties), application)
	scratch = binary.AppendUvarint(scratch, uint64(sectionSize(footer)))
	scratch = appendSection(scratch, footer)
	if kind == BodySections {
		n := 0
		eachBody(msg, func(*Section) { n++ })
		scratch = binary.AppendUvarint(scratch, uint64(n))
		eachBody(msg, func(s *Section) {
			d, _ := s.Data()
			scratch = binary.AppendUvarint(scratch, uint64(len(d)))
		})
	}
	m.AMQP = scratch[start:len(scratch):len(scratch)]
	return m, scratch, nil
}

func appendKept(dst, value []byte, publisher string) []byte {
	count, items, _ := pairs(value)
	for ; count > 0; count-- {
		var k, v []byte
		k, v, items, _ = nextPair(items)
		name, ok := Text(k)
		switch string(name) {
		case KeyPartitionKey, KeySequenceNumber, KeyOffset, KeyEnqueuedTime, KeyPublisher:
			continue
		}
		if ok && (k[0] == 0xa1 || k[0] == 0xb1) { // annotation keys are symbols, whatever was sent
			dst = append(append(dst, k[0]|2), k[1:]...)
		} else {
			dst = append(dst, k...)
		}
		dst = append(dst, v...)
	}
	if publisher != "" {
		dst = AppendString(AppendSymbol(dst, KeyPublisher), publisher)
	}
	return dst
}

func symbolSize(s string) int {
	if len(s) < 256 {
		return 2 + len(s)
	}
	return 5 + len(s)
}

// empty says that a section holds nothing a reader could miss.
func empty(s *Section) bool {
	if s.Raw == nil || s.Value[0] == 0x40 || s.Value[0] == 0x45 {
		return true
	}
	count, _, err := compound(s.Value[0], s.Value[1:])
	return err == nil && count == 0
}

func sectionSize(s *Section) int {
	if empty(s) {
		return 0
	}
	return 3 + len(s.Value)
}

func appendSection(dst []byte, s *Section) []byte {
	if empty(s) {
		return dst
	}
	return s.AppendTo(dst)
}

// Stored is the value of a $amqp record header. Its slices lie in the value.
type Stored struct {
	Kind        BodyKind
	Annotations int    // pairs
	Pairs       []byte // their encoded keys and values
	Properties  []byte // the properties and the application-properties section
	Footer      []byte // the footer section
	Lengths     []byte // BodySections: count and length of each, uvarints
}

// ParseStored reads the value of a $amqp record header; nil is one Data section
// and nothing else.
func ParseStored(b []byte) (Stored, error) {
	var s Stored
	if len(b) == 0 {
		return s, nil
	}
	if len(b) < 2 || b[0] != storedVersion || BodyKind(b[1]) > BodyAbsent {
		return s, fmt.Errorf("%w: $amqp header begins with % x", ErrDecode, b[:min(2, len(b))])
	}
	s.Kind = BodyKind(b[1])
	b = b[2:]
	number := func() uint64 {
		n, w := binary.Uvarint(b)
		if w <= 0 {
			b = nil
			return 1 << 62
		}
		b = b[w:]
		return n
	}
	take := func() ([]byte, bool) {
		n := number()
		if n > uint64(len(b)) {
			return nil, false
		}
		v := b[:n:n]
		b = b[n:]
		return v, true
	}
	count := number()
	var ok [3]bool
	s.Pairs, ok[0] = take()
	s.Properties, ok[1] = take()
	s.Footer, ok[2] = take()
	if !ok[0] || !ok[1] || !ok[2] || count > uint64(len(s.Pairs)) {
		return Stored{}, short("$amqp header")
	}
	s.Annotations = int(count)
	s.Lengths = b
	if s.Kind != BodySections && len(b) > 0 {
		return Stored{}, fmt.Errorf("%w: %d bytes behind a $amqp header", ErrDecode, len(b))
	}
	return s, nil
}

// AppendBody appends the body sections of a stored message whose record value
// is value.
func (s *Stored) AppendBody(dst, value []byte) ([]byte, error) {
	switch s.Kind {
	case BodyData:
		return AppendBinary(AppendDescriptor(dst, SectionData), value), nil
	case BodyNull:
		return AppendNull(AppendDescriptor(dst, SectionData)), nil
	case BodyString:
		return AppendString(AppendDescriptor(dst, SectionValue), value), nil
	case BodyBinary:
		return AppendBinary(AppendDescriptor(dst, SectionValue), value), nil
	case BodyOther:
		return append(dst, value...), nil
	case BodyAbsent:
		return dst, nil
	}
	lengths := s.Lengths
	count, w := binary.Uvarint(lengths)
	if w <= 0 || count > uint64(len(lengths)) {
		return dst, short("$amqp header")
	}
	lengths = lengths[w:]
	for range count {
		n, w := binary.Uvarint(lengths)
		if w <= 0 || n > uint64(len(value)) {
			return dst, short("$amqp header")
		}
		dst = AppendBinary(AppendDescriptor(dst, SectionData), value[:n])
		lengths, value = lengths[w:], value[n:]
	}
	return dst, nil
}

// ApplicationProperties calls f with each application property, its value
// still encoded, until f returns false.
func (s *Stored) ApplicationProperties(f func(key, value []byte) bool) error {
	return s.section(SectionAppProperties, func(value []byte) error { return Pairs(value, f) })
}

// EachAnnotation calls f with each message annotation whose key is a text, its value still
// encoded, until f returns false.
func (s *Stored) EachAnnotation(f func(key, value []byte) bool) error {
	items := s.Pairs
	for range s.Annotations {
		k, v, rest, err := nextPair(items)
		if err != nil {
			return err
		}
		items = rest
		if name, ok := Text(k); ok && !f(name, v) {
			return nil
		}
	}
	return nil
}

// Property calls f with the encoded value of each property that is set, by its
// place in the properties section: 0 message-id, 1 user-id, 2 to, 3 subject,
// 4 reply-to, 5 correlation-id, 6 content-type, 7 content-encoding,
// 8 absolute-expiry-time, 9 creation-time, 10 group-id, 11 group-sequence,
// 12 reply-to-group-id.
func (s *Stored) Property(f func(place int, value []byte)) error {
	return s.section(SectionProperties, func(value []byte) error {
		in := openFields(value)
		for place := 0; in.left > 0 && in.err == nil; place++ {
			if v := in.next(); v != nil {
				f(place, v)
			}
		}
		return in.err
	})
}

func (s *Stored) section(code byte, f func(value []byte) error) error {
	for rest := s.Properties; len(rest) > 0; {
		sec, after, err := NextSection(rest)
		if err != nil {
			return err
		}
		if rest = after; sec.Code == code {
			return f(sec.Value)
		}
	}
	return nil
}

// AppendTextProperty appends one application property as a Kafka header gives
// it: string when value is valid UTF-8, else binary.
func AppendTextProperty(dst []byte, key string, value []byte) []byte {
	dst = AppendString(dst, key)
	if utf8.Valid(value) {
		return AppendString(dst, value)
	}
	return AppendBinary(dst, value)
}
