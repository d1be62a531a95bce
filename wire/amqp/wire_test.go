package amqp

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestValuesRoundTrip(t *testing.T) {
	for _, v := range []any{
		nil, true, false, uint8(200), uint16(60000), uint32(0), uint32(9), uint32(1 << 31), uint64(0), uint64(7), uint64(math.MaxUint64),
		int8(-1), int16(-300), int32(5), int32(-70000), int64(-128), int64(1 << 50), float32(1.5), math.Pi, Char('ß'), Timestamp(-62135596800000),
		UUID{1, 2, 15: 16}, "", "text", strings.Repeat("x", 300), Symbol("sym"), []byte{}, []byte{1, 2}, bytes.Repeat([]byte{7}, 300),
		List{}, List{"a", int64(1), nil, List{true}}, Map{}, Map{{"a", int32(1)}, {Symbol("b"), Map{{uint64(1), "c"}}}},
		Described{uint64(0x468C00000004), "amqp.annotation.x-opt-offset > '-1'"}, Described{Symbol("d"), List{int64(1)}},
	} {
		b, err := AppendValue(nil, v)
		if err != nil {
			t.Errorf("%T %v: %v", v, v, err)
			continue
		}
		got, rest, err := Decode(append(b, 0x41))
		if err != nil || len(rest) != 1 || !reflect.DeepEqual(got, v) {
			t.Errorf("%T %v came back as %T %v, %d bytes left, %v", v, v, got, got, len(rest), err)
		}
		if n, err := Size(b); err != nil || n != len(b) {
			t.Errorf("%T %v: size %d of %d, %v", v, v, n, len(b), err)
		}
	}
	b, _ := AppendValue(nil, []string{"0", "1"})
	if got, _, err := Decode(b); err != nil || !reflect.DeepEqual(got, Array{0xb1, []any{"0", "1"}}) {
		t.Errorf("array: %v %v", got, err)
	}
	if _, err := AppendValue(nil, struct{}{}); err == nil {
		t.Error("a struct was written")
	}
	decimal := []byte{0x84, 1, 2, 3, 4, 5, 6, 7, 8}
	if got, _, err := Decode(decimal); err != nil || !bytes.Equal(got.(Raw), decimal) {
		t.Errorf("decimal: %v %v", got, err)
	}
}

func TestDecodeIsBounded(t *testing.T) {
	for name, b := range map[string][]byte{
		"deep lists":         deepLists(40),
		"deep descriptors":   bytes.Repeat([]byte{0}, 1000),
		"list of many":       {0xd0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff},
		"array of many":      {0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40},
		"binary cut short":   {0xb0, 0xff, 0xff, 0xff, 0xff, 1},
		"unknown":            {0x12},
		"nothing":            {},
		"map of odd items":   {0xc1, 2, 1, 0x40},
		"bytes behind items": {0xc0, 3, 1, 0x40, 0x40},
	} {
		if v, _, err := Decode(b); err == nil {
			t.Errorf("%s: decoded as %v", name, v)
		}
	}
}

// Items of no width take no bytes: what a Decode may make of few bytes has an end.
func TestDecodeMakesLittleOfFewBytes(t *testing.T) {
	array := func(count uint32) []byte {
		return binary.BigEndian.AppendUint32([]byte{0xf0, 0, 0, 0, 5}, count)
	}
	if v, _, err := Decode(append(array(1000), 0x41)); err != nil || len(v.(Array).Items) != 1000 {
		t.Errorf("1000 times true: %v", err)
	}
	var arrays []byte
	for range 200 {
		arrays = append(append(arrays, array(65536)...), 0x40)
	}
	list, at := OpenList(nil, 200)
	list = CloseCompound(append(list, arrays...), at)
	nulls, at := OpenList(nil, 1<<20)
	nulls = CloseCompound(append(nulls, bytes.Repeat([]byte{0x40}, 1<<20)...), at)
	for name, b := range map[string][]byte{"arrays": list, "nulls": nulls} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Decode(b)
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; err == nil || made > 1<<20 {
			t.Errorf("%s: %d bytes made of %d, %v", name, made, len(b), err)
		}
	}
	open, at := OpenList(nil, 10)
	open = append(append(AppendString(open, "c"), bytes.Repeat([]byte{0x40}, 8)...), list...)
	open[len(open)-len(list)] = 0xd1 // a map now
	if n := testing.AllocsPerRun(10, func() {
		if o, err := DecodeOpen(CloseCompound(open, at)); err != nil || len(o.Properties) != len(list) {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations for an open whose properties nobody reads", n)
	}
}

// Of very many symbols few are read.
func TestManySymbols(t *testing.T) {
	many := make([]Symbol, 1000)
	for i := range many {
		many[i] = "s"
	}
	_, list, _, _ := Performative(AppendAttach(nil, &Attach{Name: "l", Desired: many, Offered: many[:1]}))
	if a, err := DecodeAttach(list); err != nil || len(a.Desired) != maxSymbols || len(a.Offered) != 1 {
		t.Errorf("%d desired, %d offered, %v", len(a.Desired), len(a.Offered), err)
	}
}

// deepLists is n lists inside each other.
func deepLists(n int) []byte {
	b := []byte{0x45}
	for range n {
		b = append([]byte{0xd0, 0, 0, 0, byte(len(b) + 4), 0, 0, 0, 1}, b...)
	}
	return b
}

func TestPerformativesHaveAllFields(t *testing.T) {
	attach := AppendAttach(nil, &Attach{Name: "l", Source: new(Terminus), Target: new(Terminus)})
	for name, f := range map[string]struct {
		b []byte
		n uint32
	}{
		"open":        {AppendOpen(nil, &Open{ContainerID: "c"}), 10},
		"begin":       {AppendBegin(nil, new(Begin)), 8},
		"attach":      {attach, 14},
		"flow":        {AppendFlow(nil, new(Flow)), 11},
		"transfer":    {AppendTransfer(nil, new(Transfer)), 11},
		"disposition": {AppendDisposition(nil, new(Disposition)), 6},
		"detach":      {AppendDetach(nil, new(Detach)), 3},
		"end":         {AppendEnd(nil, nil), 1},
		"close":       {AppendClose(nil, nil), 1},
		"outcome":     {AppendOutcome(nil, 0), 2},
		"error":       {AppendError(nil, new(Error)), 3},
	} {
		_, list, rest, err := Performative(f.b)
		if err != nil || len(rest) != 0 || list[0] == 0x45 {
			t.Errorf("%s: %d bytes left, %v", name, len(rest), err)
			continue
		}
		in := openFields(list)
		if in.left != f.n {
			t.Errorf("%s has %d fields, want %d", name, in.left, f.n)
		}
		for in.left > 0 && in.err == nil {
			in.next()
		}
		if in.err != nil || len(in.rest) != 0 {
			t.Errorf("%s: %d bytes behind its fields, %v", name, len(in.rest), in.err)
		}
	}
}

func TestPerformativesRoundTrip(t *testing.T) {
	filter, _ := AppendValue(nil, Map{{Symbol("f"), Described{Symbol("f"), "x"}}})
	properties, _ := AppendValue(nil, Map{{Symbol("p"), int64(1)}, {"q", "text"}})
	attach := Attach{
		Name: "l", Handle: 300, Receiver: false, SndSettle: 1, RcvSettle: 1, InitialCount: 7, MaxMessage: 1 << 40,
		Source:  &Terminus{HasAddress: true, Address: "a", Durable: 1, Expiry: "session-end", Timeout: 5, Filter: filter},
		Target:  &Terminus{HasAddress: true, Address: "b"},
		Desired: []Symbol{"d", "e"}, Offered: []Symbol{"o"}, Properties: properties,
	}
	b := AppendAttach(nil, &attach)
	code, list, _, err := Performative(b)
	if err != nil || code != CodeAttach {
		t.Fatal(code, err)
	}
	if got, err := DecodeAttach(list); err != nil || !reflect.DeepEqual(got, attach) {
		t.Errorf("attach\ngot  %+v\nwant %+v\n%v", got, attach, err)
	}
	value, err := Lookup(attach.Properties, "q")
	if text, ok := Text(value); err != nil || !ok || string(text) != "text" {
		t.Errorf("a property is %q, %v", text, err)
	}
	if value, err := Lookup(attach.Properties, "r"); err != nil || value != nil {
		t.Errorf("a property that is not there is %q, %v", value, err)
	}
	if _, err := Lookup(attach.Properties[:len(attach.Properties)-1], "r"); err == nil {
		t.Error("a damaged map has no error")
	}
	flow := Flow{HasNextIncoming: true, NextIncomingID: 5, IncomingWindow: 5000, NextOutgoingID: 6, OutgoingWindow: 1, Link: true, Handle: 2, HasCount: true, Count: 9, HasCredit: true, Credit: 1000, HasAvailable: true, Available: 3, Drain: true, Echo: true}
	_, list, _, _ = Performative(AppendFlow(nil, &flow))
	if got, err := DecodeFlow(list); err != nil || got != flow {
		t.Errorf("flow %+v, %v", got, err)
	}
	detach := Detach{Handle: 1, Closed: true, Error: &Error{"amqp:link:stolen", "text"}}
	_, list, _, _ = Performative(AppendDetach(nil, &detach))
	if got, err := DecodeDetach(list); err != nil || !reflect.DeepEqual(got, detach) {
		t.Errorf("detach %+v, %v", got, err)
	}
	// A client may leave out what stands behind the container-id, and write
	// descriptors in full.
	open := append([]byte{0x00, 0xa3, 14}, "amqp:open:list\xc0\x04\x01\xa1\x01c"...)
	code, list, _, err = Performative(open)
	if err != nil || code != CodeOpen {
		t.Fatal(code, err)
	}
	if got, err := DecodeOpen(list); err != nil || got.ContainerID != "c" || got.MaxFrameSize != math.MaxUint32 || got.ChannelMax != 65535 {
		t.Errorf("open %+v, %v", got, err)
	}
}

func TestFrames(t *testing.T) {
	b, at := OpenFrame(nil, FrameAMQP, 3)
	b = CloseFrame(append(b, "body"...), at)
	for n := range b {
		if _, used, err := ParseFrame(b[:n], 512); used != 0 || err != nil {
			t.Fatalf("%d bytes of %d: %d, %v", n, len(b), used, err)
		}
	}
	if f, n, err := ParseFrame(append(b, 1, 2), 512); err != nil || n != len(b) || f.Channel != 3 || string(f.Body) != "body" {
		t.Errorf("%+v %d %v", f, n, err)
	}
	for name, bad := range map[string]string{
		"too small":     "\x00\x00\x00\x07\x02\x00\x00\x00",
		"too large":     "\x00\x00\x10\x00\x02\x00\x00\x00",
		"body too soon": "\x00\x00\x00\x08\x01\x00\x00\x00",
		"body too late": "\x00\x00\x00\x08\x03\x00\x00\x00",
		"unknown type":  "\x00\x00\x00\x08\x02\x05\x00\x00",
	} {
		if _, _, err := ParseFrame([]byte(bad), 512); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range []any{List{"a", int64(1)}, Map{{"k", []byte("v")}}, Described{uint64(9), "x"}, Timestamp(5)} {
		b, _ := AppendValue(nil, v)
		f.Add(b)
	}
	array, _ := AppendValue(nil, []string{"0", "1"})
	f.Add(array)
	f.Fuzz(func(t *testing.T, b []byte) {
		n, sizeErr := Size(b)
		v, rest, err := Decode(b)
		if err != nil {
			return
		}
		if sizeErr == nil && n != len(b)-len(rest) {
			t.Fatalf("size %d, decoded %d", n, len(b)-len(rest))
		}
		again, err := AppendValue(nil, v)
		if err != nil {
			return // arrays are written only from slices of Go strings
		}
		w, _, err := Decode(again)
		if err != nil {
			t.Fatalf("%v written as % x: %v", v, again, err)
		}
		third, err := AppendValue(nil, w)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("% x became % x: %v", again, third, err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	for _, p := range [][]byte{AppendOpen(nil, &Open{ContainerID: "c"}), AppendFlow(nil, new(Flow)), AppendDetach(nil, &Detach{Error: new(Error)}), AppendTransfer(nil, new(Transfer))} {
		b, at := OpenFrame(nil, FrameAMQP, 0)
		f.Add(CloseFrame(append(b, p...), at))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, _, err := ParseFrame(b, 1<<16)
		if err != nil || len(fr.Body) == 0 {
			return
		}
		code, list, _, err := Performative(fr.Body)
		if err != nil {
			return
		}
		switch code {
		case CodeOpen:
			DecodeOpen(list)
		case CodeBegin:
			DecodeBegin(list)
		case CodeAttach:
			if a, err := DecodeAttach(list); err == nil {
				AppendAttach(nil, &a)
			}
		case CodeFlow:
			DecodeFlow(list)
		case CodeTransfer:
			DecodeTransfer(list)
		case CodeDisposition:
			DecodeDisposition(list)
		case CodeDetach:
			DecodeDetach(list)
		case CodeEnd, CodeClose:
			DecodeClosing(list)
		case CodeInit:
			DecodeSASLInit(list)
		}
	})
}
