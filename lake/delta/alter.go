package delta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Change is what an ALTER TABLE makes of a snapshot. Nil: nothing is to be changed.
type Change struct {
	Operation  string
	Parameters map[string]any
	Metadata   Metadata
	Protocol   *Protocol
	ReadsTable bool // the change holds for the rows that are there, and no others may come meanwhile
}

// Alter changes columns or properties of a table: change is called again when somebody else has
// changed them first.
func (t *Table) Alter(ctx context.Context, change func(*Snapshot) (*Change, error)) (*Snapshot, error) {
	for {
		s, err := t.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		c, err := change(s)
		if err != nil || c == nil {
			return s, err
		}
		next, err := t.Commit(ctx, &Transaction{Operation: c.Operation, Parameters: c.Parameters, Metrics: map[string]string{}, Metadata: &c.Metadata,
			Protocol: c.Protocol, Base: s, ReadsTable: c.ReadsTable})
		if errors.Is(err, ErrMetadataChanged) || errors.Is(err, ErrProtocolChanged) || errors.Is(err, ErrAppendConflict) || errors.Is(err, ErrDeleteConflict) {
			continue
		}
		return next, err
	}
}

// WithColumns is the metadata of the snapshot with other columns.
func (s *Snapshot) WithColumns(cols []Column) (Metadata, error) {
	m := s.Metadata
	var err error
	m.SchemaString, err = SchemaString(cols)
	return m, err
}

// WithProperties is the metadata of the snapshot with some properties set, and others gone.
func (s *Snapshot) WithProperties(set map[string]string, unset []string) Metadata {
	m := s.Metadata
	m.Configuration = maps.Clone(m.Configuration)
	if m.Configuration == nil {
		m.Configuration = map[string]string{}
	}
	maps.Copy(m.Configuration, set)
	for _, k := range unset {
		delete(m.Configuration, k)
	}
	return m
}

const (
	mappingMode = "delta.columnMapping.mode"
	maxColumnID = "delta.columnMapping.maxColumnId"
)

// MapColumns is the change that makes names of columns independent of what files call them.
func (s *Snapshot) MapColumns() (*Change, error) {
	last := 0
	cols := slices.Clone(s.Columns)
	for i := range cols {
		c := &cols[i]
		if c.Metadata = maps.Clone(c.Metadata); c.Metadata == nil {
			c.Metadata = map[string]json.RawMessage{}
		}
		last++
		c.Metadata[metaID], c.Metadata[metaPhysical] = json.RawMessage(strconv.Itoa(last)), jsonText(c.Name)
		if c.Type.Nested() {
			var err error
			if c.Type, err = mapFields(c.Type, &last); err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
	}
	m, err := s.WithColumns(cols)
	if err != nil {
		return nil, err
	}
	m.Configuration = maps.Clone(m.Configuration)
	if m.Configuration == nil {
		m.Configuration = map[string]string{}
	}
	m.Configuration[mappingMode], m.Configuration[maxColumnID] = string(MapName), strconv.Itoa(last)
	p := s.Protocol
	switch {
	case p.MinReaderVersion >= 3:
		p = p.with("columnMapping")
		p.ReaderFeatures = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(p.ReaderFeatures), "columnMapping"))))
	case p.MinWriterVersion >= 7:
		p = p.with("columnMapping")
		p.MinReaderVersion = 2
	default:
		p.MinReaderVersion, p.MinWriterVersion = 2, max(5, p.MinWriterVersion)
	}
	return &Change{Metadata: m, Protocol: &p}, nil
}

// mapFields gives the fields of a nested type ids, and their names as physical ones.
func mapFields(t Type, last *int) (Type, error) {
	var walk func(raw json.RawMessage) (json.RawMessage, error)
	walk = func(raw json.RawMessage) (json.RawMessage, error) {
		if len(raw) == 0 || raw[0] != '{' {
			return raw, nil
		}
		var n map[string]json.RawMessage
		if err := json.Unmarshal(raw, &n); err != nil {
			return nil, err
		}
		if list, ok := n["fields"]; ok {
			var fields []fieldJSON
			if err := json.Unmarshal(list, &fields); err != nil {
				return nil, err
			}
			for i := range fields {
				f := &fields[i]
				if f.Metadata == nil {
					f.Metadata = map[string]json.RawMessage{}
				}
				*last++
				f.Metadata[metaID], f.Metadata[metaPhysical] = json.RawMessage(strconv.Itoa(*last)), jsonText(f.Name)
				var err error
				if f.Type, err = walk(f.Type); err != nil {
					return nil, err
				}
			}
			n["fields"] = marshal(fields)
		}
		for _, k := range []string{"elementType", "keyType", "valueType"} {
			if part, ok := n[k]; ok {
				out, err := walk(part)
				if err != nil {
					return nil, err
				}
				n[k] = out
			}
		}
		return marshal(n), nil
	}
	out, err := walk(json.RawMessage(t))
	return Type(out), err
}

// identify gives a new column of a table with mapped columns its id and physical name.
func (m *Metadata) identify(c *Column) error {
	last, err := strconv.Atoi(m.Configuration[maxColumnID])
	if err != nil {
		return fmt.Errorf("property %s: %q is no number: %w", maxColumnID, m.Configuration[maxColumnID], ErrDamaged)
	}
	if c.Metadata = maps.Clone(c.Metadata); c.Metadata == nil {
		c.Metadata = map[string]json.RawMessage{}
	}
	last++
	c.Metadata[metaID], c.Metadata[metaPhysical] = json.RawMessage(strconv.Itoa(last)), jsonText("col-"+newUUID())
	if c.Type.Nested() {
		if c.Type, err = mapFields(c.Type, &last); err != nil {
			return err
		}
	}
	m.Configuration = maps.Clone(m.Configuration)
	m.Configuration[maxColumnID] = strconv.Itoa(last)
	return nil
}

// settable are the properties that a table may be given, besides those without delta. in front.
var settable = []string{"delta.appendOnly", "delta.logRetentionDuration", "delta.checkpointInterval", "delta.enableExpiredLogCleanup",
	"delta.deletedFileRetentionDuration", "delta.dataSkippingNumIndexedCols", "delta.dataSkippingStatsColumns",
	"delta.dataSkippingStringPrefixLength", "delta.checkpoint.writeStatsAsJson", "delta.checkpoint.writeStatsAsStruct",
	"delta.parquet.compression.codec", "delta.targetFileSize", "delta.isolationLevel", "delta.sampleRetentionDuration",
	"delta.checkpointRetentionDuration", "delta.enableFullRetentionRollback", "delta.autoOptimize.autoCompact", "delta.autoOptimize.optimizeWrite"}

// unsettable are beginnings of those that other engines know and Spate cannot make true.
var unsettable = []string{"delta.constraints.", "delta.enable", "delta.columnmapping.", "delta.rowtracking", "delta.checkpointpolicy", "delta.feature.",
	"delta.minreaderversion", "delta.minwriterversion", "delta.universalformat", "delta.compatibility.", "delta.randomize", "delta.identity",
	"delta.settransactionretentionduration", "delta.parquet.format.version", "delta.tunefilesizesforrewrites", "delta.incommittimestamp"}

// ErrUnknownProperty is returned for a name that no engine knows.
var ErrUnknownProperty = errors.New("DELTA_UNKNOWN_CONFIGURATION")

// CheckProperty says whether a table may be given a property, and how its name is spelt.
func CheckProperty(key, value string) (name string, err error) {
	low := strings.ToLower(key)
	if !strings.HasPrefix(low, "delta.") {
		return key, nil
	}
	at := slices.IndexFunc(settable, func(p string) bool { return strings.EqualFold(p, key) })
	if at < 0 {
		if slices.ContainsFunc(unsettable, func(p string) bool { return strings.HasPrefix(low, p) }) {
			return "", unsupported("the property", key)
		}
		return "", fmt.Errorf("%w: Unknown configuration was specified: %s", ErrUnknownProperty, key)
	}
	bad := func(want string) (string, error) { return "", fmt.Errorf("property %s: %q is no %s", key, value, want) }
	switch {
	case strings.HasSuffix(low, "duration"):
		if _, ok := ParseInterval(value); !ok {
			return bad("interval, such as interval 7 days")
		}
	case low == "delta.targetfilesize":
		if _, ok := ParseSize(value); !ok {
			return bad("size, such as 128mb")
		}
	case low == "delta.checkpointinterval", strings.HasPrefix(low, "delta.dataskippingnum"), low == "delta.dataskippingstringprefixlength":
		if n, err := strconv.Atoi(value); err != nil || n < -1 || n == 0 && low == "delta.checkpointinterval" {
			return bad("number")
		}
	case low == "delta.isolationlevel":
		if value != "Serializable" && value != "WriteSerializable" {
			return bad("isolation level: Serializable or WriteSerializable")
		}
	case low == "delta.appendonly", low == "delta.enableexpiredlogcleanup", strings.HasPrefix(low, "delta.checkpoint.writestats"):
		if value != "true" && value != "false" {
			return bad("true or false")
		}
	}
	return settable[at], nil
}
