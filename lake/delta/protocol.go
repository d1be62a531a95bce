package delta

import (
	"encoding/json"
	"fmt"
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

// readable are the reader features whose tables this package and its users read.
// Deletion vectors, column mapping and type widening would give wrong rows to a
// reader that does not know them, so they are refused by name.
var readable = []string{"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint"}

// writable are the writer features that a commit may meet. Those that ask for
// more when they are active are looked at in checkWrite.
var writable = []string{"appendOnly", "invariants", "generatedColumns", "changeDataFeed", "checkConstraints", "domainMetadata",
	"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint", "inCommitTimestamp"}

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

// checkRead refuses tables that this version would read wrongly.
func (s *Snapshot) checkRead() error {
	p := &s.Protocol
	if err := p.check(); err != nil {
		return err
	}
	if s.Metadata.Format.Provider != "" && s.Metadata.Format.Provider != "parquet" {
		return unsupported("reading the table", "file format "+s.Metadata.Format.Provider)
	}
	switch {
	case p.MinReaderVersion > 3:
		return unsupported("reading the table", fmt.Sprintf("reader version %d", p.MinReaderVersion))
	case p.MinReaderVersion == 2:
		if mode := s.Metadata.Configuration["delta.columnMapping.mode"]; mode != "" && mode != "none" {
			return unsupported("reading the table", "columnMapping")
		}
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
	return nil
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
	mode := conf["delta.columnMapping.mode"]
	if p.MinWriterVersion >= 5 && mode != "" && mode != "none" && !slices.Contains(missing, "columnMapping") {
		missing = append(missing, "columnMapping")
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
