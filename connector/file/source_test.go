package file

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"spate/connector"
)

// got is one message that a reader brought.
type got struct {
	offset int64
	text   string
}

// readAll reads a partition to its end.
func readAll(t *testing.T, s *Source, partition int) (out []got) {
	t.Helper()
	r, err := s.OpenReader(t.Context(), partition, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var c connector.Chunk
	for {
		err := r.Read(t.Context(), &c, nil)
		for i := range c.Starts {
			out = append(out, got{c.Offsets[i], string(c.Data[c.Starts[i]:c.Ends[i]])})
			if len(c.Data)-int(c.Ends[i]) < 16 {
				t.Fatalf("message %d: %d readable bytes behind it", i, len(c.Data)-int(c.Ends[i]))
			}
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func source(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestFilesAreCutIntoTheirMessages(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          Options
		want       []got
	}{
		{"empty", "", Options{}, nil},
		{"no end of line", "{\"a\":1}", Options{}, []got{{1, `{"a":1}`}}},
		{"CRLF, blank lines, byte order mark", "\xef\xbb\xbf{\"a\":1}\r\n\r\n \t\n{\"a\":2}\r\n", Options{}, []got{{1, `{"a":1}`}, {4, `{"a":2}`}}},
		{"what is no JSON", "{\"a\":1}\nno\n", Options{}, []got{{1, `{"a":1}`}, {2, "no"}}},
		{"array", `[{"a":"]}\""} , {"b":[1]},7 , "x,y"]`, Options{Cut: JSON}, []got{{1, `{"a":"]}\""}`}, {2, `{"b":[1]}`}, {3, "7 "}, {4, `"x,y"`}}},
		{"empty array", " [ ] ", Options{Cut: JSON}, nil},
		{"objects", "{\"a\":1}{\"a\":2}\n\n{\n\"a\":3}", Options{Cut: JSON}, []got{{1, `{"a":1}`}, {2, `{"a":2}`}, {3, "{\n\"a\":3}"}}},
		{"cut array", `[{"a":1},{"a":`, Options{Cut: JSON}, []got{{1, `{"a":1}`}, {2, `{"a":`}}},
		{"garbage among objects", "{\"a\":1}\n}}\n{\"a\":2}", Options{Cut: JSON}, []got{{1, `{"a":1}`}, {2, "}"}, {3, "}"}, {4, `{"a":2}`}}},
		{"rows", "a,b\r\n1,\"x\n\"\"y\"\r\n\r\n2,z", Options{Cut: CSV}, []got{{2, "a,b\n1,\"x\n\"\"y\""}, {5, "a,b\n2,z"}}},
		{"header alone", "a,b\n", Options{Cut: CSV}, nil},
		{"rows without a header", "1;\"a;b\";3\n4;5;6", Options{Cut: CSV, Delimiter: ';', NoHeader: true, Names: []string{`x"`}},
			[]got{{1, "\"x\"\"\";\"column2\";\"column3\"\n1;\"a;b\";3"}, {2, "\"x\"\"\";\"column2\";\"column3\"\n4;5;6"}}},
	} {
		for _, batch := range []int{0, 1} {
			o := c.o
			o.Files, o.Batch = []string{c.name}, batch
			for kind, r := range map[string]io.Reader{"whole": strings.NewReader(c.text), "bytes": iotest.OneByteReader(strings.NewReader(c.text))} {
				o.Reader = r
				if out := readAll(t, source(t, o), 0); !slices.Equal(out, c.want) {
					t.Errorf("%s, read as %s, batch %d: %+v, want %+v", c.name, kind, batch, out, c.want)
				}
			}
		}
	}
}

func TestFilesOfAnInputFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i, text := range []string{"{\"a\":1}\n{\"a\":2}", "", "{\"a\":3}\n"} {
		names = append(names, filepath.Join(dir, fmt.Sprint(i)))
		if err := os.WriteFile(names[i], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := source(t, Options{Files: names, Base: 100})
	if out := readAll(t, s, 0); len(out) != 3 || out[2] != (got{103, `{"a":3}`}) {
		t.Fatalf("%+v", out)
	}
	if name, line := s.Place(103); name != names[2] || line != 1 {
		t.Errorf("message 103 stands at %s:%d", name, line)
	}
	if name, line := s.Place(102); name != names[0] || line != 2 {
		t.Errorf("message 102 stands at %s:%d", name, line)
	}
}

// Whichever partition is read first, and however uneven they are, each gets its
// messages in order; what waits longer than memory may go to disk.
func TestPartitionsWaitForNobody(t *testing.T) {
	const lines = 20_000
	var text strings.Builder
	rnd := rand.New(rand.NewPCG(1, 2))
	want := make([][]got, 3)
	for i := range lines {
		p := 0
		if rnd.IntN(100) == 0 {
			p = 1
		}
		if i == lines-1 {
			p = 2
		}
		m := fmt.Sprintf(`{"p":%d,"fill":"%s"}`, p, strings.Repeat("x", rnd.IntN(4000)))
		want[p] = append(want[p], got{int64(i + 1), m})
		text.WriteString(m + "\n")
	}
	for _, order := range [][]int{{2, 1, 0}, {0, 1, 2}} {
		s := source(t, Options{Files: []string{"x"}, Reader: strings.NewReader(text.String()), Partitions: 3,
			Route: func(c *connector.Chunk, parts []int32) error {
				for i := range parts {
					parts[i] = int32(c.Data[c.Starts[i]+5] - '0')
				}
				return nil
			}})
		for _, p := range order {
			if out := readAll(t, s, p); !slices.Equal(out, want[p]) {
				t.Fatalf("order %v: partition %d has %d messages, want %d, or others", order, p, len(out), len(want[p]))
			}
		}
	}
}

func TestPeekTakesNothingAway(t *testing.T) {
	text := strings.Repeat("{\"a\":1}\n", 100_000)
	for i, chunks := range []int{1, 1 << 20, 1, 1 << 20} {
		in := io.Reader(strings.NewReader(text))
		if i >= 2 { // a pipe brings less than it is asked for
			in = iotest.HalfReader(in)
		}
		s := source(t, Options{Files: []string{"x"}, Reader: in})
		n := 0
		if err := s.Peek(func(*connector.Chunk) (bool, error) { n++; return n < chunks, nil }); err != nil {
			t.Fatal(err)
		}
		if out := readAll(t, s, 0); len(out) != 100_000 || out[99_999].offset != 100_000 {
			t.Errorf("after %d chunks were seen %d messages came", n, len(out))
		}
	}
}

// What is cut off while it is read would be missing in silence.
func TestFileThatBecomesShorterFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(name, []byte(strings.Repeat("{\"a\":1}\n", 100_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	s := source(t, Options{Files: []string{name}})
	r, err := s.OpenReader(t.Context(), 0, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	if err := errors.Join(r.Read(t.Context(), &c, nil), os.Truncate(name, 1000)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = r.Read(t.Context(), &c, nil)
	}
	if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "bytes shorter while it was read") {
		t.Error(err)
	}
}

func TestLongLines(t *testing.T) {
	for _, c := range []struct {
		size int
		fits bool
	}{{MaxMessage - 10, true}, {MaxMessage + 1<<20, false}} {
		text := "{\"a\":1}\n\"" + strings.Repeat("x", c.size) + "\"\n{\"a\":2}\n"
		s := source(t, Options{Files: []string{"x.jsonl"}, Reader: strings.NewReader(text)})
		r, err := s.OpenReader(t.Context(), 0, connector.Start{})
		if err != nil {
			t.Fatal(err)
		}
		var chunk connector.Chunk
		n := 0
		for err == nil {
			err = r.Read(t.Context(), &chunk, nil)
			n += chunk.Len()
		}
		var bad *Error
		switch {
		case c.fits && (n != 3 || !errors.Is(err, io.EOF)):
			t.Errorf("%d bytes: %d messages, %v", c.size, n, err)
		case !c.fits && (n != 1 || !errors.As(err, &bad) || bad.Line != 2):
			t.Errorf("%d bytes: %d messages, %v", c.size, n, err)
		}
	}
}

func TestOtherFormatsAreNamed(t *testing.T) {
	for _, c := range []struct {
		head string
		cut  Cut
		want string
	}{
		{"\x1f\x8b\x08", Lines, "is gzip-compressed, not JSON lines: unpack it first"},
		{"PAR1\x00", Lines, "is Parquet, not JSON lines"},
		{"Obj\x01", CSV, "is Avro, not CSV"},
		{"abc\x00", JSON, "is binary, not JSON"},
		{"\xff\xfea\x00", Lines, "is UTF-16 text, not JSON lines"},
		{" {\"a\":1}", CSV, "is JSON, not CSV"},
		{"[\n{\"a\":1},\n{\"a\":2}]", Lines, "is a JSON array, not JSON lines: say format=json"},
		{"a,b\n1,2\n3,4\n", Lines, "is CSV, not JSON lines: say format=csv"},
		{"[{\"a\":1},{\"a\":2}]\n[]\n", Lines, ""},
		{"no JSON, alas\n{\"a\":1}\n", Lines, ""},
		{"{\"a\":1}\n", Lines, ""},
		{"a,b\n1,2\n", CSV, ""},
	} {
		if out := wrongFormat([]byte(c.head), c.cut); out != c.want {
			t.Errorf("%q as %d: %q, want %q", c.head, c.cut, out, c.want)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	line := `{"DeviceId":"device-000","Temperature":24.87,"Humidity":59.71,"Fill":"` + strings.Repeat("x", 200) + "\"}\n"
	text := strings.Repeat(line, 10_000)
	b.SetBytes(int64(len(text)))
	var c connector.Chunk
	for b.Loop() {
		s, err := Open(Options{Files: []string{"x"}, Reader: strings.NewReader(text)})
		if err != nil {
			b.Fatal(err)
		}
		r, err := s.OpenReader(b.Context(), 0, connector.Start{})
		for err == nil {
			err = r.Read(b.Context(), &c, nil)
		}
		s.Close()
	}
}
