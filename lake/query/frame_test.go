package query

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"

	"spate/column"
)

func TestBatchesComeBackAsTheyWere(t *testing.T) {
	kinds := []Kind{KindBool, KindInt, KindFloat, KindDecimal, KindText, KindBinary, KindTime, KindDate, KindTimeOfDay}
	e := NewEncoder(kinds)
	var want [][]Value
	for i := range 20 {
		if i%3 == 1 {
			for c := range kinds {
				e.Null(c)
			}
			want = append(want, make([]Value, len(kinds)))
			e.EndRow()
			continue
		}
		n := int64(i) - 5
		text := strings.Repeat("ü", i)
		e.Bool(0, i%2 == 0)
		e.Int(1, n)
		e.Float(2, float64(n)/4)
		e.Text(3, "1.50")
		e.Text(4, text)
		e.Text(5, text)
		e.Int(6, n)
		e.Int(7, n)
		e.Int(8, n)
		e.EndRow()
		want = append(want, []Value{boolValue(i%2 == 0), intValue(n), floatValue(float64(n) / 4), textValue(KindDecimal, "1.50"), textValue(KindText, text),
			textValue(KindBinary, text), timeValue(KindTime, column.UnixEpoch+column.Ticks(n)*10), timeValue(KindDate, column.UnixEpoch+column.Ticks(n)*column.Day),
			{Kind: KindTimeOfDay, num: n}})
	}
	for range 2 { // the encoder starts anew after Payload
		got, err := decodeBatch(e.Payload(nil), kinds)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		e.Int(1, 0)
		for _, c := range []int{0, 2, 3, 4, 5, 6, 7, 8} {
			e.Null(c)
		}
		e.EndRow()
		want = [][]Value{{{}, intValue(0), {}, {}, {}, {}, {}, {}, {}}}
	}
}

func TestFramesEndCleanly(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFrame(&b, FrameError, []byte("text")); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	var buf []byte
	for n := range len(whole) {
		_, _, err := ReadFrame(bytes.NewReader(whole[:n]), &buf)
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if err != want {
			t.Errorf("%d bytes: got %v, want %v", n, err, want)
		}
	}
	typ, body, err := ReadFrame(bytes.NewReader(whole), &buf)
	if typ != FrameError || string(body) != "text" || err != nil {
		t.Errorf("got %q %q %v", typ, body, err)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	kinds := []Kind{KindInt, KindText, KindBool}
	e := NewEncoder(kinds)
	e.Int(0, 1)
	e.Text(1, "x")
	e.Bool(2, true)
	e.EndRow()
	f.Add(e.Payload(nil))
	f.Add([]byte{255, 255, 255, 255, 3, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		rows, err := decodeBatch(p, kinds)
		if err == nil && len(rows) > len(p) {
			t.Errorf("%d rows from %d bytes", len(rows), len(p))
		}
	})
}
