package query

import (
	"context"
	"errors"

	"spate/lake/delta"
)

// These errors are returned by a Catalog, wrapped or not.
var (
	ErrNoTable    = errors.New("no such table")
	ErrNoDatabase = errors.New("no such database")
	// ErrNotWritten is a table that is named somewhere and has no log yet.
	ErrNotWritten = errors.New("nothing has been written to the table yet")
)

// Catalog finds tables. Names come as the user wrote them and match without
// regard to case.
type Catalog interface {
	// HasDatabase reports whether there is a database of this name.
	HasDatabase(name string) bool
	// Table returns a table at its newest version, or at the version or time that at names.
	Table(ctx context.Context, database, name string, at AsOf) (*Table, error)
}

// Lister is a Catalog that can name its tables; INFORMATION_SCHEMA needs it.
type Lister interface {
	List(ctx context.Context) ([]TableName, error)
}

// TableName names a table.
type TableName struct{ Database, Name string }

// AsOf picks a version of a table. The zero AsOf is the newest.
type AsOf struct {
	Set       bool
	IsVersion bool
	Version   int64
	UnixMilli int64 // newest version not after this time
}

// Table is one version of a table, all that a query needs of it.
type Table struct {
	Database, Name string
	Version        int64
	Columns        []TableColumn
	Files          []File
	// ByID: files are asked for columns by their ids, not by their names.
	ByID bool
}

// TableColumn is a column of a table.
type TableColumn struct {
	Name      string
	Physical  string // name in the files and their statistics
	ID        int    // in the files, where columns are found by it
	Type      Type
	Delta     delta.Type   // of the log
	NotNull   bool         // rows must have a value
	Zoned     bool         // a Delta timestamp: an instant, stored with UTC
	Nested    *delta.Shape // of a struct, array or map, shown as JSON text; else nil
	WasFloat  bool         // files may hold 32-bit floats, though the column is wider
	Partition bool         // its values stand in the log, not in the files
	// Day is the physical name of the partition column that holds the UTC day of this
	// time, if there is one.
	Day string
}

// File is a data file of a table.
type File struct {
	Path      string // absolute, on this machine
	Size      int64
	Partition map[string]*string // physical name to Delta's text of the value; nil is NULL
	Meta      delta.FileRef      // its statistics
	Stats     string             // their JSON, where there is no Meta; may be empty
	// Deleted returns the positions of rows that a deletion vector removes, and how
	// many there are is DeletedRows; nil if there are none.
	Deleted     func(ctx context.Context) ([]int64, error)
	DeletedRows int64
}
