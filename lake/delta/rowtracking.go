package delta

import (
	"encoding/json"
	"fmt"
	"slices"
)

const rowTrackingDomain = "delta.rowTracking"

// numberRows gives the rows of new files their ids, where the table numbers rows: each file
// the next ones above the high-water mark, which the commit moves.
func (c *commit) numberRows(tx *Transaction, cur *Snapshot) error {
	if !slices.Contains(cur.Protocol.WriterFeatures, "rowTracking") || len(tx.Adds) == 0 {
		return nil
	}
	mark, err := cur.rowMark()
	if err != nil {
		return err
	}
	next := mark + 1
	c.adds = make([]*Add, len(tx.Adds)) // not those of the caller: another try numbers anew
	for i, a := range tx.Adds {
		b := *a
		c.adds[i] = &b
		if a.BaseRowID != nil { // it was in the table before
			continue
		}
		rows, ok := RefOf(cur.Columns, a).Rows()
		if !ok {
			return fmt.Errorf("file %s: the table numbers its rows, and how many it has is not in its statistics", a.Path)
		}
		first, version := next, c.version
		b.BaseRowID, b.DefaultRowCommitVersion = &first, &version
		next += rows
	}
	c.domains = slices.DeleteFunc(c.domains, func(d *DomainMetadata) bool { return d.Domain == rowTrackingDomain })
	if next > mark+1 {
		c.domains = append(c.domains, &DomainMetadata{Domain: rowTrackingDomain, Configuration: string(marshal(rowTracking{next - 1, rowTrackingDomain}))})
	}
	return nil
}

type rowTracking struct {
	Mark int64  `json:"rowIdHighWaterMark"`
	Name string `json:"domainName"`
}

// rowMark is the greatest row id that was given, -1 before the first.
func (s *Snapshot) rowMark() (int64, error) {
	d, ok := s.domains[rowTrackingDomain]
	if !ok {
		return -1, nil
	}
	var r rowTracking
	if err := json.Unmarshal([]byte(d.Configuration), &r); err != nil {
		return 0, fmt.Errorf("domain %s: %w: %w", rowTrackingDomain, ErrDamaged, err)
	}
	return r.Mark, nil
}
