package lake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"spate/column"
	"spate/lake/delta"
	"spate/lake/query"
)

func (s *Statements) databases(ctx context.Context) (*query.Result, error) {
	names, err := s.Catalog.Databases(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]query.Value
	for _, n := range names {
		rows = append(rows, []query.Value{query.TextValue(n)})
	}
	return query.NewResult(texts("namespace"), rows), nil
}

func (s *Statements) tables(ctx context.Context, database string) (*query.Result, error) {
	specs, err := s.Catalog.Tables(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]query.Value
	for _, t := range specs {
		if strings.EqualFold(t.Database, database) {
			rows = append(rows, []query.Value{query.TextValue(strings.ToLower(t.Database)), query.TextValue(strings.ToLower(t.Name)), query.TextValue("false")})
		}
	}
	return query.NewResult(texts("namespace", "tableName", "isTemporary"), rows), nil
}

// sparkType is a type as Spark's DDL writes it.
func sparkType(t delta.Type) string {
	switch t {
	case delta.Long:
		return "bigint"
	case delta.Integer:
		return "int"
	case delta.Short:
		return "smallint"
	case delta.Byte:
		return "tinyint"
	}
	if !t.Nested() {
		return string(t)
	}
	var n struct {
		Type, ElementType, KeyType, ValueType json.RawMessage
		Fields                                []struct {
			Name string
			Type json.RawMessage
		}
	}
	if json.Unmarshal([]byte(t), &n) != nil {
		return string(t)
	}
	of := func(raw json.RawMessage) string {
		var name string
		if json.Unmarshal(raw, &name) == nil {
			return sparkType(delta.Type(name))
		}
		return sparkType(delta.Type(raw))
	}
	switch string(n.Type) {
	case `"array"`:
		return "array<" + of(n.ElementType) + ">"
	case `"map"`:
		return "map<" + of(n.KeyType) + "," + of(n.ValueType) + ">"
	}
	var fields []string
	for _, f := range n.Fields {
		fields = append(fields, f.Name+":"+of(f.Type))
	}
	return "struct<" + strings.Join(fields, ",") + ">"
}

func describe(spec TableSpec, s *delta.Snapshot, extended bool, location string, e entry) *query.Result {
	var rows [][]query.Value
	row := func(name, typ, comment string) {
		rows = append(rows, []query.Value{query.TextValue(name), query.TextValue(typ), query.TextValue(comment)})
	}
	for _, c := range s.Columns {
		row(c.Name, sparkType(c.Type), c.Comment)
	}
	if len(s.Metadata.PartitionColumns) > 0 {
		row("# Partition Information", "", "")
		row("# col_name", "data_type", "comment")
		for _, name := range s.Metadata.PartitionColumns {
			if c := delta.FindColumn(s.Columns, name); c != nil {
				row(c.Name, sparkType(c.Type), c.Comment)
			}
		}
	}
	if extended {
		row("", "", "")
		row("# Detailed Table Information", "", "")
		row("Name", strings.ToLower(spec.Database+"."+spec.Name), "")
		if s.Metadata.Description != "" {
			row("Comment", s.Metadata.Description, "")
		}
		row("Type", map[bool]string{true: "MANAGED", false: "EXTERNAL"}[e.Managed], "")
		row("Location", location, "")
		row("Provider", "delta", "")
		if st := e.Statistics; st != nil {
			row("Statistics", fmt.Sprintf("%d bytes, %d rows, at version %d", st.Bytes, st.Rows, st.Version), "")
			for _, c := range st.Columns {
				row("Statistics of "+c.Name, fmt.Sprintf("about %d values, %d rows without one", c.Distinct, c.Nulls), "")
			}
		}
		row("Table Properties", "["+strings.Join(propertyTexts(s, "="), ",")+"]", "")
	}
	return query.NewResult(texts("col_name", "data_type", "comment"), rows)
}

// propertyTexts are the properties of a table, and what its protocol says as Spark shows it.
func propertyTexts(s *delta.Snapshot, between string) []string {
	all := maps.Clone(s.Metadata.Configuration)
	if all == nil {
		all = map[string]string{}
	}
	all["delta.minReaderVersion"] = strconv.Itoa(s.Protocol.MinReaderVersion)
	all["delta.minWriterVersion"] = strconv.Itoa(s.Protocol.MinWriterVersion)
	for _, f := range slices.Concat(s.Protocol.ReaderFeatures, s.Protocol.WriterFeatures) {
		all["delta.feature."+f] = "supported"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+between+all[k])
	}
	return out
}

func properties(s *delta.Snapshot) *query.Result {
	var rows [][]query.Value
	for _, p := range propertyTexts(s, "\x00") {
		k, v, _ := strings.Cut(p, "\x00")
		rows = append(rows, []query.Value{query.TextValue(k), query.TextValue(v)})
	}
	return query.NewResult(texts("key", "value"), rows)
}

func columnNames(s *delta.Snapshot) *query.Result {
	var rows [][]query.Value
	for _, c := range s.Columns {
		rows = append(rows, []query.Value{query.TextValue(c.Name)})
	}
	return query.NewResult(texts("col_name"), rows)
}

func partitions(s *delta.Snapshot) (*query.Result, error) {
	names := s.Metadata.PartitionColumns
	var keys []string // as partition values name them
	for _, n := range names {
		keys = append(keys, delta.FindColumn(s.Columns, n).FileName())
	}
	if len(names) == 0 {
		return nil, &query.Error{Number: 50000, Class: 16, Message: "SHOW PARTITIONS: the table has no partitions."}
	}
	seen := map[string][]query.Value{}
	for _, a := range s.Files() {
		var row []query.Value
		for _, n := range keys {
			v := query.Value{}
			if text := a.PartitionValues[n]; text != nil {
				v = query.TextValue(*text)
			}
			row = append(row, v)
		}
		seen[delta.PartitionFolder(keys, a.PartitionValues)] = row
	}
	var rows [][]query.Value
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		rows = append(rows, seen[k])
	}
	return query.NewResult(texts(names...), rows), nil
}

func createTable(spec TableSpec, s *delta.Snapshot, location string) (*query.Result, error) {
	quote := func(text string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), "'", `\'`) + "'"
	}
	name := func(text string) string { return "`" + strings.ReplaceAll(text, "`", "``") + "`" }
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s.%s (\n", name(strings.ToLower(spec.Database)), name(strings.ToLower(spec.Name)))
	for i, c := range s.Columns {
		fmt.Fprintf(&b, "  %s %s", name(c.Name), strings.ToUpper(sparkType(c.Type)))
		if !c.Nullable {
			b.WriteString(" NOT NULL")
		}
		if c.Comment != "" {
			b.WriteString(" COMMENT " + quote(c.Comment))
		}
		if i < len(s.Columns)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString(")\nUSING delta\n")
	if p := s.Metadata.PartitionColumns; len(p) > 0 {
		var quoted []string
		for _, n := range p {
			quoted = append(quoted, name(n))
		}
		fmt.Fprintf(&b, "PARTITIONED BY (%s)\n", strings.Join(quoted, ", "))
	}
	fmt.Fprintf(&b, "LOCATION %s", quote(location))
	if len(s.Metadata.Configuration) > 0 {
		b.WriteString("\nTBLPROPERTIES (\n")
		keys := slices.Sorted(maps.Keys(s.Metadata.Configuration))
		for i, k := range keys {
			fmt.Fprintf(&b, "  %s = %s", quote(k), quote(s.Metadata.Configuration[k]))
			if i < len(keys)-1 {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
		}
		b.WriteByte(')')
	}
	return query.NewResult(texts("createtab_stmt"), [][]query.Value{{query.TextValue(b.String())}}), nil
}

func detail(ctx context.Context, spec TableSpec, t *delta.Table, s *delta.Snapshot, location string) (*query.Result, error) {
	var features []string
	for _, f := range slices.Concat(s.Protocol.ReaderFeatures, s.Protocol.WriterFeatures) {
		if !slices.Contains(features, f) {
			features = append(features, f)
		}
	}
	slices.Sort(features)
	list := func(v any) query.Value {
		raw, err := json.Marshal(v)
		if err != nil { // texts always are
			return query.Value{}
		}
		return query.TextValue(string(raw))
	}
	modified := query.Value{}
	last, err := t.History(ctx, 1)
	if err != nil {
		return nil, err
	}
	if len(last) > 0 {
		modified = query.TimeValue(column.TicksOf(last[0].Time))
	}
	props := s.Metadata.Configuration
	if props == nil {
		props = map[string]string{}
	}
	created := query.Value{}
	if s.Metadata.CreatedTime != 0 {
		created = query.TimeValue(column.UnixEpoch + column.Ticks(s.Metadata.CreatedTime)*column.Millisecond)
	}
	text, number, when := query.Type{ID: query.NVarChar, Size: query.Max}, query.Type{ID: query.BigInt}, query.Type{ID: query.DateTime2, Scale: 3}
	cols := []query.Column{{Name: "format", Type: text}, {Name: "id", Type: text}, {Name: "name", Type: text}, {Name: "description", Type: text},
		{Name: "location", Type: text}, {Name: "createdAt", Type: when}, {Name: "lastModified", Type: when}, {Name: "partitionColumns", Type: text},
		{Name: "clusteringColumns", Type: text}, {Name: "numFiles", Type: number}, {Name: "sizeInBytes", Type: number}, {Name: "properties", Type: text},
		{Name: "minReaderVersion", Type: number}, {Name: "minWriterVersion", Type: number}, {Name: "tableFeatures", Type: text}}
	row := []query.Value{query.TextValue("delta"), query.TextValue(s.Metadata.ID), query.TextValue(strings.ToLower(spec.Database + "." + spec.Name)),
		query.TextValue(s.Metadata.Description), query.TextValue(location), created, modified, list(s.Metadata.PartitionColumns), list(clustering(s)),
		query.IntValue(int64(len(s.Files()))), query.IntValue(s.Size()), list(props),
		query.IntValue(int64(s.Protocol.MinReaderVersion)), query.IntValue(int64(s.Protocol.MinWriterVersion)), list(append([]string{}, features...))}
	return query.NewResult(cols, [][]query.Value{row}), nil
}

// clustering are the columns that other engines cluster the table by: names, or paths of
// names.
func clustering(s *delta.Snapshot) []string {
	out := []string{}
	for _, d := range s.DomainMetadata() {
		if d.Domain != "delta.clustering" {
			continue
		}
		var c struct{ ClusteringColumns []json.RawMessage }
		if json.Unmarshal([]byte(d.Configuration), &c) != nil {
			continue
		}
		for _, raw := range c.ClusteringColumns {
			var name string
			var path []string
			if json.Unmarshal(raw, &name) == nil {
				out = append(out, name)
			} else if json.Unmarshal(raw, &path) == nil {
				out = append(out, strings.Join(path, "."))
			}
		}
	}
	return out
}

func history(ctx context.Context, t *delta.Table, limit int) (*query.Result, error) {
	list, err := t.History(ctx, limit)
	if err != nil {
		return nil, err
	}
	text, number := query.Type{ID: query.NVarChar, Size: query.Max}, query.Type{ID: query.BigInt}
	cols := []query.Column{{Name: "version", Type: number}, {Name: "timestamp", Type: query.Type{ID: query.DateTime2, Scale: 3}}, {Name: "userId", Type: text},
		{Name: "userName", Type: text}, {Name: "operation", Type: text}, {Name: "operationParameters", Type: text}, {Name: "job", Type: text},
		{Name: "notebook", Type: text}, {Name: "clusterId", Type: text}, {Name: "readVersion", Type: number}, {Name: "isolationLevel", Type: text},
		{Name: "isBlindAppend", Type: query.Type{ID: query.Bit}}, {Name: "operationMetrics", Type: text}, {Name: "userMetadata", Type: text}, {Name: "engineInfo", Type: text}}
	var rows [][]query.Value
	for _, h := range list {
		params, err := json.Marshal(h.OperationParameters)
		if err != nil {
			return nil, err
		}
		metrics, err := json.Marshal(h.OperationMetrics)
		if err != nil {
			return nil, err
		}
		row := []query.Value{query.IntValue(h.Version), query.TimeValue(column.TicksOf(h.Time)), {}, {}, query.TextValue(h.Operation), query.TextValue(string(params)),
			{}, {}, {}, {}, query.TextValue(h.IsolationLevel), {}, query.TextValue(string(metrics)), query.TextValue(h.UserMetadata), query.TextValue(h.EngineInfo)}
		if h.ReadVersion != nil {
			row[9] = query.IntValue(*h.ReadVersion)
		}
		if h.IsBlindAppend != nil {
			row[11] = query.BitValue(*h.IsBlindAppend)
		}
		rows = append(rows, row)
	}
	return query.NewResult(cols, rows), nil
}
