package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"spate/blob"
)

// checksum is the content of N.crc. Spark trusts it, so that all of it is taken from the
// snapshot that won, and what is not known in full stays out.
type checksum struct {
	TxnID             string           `json:"txnId,omitempty"`
	TableSizeBytes    int64            `json:"tableSizeBytes"`
	NumFiles          int64            `json:"numFiles"`
	NumMetadata       int64            `json:"numMetadata"`
	NumProtocol       int64            `json:"numProtocol"`
	InCommitTimestamp *int64           `json:"inCommitTimestampOpt,omitempty"`
	SetTransactions   []Txn            `json:"setTransactions"`
	DomainMetadata    []DomainMetadata `json:"domainMetadata"`
	Metadata          Metadata         `json:"metadata"`
	Protocol          Protocol         `json:"protocol"`
}

func (t *Table) checksumKey(version int64) string {
	return t.logKey(fmt.Sprintf("%020d.crc", version))
}

func (t *Table) writeChecksum(ctx context.Context, s *Snapshot) error {
	c := checksum{TableSizeBytes: s.Size(), NumFiles: int64(s.NumFiles()), NumMetadata: 1, NumProtocol: 1, SetTransactions: s.Txns(), DomainMetadata: s.DomainMetadata(),
		Metadata: s.Metadata, Protocol: s.Protocol}
	var info struct {
		TxnID             string `json:"txnId"`
		InCommitTimestamp *int64 `json:"inCommitTimestamp"`
	}
	if json.Unmarshal(s.info, &info) == nil {
		c.TxnID = info.TxnID
	}
	if s.inCommitTimestamps() {
		if c.InCommitTimestamp = info.InCommitTimestamp; c.InCommitTimestamp == nil {
			return nil // it must be there, and is not known
		}
	}
	_, err := t.store.Create(ctx, t.checksumKey(s.Version), bytes.NewReader(append(marshal(c), '\n')))
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("checksum of version %d: %w", s.Version, err)
	}
	return nil
}

// verify warns where the checksum of a loaded version contradicts the log.
func (t *Table) verify(ctx context.Context, s *Snapshot) {
	data, err := t.read(ctx, t.checksumKey(s.Version))
	if errors.Is(err, blob.ErrNotFound) {
		return
	}
	var c struct {
		TableSizeBytes *int64 `json:"tableSizeBytes"`
		NumFiles       *int64 `json:"numFiles"`
		Metadata       *struct {
			ID           string `json:"id"`
			SchemaString string `json:"schemaString"`
		} `json:"metadata"`
	}
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	warn := func(what string, args ...any) {
		t.opts.Log.Warn("the checksum of a version contradicts its log, which is believed", append([]any{"table", t.prefix, "version", s.Version, "what", what}, args...)...)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		warn("it cannot be read", "err", err)
	case c.NumFiles != nil && *c.NumFiles != int64(s.NumFiles()):
		warn("numFiles", "checksum", *c.NumFiles, "log", s.NumFiles())
	case c.TableSizeBytes != nil && *c.TableSizeBytes != s.Size():
		warn("tableSizeBytes", "checksum", *c.TableSizeBytes, "log", s.Size())
	case c.Metadata != nil && (c.Metadata.ID != s.Metadata.ID || c.Metadata.SchemaString != s.Metadata.SchemaString):
		warn("metadata")
	}
}
