package delta

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (c *Column) metaText(key string) (string, bool) {
	raw, ok := c.Metadata[key]
	var s string
	if !ok || json.Unmarshal(raw, &s) != nil {
		return "", ok
	}
	return s, true
}

// readable are the reader features whose tables this package and its users read. The others
// are refused by name: who does not know them reads wrong rows.
var readable = []string{"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint", "deletionVectors", "columnMapping", "typeWidening", "typeWidening-preview"}

// writable are the writer features that a commit may meet. Those that ask for
// more when they are active are looked at in checkWrite.
var writable = []string{"appendOnly", "invariants", "generatedColumns", "changeDataFeed", "checkConstraints", "domainMetadata",
	"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint", "inCommitTimestamp", "deletionVectors", "columnMapping", "typeWidening",
	"typeWidening-preview", "rowTracking", "clustering"}

func unsupported(doing string, names ...string) error {
	return fmt.Errorf("%s needs %s: %w", doing, strings.Join(names, ", "), ErrUnsupported)
}

// check refuses versions and feature lists that contradict each other.
func (p *Protocol) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("protocol: %w: %s", ErrDamaged, fmt.Sprintf(format, args...))
	}
	switch {
	case p.MinReaderVersion < 1 || p.MinWriterVersion < 1:
		return bad("reader version %d, writer version %d", p.MinReaderVersion, p.MinWriterVersion)
	case p.MinReaderVersion == 3 && p.MinWriterVersion < 7:
		return bad("reader version 3 with writer version %d", p.MinWriterVersion)
	case p.MinReaderVersion < 3 && len(p.ReaderFeatures) > 0:
		return bad("reader features with reader version %d", p.MinReaderVersion)
	case p.MinWriterVersion < 7 && len(p.WriterFeatures) > 0:
		return bad("writer features with writer version %d", p.MinWriterVersion)
	}
	for _, f := range p.ReaderFeatures {
		if !slices.Contains(p.WriterFeatures, f) {
			return bad("reader feature %s is no writer feature", f)
		}
	}
	return nil
}

// impliedWriter are the features that writer versions below 7 stand for.
var impliedWriter = []string{3: "checkConstraints", 4: "changeDataFeed generatedColumns", 5: "columnMapping", 6: "identityColumns"}

// with is the protocol that knows writer features besides its own.
func (p Protocol) with(features ...string) Protocol {
	if len(features) == 0 {
		return p
	}
	have := map[string]bool{}
	for _, f := range p.WriterFeatures {
		have[f] = true
	}
	if p.MinWriterVersion < 7 {
		if p.MinWriterVersion >= 2 {
			have["appendOnly"], have["invariants"] = true, true
		}
		for v := 3; v <= p.MinWriterVersion; v++ {
			for f := range strings.FieldsSeq(impliedWriter[v]) {
				have[f] = true
			}
		}
		if !slices.ContainsFunc(features, func(f string) bool { return !have[f] }) {
			return p
		}
	}
	for _, f := range features {
		have[f] = true
	}
	p.MinWriterVersion = 7
	p.WriterFeatures = slices.Sorted(maps.Keys(have))
	return p
}

// checkRead refuses tables that this version would read wrongly.
func (s *Snapshot) checkRead() error {
	p := &s.Protocol
	if err := p.check(); err != nil {
		return err
	}
	if s.Metadata.Format.Provider != "" && s.Metadata.Format.Provider != "parquet" {
		return unsupported("reading the table", "file format "+s.Metadata.Format.Provider)
	}
	if p.MinReaderVersion > 3 {
		return unsupported("reading the table", fmt.Sprintf("reader version %d", p.MinReaderVersion))
	}
	switch m := s.Mapping(); m {
	case MapNone, MapName, MapID:
	default:
		return unsupported("reading the table", fmt.Sprintf("columnMapping of mode %q", m))
	}
	var unknown []string
	for _, f := range p.ReaderFeatures {
		if !slices.Contains(readable, f) {
			unknown = append(unknown, f)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return unsupported("reading the table", unknown...)
	}
	for i := range s.Columns {
		if err := s.Columns[i].checkChanges(); err != nil {
			return err
		}
	}
	return nil
}

// checkChanges refuses columns that once had a type from which values cannot be read.
func (c *Column) checkChanges() error {
	changes, err := c.typeChanges()
	if err != nil {
		return fmt.Errorf("column %s: %w: %w", c.Name, ErrDamaged, err)
	}
	for _, x := range changes {
		if !widens(x.From, x.To) {
			return unsupported("reading the table", fmt.Sprintf("a change of column %s from %s to %s", c.Name, x.From, x.To))
		}
	}
	return nil
}

type typeChange struct {
	From Type `json:"fromType"`
	To   Type `json:"toType"`
}

// typeChanges are the types that the column and its fields had.
func (c *Column) typeChanges() ([]typeChange, error) {
	var out []typeChange
	if raw, ok := c.Metadata[metaChanges]; ok {
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, fmt.Errorf("%s: %w", metaChanges, err)
		}
	}
	if !c.Type.Nested() || !strings.Contains(string(c.Type), metaChanges) {
		return out, nil
	}
	var walk func(raw json.RawMessage) error
	walk = func(raw json.RawMessage) error {
		var n struct {
			Fields  []fieldJSON     `json:"fields"`
			Element json.RawMessage `json:"elementType"`
			Key     json.RawMessage `json:"keyType"`
			Value   json.RawMessage `json:"valueType"`
		}
		if len(raw) == 0 || raw[0] != '{' {
			return nil
		}
		if err := json.Unmarshal(raw, &n); err != nil {
			return err
		}
		for _, f := range n.Fields {
			var list []typeChange
			if raw, ok := f.Metadata[metaChanges]; ok {
				if err := json.Unmarshal(raw, &list); err != nil {
					return err
				}
			}
			out = append(out, list...)
			if err := walk(f.Type); err != nil {
				return err
			}
		}
		for _, part := range []json.RawMessage{n.Element, n.Key, n.Value} {
			if err := walk(part); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(json.RawMessage(c.Type))
	return out, err
}

// WasFloat reports whether files may hold the column as 32-bit floats, whose shortest texts in
// statistics are not exactly the values.
func (c *Column) WasFloat() bool {
	changes, err := c.typeChanges()
	return err != nil || slices.ContainsFunc(changes, func(x typeChange) bool { return x.From == Float })
}

// widens reports whether every value of one type is one of the other.
// Source: delta-lake.md 11.3.
func widens(from, to Type) bool {
	integers := []Type{Byte, Short, Integer, Long}
	at, is := slices.Index(integers, from), slices.Index(integers, to)
	p, s, decimal := to.DecimalParts()
	q, r, wasDecimal := from.DecimalParts()
	switch {
	case from == to:
		return true
	case at >= 0 && is >= 0:
		return at < is
	case at >= 0 && decimal:
		digits := 10
		if from == Long {
			digits = 20
		}
		return p-s >= digits
	case at >= 0 && at < 3 && to == Double, from == Float && to == Double, from == Date && to == TimestampNTZ:
		return true
	case decimal && wasDecimal:
		return s >= r && p-q >= s-r
	}
	return false
}

// checkWrite refuses tables whose rules this version could break.
func (s *Snapshot) checkWrite() error {
	p, conf := &s.Protocol, s.Metadata.Configuration
	if p.MinWriterVersion > 7 {
		return unsupported("writing to the table", fmt.Sprintf("writer version %d", p.MinWriterVersion))
	}
	var missing []string
	for _, f := range p.WriterFeatures {
		if !slices.Contains(writable, f) {
			missing = append(missing, f)
		}
	}
	for k, v := range conf {
		switch {
		case strings.HasPrefix(k, "delta.constraints."):
			missing = append(missing, "checkConstraints ("+k+")")
		case k == "delta.enableInCommitTimestamps" && v == "true" && !slices.Contains(p.WriterFeatures, "inCommitTimestamp"):
			missing = append(missing, "inCommitTimestamp (it is switched on and not in the protocol)")
		}
	}
	for i := range s.Columns {
		c := &s.Columns[i]
		if _, ok := c.Metadata["delta.invariants"]; ok {
			missing = append(missing, "invariants (column "+c.Name+")")
		}
		if _, ok := c.Metadata["delta.identity.start"]; ok && !slices.Contains(missing, "identityColumns") {
			missing = append(missing, "identityColumns")
		}
		if expr, ok := c.Generation(); ok {
			if _, simple := parseDateExpression(expr); !simple || c.Type != Date {
				missing = append(missing, fmt.Sprintf("generatedColumns (column %s AS %s)", c.Name, expr))
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return unsupported("writing to the table", missing...)
	}
	return nil
}
