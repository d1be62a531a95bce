package query

import (
	"fmt"
	"slices"
	"strings"

	"spate/sql/syntax"
)

// selectQuery binds one SELECT. q carries its ORDER BY and limits; nil if it
// stands inside a set operator.
func (b *binder) selectQuery(s *syntax.Select, q *syntax.Query, outer *env, use queryUse) (*relation, error) {
	if s.Into != nil {
		return nil, unsupported(s.Into.Loc(), "SELECT INTO")
	}
	in := &env{outer: outer, ctes: outer.ctes, windows: s.Windows}
	from := ""
	if len(s.From) > 0 {
		sql, err := b.from(s.From, in)
		if err != nil {
			return nil, err
		}
		from = " FROM " + sql
	}
	where := ""
	if s.Where != nil {
		in.noAgg = "in WHERE"
		n, err := b.condition(s.Where, in)
		if err != nil {
			return nil, err
		}
		in.prune(n.implied)
		in.skipBy(n.holds)
		where = " WHERE " + n.sql
	}
	if b.spark() {
		in.aliases = aliasesOf(s)
	}
	group, err := b.groupBy(s, in)
	if err != nil {
		return nil, err
	}
	in.noAgg = ""
	if s.GroupBy != nil || s.Having != nil || b.hasAggregate(s, q) {
		in.phase = groupPhase
	}
	having := ""
	if s.Having != nil {
		n, err := b.condition(s.Having, in)
		if err != nil {
			return nil, err
		}
		having = " HAVING " + n.sql
	}
	items, err := b.items(s, in)
	if err != nil {
		return nil, err
	}
	rel := &relation{}
	list := make([]string, len(items))
	plain := in.phase == rowPhase && !s.Distinct && s.Top == nil && !in.sawWindow && (q == nil || q.Limit == nil && q.Offset == nil)
	for i, it := range items {
		c := relColumn{name: it.name, typ: it.n.typ}
		if plain {
			c.src = it.n.src
		}
		text := it.n.sql
		if use.top && c.typ.ID == UniqueIdentifier {
			text = "upper(CAST(" + text + " AS VARCHAR))"
		}
		rel.cols = append(rel.cols, c)
		list[i] = fmt.Sprintf("%s AS c%d", text, i+1)
	}
	keys, err := b.orderBy(s, q, in, items, rel, use)
	if err != nil {
		return nil, err
	}
	limit, rows, err := b.limits(q, s.Top, outer)
	if err != nil {
		return nil, err
	}
	tail := having
	if s.Top != nil && (s.Top.WithTies || s.Top.Percent) {
		if tail, err = topQualify(s, keys, limit); err != nil {
			return nil, err
		}
		tail, limit = having+tail, ""
	}
	if len(keys) > 0 {
		tail += " ORDER BY " + joinKeys(keys, true)
	}
	tail += limit
	in.pruneTop(s, keys, rows)
	if e := b.endsOf(s, q, in); e != nil {
		in.sources[0].scan.ends = e
	}
	distinct := ""
	if s.Distinct {
		distinct = "DISTINCT "
	}
	head, body := strings.Join(list, ", "), from+where+group
	if s.Distinct && hasText(rel.cols) {
		rel.sql = b.distinct("SELECT "+head+body+having, rel.cols, keys) + limit
		return rel, nil
	}
	rel.sql = "SELECT " + distinct + head + body + tail
	return rel, nil
}

func hasText(cols []relColumn) bool {
	return slices.ContainsFunc(cols, func(c relColumn) bool { return c.typ.padded() })
}

// distinct emits the distinct rows of a query. Texts that differ in trailing blanks only
// are one, and what is shown of them is one of them.
func (b *binder) distinct(sql string, cols []relColumn, order []orderKey) string {
	id := b.id("u")
	rows, keys := distinctRows(id, cols, "")
	sql = "SELECT " + rows + " FROM (" + sql + ") AS " + id + " GROUP BY " + strings.Join(keys, ", ")
	for i, k := range order {
		word := ", "
		if i == 0 {
			word = " ORDER BY "
		}
		sql += word + keys[k.position-1] + k.direction
	}
	return sql
}

// distinctRows are the columns and keys with which the rows of a relation are grouped.
// filter, if set, says of which of them the values are shown.
func distinctRows(id string, cols []relColumn, filter string) (rows string, keys []string) {
	items := make([]string, len(cols))
	for i, c := range cols {
		name := fmt.Sprintf("%s.c%d", id, i+1)
		key := name
		if c.typ.padded() {
			key, name = "rtrim("+name+", ' ')", "min("+name+")"+filter
		}
		items[i], keys = fmt.Sprintf("%s AS c%d", name, i+1), append(keys, key)
	}
	return strings.Join(items, ", "), keys
}

// topQualify emits TOP with PERCENT or WITH TIES, which the engine has not, as
// a condition on the rank of a row.
func topQualify(s *syntax.Select, keys []orderKey, limit string) (string, error) {
	if s.Distinct {
		return "", unsupported(s.Top.Loc(), "DISTINCT with TOP PERCENT or WITH TIES")
	}
	rank, order := "row_number()", ""
	if s.Top.WithTies {
		if len(keys) == 0 {
			return "", errorf(1062, s.Top.Loc(), "The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.")
		}
		rank = "rank()"
	}
	if len(keys) > 0 {
		order = "ORDER BY " + joinKeys(keys, false)
	}
	count := strings.TrimPrefix(limit, " LIMIT ")
	if s.Top.Percent {
		count = "ceil(count(*) OVER () * " + count + " / 100)"
	}
	return " QUALIFY " + rank + " OVER (" + order + ") <= " + count, nil
}

// item is one bound entry of a select list.
type item struct {
	name string
	n    *node
}

func (b *binder) items(s *syntax.Select, in *env) ([]item, error) {
	var out []item
	for _, it := range s.Items {
		if it.Assign != "" {
			return nil, unsupported(it.Loc(), "SELECT "+it.Assign+" =")
		}
		if it.Star {
			cols, err := b.star(it, in)
			if err != nil {
				return nil, err
			}
			out = append(out, cols...)
			continue
		}
		n, err := b.value(it.Expr, in)
		if err != nil {
			return nil, err
		}
		name := ""
		if it.Alias != nil {
			name = it.Alias.Name
		} else if p, ok := it.Expr.(*syntax.Path); ok && n.con == nil {
			name = in.columnName(p)
		} else if b.spark() {
			name = sparkName(it.Expr)
		}
		out = append(out, item{name, n})
	}
	return out, nil
}

// columnName is the name of a column as its table has it.
func (in *env) columnName(p *syntax.Path) string {
	want := p.Parts[len(p.Parts)-1].Name
	for e := in; e != nil; e = e.outer {
		for _, s := range e.sources {
			for _, c := range s.cols {
				if sameName(c.name, want) {
					return c.name
				}
			}
		}
	}
	return want
}

func (b *binder) star(it syntax.Item, in *env) ([]item, error) {
	if len(in.sources) == 0 {
		return nil, errorf(263, it.Loc(), "Must specify table to select from.")
	}
	var out []item
	found := false
	for _, s := range in.sources {
		if it.Of != nil && !s.matches(it.Of.Parts) {
			continue
		}
		found = true
		for i := range s.cols {
			n, err := b.columnOf(in, s, i, it.Loc())
			if err != nil {
				return nil, err
			}
			out = append(out, item{s.cols[i].name, n})
		}
	}
	if !found {
		return nil, errorf(107, it.Loc(), "The column prefix '%s' does not match with a table name or alias name used in the query.", pathText(it.Of))
	}
	return out, nil
}

// groupBy binds the keys and emits GROUP BY.
func (b *binder) groupBy(s *syntax.Select, in *env) (string, error) {
	if s.GroupBy == nil {
		return "", nil
	}
	in.noAgg = "in GROUP BY"
	sets := slices.ContainsFunc(s.GroupBy, func(e syntax.Expr) bool { _, ok := e.(*syntax.Grouping); return ok })
	key := func(e syntax.Expr) (string, error) {
		if b.spark() {
			var err error
			if e, err = ordinal(e, s); err != nil {
				return "", err
			}
		}
		if l, ok := e.(*syntax.Literal); ok {
			return "", errorf(164, l.Loc(), "Each GROUP BY expression must contain at least one column that is not an outer reference.")
		}
		n, err := b.value(e, in)
		if err != nil {
			return "", err
		}
		if n.con != nil {
			return "", errorf(164, n.at, "Each GROUP BY expression must contain at least one column that is not an outer reference.")
		}
		text, value := n.sql, n.sql
		if n.typ.padded() {
			// Texts that differ in trailing blanks only are one group. What is shown of
			// them is one of them, always the same; of no key of a set it is NULL.
			text, value = trimmed(n), "min("+n.sql+")"
			if sets {
				value = "(CASE WHEN grouping(" + text + ") = 0 THEN " + value + " END)"
			}
		}
		in.groups = append(in.groups, n)
		in.keys = append(in.keys, text)
		in.values = append(in.values, value)
		return text, nil
	}
	var parts []string
	for _, e := range s.GroupBy {
		g, ok := e.(*syntax.Grouping)
		if !ok {
			k, err := key(e)
			if err != nil {
				return "", err
			}
			parts = append(parts, k)
			continue
		}
		var sets []string
		for _, set := range g.Sets {
			var ks []string
			for _, x := range set {
				k, err := key(x)
				if err != nil {
					return "", err
				}
				ks = append(ks, k)
			}
			sets = append(sets, "("+strings.Join(ks, ", ")+")")
		}
		parts = append(parts, strings.ToUpper(g.Kind)+" ("+strings.Join(sets, ", ")+")")
	}
	if len(parts) == 0 {
		return " GROUP BY ()", nil
	}
	return " GROUP BY " + strings.Join(parts, ", "), nil
}

// orderKey is a bound entry of ORDER BY: a result column, or an expression.
type orderKey struct {
	position int // from 1; 0: n only
	n        *node
	desc     bool

	direction string // as it is emitted
}

func joinKeys(keys []orderKey, positions bool) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		text := comparand(k.n)
		if positions && k.position > 0 && (!k.n.typ.padded() || k.n.con != nil) {
			text = fmt.Sprint(k.position)
		}
		parts[i] = text + k.direction
	}
	return strings.Join(parts, ", ")
}

func (b *binder) orderBy(s *syntax.Select, q *syntax.Query, in *env, items []item, rel *relation, use queryUse) ([]orderKey, error) {
	if q == nil || len(q.OrderBy) == 0 {
		if q != nil && q.Offset != nil && len(q.OrderBy) == 0 && q.Limit == nil {
			return nil, errorf(102, q.Offset.Loc(), "Incorrect syntax: OFFSET needs an ORDER BY.")
		}
		return nil, nil
	}
	if use.scalar && !b.spark() && s.Top == nil && q.Offset == nil && q.Limit == nil {
		return nil, orderNotAllowed(q.OrderBy[0].Loc())
	}
	var keys []orderKey
	for _, o := range q.OrderBy {
		if o.Nulls != "" && !b.spark() {
			return nil, errorf(102, o.Loc(), "Incorrect syntax near 'NULLS'.")
		}
		pos, err := b.outputPosition(o, rel.cols)
		if err != nil {
			return nil, err
		}
		if pos > 0 {
			keys = append(keys, orderKey{pos, items[pos-1].n, o.Desc, b.direction(o)})
			continue
		}
		n, err := b.value(o.Expr, in)
		if err != nil {
			return nil, err
		}
		if n.con != nil && !b.spark() {
			return nil, errorf(408, o.Loc(), "A constant expression was encountered in the ORDER BY list, position %d.", len(keys)+1)
		}
		if s.Distinct {
			for i, it := range items {
				if it.n.sql == n.sql {
					pos = i + 1
				}
			}
			if pos == 0 {
				return nil, errorf(145, o.Loc(), "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.")
			}
		}
		keys = append(keys, orderKey{pos, n, o.Desc, b.direction(o)})
	}
	return keys, nil
}

// prune tells the scans of this SELECT what every row that counts fulfils.
func (in *env) prune(implied []bound) {
	for _, p := range implied {
		if in.owns(p.col.scan) {
			p.col.scan.preds = append(p.col.scan.preds, p)
		}
	}
}

func (in *env) owns(s *scan) bool {
	for _, src := range in.sources {
		for _, c := range src.cols {
			if c.src != nil && c.src.scan == s {
				return true
			}
		}
	}
	return false
}

// pruneTop tells the scan of a query "the first n by a column" so.
func (in *env) pruneTop(s *syntax.Select, keys []orderKey, rows int64) {
	if len(in.sources) != 1 || in.sources[0].scan == nil || in.phase != rowPhase || s.Distinct || in.sawWindow || len(keys) == 0 {
		return
	}
	sc := in.sources[0].scan
	if c := keys[0].n.src; c != nil && c.scan == sc {
		sc.order = &scanOrder{column: c.index, desc: keys[0].desc}
		if s.Where == nil {
			sc.rows = rows
		}
	}
}
