package column

// Builder makes a vector value by value: the general way. It begins with the
// kind of the first value and turns to Any when a value of another kind comes;
// bigints among floats stay in a Float64 vector with the Whole bitmap.
type Builder struct {
	vec  Vector
	rows int
	kind Kind // Null until the first value that is not null
	dict *Dict
}

// NewBuilder returns a builder. With a dictionary, texts become codes of it.
func NewBuilder(dict *Dict) *Builder { return &Builder{dict: dict} }

const maxWhole = 1 << 53

// Append adds a row.
func (b *Builder) Append(v Value) {
	if v.Kind == Null {
		b.appendNull()
		return
	}
	if b.kind == Null {
		b.start(v.Kind)
	}
	switch {
	case b.kind == Any:
		b.vec.Anys = append(b.vec.Anys, v)
	case b.kind == v.Kind:
		b.appendSame(v)
	case b.kind == Float64 && v.Kind == Int64 && v.Int() <= maxWhole && v.Int() >= -maxWhole:
		b.vec.Floats = append(b.vec.Floats, float64(v.Int()))
		b.setBit(&b.vec.Whole, b.rows)
	case b.kind == Int64 && v.Kind == Float64 && b.intsFitFloat():
		b.intsToFloats()
		b.vec.Floats = append(b.vec.Floats, v.Float())
	default:
		b.promote()
		b.vec.Anys = append(b.vec.Anys, v)
	}
	if b.vec.Valid != nil && b.kind != Any {
		b.setBit(&b.vec.Valid, b.rows)
	}
	b.rows++
}

func (b *Builder) appendNull() {
	if b.kind == Null || b.kind == Any {
		if b.kind == Any {
			b.vec.Anys = append(b.vec.Anys, Value{})
		}
		b.rows++
		return
	}
	if b.vec.Valid == nil {
		b.vec.Valid = make([]uint64, Words(b.rows+1))
		for i := range b.rows {
			SetBit(b.vec.Valid, i)
		}
	}
	if len(b.vec.Valid) < Words(b.rows+1) {
		b.vec.Valid = append(b.vec.Valid, 0)
	}
	switch {
	case b.kind == Float64:
		b.vec.Floats = append(b.vec.Floats, 0)
	case b.kind == Text && b.dict != nil:
		b.vec.Codes = append(b.vec.Codes, 0)
	case b.kind == Text:
		b.vec.Ends = append(b.vec.Ends, uint32(len(b.vec.Bytes)))
	default:
		b.vec.Ints = append(b.vec.Ints, 0)
	}
	b.rows++
}

// start chooses the kind when the first value comes, behind b.rows nulls.
func (b *Builder) start(k Kind) {
	if k == Record || k == Array {
		k = Any
	}
	nulls := b.rows
	b.kind, b.rows = k, 0
	for range nulls {
		b.appendNull()
	}
}

func (b *Builder) appendSame(v Value) {
	switch v.Kind {
	case Float64:
		b.vec.Floats = append(b.vec.Floats, v.Float())
	case Text:
		if b.dict != nil {
			b.vec.Codes = append(b.vec.Codes, b.dict.CodeOf(v.str))
			return
		}
		b.vec.Bytes = append(b.vec.Bytes, v.str...)
		b.vec.Ends = append(b.vec.Ends, uint32(len(b.vec.Bytes)))
	default:
		b.vec.Ints = append(b.vec.Ints, int64(v.num))
	}
}

func (b *Builder) setBit(m *[]uint64, i int) {
	for len(*m) < Words(i+1) {
		*m = append(*m, 0)
	}
	SetBit(*m, i)
}

func (b *Builder) intsFitFloat() bool {
	for _, x := range b.vec.Ints {
		if x > maxWhole || x < -maxWhole {
			return false
		}
	}
	return true
}

func (b *Builder) intsToFloats() {
	b.vec.Floats = make([]float64, len(b.vec.Ints), cap(b.vec.Ints)+1)
	b.vec.Whole = make([]uint64, Words(len(b.vec.Ints)+1))
	for i, x := range b.vec.Ints {
		b.vec.Floats[i] = float64(x)
		if b.vec.Valid == nil || Bit(b.vec.Valid, i) {
			SetBit(b.vec.Whole, i)
		}
	}
	b.vec.Ints = nil
	b.kind = Float64
}

func (b *Builder) promote() {
	b.finish()
	anys := make([]Value, b.rows, b.rows+1)
	for i := range anys {
		anys[i] = b.vec.At(i)
	}
	b.vec = Vector{Anys: anys}
	b.kind = Any
}

func (b *Builder) finish() {
	b.vec.Kind = b.kind
	pad := func(m *[]uint64) {
		for *m != nil && len(*m) < Words(b.rows) {
			*m = append(*m, 0)
		}
	}
	pad(&b.vec.Valid)
	pad(&b.vec.Whole)
	if b.kind == Text && b.dict != nil {
		b.vec.Dict = b.dict.View()
		if b.vec.Codes == nil {
			b.vec.Codes = []uint32{}
		}
	}
}

// Rows is the number of rows appended since the last Vector.
func (b *Builder) Rows() int { return b.rows }

// Vector returns the rows appended and starts anew. A vector of nulls only is
// of kind Any.
func (b *Builder) Vector() Vector {
	if b.kind == Null {
		v := Vector{Kind: Any, Anys: make([]Value, b.rows)}
		b.rows = 0
		return v
	}
	b.finish()
	v := b.vec
	b.vec, b.rows, b.kind = Vector{}, 0, Null
	return v
}

// Constant returns a vector of n equal values.
func Constant(v Value, n int) Vector {
	b := NewBuilder(nil)
	for range n {
		b.Append(v)
	}
	return b.Vector()
}
