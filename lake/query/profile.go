package query

import (
	"context"
	"fmt"
	"strings"
)

// CountNulls counts the rows without a value of a column.
func CountNulls(ctx context.Context, e *Engine, t *Table, column int) (int64, error) {
	_, _, nulls, err := Profile(ctx, e, t, []int{column})
	if err != nil {
		return 0, err
	}
	return nulls[0], nil
}

// Profile counts the rows of a table and, of some columns, about how many values they have, and
// the rows without one.
func Profile(ctx context.Context, e *Engine, t *Table, columns []int) (rows int64, distinct, nulls []int64, err error) {
	sc := &scan{id: "s1", table: t, used: make([]bool, len(t.Columns)), rows: -1}
	items := []string{"count(*) AS n"}
	req := &Request{Kinds: []Kind{KindInt}}
	for _, i := range columns {
		sc.used[i] = true
		items = append(items, fmt.Sprintf("approx_count_distinct(t.c%d)", i+1), fmt.Sprintf("count(t.c%d)", i+1))
		req.Kinds = append(req.Kinds, KindInt, KindInt)
	}
	text, err := sc.emit(ctx, req, &Stats{})
	if err != nil {
		return 0, nil, nil, err
	}
	req.SQL = "SELECT " + strings.Join(items, ", ") + " FROM (" + text + ") AS t"
	got, err := e.Read(ctx, req)
	if err != nil {
		return 0, nil, nil, err
	}
	rows = got[0][0].Int()
	for k := range columns {
		distinct = append(distinct, got[0][1+2*k].Int())
		nulls = append(nulls, rows-got[0][2+2*k].Int())
	}
	return rows, distinct, nulls, nil
}
