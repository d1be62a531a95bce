package amqp_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	peer "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"spate/wire/amqp"
)

// messages are go-amqp messages of every shape that is stored.
func messages() map[string]*peer.Message {
	text, number := "text/plain", uint32(7)
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	return map[string]*peer.Message{
		"data":        {Data: [][]byte{[]byte(`{"t":1}`)}},
		"empty data":  {Data: [][]byte{{}}},
		"two data":    {Data: [][]byte{[]byte("one"), []byte("two")}},
		"large data":  {Data: [][]byte{bytes.Repeat([]byte("x"), 70000)}},
		"string":      {Value: "hello"},
		"binary":      {Value: []byte{0, 1, 2}},
		"map":         {Value: map[string]any{"a": int64(1)}},
		"number":      {Value: int32(-5)},
		"sequence":    {Sequence: [][]any{{"a", int64(1)}, {"b"}}},
		"no body":     {Properties: &peer.MessageProperties{MessageID: uint64(1)}},
		"annotations": {Annotations: peer.Annotations{"x-opt-partition-key": "k", "x-opt-offset": "9", "mine": int64(3)}, Data: [][]byte{[]byte("x")}},
		"all": {
			Header:                &peer.MessageHeader{Durable: true},
			DeliveryAnnotations:   peer.Annotations{"d": "e"},
			Annotations:           peer.Annotations{"x": "y"},
			Properties:            &peer.MessageProperties{MessageID: "m", UserID: []byte("u"), CorrelationID: uint64(4), ContentType: &text, CreationTime: &at, GroupSequence: &number},
			ApplicationProperties: map[string]any{"s": "t", "i": int32(1), "l": int64(1 << 40), "f": 1.5, "b": true, "bin": []byte{9}, "at": at, "u8": uint8(200), "n": nil},
			Data:                  [][]byte{[]byte("x")},
			Footer:                peer.Annotations{"f": "g"},
		},
	}
}

// stored sends a message through Split and back.
func stored(t *testing.T, b []byte) (amqp.Message, []byte) {
	t.Helper()
	m, _, err := amqp.Split(b, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := amqp.ParseStored(m.AMQP)
	if err != nil {
		t.Fatal(err)
	}
	pairs := st.Annotations
	if m.Key != nil {
		pairs++
	}
	dst, open := amqp.OpenMap(amqp.AppendDescriptor(nil, amqp.SectionAnnotations), 2*pairs)
	if m.Key != nil {
		dst = amqp.AppendString(amqp.AppendSymbol(dst, amqp.KeyPartitionKey), m.Key)
	}
	dst = amqp.CloseCompound(append(dst, st.Pairs...), open)
	dst = append(dst, st.Properties...)
	if dst, err = st.AppendBody(dst, m.Body); err != nil {
		t.Fatal(err)
	}
	return m, append(dst, st.Footer...)
}

// What go-amqp writes comes back from the log as go-amqp reads it, without the
// header, the delivery annotations and the annotations that the service owns.
func TestMessagesSurviveTheLog(t *testing.T) {
	for name, want := range messages() {
		t.Run(name, func(t *testing.T) {
			b, err := want.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			_, back := stored(t, b)
			var got peer.Message
			if err := got.UnmarshalBinary(back); err != nil {
				t.Fatalf("% x: %v", back, err)
			}
			var expect peer.Message // as go-amqp itself reads it
			if err := expect.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			expect.Header, expect.DeliveryAnnotations = nil, nil
			delete(expect.Annotations, "x-opt-offset")
			if len(expect.Annotations) == 0 {
				expect.Annotations = nil
			}
			if len(got.Annotations) == 0 {
				got.Annotations = nil
			}
			if diff := cmp.Diff(&expect, &got, cmp.FilterPath(unexported, cmp.Ignore())); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func unexported(p cmp.Path) bool {
	f, ok := p.Index(-1).(cmp.StructField)
	return ok && f.Name()[0] >= 'a' && f.Name()[0] <= 'z'
}

func TestPlainDataNeedsNoHeader(t *testing.T) {
	// The empty sections that rhea always sends, a null body, and plain data.
	for _, f := range []struct {
		name, in string
		null     bool
		header   bool
	}{
		{"plain", "\x00\x53\x75\xa0\x01x", false, false},
		{"empty header, properties and annotations", "\x00\x53\x70\x45\x00\x53\x72\xc1\x01\x00\x00\x53\x73\x45\x00\x53\x75\xa0\x01x", false, false},
		{"null data", "\x00\x53\x75\x40", true, true},
		{"no section at all", "", true, true},
		{"long descriptor", "\x00\x80\x00\x00\x00\x00\x00\x00\x00\x75\xa0\x01x", false, false},
		{"symbolic descriptor", "\x00\xa3\x10amqp:data:binary\xa0\x01x", false, false},
		{"delivery annotations last", "\x00\x53\x75\xa0\x01x\x00\x53\x71\xc1\x01\x00", false, false},
	} {
		m, _, err := amqp.Split([]byte(f.in), "", nil)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		if (m.Body == nil) != f.null || !f.null && string(m.Body) != "x" || (m.AMQP != nil) != f.header {
			t.Errorf("%s: body %q, header % x", f.name, m.Body, m.AMQP)
		}
	}
}

// The golden vector of the log format.
func TestHeaderOfTheLogFormat(t *testing.T) {
	msg := "\x00\x53\x72\xc1\x22\x02\xa3\x13x-opt-partition-key\xa1\x0adevice-001\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b\x00\x53\x75\xa0\x07{\"t\":1}"
	m, _, err := amqp.Split([]byte(msg), "", nil)
	want := "\x01\x00\x00\x00\x0c\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b\x00"
	if err != nil || string(m.Key) != "device-001" || string(m.Body) != `{"t":1}` || string(m.AMQP) != want {
		t.Errorf("key %q, body %q, header\ngot  % x\nwant % x\n%v", m.Key, m.Body, m.AMQP, want, err)
	}
}

func TestPublisherIsStored(t *testing.T) {
	m, _, err := amqp.Split([]byte("\x00\x53\x75\xa0\x01x"), "p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := amqp.ParseStored(m.AMQP)
	if err != nil || st.Annotations != 1 || string(st.Pairs) != "\xa3\x0fx-opt-publisher\xa1\x02p1" {
		t.Errorf("%d pairs %q, %v", st.Annotations, st.Pairs, err)
	}
}

func TestSplitRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no descriptor":           "\xa0\x01x",
		"cut in a section":        "\x00\x53\x75\xa0\x05x",
		"not a section":           "\x00\x53\x10\x45",
		"text where data belongs": "\x00\x53\x75\xa1\x01x",
		"data and value":          "\x00\x53\x75\xa0\x01x\x00\x53\x77\xa1\x01x",
		"properties twice":        "\x00\x53\x73\x45\x00\x53\x73\x45",
		"map of three":            "\x00\x53\x72\xc1\x04\x03\x40\x40\x40",
		"huge size":               "\x00\x53\x75\xb0\xff\xff\xff\xffx",
	} {
		if m, _, err := amqp.Split([]byte(in), "", nil); err == nil {
			t.Errorf("%s: accepted as %q", name, m.Body)
		}
	}
}

// The receive path allocates nothing per event.
func TestSplitAllocatesNothing(t *testing.T) {
	b, err := messages()["all"].MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	scratch := make([]byte, 0, 4096)
	transfer := amqp.AppendTransfer(nil, &amqp.Transfer{HasID: true, ID: 900, Tag: []byte("abcd"), Format: amqp.BatchFormat})
	n := testing.AllocsPerRun(100, func() {
		if _, fields, _, err := amqp.Performative(transfer); err != nil {
			t.Fatal(err)
		} else if _, err := amqp.DecodeTransfer(fields); err != nil {
			t.Fatal(err)
		}
		if _, _, err := amqp.Split(b, "", scratch[:0]); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

func TestApplicationPropertiesOfAStoredMessage(t *testing.T) {
	b, err := messages()["all"].MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	m, _ := stored(t, b)
	st, err := amqp.ParseStored(m.AMQP)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	err = st.ApplicationProperties(func(key, value []byte) bool {
		v, _, err := amqp.Decode(value)
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		got[string(key)] = fmt.Sprintf("%T %v", v, v)
		return true
	})
	if err != nil || len(got) != 9 || got["l"] != "int64 1099511627776" || got["u8"] != "uint8 200" || got["f"] != "float64 1.5" {
		t.Errorf("%v %v", got, err)
	}
	places := make(map[int]bool)
	if err := st.Property(func(place int, value []byte) { places[place] = true }); err != nil || !places[0] || !places[5] || !places[6] || places[3] {
		t.Errorf("properties %v, %v", places, err)
	}
}

func FuzzSplit(f *testing.F) {
	for _, m := range messages() {
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Add([]byte("\x00\x80\x00\x00\x00\x00\x00\x00\x00\x75\xa0\x01x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _, err := amqp.Split(b, "", nil)
		if err != nil {
			return
		}
		st, err := amqp.ParseStored(m.AMQP)
		if err != nil {
			t.Fatalf("what Split made does not parse: %v", err)
		}
		first, err := st.AppendBody(append([]byte(nil), st.Properties...), m.Body)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := amqp.Split(first, "", nil)
		if err != nil {
			t.Fatalf("what was stored does not split: % x: %v", first, err)
		}
		if !bytes.Equal(again.Body, m.Body) || (again.Body == nil) != (m.Body == nil) {
			t.Fatalf("body % x became % x", m.Body, again.Body)
		}
	})
}

func FuzzParseStored(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x0c\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b\x00"), []byte("x"))
	f.Add([]byte("\x01\x02\x00\x00\x00\x00\x02\x01\x02"), []byte("abc"))
	f.Fuzz(func(t *testing.T, b, value []byte) {
		st, err := amqp.ParseStored(b)
		if err != nil {
			return
		}
		st.AppendBody(nil, value)
		st.ApplicationProperties(func(_, _ []byte) bool { return true })
		st.Property(func(int, []byte) {})
	})
}
