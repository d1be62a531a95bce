package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// bindFunc is the signature of the functions in the table.
type bindFunc = func(b *binder, c *syntax.Call, a []*node) (*node, error)

// texts converts all arguments to texts.
func (b *binder) texts(a []*node) error {
	for i, n := range a {
		t, err := b.toText(n)
		if err != nil {
			return err
		}
		a[i] = t
	}
	return nil
}

// asInt converts an argument to bigint.
func (b *binder) asInt(n *node) (*node, error) {
	return b.convert(n, Type{ID: BigInt}, castImplicit, n.at)
}

// textual is a text function of texts: format takes one %s per argument; the
// result is as long as size says of the first argument.
func textual(format string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		args := make([]any, len(a))
		for i, n := range a {
			args[i] = n.sql
		}
		return &node{sql: fmt.Sprintf(format, args...), typ: a[0].typ}, nil
	}
}

// wide is the type of a text function whose result may be longer than its
// arguments.
func wide(a []*node) Type {
	t := Type{ID: VarChar, Size: 8000}
	for _, n := range a {
		if n.typ.ID == NVarChar {
			t = Type{ID: NVarChar, Size: 4000}
		}
	}
	for _, n := range a {
		if n.typ.isText() && n.typ.Size == Max {
			t.Size = Max
		}
	}
	return t
}

var intType = Type{ID: Int}

func trimFunc(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		chars := "' '"
		if len(a) == 2 {
			chars = a[1].sql
		}
		return &node{sql: fn + "(" + a[0].sql + ", " + chars + ")", typ: a[0].typ}, nil
	}
}

func bindLen(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	return &node{sql: "CAST(length(" + trimmed(a[0]) + ") AS INTEGER)", typ: intType}, nil
}

func bindDataLength(b *binder, c *syntax.Call, a []*node) (*node, error) {
	size := map[TypeID]int{Bit: 1, TinyInt: 1, SmallInt: 2, Int: 4, BigInt: 8, Real: 4, Float: 8, Date: 3, DateTime: 8, DateTime2: 8, UniqueIdentifier: 16}
	n := a[0]
	switch {
	case n.typ.ID == VarChar:
		return &node{sql: "CAST(strlen(" + n.sql + ") AS INTEGER)", typ: intType}, nil
	case n.typ.ID == NVarChar:
		return &node{sql: "CAST(spate_utf16_length(" + n.sql + ") AS INTEGER)", typ: intType}, nil
	case n.typ.ID == VarBinary:
		return &node{sql: "CAST(octet_length(" + n.sql + ") AS INTEGER)", typ: intType}, nil
	case size[n.typ.ID] > 0:
		return &node{sql: fmt.Sprintf("(CASE WHEN %s IS NOT NULL THEN %d END)", n.sql, size[n.typ.ID]), typ: intType}, nil
	}
	return nil, unsupported(c.Loc(), "DATALENGTH of "+n.typ.String())
}

func bindCharIndex(b *binder, c *syntax.Call, a []*node) (*node, error) {
	start := "CAST(1 AS BIGINT)"
	if len(a) == 3 {
		s, err := b.asInt(a[2])
		if err != nil {
			return nil, err
		}
		start = "CAST(" + s.sql + " AS BIGINT)"
	}
	if err := b.texts(a[:2]); err != nil {
		return nil, err
	}
	return &node{sql: fmt.Sprintf("CAST(spate_charindex(%s, %s, %s) AS INTEGER)", a[0].sql, a[1].sql, start), typ: intType}, nil
}

func bindPatIndex(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	return &node{sql: "CAST(spate_patindex(" + a[0].sql + ", " + a[1].sql + ") AS INTEGER)", typ: intType}, nil
}

func sideFunc(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asInt(a[1])
		if err != nil {
			return nil, err
		}
		t, err := b.toText(a[0])
		if err != nil {
			return nil, err
		}
		typ := t.typ
		sql := fn + "(" + t.sql + ", " + n.sql + ")"
		if n.con != nil && n.con.num >= 0 {
			if typ.Size == Max || int64(typ.Size) > n.con.num {
				typ.Size = int(min(max(n.con.num, 1), 8000))
			}
			return &node{sql: sql, typ: typ}, nil
		}
		return &node{sql: "(CASE WHEN " + n.sql + " < 0 THEN error('" + raisePrefix + "536:Invalid length parameter passed to the " + fn + " function.') ELSE " + sql + " END)", typ: typ}, nil
	}
}

func bindSubstring(b *binder, c *syntax.Call, a []*node) (*node, error) {
	t, err := b.toText(a[0])
	if err != nil {
		return nil, err
	}
	start, err := b.asInt(a[1])
	if err != nil {
		return nil, err
	}
	length := &node{sql: "2147483647", con: &Value{Kind: KindInt, num: 1<<31 - 1}}
	if len(a) == 3 {
		if length, err = b.asInt(a[2]); err != nil {
			return nil, err
		}
	}
	if start.con != nil && start.con.num >= 1 && length.con != nil && length.con.num >= 0 {
		return &node{sql: fmt.Sprintf("substr(%s, %s, %s)", t.sql, start.sql, length.sql), typ: t.typ}, nil
	}
	// A start below 1 takes from the length what lies before the text.
	s, l := start.sql, length.sql
	sql := fmt.Sprintf("substr(%s, greatest(%s, 1), greatest(%s + %s - greatest(%s, 1), 0))", t.sql, s, s, l, s)
	return &node{sql: "(CASE WHEN " + l + " < 0 THEN error('" + raisePrefix + "537:Invalid length parameter passed to the LEFT or SUBSTRING function.') WHEN " +
		s + " IS NULL OR " + l + " IS NULL THEN NULL ELSE " + sql + " END)", typ: t.typ}, nil
}

func bindReplicate(b *binder, c *syntax.Call, a []*node) (*node, error) {
	t, err := b.toText(a[0])
	if err != nil {
		return nil, err
	}
	n, err := b.asInt(a[1])
	if err != nil {
		return nil, err
	}
	typ := wide([]*node{t})
	limit := typ.Size
	if limit == Max {
		limit = 1 << 20
	}
	return &node{sql: fmt.Sprintf("(CASE WHEN %s >= 0 THEN left(repeat(%s, least(%s, %d)), %d) END)", n.sql, t.sql, n.sql, limit, limit), typ: typ}, nil
}

func bindSpace(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := b.asInt(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "(CASE WHEN " + n.sql + " >= 0 THEN repeat(' ', least(" + n.sql + ", 8000)) END)", typ: Type{ID: VarChar, Size: 8000}}, nil
}

func bindStuff(b *binder, c *syntax.Call, a []*node) (*node, error) {
	start, err := b.asInt(a[1])
	if err != nil {
		return nil, err
	}
	length, err := b.asInt(a[2])
	if err != nil {
		return nil, err
	}
	text := []*node{a[0], a[3]}
	if err := b.texts(text); err != nil {
		return nil, err
	}
	s, l, t := start.sql, length.sql, text[0].sql
	return &node{sql: fmt.Sprintf("(CASE WHEN %s >= 1 AND %s <= length(%s) AND %s >= 0 THEN left(%s, %s - 1) || coalesce(%s, '') || substr(%s, %s + %s) END)",
		s, s, t, l, t, s, text[1].sql, t, s, l), typ: wide(text)}, nil
}

// concatFunc is CONCAT and CONCAT_WS: NULL counts as an empty text.
func concatFunc(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		args := make([]string, len(a))
		for i, n := range a {
			if n.typ.ID == VarBinary {
				return nil, errorf(257, n.at, "Implicit conversion from data type varbinary to nvarchar is not allowed. Use the CONVERT function to run this query.")
			}
			t, err := b.toText(n)
			if err != nil {
				return nil, err
			}
			a[i], args[i] = t, t.sql
		}
		return &node{sql: fn + "(" + strings.Join(args, ", ") + ")", typ: wide(a)}, nil
	}
}

func bindQuoteName(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	open, shut := "[", "]"
	if len(a) == 2 {
		if a[1].con == nil {
			return nil, unsupported(c.Loc(), "QUOTENAME with a delimiter that is not a constant")
		}
		pair := map[string][2]string{"[": {"[", "]"}, "]": {"[", "]"}, "'": {"'", "'"}, `"`: {`"`, `"`}, "(": {"(", ")"}, ")": {"(", ")"}, "<": {"<", ">"}, ">": {"<", ">"}, "{": {"{", "}"}, "}": {"{", "}"}, "`": {"`", "`"}}
		p, ok := pair[a[1].con.str]
		if !ok {
			return &node{sql: "CAST(NULL AS VARCHAR)", typ: Type{ID: NVarChar, Size: 258}}, nil
		}
		open, shut = p[0], p[1]
	}
	s := a[0].sql
	return &node{sql: fmt.Sprintf("(CASE WHEN length(%s) <= 128 THEN %s || replace(%s, %s, %s) || %s END)", s, Quote(open), s, Quote(shut), Quote(shut+shut), Quote(shut)),
		typ: Type{ID: NVarChar, Size: 258}}, nil
}

func bindTranslate(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	return &node{sql: fmt.Sprintf("(CASE WHEN length(%s) <> length(%s) THEN error('%s9828:The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.') ELSE translate(%s, %s, %s) END)",
		a[1].sql, a[2].sql, raisePrefix, a[0].sql, a[1].sql, a[2].sql), typ: a[0].typ}, nil
}

// charCode is ASCII and UNICODE.
func charCode(limit int) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		s := a[0].sql
		if limit == 255 {
			// The first byte of the text as it is stored.
			return &node{sql: "CAST(spate_ascii(" + s + ") AS INTEGER)", typ: intType}, nil
		}
		return &node{sql: "(CASE WHEN " + s + " <> '' THEN CAST(unicode(" + s + ") AS INTEGER) END)", typ: intType}, nil
	}
}

// character is CHAR and NCHAR.
func character(id TypeID, limit int) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asInt(a[0])
		if err != nil {
			return nil, err
		}
		return &node{sql: fmt.Sprintf("(CASE WHEN %s BETWEEN 0 AND %d THEN chr(CAST(%s AS INTEGER)) END)", n.sql, limit, n.sql), typ: Type{ID: id, Size: 1}}, nil
	}
}
