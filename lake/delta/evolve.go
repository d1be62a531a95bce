package delta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AddColumns makes a version with those of the columns that the table does not have, in
// their order behind the others, and returns the version that has them all. Files that
// are in the table have NULL there. A column that somebody else adds first stays as it
// is, so that the call can be repeated; without a column to add there is no new version.
//
// base is the version that the caller writes files for: ErrMetadataChanged says that they
// do not fit the table any more.
func (t *Table) AddColumns(ctx context.Context, base *Snapshot, columns []Column) (*Snapshot, error) {
	for {
		cur, err := t.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		if err := fits(base, cur); err != nil {
			return nil, fmt.Errorf("add columns to %s: %w: %w", t.prefix, ErrMetadataChanged, err)
		}
		tx, err := cur.adding(columns)
		if err != nil {
			return nil, fmt.Errorf("add columns to %s: %w", t.prefix, err)
		}
		if tx == nil {
			return cur, nil
		}
		next, err := t.Commit(ctx, tx)
		if errors.Is(err, ErrMetadataChanged) {
			continue // somebody changed the schema first: look at the new one
		}
		return next, err
	}
}

// adding is the transaction that adds the columns which s lacks, nil if it lacks none.
func (s *Snapshot) adding(columns []Column) (*Transaction, error) {
	all, m := slices.Clone(s.Columns), s.Metadata
	type added struct { // as Spark writes it down
		Column struct {
			Name     string         `json:"name"`
			Type     Type           `json:"type"`
			Nullable bool           `json:"nullable"`
			Metadata map[string]any `json:"metadata"`
		} `json:"column"`
	}
	var list []added
	for _, c := range columns {
		if FindColumn(all, c.Name) != nil {
			continue
		}
		if !c.Nullable {
			return nil, fmt.Errorf("column %s takes no NULL, and rows that are there have no value", c.Name)
		}
		if c.Type == TimestampNTZ || c.Type == Variant || strings.Contains(string(c.Type), `"timestamp_ntz"`) {
			return nil, fmt.Errorf("column %s: %w", c.Name, unsupported("type "+string(c.Type), "a table feature"))
		}
		if s.Mapping() != MapNone {
			if err := m.identify(&c); err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
		all = append(all, c)
		a := added{}
		a.Column.Name, a.Column.Type, a.Column.Nullable, a.Column.Metadata = c.Name, c.Type, true, map[string]any{}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, nil
	}
	schema, err := SchemaString(all)
	if err != nil {
		return nil, err
	}
	m.SchemaString = schema
	return &Transaction{Operation: "ADD COLUMNS", Parameters: map[string]any{"columns": string(marshal(list))},
		Metrics: map[string]string{}, Metadata: &m, Base: s}, nil
}
