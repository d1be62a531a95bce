package query

import (
	"errors"
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// from binds FROM: the engine's text, and the sources added to in.
func (b *binder) from(list []syntax.Source, in *env) (string, error) {
	parts := make([]string, len(list))
	for i, s := range list {
		sql, err := b.source(s, in)
		if err != nil {
			return "", err
		}
		parts[i] = sql
	}
	return strings.Join(parts, " CROSS JOIN "), nil
}

func (b *binder) source(s syntax.Source, in *env) (string, error) {
	leave, err := b.enter(s.Loc())
	if err != nil {
		return "", err
	}
	defer leave()
	switch s := s.(type) {
	case *syntax.TableRef:
		if err := plainRef(&s.Ref, s.Loc()); err != nil {
			return "", err
		}
		return b.table(s, in)
	case *syntax.Derived:
		if err := plainRef(&s.Ref, s.Loc()); err != nil {
			return "", err
		}
		return b.derived(s, in, in.outer)
	case *syntax.Join:
		return b.join(s, in)
	case *syntax.Apply:
		return b.apply(s, in)
	case *syntax.TableFunc:
		return b.tableFunc(s, in, in.outer)
	}
	return "", unsupported(s.Loc(), "This kind of source")
}

func plainRef(r *syntax.Ref, at syntax.Span) error {
	switch {
	case r.Timestamp != nil:
		return unsupported(r.Timestamp.Loc(), "TIMESTAMP BY in a query over tables")
	case r.Partition != nil:
		return unsupported(r.Partition.Loc(), "PARTITION BY behind a table")
	case r.Match != nil:
		return unsupported(r.Match.Loc(), "MATCH_RECOGNIZE in a query over tables")
	}
	return nil
}

// add puts a source in sight, refusing a second one of the same name.
func (in *env) add(s *source, at syntax.Span) error {
	for _, o := range in.sources {
		if s.alias != "" && sameName(o.alias, s.alias) && (o.path == nil || s.path == nil) {
			return errorf(1011, at, "The correlation name '%s' is specified multiple times in a FROM clause.", s.alias)
		}
	}
	in.sources = append(in.sources, s)
	return nil
}

func (b *binder) table(ref *syntax.TableRef, in *env) (string, error) {
	parts := ref.Name.Parts
	full := nameText(ref.Name)
	if len(parts) == 1 {
		if c, ok := in.ctes[lower(parts[0].Name)]; ok {
			return b.useCTE(c, ref, in)
		}
	}
	if len(parts) > 3 {
		return "", errorf(7202, ref.Name.Loc(), "Could not find server '%s'.", parts[0].Name)
	}
	if len(parts) >= 2 && sameName(parts[len(parts)-2].Name, "INFORMATION_SCHEMA") {
		return b.informationSchema(ref, in)
	}
	t, err := b.openTable(ref, full)
	if err != nil {
		return "", err
	}
	sc := &scan{id: b.id("s"), table: t, used: make([]bool, len(t.Columns)), rows: -1}
	b.scans = append(b.scans, sc)
	src := &source{alias: parts[len(parts)-1].Name, scan: sc}
	for _, p := range parts {
		src.path = append(src.path, p.Name)
	}
	if ref.Alias != nil {
		src.alias, src.path = ref.Alias.Name, nil
	}
	id := b.id("t")
	for i, c := range t.Columns {
		src.cols = append(src.cols, sourceColumn{name: c.Name, typ: b.columnType(c.Type), sql: fmt.Sprintf("%s.c%d", id, i+1), src: &columnRef{sc, i}})
	}
	if err := src.rename(ref.Columns, ref.Loc()); err != nil {
		return "", err
	}
	if err := in.add(src, ref.Loc()); err != nil {
		return "", err
	}
	return "(" + sc.marker() + ") AS " + id, nil
}

func nameText(n *syntax.Name) string {
	parts := make([]string, len(n.Parts))
	for i, p := range n.Parts {
		parts[i] = p.Name
	}
	return strings.Join(parts, ".")
}

// openTable resolves a name (sql-endpoint.md 4): `t` in the current database;
// `a.t` with a schema dbo or default of the current database, else database a;
// `d.s.t` with the schema dbo, default or none.
func (b *binder) openTable(ref *syntax.TableRef, full string) (*Table, error) {
	at := ref.Name.Loc()
	parts := ref.Name.Parts
	name := parts[len(parts)-1].Name
	database := b.database
	isSchema := func(s string) bool { return s == "" || sameName(s, "dbo") || sameName(s, "default") }
	switch len(parts) {
	case 2:
		if s := parts[0].Name; !isSchema(s) || b.catalog.HasDatabase(s) && !sameName(s, "dbo") && s != "" {
			database = s
		}
	case 3:
		if !isSchema(parts[1].Name) {
			return nil, errorf(208, at, "Invalid object name '%s'.", full)
		}
		if parts[0].Name != "" {
			database = parts[0].Name
		}
	}
	if sameName(database, "sys") {
		return nil, unsupported(at, "The system view "+full)
	}
	asOf, key := AsOf{}, lower(database)+"."+lower(name)
	if ref.AsOf != nil {
		var err error
		if asOf, err = b.asOf(ref.AsOf); err != nil {
			return nil, err
		}
		key += fmt.Sprint(asOf)
	}
	if t, ok := b.tables[key]; ok {
		return t, nil
	}
	t, err := b.catalog.Table(b.ctx, database, name, asOf)
	if errors.Is(err, ErrNoTable) && len(parts) == 2 && isSchema(parts[0].Name) && !sameName(database, b.database) {
		t, err = b.catalog.Table(b.ctx, b.database, name, asOf)
	}
	if err != nil {
		return nil, b.catalogError(err, at, full)
	}
	if b.tables == nil {
		b.tables = map[string]*Table{}
	}
	b.tables[key] = t
	return t, nil
}

func (b *binder) asOf(a *syntax.AsOf) (AsOf, error) {
	n, err := b.expr(a.At, &env{noAgg: "in AS OF"})
	if err != nil {
		return AsOf{}, err
	}
	if a.Version {
		if n, err = b.convert(n, Type{ID: BigInt}, castImplicit, a.Loc()); err == nil && n.con == nil {
			err = unsupported(a.Loc(), "An expression other than a constant in VERSION AS OF")
		}
		if err != nil {
			return AsOf{}, err
		}
		return AsOf{Set: true, IsVersion: true, Version: n.con.num}, nil
	}
	if n, err = b.convert(n, Type{ID: DateTime2, Scale: 6}, castImplicit, a.Loc()); err == nil && n.con == nil {
		err = unsupported(a.Loc(), "An expression other than a constant in TIMESTAMP AS OF")
	}
	if err != nil {
		return AsOf{}, err
	}
	return AsOf{Set: true, UnixMilli: n.con.Ticks().UnixMilli()}, nil
}

func (s *source) rename(names []syntax.Ident, at syntax.Span) error {
	if names == nil {
		return nil
	}
	if len(names) != len(s.cols) {
		return errorf(8158, at, "'%s' has %d columns, and its column list %d.", s.alias, len(s.cols), len(names))
	}
	for i, n := range names {
		s.cols[i].name = n.Name
	}
	return nil
}

func (b *binder) useCTE(c *cte, ref *syntax.TableRef, in *env) (string, error) {
	if !c.used {
		c.used = true
		b.ctes = append(b.ctes, c.id+" AS ("+c.sql+")")
	}
	alias := ref.Name.Last().Name
	if ref.Alias != nil {
		alias = ref.Alias.Name
	}
	id, err := b.addRelation(&c.relation, alias, ref.Columns, in, ref.Loc())
	if err != nil {
		return "", err
	}
	return c.id + " AS " + id, nil
}

// addRelation puts the columns of a bound query in sight.
func (b *binder) addRelation(rel *relation, alias string, names []syntax.Ident, in *env, at syntax.Span) (id string, err error) {
	id = b.id("t")
	src := &source{alias: alias}
	for i, c := range rel.cols {
		src.cols = append(src.cols, sourceColumn{name: c.name, typ: c.typ, sql: fmt.Sprintf("%s.c%d", id, i+1), src: c.src})
	}
	if err := src.rename(names, at); err != nil {
		return "", err
	}
	return id, in.add(src, at)
}

// derived binds a sub-query in FROM. sees is what it may refer to outside
// itself: for APPLY, the sources on its left.
func (b *binder) derived(d *syntax.Derived, in, sees *env) (string, error) {
	alias := ""
	if d.Alias != nil {
		alias = d.Alias.Name
	} else if !b.spark() {
		return "", errorf(102, d.Loc(), "Incorrect syntax: a derived table needs an alias.")
	}
	var rel *relation
	var err error
	if v, ok := d.Query.Body.(*syntax.Values); ok && d.Query.With == nil && len(d.Query.OrderBy) == 0 {
		rel, err = b.values(v, in, sees)
	} else {
		rel, err = b.query(d.Query, outerFor(in, sees), queryUse{scalar: true})
	}
	if err != nil {
		return "", err
	}
	cols, err := renamed(rel.cols, d.Columns, alias, d.Loc())
	if err != nil {
		return "", err
	}
	id, err := b.addRelation(&relation{cols: cols}, alias, nil, in, d.Loc())
	if err != nil {
		return "", err
	}
	return "(" + rel.sql + ") AS " + id, nil
}

// outerFor is the environment of a query inside FROM of in.
func outerFor(in, sees *env) *env {
	if sees == nil {
		return &env{ctes: in.ctes}
	}
	o := *sees
	o.ctes = in.ctes
	return &o
}

func (b *binder) join(j *syntax.Join, in *env) (string, error) {
	left, err := b.source(j.Left, in)
	if err != nil {
		return "", err
	}
	seen := len(in.sources)
	right, err := b.source(j.Right, in)
	if err != nil {
		return "", err
	}
	if j.Kind == syntax.SemiJoin || j.Kind == syntax.AntiJoin {
		defer func() { in.sources = in.sources[:seen] }() // its columns are no part of the rows
	}
	if j.Kind == syntax.CrossJoin {
		return "(" + left + " CROSS JOIN " + right + ")", nil
	}
	word := map[syntax.JoinKind]string{syntax.InnerJoin: "INNER", syntax.LeftJoin: "LEFT", syntax.RightJoin: "RIGHT", syntax.FullJoin: "FULL",
		syntax.SemiJoin: "SEMI", syntax.AntiJoin: "ANTI"}[j.Kind]
	scope := *in
	scope.noAgg = "in ON"
	on, err := b.condition(j.On, &scope)
	if err != nil {
		return "", err
	}
	if j.Kind == syntax.InnerJoin {
		in.prune(on.implied)
		in.skipBy(on.holds)
	}
	return "(" + left + " " + word + " JOIN " + right + " ON " + on.sql + ")", nil
}

func (b *binder) apply(a *syntax.Apply, in *env) (string, error) {
	left, err := b.source(a.Left, in)
	if err != nil {
		return "", err
	}
	// The right side sees the left one, as the sources of an outer query.
	sees := *in
	sees.sources = append([]*source(nil), in.sources...)
	var right string
	switch r := a.Right.(type) {
	case *syntax.Derived:
		right, err = b.derived(r, in, &sees)
	case *syntax.TableFunc:
		right, err = b.tableFunc(r, in, &sees)
	default:
		right, err = b.source(a.Right, in)
	}
	if err != nil {
		return "", err
	}
	if a.Outer {
		return "(" + left + " LEFT JOIN LATERAL " + right + " ON true)", nil
	}
	return "(" + left + " CROSS JOIN LATERAL " + right + ")", nil
}
