package format

import (
	"bytes"
	"fmt"
	"strings"

	"spate/column"
)

// MaxRows is the number of rows after which Decode begins no further message.
const MaxRows = 1024

// slack is how many readable bytes must follow the last message: words are
// loaded without a look at the end.
const slack = 16

// Column says what a decoder reads into one column.
type Column struct {
	Path  []string // field names from the outside in
	Whole bool     // the whole event as a record; Path is empty then

	// Required: a CSV message whose header lacks the column is bad. In JSON a field
	// that an event lacks is NULL.
	Required bool
}

// Options of a decoder.
type Options struct {
	// General turns the learned layers off: every event takes the general parser.
	// NoTemplates turns off the first of them, layouts learned as a whole.
	// The results are the same; tests compare them.
	General, NoTemplates bool

	// Bigints reads true and false as 1 and 0. LowerNames puts the names of all fields into
	// lower case: two fields of a record that have one name then make a message bad. Times
	// reads a text that is a date with a time of day as that time. The last two are read by
	// the general parser alone.
	Bigints, LowerNames, Times bool
}

// BadRecord is a message that could not be decoded. It gave no rows.
type BadRecord struct {
	Message    int    // index in the starts and ends given to Decode
	ByteOffset int    // in the message
	Type       string // data error type
	Reason     string
	Excerpt    string // the bytes around the offset
}

// InvalidData is the type of a message that is not the JSON it should be.
const InvalidData = "InputDeserializerError.InvalidData"

// Rows is what one Decode call brought.
type Rows struct {
	Rows int
	Cols []column.Vector // one per column of the decoder
	Src  []int32         // message of each row, ascending; rows of one message stand in its order
	Bad  []BadRecord
	Next int // first message not decoded
}

// Stats counts events by the layer that decoded them.
type Stats struct{ Template, Predictive, General int64 }

// Decoder turns JSON messages into columns. It belongs to one goroutine; one
// per input partition, since it learns layouts and keeps dictionaries.
type Decoder struct {
	cols    []Column
	bufs    []columnBuf
	rows    int
	src     []int32
	parser  parser
	learned templates
	stats   Stats
	padded  []byte

	predicted   predictive
	general     bool
	noTemplates bool

	arena arena          // of values that columns keep
	whole []int          // columns that hold whole events
	vals  []column.Value // of a template's steps, for them
}

// NewDecoder returns a decoder for cols.
func NewDecoder(cols []Column, o Options) *Decoder {
	d := &Decoder{cols: cols, bufs: make([]columnBuf, len(cols)), general: o.General || o.LowerNames || o.Times, noTemplates: o.NoTemplates}
	d.parser.mem = &d.arena
	d.parser.bigints, d.parser.lower, d.parser.times = o.Bigints, o.LowerNames, o.Times
	for i := range cols {
		if cols[i].Whole {
			d.whole = append(d.whole, i)
		}
	}
	return d
}

// Stats returns the counts so far.
func (d *Decoder) Stats() Stats { return d.stats }

// Decode decodes messages first, first+1, ... of data until it has MaxRows rows
// or no more messages. Message i is data[starts[i]:ends[i]]. Where fewer than 16
// readable bytes follow the last message, data is copied.
func (d *Decoder) Decode(data []byte, starts, ends []uint32, first int) Rows {
	n := min(len(starts)-first, MaxRows)
	if n <= 0 {
		return Rows{Next: max(first, len(starts)), Cols: d.finish()}
	}
	data = d.withSlack(data, int(ends[len(ends)-1]))
	for i := range d.bufs {
		d.bufs[i].begin(n)
	}
	d.rows, d.src = 0, make([]int32, 0, n)
	out := Rows{Next: first}
	for out.Next < len(starts) && d.rows < MaxRows {
		at, end := int(starts[out.Next]), int(ends[out.Next])
		if err := d.message(data, at, end); err != nil {
			out.Bad = append(out.Bad, bad(out.Next, data[at:end], at, err))
		}
		for len(d.src) < d.rows {
			d.src = append(d.src, int32(out.Next))
		}
		out.Next++
	}
	out.Rows, out.Src = d.rows, d.src
	out.Cols = d.finish()
	d.src = nil
	return out
}

func (d *Decoder) finish() []column.Vector {
	cols := make([]column.Vector, len(d.bufs))
	for i := range d.bufs {
		cols[i] = d.bufs[i].finish(d.rows)
	}
	d.rows = 0
	return cols
}

func (d *Decoder) withSlack(data []byte, last int) []byte {
	if len(data)-last >= slack {
		return data
	}
	if cap(data)-last >= slack {
		return data[:last+slack]
	}
	d.padded = append(append(d.padded[:0], data...), make([]byte, slack)...)
	return d.padded
}

func bad(message int, body []byte, start int, err *syntaxError) BadRecord {
	at := min(max(err.at-start, 0), len(body))
	from, to := max(at-40, 0), min(at+40, len(body))
	return BadRecord{
		Message: message, ByteOffset: at, Type: InvalidData, Reason: err.reason,
		Excerpt: string(bytes.ToValidUTF8(body[from:to], []byte("?"))),
	}
}

// message decodes one message: one object, objects separated by white space,
// or one array of objects. On an error it leaves no row.
func (d *Decoder) message(data []byte, at, end int) *syntaxError {
	first := d.rows
	err := d.events(data, at, end)
	if err != nil {
		d.rows = first
		for i := range d.bufs {
			d.bufs[i].truncate(first)
		}
	}
	return err
}

func (d *Decoder) events(data []byte, at, end int) *syntaxError {
	p := &d.parser
	p.data, p.pos, p.end = data, at, end
	if end-at >= 3 && data[at] == 0xEF && data[at+1] == 0xBB && data[at+2] == 0xBF {
		p.pos += 3 // byte order mark
	}
	p.space()
	if p.peek() != '[' {
		for p.pos < p.end {
			if err := d.event(); err != nil {
				return err
			}
			p.space()
		}
		return nil
	}
	p.pos++
	p.space()
	if p.peek() == ']' {
		p.pos++
	} else if err := d.elements(); err != nil {
		return err
	}
	p.space()
	if p.pos < p.end {
		return p.fail(p.pos, "unexpected data behind the array of events")
	}
	return nil
}

func (d *Decoder) elements() *syntaxError {
	p := &d.parser
	for {
		if err := d.event(); err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case ']':
			p.pos++
			return nil
		default:
			return p.fail(p.pos, "want , or ] in an array of events")
		}
	}
}

// event decodes the object at p.pos into the next row.
func (d *Decoder) event() *syntaxError {
	p := &d.parser
	start := p.pos
	if p.peek() != '{' {
		return p.wrongToken()
	}
	if !d.general {
		if next := d.learnedEvent(p.data, start, p.end); next != 0 {
			p.pos = next
			return nil
		}
		p.pos = start
	}
	p.begin()
	v, err := p.object(1)
	if err != nil {
		return err
	}
	d.stats.General++
	for i := range d.cols {
		x := v
		for _, name := range d.cols[i].Path {
			x = x.Field(name)
		}
		if !x.IsNull() {
			d.bufs[i].put(d.rows, x)
		}
	}
	d.rows++
	if !d.general && !d.noTemplates {
		d.learned.learn(d, p.data, start, p.pos, false)
	}
	return nil
}

// learnedEvent decodes the event that begins at data[at] by one of the learned
// layers and returns the index behind it, 0 if none takes it.
func (d *Decoder) learnedEvent(data []byte, at, end int) int {
	if !d.noTemplates {
		if next := d.template(data, at, end); next != 0 {
			return next
		}
	}
	if len(d.whole) > 0 {
		return 0
	}
	next := d.predict(data, at, end)
	if next != 0 && !d.noTemplates && d.learned.worth(d.predicted.sign) {
		d.learned.learn(d, data, at, next, true)
	}
	return next
}

// wrongToken reports something that is no event, in the words of the real engine.
func (p *parser) wrongToken() *syntaxError {
	at := p.pos
	if at >= p.end {
		return p.fail(at, "unexpected end of JSON")
	}
	c := p.data[at]
	v, err := p.value(0)
	if err != nil {
		return err
	}
	token := ""
	switch v.Kind {
	case column.Null:
		token = "Null"
	case column.Bool:
		token = "Boolean"
	case column.Int64:
		token = "Integer"
	case column.Float64:
		token = "Float"
	case column.Text:
		token = "String"
	case column.Array:
		token = "StartArray"
	default:
		token = fmt.Sprintf("%q", c)
	}
	return p.fail(at, "Json input stream should either be an array of objects or line separated objects. Found token type: %s", token)
}

// sameName is how a field name of a path meets a key that is spelled otherwise.
func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
