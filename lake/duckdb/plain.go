//go:build cgo && !noduckdb

package duckdb

import (
	"context"
	"database/sql"
	"fmt"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Plain is the engine as it comes, in this process, without Spate's fence and functions: what
// benchmarks measure queries against.
type Plain struct {
	db   *sql.DB
	conn *sql.Conn
}

// NewPlain opens an engine of its own.
func NewPlain(ctx context.Context) (*Plain, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	p := &Plain{db: sql.OpenDB(connector)}
	if p.conn, err = p.db.Conn(ctx); err == nil {
		_, err = p.conn.ExecContext(ctx, "SET TimeZone = 'UTC'")
	}
	if err != nil {
		p.db.Close()
		return nil, fmt.Errorf("open engine: %w", err)
	}
	return p, nil
}

// Run runs a query, reads all of its rows and says how many they are.
func (p *Plain) Run(ctx context.Context, query string) (rows int64, err error) {
	r, err := p.conn.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		return 0, err
	}
	values, to := make([]any, len(cols)), make([]any, len(cols))
	for i := range values {
		to[i] = &values[i]
	}
	for ; r.Next(); rows++ {
		if err := r.Scan(to...); err != nil {
			return rows, err
		}
	}
	return rows, r.Err()
}

// Close ends the engine.
func (p *Plain) Close() error { return p.db.Close() }
