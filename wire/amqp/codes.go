// Package amqp is AMQP 1.0 as bytes: values, frames, performatives, SASL and
// the sections of a message. It opens no socket and keeps no state.
//
// Decoders return slices of their input where they return bytes at all; such a
// slice is good for as long as the input is. Appenders add to dst and return
// it. Every performative is written with all its fields, nulls included, since
// one widely used client reads them by position.
//
// Source of formats and codes: AMQP 1.0, parts 1 to 5 (OASIS, 2012).
//
// Stability: importable, not promised before 1.0.
package amqp

// Protocol headers that open a connection.
const (
	HeaderSASL = "AMQP\x03\x01\x00\x00"
	HeaderAMQP = "AMQP\x00\x01\x00\x00"
)

// Frame types.
const (
	FrameAMQP byte = 0
	FrameSASL byte = 1
)

// Descriptor codes of performatives, states and termini.
const (
	CodeOpen        byte = 0x10
	CodeBegin       byte = 0x11
	CodeAttach      byte = 0x12
	CodeFlow        byte = 0x13
	CodeTransfer    byte = 0x14
	CodeDisposition byte = 0x15
	CodeDetach      byte = 0x16
	CodeEnd         byte = 0x17
	CodeClose       byte = 0x18
	CodeError       byte = 0x1d
	CodeReceived    byte = 0x23
	CodeAccepted    byte = 0x24
	CodeRejected    byte = 0x25
	CodeReleased    byte = 0x26
	CodeModified    byte = 0x27
	CodeSource      byte = 0x28
	CodeTarget      byte = 0x29
	CodeCoordinator byte = 0x30
	CodeMechanisms  byte = 0x40
	CodeInit        byte = 0x41
	CodeChallenge   byte = 0x42
	CodeResponse    byte = 0x43
	CodeOutcome     byte = 0x44
)

// Descriptor codes of message sections.
const (
	SectionHeader              byte = 0x70
	SectionDeliveryAnnotations byte = 0x71
	SectionAnnotations         byte = 0x72
	SectionProperties          byte = 0x73
	SectionAppProperties       byte = 0x74
	SectionData                byte = 0x75
	SectionSequence            byte = 0x76
	SectionValue               byte = 0x77
	SectionFooter              byte = 0x78
)

// BatchFormat is the message-format of an Event Hubs batch: every Data section
// is a whole encoded message.
const BatchFormat uint32 = 0x80013700

// Settle modes of a sender.
const (
	SndUnsettled byte = 0
	SndSettled   byte = 1
	SndMixed     byte = 2
)

// symbolic maps the symbolic descriptors that may stand in for a code.
func symbolic(s []byte) (byte, bool) {
	switch string(s) {
	case "amqp:open:list":
		return CodeOpen, true
	case "amqp:begin:list":
		return CodeBegin, true
	case "amqp:attach:list":
		return CodeAttach, true
	case "amqp:flow:list":
		return CodeFlow, true
	case "amqp:transfer:list":
		return CodeTransfer, true
	case "amqp:disposition:list":
		return CodeDisposition, true
	case "amqp:detach:list":
		return CodeDetach, true
	case "amqp:end:list":
		return CodeEnd, true
	case "amqp:close:list":
		return CodeClose, true
	case "amqp:error:list":
		return CodeError, true
	case "amqp:received:list":
		return CodeReceived, true
	case "amqp:accepted:list":
		return CodeAccepted, true
	case "amqp:rejected:list":
		return CodeRejected, true
	case "amqp:released:list":
		return CodeReleased, true
	case "amqp:modified:list":
		return CodeModified, true
	case "amqp:source:list":
		return CodeSource, true
	case "amqp:target:list":
		return CodeTarget, true
	case "amqp:coordinator:list":
		return CodeCoordinator, true
	case "amqp:sasl-mechanisms:list":
		return CodeMechanisms, true
	case "amqp:sasl-init:list":
		return CodeInit, true
	case "amqp:sasl-challenge:list":
		return CodeChallenge, true
	case "amqp:sasl-response:list":
		return CodeResponse, true
	case "amqp:sasl-outcome:list":
		return CodeOutcome, true
	case "amqp:header:list":
		return SectionHeader, true
	case "amqp:delivery-annotations:map":
		return SectionDeliveryAnnotations, true
	case "amqp:message-annotations:map":
		return SectionAnnotations, true
	case "amqp:properties:list":
		return SectionProperties, true
	case "amqp:application-properties:map":
		return SectionAppProperties, true
	case "amqp:data:binary":
		return SectionData, true
	case "amqp:amqp-sequence:list":
		return SectionSequence, true
	case "amqp:amqp-value:*":
		return SectionValue, true
	case "amqp:footer:map":
		return SectionFooter, true
	}
	return 0, false
}
