package amqp_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"spate/access"
	listen "spate/listen/amqp"
	wire "spate/wire/amqp"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

func open(t *testing.T) *world { return newWorld(t, func(o *listen.Options) { o.RequireAuth = false }) }

// C01: an unknown header is answered with ours.
func TestUnknownProtocolHeader(t *testing.T) {
	w := newWorld(t, nil)
	r := dialRaw(t, w)
	r.write([]byte("GET / HTTP/1.1\r\n\r\n"))
	if got := string(r.read(8)); got != wire.HeaderSASL {
		t.Errorf("% x", got)
	}
	r.over()
	// Plain AMQP needs a listener that asks for no keys.
	r = dialRaw(t, w)
	r.write([]byte(wire.HeaderAMQP))
	if got := string(r.read(8)); got != wire.HeaderSASL {
		t.Errorf("% x", got)
	}
	r.over()
	r = dialRaw(t, open(t))
	r.write([]byte(wire.HeaderAMQP))
	if got := string(r.read(8)); got != wire.HeaderAMQP {
		t.Errorf("% x", got)
	}
}

// C03.
func TestSASLPlain(t *testing.T) {
	w := newWorld(t, nil)
	try := func(name, key string, want byte) *raw {
		t.Helper()
		r := dialRaw(t, w)
		b := []byte(wire.HeaderSASL)
		b, at := wire.OpenFrame(b, wire.FrameSASL, 0)
		b, list := wire.OpenList(wire.AppendDescriptor(b, wire.CodeInit), 2)
		b = wire.AppendBinary(wire.AppendSymbol(b, "PLAIN"), "\x00"+name+"\x00"+key)
		r.write(wire.CloseFrame(wire.CloseCompound(b, list), at))
		r.read(8)
		r.want(wire.CodeMechanisms)
		if f := r.want(wire.CodeOutcome); !bytes.Contains(f.fields, []byte{0x50, want}) {
			t.Errorf("%s: outcome % x, want code %d", name, f.fields, want)
		}
		return r
	}
	try("sender", "wrong", wire.SASLAuth).over()
	r := try("sender", "sender-key", wire.SASLOk)
	r.write([]byte(wire.HeaderAMQP))
	r.read(8)
	r.perform(0, wire.AppendOpen(nil, &wire.Open{ContainerID: "c", MaxFrameSize: 4096}))
	r.want(wire.CodeOpen)
	r.perform(0, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10}))
	r.want(wire.CodeBegin)
	r.sender(hubName)
	r.send(0, 0, []byte("\x00\x53\x75\xa0\x01x"), 1000)
	if _, _, cond := r.settled(); cond != "" {
		t.Errorf("refused: %s", cond)
	}
	// The key gives no right to receive.
	r.attach(wire.Attach{Name: "r", Handle: 1, Receiver: true, Source: at(hubName + "/ConsumerGroups/$Default/Partitions/0"), Target: at("x")})
	r.want(wire.CodeAttach)
	if got := conditionOf(t, r.want(wire.CodeDetach)); got != "amqp:unauthorized-access" {
		t.Errorf("receiving: %s", got)
	}
}

// Who is refused is a user error, and no success: of the namespace, or of the hub of a link.
func TestRefusedKeysAreUserErrors(t *testing.T) {
	w := newWorld(t, nil)
	wants := func(what, entity string, succeeded, errors int64) {
		t.Helper()
		ok := w.metrics.Counter("SuccessfulRequests", "EntityName", entity, "OperationResult", "Success").Value()
		bad := w.metrics.Counter("UserErrors", "EntityName", entity, "OperationResult", "ClientError").Value()
		all := w.metrics.Counter("IncomingRequests", "EntityName", entity).Value()
		if ok != succeeded || bad != errors || all != ok+bad {
			t.Errorf("%s: %d requests of %s, %d succeeded and %d user errors, want %d and %d", what, all, entity, ok, bad, succeeded, errors)
		}
	}
	const none = "-NamespaceOnlyMetric-"

	r := dialRaw(t, w)
	b := []byte(wire.HeaderSASL)
	b, at0 := wire.OpenFrame(b, wire.FrameSASL, 0)
	b, list := wire.OpenList(wire.AppendDescriptor(b, wire.CodeInit), 2)
	b = wire.AppendBinary(wire.AppendSymbol(b, "PLAIN"), "\x00sender\x00wrong")
	r.write(wire.CloseFrame(wire.CloseCompound(b, list), at0))
	r.read(8)
	r.want(wire.CodeMechanisms)
	r.want(wire.CodeOutcome)
	r.over()
	wants("SASL", none, 0, 1)

	r = dialRaw(t, w)
	r.open()
	r.node("$cbs", 0)
	put := func(token string, id uint32) {
		t.Helper()
		r.request(0, id, false, "id", wire.Map{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "servicebus.windows.net:sastoken"}, {Key: "name", Value: "sb://h/" + hubName}}, token)
		r.answer(true)
	}
	later := time.Now().Add(time.Hour)
	for i, token := range []string{access.Sign("sb://h/"+hubName, access.RootRule, "wrong", later), access.Sign("sb://h/"+hubName, "nobody", rootKey, later),
		access.Sign("sb://h/"+hubName, access.RootRule, rootKey, time.Now().Add(-time.Hour)), "eyJ.eyJ.sig"} {
		put(token, uint32(i+1))
		wants("token", none, 0, int64(i+2))
	}
	put(access.Sign("sb://h/"+hubName, "reader", "reader-key", later), 5)
	wants("a good token", none, 1, 5)

	r.attach(wire.Attach{Name: "s", Handle: 10, Source: at("x"), Target: at(hubName)})
	r.want(wire.CodeAttach)
	if got := conditionOf(t, r.want(wire.CodeDetach)); got != "amqp:unauthorized-access" {
		t.Errorf("sending: %s", got)
	}
	wants("a link without the right", hubName, 0, 1)
	r.attach(wire.Attach{Name: "u", Handle: 11, Source: at("x"), Target: at("unknown")})
	r.want(wire.CodeAttach)
	r.want(wire.CodeDetach)
	wants("a link to no hub", none, 1, 6)
}

// C04, C06, C21: what the peer must not do closes the connection.
func TestConnectionErrors(t *testing.T) {
	w := open(t)
	for name, f := range map[string]struct {
		b    []byte
		want wire.Symbol
	}{
		"not a frame":          {[]byte("\x00\x00\x00\x02\x02\x00\x00\x00"), "amqp:connection:framing-error"},
		"too large":            {[]byte("\x7f\x00\x00\x00\x02\x00\x00\x00"), "amqp:connection:framing-error"},
		"not a performative":   {performative(0, []byte{0xa1, 1, 'x'}), "amqp:decode-error"},
		"attach that is short": {performative(0, []byte{0, 0x53, 0x12, 0xc0, 3, 9, 0xa1, 9}), "amqp:decode-error"},
		"channel not begun":    {performative(9, wire.AppendFlow(nil, new(wire.Flow))), "amqp:not-allowed"},
		"channel too high":     {performative(5000, wire.AppendBegin(nil, new(wire.Begin))), "amqp:not-allowed"},
		"unknown performative": {performative(0, []byte{0, 0x53, 0x19, 0x45}), "amqp:not-allowed"},
	} {
		r := dialRaw(t, w)
		r.open()
		r.write(f.b)
		if got := conditionOf(t, r.want(wire.CodeClose)); got != f.want {
			t.Errorf("%s: %s, want %s", name, got, f.want)
		}
		r.over()
	}
	r := dialRaw(t, w)
	r.write(opening(wire.Open{ContainerID: "c", MaxFrameSize: 100})[:])
	r.read(8)
	r.want(wire.CodeMechanisms)
	r.want(wire.CodeOutcome)
	r.read(8)
	r.want(wire.CodeOpen)
	if got := conditionOf(t, r.want(wire.CodeClose)); got != "amqp:invalid-field" {
		t.Errorf("max-frame-size 100: %s", got)
	}
}

// C05: heartbeats at the client's half, and a silent client is dropped.
func TestIdleTimeouts(t *testing.T) {
	w := newWorld(t, func(o *listen.Options) { o.IdleTimeout = 600 * time.Millisecond })
	r := dialRaw(t, w)
	r.openAs(wire.Open{ContainerID: "c", MaxFrameSize: 512, IdleTimeout: 300})
	if f := r.next(); f.code != 0 {
		t.Errorf("got frame %#x, want a heartbeat", f.code)
	}
	for {
		f := r.next()
		if f.code == 0 {
			continue
		}
		if got := conditionOf(t, f); f.code != wire.CodeClose || got != "amqp:resource-limit-exceeded" {
			t.Errorf("frame %#x, %s", f.code, got)
		}
		break
	}
}

// C07, C10: handles in use and never attached; A28, A29.
func TestHandles(t *testing.T) {
	w := open(t)
	r := dialRaw(t, w)
	r.open()
	r.sender(hubName)
	r.attach(wire.Attach{Name: "again", Source: at("me"), Target: at(hubName)})
	if got := conditionOf(t, r.want(wire.CodeEnd)); got != "amqp:session:handle-in-use" {
		t.Errorf("handle in use: %s", got)
	}
	// Late frames are ignored; the channel is free behind the client's end.
	r.perform(0, wire.AppendDetach(nil, &wire.Detach{Handle: 7}))
	r.perform(0, wire.AppendEnd(nil, nil))
	r.perform(0, wire.AppendDetach(nil, &wire.Detach{}))
	r.perform(0, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10}))
	r.want(wire.CodeBegin)
	r.perform(0, wire.AppendDetach(nil, &wire.Detach{Handle: 7}))
	if got := conditionOf(t, r.want(wire.CodeEnd)); got != "amqp:session:unattached-handle" {
		t.Errorf("handle not attached: %s", got)
	}
	r.perform(0, wire.AppendEnd(nil, nil))
	r.perform(0, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10}))
	r.want(wire.CodeBegin)
	// A refused link: its answering detach gets no answer.
	r.attach(wire.Attach{Name: "bad", Source: at("me"), Target: at("missing")})
	a, err := wire.DecodeAttach(r.want(wire.CodeAttach).fields)
	if err != nil || a.Source != nil || a.Target != nil {
		t.Errorf("refused attach: %+v, %v", a, err)
	}
	if got := conditionOf(t, r.want(wire.CodeDetach)); got != "amqp:not-found" {
		t.Errorf("a hub that is not there: %s", got)
	}
	r.perform(0, wire.AppendDetach(nil, &wire.Detach{Closed: true}))
	r.silent()
	r.sender(hubName) // the handle is free again
	r.perform(0, wire.AppendClose(nil, nil))
	r.want(wire.CodeClose)
	r.over()
}

// C08, C09, P05, R15, R16, R05: refusals.
func TestRefusedAttaches(t *testing.T) {
	w := open(t)
	r := dialRaw(t, w)
	r.open()
	receiver := func(address, selector string) wire.Attach {
		a := wire.Attach{Receiver: true, Source: at(address), Target: at("x")}
		if selector != "" {
			a.Source.Filter, _ = wire.AppendValue(nil, wire.Map{{Key: wire.Symbol("f"), Value: wire.Described{Descriptor: wire.Symbol("apache.org:selector-filter:string"), Value: selector}}})
		}
		return a
	}
	other, _ := wire.AppendValue(nil, wire.Map{{Key: wire.Symbol("f"), Value: wire.Described{Descriptor: wire.Symbol("other"), Value: "x"}}})
	strange := receiver(hubName+"/ConsumerGroups/$Default/Partitions/0", "")
	strange.Source.Filter = other
	ok := hubName + "/ConsumerGroups/$Default/Partitions/0"
	for i, f := range []struct {
		a    wire.Attach
		want wire.Symbol
	}{
		{wire.Attach{Source: at("x")}, "amqp:invalid-field"},
		{wire.Attach{Source: at("x"), Target: at(hubName + "/Partitions/4")}, "com.microsoft:argument-out-of-range"},
		{wire.Attach{Source: at("x"), Target: at(hubName + "/Partitions/01")}, "com.microsoft:argument-out-of-range"},
		{receiver(hubName+"/ConsumerGroups/none/Partitions/0", ""), "amqp:not-found"},
		{receiver(hubName+"/ConsumerGroups/$Default/Partitions/9", ""), "com.microsoft:argument-out-of-range"},
		{receiver(hubName, ""), "amqp:invalid-field"},
		{receiver(ok, "amqp.annotation.x-opt-color > '5'"), "amqp:invalid-field"},
		{receiver(ok, "amqp.annotation.x-opt-offset < '5'"), "amqp:invalid-field"},
		{receiver(ok, "amqp.annotation.x-opt-offset > 'abc'"), "com.microsoft:argument-error"},
		{receiver(ok, "amqp.annotation.x-opt-sequence-number > '488'"), "com.microsoft:argument-error"},
		{strange, "amqp:not-implemented"},
	} {
		f.a.Name, f.a.Handle = fmt.Sprint("l", i), uint32(i)
		r.attach(f.a)
		r.want(wire.CodeAttach)
		if got := conditionOf(t, r.want(wire.CodeDetach)); got != f.want {
			t.Errorf("attach %d: %s, want %s", i, got, f.want)
		}
	}
	r.attach(wire.Attach{Name: "idempotent", Handle: 100, Source: at("x"), Target: at(hubName), Desired: []wire.Symbol{"com.microsoft:idempotent-producer"}})
	r.want(wire.CodeAttach)
	if d, err := wire.DecodeDetach(r.want(wire.CodeDetach).fields); err != nil || d.Error == nil || !strings.Contains(d.Error.Description, "Idempotent publishing over AMQP is not supported yet") {
		t.Errorf("idempotent publishing: %+v, %v", d.Error, err)
	}
	// A coordinator: the target is a list with another descriptor.
	b, list := wire.OpenList(wire.AppendDescriptor(nil, wire.CodeAttach), 7)
	b = wire.AppendBool(wire.AppendUint(wire.AppendString(b, "tx"), 200), false)
	b = append(b, 0x40, 0x40, 0x40, 0x00, 0x53, wire.CodeCoordinator, 0x45)
	r.perform(0, wire.CloseCompound(b, list))
	r.want(wire.CodeAttach)
	if got := conditionOf(t, r.want(wire.CodeDetach)); got != "amqp:not-implemented" {
		t.Errorf("coordinator: %s", got)
	}
}

// B01, B05 to B09, M01 to M06, S09, A15 to A17.
func TestNodes(t *testing.T) {
	w := newWorld(t, nil)
	r := dialRaw(t, w)
	r.open()
	r.node("$cbs", 0)
	r.node(hubName+"/$management", 2)
	n := uint32(0)
	ask := func(handle uint32, settled bool, id any, props wire.Map, body any) (any, wire.Map, any) {
		t.Helper()
		n++
		r.request(handle, n, settled, id, props, body)
		return r.answer(!settled)
	}
	read := func(name, kind, partition string) (int32, wire.Symbol, wire.Map) {
		t.Helper()
		_, props, body := ask(2, false, "m", wire.Map{{Key: "operation", Value: "READ"}, {Key: "name", Value: name}, {Key: "type", Value: kind}, {Key: "partition", Value: partition}}, nil)
		status, _ := props.Get("status-code").(int32)
		cond, _ := props.Get("error-condition").(wire.Symbol)
		m, _ := body.(wire.Map)
		return status, cond, m
	}
	if status, cond, _ := read(hubName, "com.microsoft:eventhub", ""); status != 401 || cond != "amqp:unauthorized-access" {
		t.Errorf("READ without a token: %d %s", status, cond)
	}

	put := wire.Map{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "jwt"}, {Key: "name", Value: "sb://h/" + hubName}}
	token := access.Sign("sb://h/"+hubName, access.RootRule, rootKey, time.Now().Add(time.Hour))
	for i, id := range []any{"text", uint64(3), []byte{1, 2}, wire.UUID{9}} {
		got, props, _ := ask(0, i%2 == 1, id, put, token)
		if props.Get("status-code") != int32(202) || fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", id, id) {
			t.Errorf("message-id %T %v: %v to %T %v", id, id, props, got, got)
		}
	}
	for name, f := range map[string]struct {
		props wire.Map
		body  any
		want  int32
	}{
		"bad signature": {put, access.Sign("sb://h/"+hubName, access.RootRule, "x", time.Now().Add(time.Hour)), 401},
		"no token":      {put, "eyJ.eyJ.sig", 401},
		"no name":       {put[:2], token, 400},
		"no body":       {put, nil, 400},
		"other hub":     {append(put[:2:2], wire.Entry{Key: "name", Value: "sb://h/other"}), token, 401},
	} {
		_, props, _ := ask(0, false, "id", f.props, f.body)
		if props.Get("status-code") != f.want || props.Get("status-description") == nil || props.Get("statusDescription") != props.Get("status-description") {
			t.Errorf("%s: %v, want %d", name, props, f.want)
		}
	}
	wrong := wire.Map{{Key: "operation", Value: "RE1AD"}}
	for _, handle := range []uint32{0, 2} {
		if _, props, _ := ask(handle, true, "id", wrong, nil); props.Get("status-code") != int32(400) {
			t.Errorf("settled request of an unknown operation: %v", props)
		}
		n++
		r.request(handle, n, false, "id", wrong, nil)
		r.got[handle]-- // no answer comes, and the credit stays
		if _, _, cond := r.settled(); cond != "amqp:not-allowed" {
			t.Errorf("unknown operation: %s", cond)
		}
	}

	_, _, m := read(hubName, "com.microsoft:eventhub", "")
	ids, _ := m.Get("partition_ids").(wire.Array)
	_, created := m.Get("created_at").(wire.Timestamp)
	if m.Get("name") != hubName || m.Get("partition_count") != int32(4) || fmt.Sprint(ids.Items) != "[0 1 2 3]" || !created || m.Get("georeplication_factor") != int32(1) {
		t.Errorf("hub: %v", m)
	}
	_, _, m = read(hubName, "com.microsoft:partition", "2")
	if m.Get("begin_sequence_number") != int64(0) || m.Get("last_enqueued_sequence_number") != int64(-1) || m.Get("last_enqueued_offset") != "-1" ||
		m.Get("last_enqueued_time_utc") != wire.Timestamp(-62135596800000) || m.Get("is_partition_empty") != true || m.Get("partition") != "2" {
		t.Errorf("partition: %v", m)
	}
	for _, f := range []struct {
		name, kind, partition string
		want                  int32
		cond                  wire.Symbol
	}{
		{hubName, "com.microsoft:partition", "4", 400, "com.microsoft:argument-out-of-range"},
		{hubName, "com.microsoft:partition", "x", 400, "com.microsoft:argument-out-of-range"},
		{hubName, "com.microsoft:queue", "", 400, "com.microsoft:argument-error"},
		{"other", "com.microsoft:eventhub", "", 401, "amqp:unauthorized-access"},
	} {
		if status, cond, _ := read(f.name, f.kind, f.partition); status != f.want || cond != f.cond {
			t.Errorf("%+v: %d %s", f, status, cond)
		}
	}
	root := access.Sign("sb://h/", access.RootRule, rootKey, time.Now().Add(time.Hour))
	ask(0, false, "id", append(put[:2:2], wire.Entry{Key: "name", Value: "sb://h"}), root)
	if status, cond, _ := read("missing", "com.microsoft:eventhub", ""); status != 404 || cond != "amqp:not-found" {
		t.Errorf("a hub that is not there: %d %s", status, cond)
	}
}

// P01, P03, P09, P10, P18 and what is refused, on one link that survives all.
func TestDeliveries(t *testing.T) {
	w := newWorld(t, func(o *listen.Options) { o.RequireAuth = false; o.MaxMessageBytes = 100_000 })
	r := dialRaw(t, w)
	r.open()
	r.sender("amqps://host:1234/" + hubName + "/Partitions/1")
	data := func(n int) []byte {
		return wire.AppendBinary(wire.AppendDescriptor(nil, wire.SectionData), bytes.Repeat([]byte("x"), n))
	}
	event := func(key string) []byte {
		b, open := wire.OpenMap(wire.AppendDescriptor(nil, wire.SectionAnnotations), 2)
		b = wire.AppendString(wire.AppendSymbol(b, wire.KeyPartitionKey), key)
		return append(wire.CloseCompound(b, open), data(3)...)
	}
	batch := func(events ...[]byte) (b []byte) {
		for _, e := range events {
			b = wire.AppendBinary(wire.AppendDescriptor(b, wire.SectionData), e)
		}
		return b
	}
	next := int64(0)
	for i, f := range []struct {
		format uint32
		msg    []byte
		want   wire.Symbol
		stored int64
	}{
		{0, data(10), "", 1},
		{0, data(60_000), "", 1},
		{0, data(150_000), "amqp:link:message-size-exceeded", 0},
		{wire.BatchFormat, batch(data(1), data(2), data(3)), "", 3},
		{wire.BatchFormat, nil, "", 0},
		{wire.BatchFormat, batch(data(1), []byte("junk")), "amqp:decode-error", 0},
		{wire.BatchFormat, []byte{0, 0x53, 0x75, 0x40}, "amqp:decode-error", 0},
		{0, []byte("junk"), "amqp:decode-error", 0},
		{0, []byte{}, "", 1},
		{0, event(strings.Repeat("k", 128)), "", 1},
		{0, event(strings.Repeat("k", 129)), "com.microsoft:argument-error", 0},
	} {
		r.send(uint32(i), f.format, f.msg, 30_000)
		first, last, got := r.settled()
		next += f.stored
		if got != f.want || first != uint32(i) || last != uint32(i) || w.hub.Partition(1).Bounds().Next != next {
			t.Errorf("delivery %d: %d to %d %q, want %q; the log ends at %d, want %d", i, first, last, got, f.want, w.hub.Partition(1).Bounds().Next, next)
		}
	}
	// A settled delivery is stored and not answered; an aborted one is dropped.
	r.perform(0, wire.AppendTransfer(nil, &wire.Transfer{HasID: true, ID: 20, Settled: true}), data(5)...)
	r.perform(0, wire.AppendTransfer(nil, &wire.Transfer{HasID: true, ID: 21, More: true}), data(5)...)
	r.perform(0, wire.AppendTransfer(nil, &wire.Transfer{Aborted: true}))
	r.send(22, 0, data(5), 1000)
	if first, _, cond := r.settled(); first != 22 || cond != "" {
		t.Errorf("delivery %d: %s", first, cond)
	}
	if got := w.hub.Partition(1).Bounds().Next; got != next+2 {
		t.Errorf("the log ends at %d, want %d", got, next+2)
	}
	// Twice too large while still arriving ends the link.
	r.send(23, 0, data(250_000), 30_000)
	if got := conditionOf(t, r.want(wire.CodeDetach)); got != "amqp:link:message-size-exceeded" {
		t.Errorf("twice too large: %s", got)
	}
}

// C12, A12, A14, A24, C15, R10, R11: a receiver that counts.
func TestReceiverCreditAndDrain(t *testing.T) {
	w := open(t)
	p := w.producer(t)
	send(t, p, batchTo("0"), numbered(0, 10)...)
	r := dialRaw(t, w)
	r.openAs(wire.Open{ContainerID: "small", MaxFrameSize: 512})
	r.attach(wire.Attach{Name: "r", Receiver: true, SndSettle: 0, RcvSettle: 1, Source: at(hubName + "/ConsumerGroups/$Default/Partitions/0"), Target: at("x"),
		Desired: []wire.Symbol{"com.microsoft:enable-receiver-runtime-metric"}})
	a, err := wire.DecodeAttach(r.want(wire.CodeAttach).fields)
	if err != nil || a.Receiver || a.SndSettle != 0 || a.RcvSettle != 1 || a.Source == nil || a.Target == nil {
		t.Fatalf("attach %+v, %v", a, err)
	}
	id := uint32(0)
	get := func(wantBody string) {
		t.Helper()
		var msg []byte
		for first := true; ; first = false {
			f := r.want(wire.CodeTransfer)
			tr, err := wire.DecodeTransfer(f.fields)
			if err != nil || tr.Settled || first && (tr.ID != id || len(tr.Tag) == 0) {
				t.Fatalf("transfer %+v, want id %d, %v", tr, id, err)
			}
			if msg = append(msg, f.payload...); !tr.More {
				break
			}
		}
		id++
		m, _, err := wire.Split(msg, "", nil)
		if err != nil || string(m.Body) != wantBody {
			t.Fatalf("body %q, want %q, %v", m.Body, wantBody, err)
		}
		s, _, err := wire.NextSection(msg)
		if err != nil || s.Code != wire.SectionDeliveryAnnotations {
			t.Fatalf("first section %#x, %v", s.Code, err)
		}
		v, _, _ := wire.Decode(s.Value)
		if m := v.(wire.Map); len(m) != 4 || m.Get("last_enqueued_sequence_number").(int64) < 9 {
			t.Errorf("runtime metric %v", m)
		}
	}
	r.credit(0, 0, 3, false)
	for i := range 3 {
		get(fmt.Sprintf(`{"n":%d}`, i))
	}
	r.silent()
	// A client whose count runs ahead gets less than it says.
	r.credit(0, 2, 3, false)
	get(`{"n":3}`)
	get(`{"n":4}`)
	r.silent()
	// Its dispositions are answered when they are not settled.
	accepted := wire.AppendAccepted(nil)
	r.perform(0, wire.AppendDisposition(nil, &wire.Disposition{Receiver: true, First: 0, Last: 4, State: accepted}))
	d, err := wire.DecodeDisposition(r.want(wire.CodeDisposition).fields)
	if err != nil || d.Receiver || !d.Settled || d.First != 0 || d.Last != 4 || !bytes.Equal(d.State, accepted) {
		t.Errorf("%+v, %v", d, err)
	}
	// Drain: what is there, then the rest of the credit is gone.
	r.credit(0, 5, 100, true)
	for i := 5; i < 10; i++ {
		get(fmt.Sprintf(`{"n":%d}`, i))
	}
	f, err := wire.DecodeFlow(r.want(wire.CodeFlow).fields)
	if err != nil || !f.Drain || f.Credit != 0 || f.Count != 105 {
		t.Errorf("flow %+v, %v", f, err)
	}
	r.credit(0, 105, 7, true) // nothing is there
	if f, err = wire.DecodeFlow(r.want(wire.CodeFlow).fields); err != nil || !f.Drain || f.Credit != 0 || f.Count != 112 {
		t.Errorf("flow %+v, %v", f, err)
	}
	send(t, p, batchTo("0"), numbered(10, 1)...)
	r.silent()
	r.credit(0, 112, 1, false)
	get(`{"n":10}`)
}

// C26, N11: an orderly stop answers what is due and says why.
func TestShutdownClosesInOrder(t *testing.T) {
	w := open(t)
	r := dialRaw(t, w)
	r.open()
	r.sender(hubName)
	r.send(0, 0, []byte("\x00\x53\x75\xa0\x01x"), 100)
	if _, _, cond := r.settled(); cond != "" {
		t.Fatal(cond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if got := conditionOf(t, r.want(wire.CodeClose)); got != "amqp:connection:forced" {
		t.Errorf("%s", got)
	}
	r.over()
}

// C20: a client that asks for everything and reads nothing keeps nobody else
// from reading.
func TestClientThatDoesNotReadBlocksNobody(t *testing.T) {
	w := open(t)
	p := w.producer(t)
	for range 12 {
		big := numbered(0, 1)
		big[0].Body = bytes.Repeat([]byte("x"), 900_000)
		send(t, p, batchTo("0"), big...)
	}
	r := dialRaw(t, w)
	r.open()
	r.attach(receiverAt("0"))
	r.credit(0, 0, 1<<30, false)
	got := receive(t, w.consumer(t, "second"), "0", azeventhubs.StartPosition{Earliest: ptr(true)}, 12)
	if len(got[11].Body) != 900_000 {
		t.Errorf("%d bytes", len(got[11].Body))
	}
}

// A25, C11, C16: a sender that waits for each answer and counts no credit, as
// pyAMQP does, is topped up for ever and never detached.
func TestCreditIsToppedUp(t *testing.T) {
	w := open(t)
	r := dialRaw(t, w)
	r.open()
	r.sender(hubName + "/Partitions/0")
	credits, windows := 0, 0
	for id := range uint32(2600) {
		r.send(id, 0, []byte("\x00\x53\x75\xa0\x01x"), 100)
		for {
			f := r.next()
			if f.code == wire.CodeDisposition {
				break
			}
			fl, err := wire.DecodeFlow(f.fields)
			if err != nil || f.code != wire.CodeFlow || !fl.HasNextIncoming || fl.IncomingWindow != 5000 {
				t.Fatalf("frame %#x, %+v, %v", f.code, fl, err)
			}
			if !fl.Link {
				windows++
			} else if credits++; fl.Credit > 1000 || fl.Credit < 990 {
				t.Errorf("delivery %d: credit %d", id, fl.Credit)
			}
		}
	}
	if credits < 4 || w.hub.Partition(0).Bounds().Next != 2600 {
		t.Errorf("%d grants of credit, %d events", credits, w.hub.Partition(0).Bounds().Next)
	}
}

// N11: what does not close in time is closed as it is.
func TestShutdownEndsWithItsContext(t *testing.T) {
	w := open(t)
	r := dialRaw(t, w) // never says anything
	r.open()
	r.attach(receiverAt("0"))
	r.want(wire.CodeAttach)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- w.server.Shutdown(ctx) }()
	select {
	case <-done: // in order or not: the client was quick enough or it was not
	case <-time.After(10 * time.Second):
		t.Fatal("shutdown hangs")
	}
	for {
		if _, err := r.conn.Read(make([]byte, 100)); err != nil {
			break
		}
	}
}

// An epoch that cannot be read is not taken for none: the receiver would share the
// partition that it wants for itself.
func TestAnEpochThatCannotBeReadIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	epoch := func(v any) []byte {
		b, err := wire.AppendValue(nil, wire.Map{{Key: wire.Symbol("com.microsoft:epoch"), Value: v}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	damaged := epoch(int64(300))
	damaged[len(damaged)-9] = 0x3f // no type has this constructor
	for what, f := range map[string]struct {
		properties []byte
		want       wire.Symbol
	}{
		"a text":        {epoch("1"), "amqp:invalid-field"},
		"a damaged map": {damaged, "amqp:decode-error"},
	} {
		r := dialKnown(t, w)
		a := receiverAt("0")
		a.Properties = f.properties
		r.perform(0, wire.AppendAttach(nil, &a))
		r.want(wire.CodeAttach)
		if got := conditionOf(t, r.want(wire.CodeDetach)); got != f.want {
			t.Errorf("%s: %s, want %s", what, got, f.want)
		}
	}
	r := dialKnown(t, w)
	a := receiverAt("0")
	a.Properties = epoch(uint32(7))
	r.attach(a)
}
