package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"spate/blob"
)

// entries are what statements have told the catalog: databases, tables, and folders that are
// none any more. Folders with a Delta log are tables without an entry.
type entries struct {
	Databases map[string]database `json:"databases"` // by name in lower case
	Tables    map[string]entry    `json:"tables"`    // by database.name in lower case
	// Dropped are prefixes of tables that were dropped and whose files are kept.
	Dropped map[string]bool `json:"dropped,omitempty"`
}

type database struct {
	Name    string `json:"name"`
	Comment string `json:"comment,omitempty"`
	Prefix  string `json:"prefix,omitempty"` // of its tables, instead of <name>.db
}

type entry struct {
	Database   string           `json:"database"`
	Name       string           `json:"name"`
	Prefix     string           `json:"prefix"`
	Managed    bool             `json:"managed,omitempty"` // its files go when it is dropped
	Statistics *TableStatistics `json:"statistics,omitempty"`
}

// TableStatistics are what ANALYZE TABLE found.
type TableStatistics struct {
	Version int64            `json:"version"` // of the table
	Rows    int64            `json:"rows"`
	Bytes   int64            `json:"bytes"`
	Columns []ColumnDistinct `json:"columns,omitempty"`
}

// ColumnDistinct says about how many values a column has.
type ColumnDistinct struct {
	Name     string `json:"name"`
	Distinct int64  `json:"distinct"`
	Nulls    int64  `json:"nulls"`
}

// The catalog is a blob whose name is its version: who makes the next one first has won, as
// with a table's log.
const (
	catalogFolder   = "_spate/catalog/"
	keptCatalogs    = 5
	maxCatalogBytes = 64 << 20
)

// entries reads the newest catalog, and its version; 0 if there is none.
func (c *Catalog) entries(ctx context.Context) (*entries, int64, error) {
	e := &entries{Databases: map[string]database{}, Tables: map[string]entry{}, Dropped: map[string]bool{}}
	key := ""
	for info, err := range c.o.Store.List(ctx, catalogFolder, "") {
		if err != nil {
			return nil, 0, fmt.Errorf("read catalog: %w", err)
		}
		if strings.HasSuffix(info.Key, ".json") {
			key = info.Key
		}
	}
	if key == "" {
		return e, 0, nil
	}
	version, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(key, catalogFolder), ".json"), 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("read catalog: %s is no version of it", key)
	}
	r, err := c.o.Store.Open(ctx, key, 0, -1)
	if errors.Is(err, blob.ErrNotFound) { // somebody made a newer one meanwhile
		return c.entries(ctx)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read catalog: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxCatalogBytes))
	if err != nil {
		return nil, 0, fmt.Errorf("read catalog: %w", err)
	}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, 0, fmt.Errorf("read catalog: %s: %w; delete it to go back to the version before", key, err)
	}
	return e, version, nil
}

// edit changes the catalog. change may be called again when another process comes first.
func (c *Catalog) edit(ctx context.Context, change func(*entries) error) error {
	for {
		e, version, err := c.entries(ctx)
		if err != nil {
			return err
		}
		if err := change(e); err != nil {
			return err
		}
		data, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("write catalog: %w", err)
		}
		_, err = c.o.Store.Create(ctx, catalogKey(version+1), bytes.NewReader(data))
		if errors.Is(err, blob.ErrExists) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write catalog: %w", err)
		}
		if old := version - keptCatalogs; old > 0 {
			return c.o.Store.Delete(ctx, catalogKey(old))
		}
		return nil
	}
}

func catalogKey(version int64) string { return fmt.Sprintf("%s%020d.json", catalogFolder, version) }
