package config

// Key says of one key of the pipeline file what it is. Each key is declared once, beside
// the code that checks it: reading, printing, the page docs/pipeline-file.md and the
// editor's schema all follow from the declaration.
type Key struct {
	Path     string // from the top; NAME stands for a name that the file chooses: jobs.NAME.query
	Name     string
	Form     Form
	Words    []string // of FormWord; of other forms: words that are allowed besides
	Low      int64    // of numbers, ports, sizes in bytes and durations in nanoseconds
	High     int64
	Default  string // as a file would say it; empty: none
	Required bool
	Change   Change
	About    string
	Example  string // of a map at the top
	Keys     []Key  // of a map, and of each map of FormNames and FormMaps

	// Refusal is a part of what a running pipeline says of a change that waits for a start,
	// mostly the path of the key, and of what a start says of one that is refused.
	Refusal string

	rule nameRule // of FormName and of the names of FormNames
}

// Names says what names may be made of: the value of a FormName, the entries of a list, the
// names of FormNames. Empty: anything.
func (k Key) Names() string { return k.rule.want }

// Form is the form of a value.
type Form string

// Forms of values.
const (
	FormText     Form = "text"
	FormName     Form = "name"
	FormWord     Form = "word"     // one of Words
	FormFlag     Form = "flag"     // true or false
	FormInteger  Form = "integer"  // Low to High
	FormDuration Form = "duration" // 5s, 1h30m, PT5M or 0
	FormSize     Form = "size"     // 64MiB
	FormTime     Form = "time"     // RFC 3339
	FormPort     Form = "port"
	FormSecret   Form = "secret" // text that must be a reference
	FormList     Form = "list"   // of text, or of Words
	FormTexts    Form = "texts"  // a map from any name to text
	FormRows     Form = "rows"   // a map from any name to a file, a list of rows, or a map of Words
	FormCounts   Form = "counts" // a map from any name, or from Words, to numbers
	FormMap      Form = "map"    // of Keys
	FormNames    Form = "names"  // a map from names to maps of Keys
	FormMaps     Form = "maps"   // a list of maps of Keys
)

// Change says what becomes of a value that changes.
type Change string

// Changes.
const (
	ChangeLive   Change = "live"  // a running pipeline takes it over, and so does the next start
	ChangeStart  Change = "start" // a running pipeline refuses it; the next start takes it over
	ChangeNew    Change = "new"   // it counts for a job that has no checkpoint yet
	ChangeNever  Change = "never" // it is refused once there is a checkpoint, or the table
	ChangeGrow   Change = "grow"  // as live; a smaller value is refused
	ChangeNone   Change = "none"  // the value has no effect here
	ChangeInside Change = ""      // a map: its keys say it
)

// Keys are all keys that have an effect or are at least read, in the order in which they
// are printed.
func Keys() []Key { return placed("", fileKeys.keys()) }

// Later are the keys of the language that are refused by name.
func Later() []string { return laterOf("", fileKeys.keys()) }

// placed gives keys their paths, and leaves out those that are refused.
func placed(above string, keys []Key) []Key {
	var out []Key
	for _, k := range keys {
		if k.Form == formLater {
			continue
		}
		k.Path = join(above, k.Name)
		if k.Change == ChangeStart && k.Refusal == "" {
			k.Refusal = k.Path
		}
		k.Keys = placed(k.inner(), k.Keys)
		out = append(out, k)
	}
	return out
}

func laterOf(above string, keys []Key) []string {
	var out []string
	for _, k := range keys {
		k.Path = join(above, k.Name)
		if k.Form == formLater {
			out = append(out, k.Path)
		}
		out = append(out, laterOf(k.inner(), k.Keys)...)
	}
	return out
}

// inner is the path of the maps that hold the keys of k.
func (k Key) inner() string {
	if k.Form == FormNames {
		return k.Path + ".NAME"
	}
	return k.Path
}

// formLater marks a key that this version does not act on: it is refused by name.
const formLater Form = "later"

// field is a key of a map that is read into a T, or several that are refused.
type field[T any] struct {
	keys []Key
	read func(l *loader, o *object, to *T)
	show func(p *Pipeline, from *T) any // nil: never printed
}

// value is what stands behind a key of a T.
type value[T any] struct {
	Key
	read func(l *loader, o *object, key string, to *T)
	show func(p *Pipeline, from *T) any
}

// key declares a key.
func key[T any](name string, change Change, about string, v value[T]) field[T] {
	k := v.Key
	k.Name, k.Change, k.About = name, change, about
	return field[T]{[]Key{k}, func(l *loader, o *object, to *T) { v.read(l, o, name, to) }, v.show}
}

// later declares keys of the language that this version does not act on.
func later[T any](names ...string) field[T] {
	f := field[T]{read: func(_ *loader, o *object, _ *T) { o.later(names...) }}
	for _, n := range names {
		f.keys = append(f.keys, Key{Name: n, Form: formLater})
	}
	return f
}

// required says that the key must be there; the hint says what to write.
func (f field[T]) required(hint string) field[T] {
	read, name := f.read, f.keys[0].Name
	f.keys[0].Required = true
	f.read = func(l *loader, o *object, to *T) {
		if o.find(name) == nil {
			o.missing(name, hint)
		}
		read(l, o, to)
	}
	return f
}

// refusal says what a refusal of a change names.
func (f field[T]) refusal(part string) field[T] {
	f.keys[0].Refusal = part
	return f
}

// example shows a map in a file.
func (f field[T]) example(text string) field[T] {
	f.keys[0].Example = text
	return f
}

// unprinted leaves the key out of what is printed.
func (f field[T]) unprinted() field[T] {
	f.show = nil
	return f
}

// printed prints what show says instead.
func (f field[T]) printed(show func(from *T) any) field[T] {
	f.show = func(_ *Pipeline, from *T) any { return show(from) }
	return f
}

// section declares the keys of a map, in the order in which they are read and printed.
type section[T any] []field[T]

func (s section[T]) keys() []Key {
	var out []Key
	for _, f := range s {
		out = append(out, f.keys...)
	}
	return out
}

// read reads o into to and refuses the keys that are not declared.
func (s section[T]) read(l *loader, o *object, to *T) {
	for _, f := range s {
		f.read(l, o, to)
	}
	o.done()
}

// show is what is printed of from.
func (s section[T]) show(p *Pipeline, from *T) *fields {
	out := &fields{}
	for _, f := range s {
		if f.show != nil {
			out.add(f.keys[0].Name, f.show(p, from))
		}
	}
	return out
}
