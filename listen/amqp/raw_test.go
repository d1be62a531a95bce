package amqp_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	wire "spate/wire/amqp"
)

// raw is a client that says exactly what a test wants.
type raw struct {
	t    testing.TB
	conn net.Conn
	got  map[uint32]uint32 // answers that came on a node's handle
}

// frame is one frame that the server sent.
type frame struct {
	channel uint16
	code    byte // 0: heartbeat
	fields  []byte
	payload []byte
}

func dialRaw(t testing.TB, w *world) *raw {
	t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return &raw{t: t, conn: c, got: make(map[uint32]uint32)}
}

func (r *raw) write(b []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) read(n int) []byte {
	r.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r.conn, b); err != nil {
		r.t.Fatalf("read %d bytes: %v", n, err)
	}
	return b
}

// next reads one frame.
func (r *raw) next() frame {
	r.t.Helper()
	head := r.read(4)
	size := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	f, _, err := wire.ParseFrame(append(head, r.read(size-4)...), 1<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(f.Body) == 0 {
		return frame{channel: f.Channel}
	}
	code, fields, payload, err := wire.Performative(f.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return frame{f.Channel, code, fields, payload}
}

// want reads one frame, which must be of the given code.
func (r *raw) want(code byte) frame {
	r.t.Helper()
	f := r.next()
	if f.code != code {
		r.t.Fatalf("got frame %#x (% x), want %#x", f.code, f.fields, code)
	}
	return f
}

// silent checks that the server sends nothing more for a moment: the answer to
// a session flow with echo is the next thing that comes.
func (r *raw) silent() {
	r.t.Helper()
	r.perform(0, wire.AppendFlow(nil, &wire.Flow{HasNextIncoming: true, NextIncomingID: 1, IncomingWindow: 1000, Echo: true}))
	r.want(wire.CodeFlow)
}

// over checks that the server has closed the socket.
func (r *raw) over() {
	r.t.Helper()
	var b [1]byte
	if n, err := r.conn.Read(b[:]); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Errorf("the socket is still open: %d bytes, %v", n, err)
	}
}

func performative(channel uint16, p []byte, payload ...byte) []byte {
	b, at := wire.OpenFrame(nil, wire.FrameAMQP, channel)
	return wire.CloseFrame(append(append(b, p...), payload...), at)
}

func (r *raw) perform(channel uint16, p []byte, payload ...byte) {
	r.t.Helper()
	r.write(performative(channel, p, payload...))
}

// opening is everything up to begin of channel 0, in one piece, as some clients
// send it: SASL ANONYMOUS, open, begin.
func opening(o wire.Open) []byte {
	b := []byte(wire.HeaderSASL)
	b, at := wire.OpenFrame(b, wire.FrameSASL, 0)
	b, list := wire.OpenList(wire.AppendDescriptor(b, wire.CodeInit), 1)
	b = wire.CloseFrame(wire.CloseCompound(wire.AppendSymbol(b, "ANONYMOUS"), list), at)
	b = append(b, wire.HeaderAMQP...)
	b = append(b, performative(0, wire.AppendOpen(nil, &o))...)
	return append(b, performative(0, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 5000, OutgoingWindow: 5000, HandleMax: 255}))...)
}

// open pipelines the opening and reads all its answers.
func (r *raw) open() {
	r.t.Helper()
	r.openAs(wire.Open{ContainerID: "raw", MaxFrameSize: 65536})
}

func (r *raw) openAs(o wire.Open) {
	r.t.Helper()
	r.write(opening(o))
	if got := string(r.read(8)); got != wire.HeaderSASL {
		r.t.Fatalf("header % x", got)
	}
	r.want(wire.CodeMechanisms)
	if f := r.want(wire.CodeOutcome); !bytes.Contains(f.fields, []byte{0x50, 0x00}) {
		r.t.Fatalf("outcome % x", f.fields)
	}
	if got := string(r.read(8)); got != wire.HeaderAMQP {
		r.t.Fatalf("header % x", got)
	}
	r.want(wire.CodeOpen)
	r.want(wire.CodeBegin)
}

func (r *raw) attach(a wire.Attach) {
	r.t.Helper()
	r.perform(0, wire.AppendAttach(nil, &a))
}

func at(address string) *wire.Terminus { return &wire.Terminus{HasAddress: true, Address: address} }

// node attaches a pair of links to a node, at handle and the one behind it.
func (r *raw) node(name string, handle uint32) {
	r.t.Helper()
	r.attach(wire.Attach{Name: name + "-s", Handle: handle, SndSettle: 2, Source: at(name), Target: at(name)})
	r.want(wire.CodeAttach)
	r.want(wire.CodeFlow)
	r.attach(wire.Attach{Name: name + "-r", Handle: handle + 1, Receiver: true, Source: at(name), Target: at(name)})
	r.want(wire.CodeAttach)
}

// request sends a request, and only then credit for the answer.
func (r *raw) request(handle, id uint32, settled bool, messageID any, props wire.Map, body any) {
	r.t.Helper()
	msg, list := wire.OpenList(wire.AppendDescriptor(nil, wire.SectionProperties), 1)
	msg, err := wire.AppendValue(msg, messageID)
	if err != nil {
		r.t.Fatal(err)
	}
	msg = wire.CloseCompound(msg, list)
	if msg, err = wire.AppendValue(wire.AppendDescriptor(msg, wire.SectionAppProperties), props); err != nil {
		r.t.Fatal(err)
	}
	if body != nil {
		if msg, err = wire.AppendValue(wire.AppendDescriptor(msg, wire.SectionValue), body); err != nil {
			r.t.Fatal(err)
		}
	}
	r.perform(0, wire.AppendTransfer(nil, &wire.Transfer{Handle: handle, HasID: true, ID: id, Settled: settled}), msg...)
	r.credit(handle+1, r.got[handle], 1, false)
	r.got[handle]++
}

func (r *raw) credit(handle, count, credit uint32, drain bool) {
	r.t.Helper()
	r.perform(0, wire.AppendFlow(nil, &wire.Flow{HasNextIncoming: true, NextIncomingID: 1, IncomingWindow: 5000, OutgoingWindow: 5000,
		Link: true, Handle: handle, Count: count, Credit: credit, Drain: drain}))
}

// answer reads the answer of a node, and the disposition of the request.
func (r *raw) answer(disposition bool) (id any, props wire.Map, body any) {
	r.t.Helper()
	var transfer *frame
	for transfer == nil || disposition {
		f := r.next()
		switch f.code {
		case wire.CodeTransfer:
			transfer = &f
		case wire.CodeDisposition:
			disposition = false
		default:
			r.t.Fatalf("got frame %#x", f.code)
		}
	}
	for rest := transfer.payload; len(rest) > 0; {
		s, after, err := wire.NextSection(rest)
		if err != nil {
			r.t.Fatal(err)
		}
		rest = after
		v, _, err := wire.Decode(s.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		switch s.Code {
		case wire.SectionProperties:
			id = v.(wire.List)[5]
		case wire.SectionAppProperties:
			props = v.(wire.Map)
		case wire.SectionValue:
			body = v
		}
	}
	return id, props, body
}

// sender attaches a sender of events at handle 0.
func (r *raw) sender(address string) {
	r.t.Helper()
	r.attach(wire.Attach{Name: "s", SndSettle: 2, Source: at("me"), Target: at(address)})
	r.want(wire.CodeAttach)
	r.want(wire.CodeFlow)
}

// send sends a whole delivery in frames of at most n bytes of payload.
func (r *raw) send(id uint32, format uint32, msg []byte, n int) {
	r.t.Helper()
	t := wire.Transfer{HasID: true, ID: id, Tag: []byte{byte(id)}, HasFormat: true, Format: format}
	for first := true; first || len(msg) > 0; first = false {
		k := min(n, len(msg))
		t.More = k < len(msg)
		r.perform(0, wire.AppendTransfer(nil, &t), msg[:k]...)
		t.HasID = false
		msg = msg[k:]
	}
}

// receiverAt is an attach of a receiver of a partition, from its first event.
func receiverAt(partition string) wire.Attach {
	return wire.Attach{Name: "r", Receiver: true, SndSettle: 2, Source: at(hubName + "/ConsumerGroups/$Default/Partitions/" + partition), Target: at("x")}
}

// settled reads a disposition; condition is empty for accepted.
func (r *raw) settled() (first, last uint32, condition wire.Symbol) {
	r.t.Helper()
	f := r.want(wire.CodeDisposition)
	d, err := wire.DecodeDisposition(f.fields)
	if err != nil || !d.Settled || !d.Receiver {
		r.t.Fatalf("%+v, %v", d, err)
	}
	code, list, _, err := wire.Performative(d.State)
	if err != nil {
		r.t.Fatal(err)
	}
	if code == wire.CodeAccepted {
		return d.First, d.Last, ""
	}
	v, _, err := wire.Decode(list)
	if err != nil || code != wire.CodeRejected {
		r.t.Fatalf("state %#x, %v", code, err)
	}
	fields := v.(wire.List)[0].(wire.Described).Value.(wire.List)
	if len(fields) != 3 || fields[1] == nil {
		r.t.Errorf("an error of %d fields: %v", len(fields), fields)
	}
	return d.First, d.Last, fields[0].(wire.Symbol)
}

func conditionOf(t testing.TB, f frame) wire.Symbol {
	t.Helper()
	var e *wire.Error
	var err error
	if f.code == wire.CodeDetach {
		var d wire.Detach
		d, err = wire.DecodeDetach(f.fields)
		if e = d.Error; !d.Closed {
			t.Error("a detach that does not close")
		}
	} else {
		e, err = wire.DecodeClosing(f.fields)
	}
	if err != nil || e == nil {
		t.Fatalf("no error in % x: %v", f.fields, err)
	}
	return e.Condition
}
