package delta

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Protocol says what a reader and a writer must understand.
type Protocol struct {
	MinReaderVersion int      `json:"minReaderVersion"`
	MinWriterVersion int      `json:"minWriterVersion"`
	ReaderFeatures   []string `json:"readerFeatures,omitempty"`
	WriterFeatures   []string `json:"writerFeatures,omitempty"`
}

// Metadata describes the table.
type Metadata struct {
	ID               string            `json:"id"`
	Name             string            `json:"name,omitempty"`
	Description      string            `json:"description,omitempty"`
	Format           Format            `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      int64             `json:"createdTime,omitempty"`
}

// Format is always Parquet.
type Format struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

// Add makes a data file part of the table.
type Add struct {
	Path             string             `json:"path"` // URI-encoded, relative to the table
	PartitionValues  map[string]*string `json:"partitionValues"`
	Size             int64              `json:"size"`
	ModificationTime int64              `json:"modificationTime"` // ms
	DataChange       bool               `json:"dataChange"`
	Stats            string             `json:"stats,omitempty"` // JSON, see Stats
	Tags             map[string]*string `json:"tags,omitempty"`

	DeletionVector          *DeletionVector `json:"deletionVector,omitempty"`
	BaseRowID               *int64          `json:"baseRowId,omitempty"`
	DefaultRowCommitVersion *int64          `json:"defaultRowCommitVersion,omitempty"`
	ClusteringProvider      string          `json:"clusteringProvider,omitempty"`

	extended bool // of a tombstone, see asAdd: extendedFileMetadata
}

// Removal takes the file out of the table, with its rows, at a time in ms.
func (a *Add) Removal(at int64) *Remove {
	return &Remove{Path: a.Path, DeletionTimestamp: at, DataChange: true, ExtendedFileMetadata: true, PartitionValues: a.PartitionValues, Size: a.Size,
		Tags: a.Tags, DeletionVector: a.DeletionVector, BaseRowID: a.BaseRowID, DefaultRowCommitVersion: a.DefaultRowCommitVersion}
}

// Remove takes a data file out of the table.
type Remove struct {
	Path                 string             `json:"path"`
	DeletionTimestamp    int64              `json:"deletionTimestamp,omitempty"` // ms
	DataChange           bool               `json:"dataChange"`
	ExtendedFileMetadata bool               `json:"extendedFileMetadata,omitempty"`
	PartitionValues      map[string]*string `json:"partitionValues,omitempty"`
	Size                 int64              `json:"size,omitempty"`
	Tags                 map[string]*string `json:"tags,omitempty"`

	DeletionVector          *DeletionVector `json:"deletionVector,omitempty"`
	BaseRowID               *int64          `json:"baseRowId,omitempty"`
	DefaultRowCommitVersion *int64          `json:"defaultRowCommitVersion,omitempty"`
}

// DeletionVector names rows of a file that are deleted.
type DeletionVector struct {
	StorageType    string `json:"storageType"`
	PathOrInlineDv string `json:"pathOrInlineDv"`
	Offset         *int64 `json:"offset,omitempty"`
	SizeInBytes    int64  `json:"sizeInBytes"`
	Cardinality    int64  `json:"cardinality"`
}

func (d *DeletionVector) id() string {
	if d == nil {
		return ""
	}
	if d.Offset != nil {
		return fmt.Sprintf("%s%s@%d", d.StorageType, d.PathOrInlineDv, *d.Offset)
	}
	return d.StorageType + d.PathOrInlineDv
}

// Txn says how far an application is.
type Txn struct {
	AppID       string `json:"appId"`
	Version     int64  `json:"version"`
	LastUpdated int64  `json:"lastUpdated,omitempty"` // ms
}

// DomainMetadata is kept for features that this package does not act on.
type DomainMetadata struct {
	Domain        string `json:"domain"`
	Configuration string `json:"configuration"`
	Removed       bool   `json:"removed"`
}

// CommitInfo tells people what a commit was.
type CommitInfo struct {
	InCommitTimestamp   *int64            `json:"inCommitTimestamp,omitempty"` // ms; see the feature of that name
	Timestamp           int64             `json:"timestamp"`                   // ms
	Operation           string            `json:"operation"`
	OperationParameters map[string]any    `json:"operationParameters"`
	ReadVersion         *int64            `json:"readVersion,omitempty"`
	IsolationLevel      string            `json:"isolationLevel,omitempty"`
	IsBlindAppend       *bool             `json:"isBlindAppend,omitempty"`
	OperationMetrics    map[string]string `json:"operationMetrics,omitempty"`
	UserMetadata        string            `json:"userMetadata,omitempty"`
	EngineInfo          string            `json:"engineInfo,omitempty"`
	TxnID               string            `json:"txnId,omitempty"`
}

// commit holds the actions of one version, in the order of the log.
type commit struct {
	version   int64
	compacted bool // it stands for the commits of a range that ends at version
	info      json.RawMessage
	protocol  *Protocol
	metadata  *Metadata
	adds      []*Add
	removes   []*Remove
	txns      []*Txn
	domains   []*DomainMetadata
}

// line is one line of a commit: exactly one field is set.
type line struct {
	CommitInfo json.RawMessage `json:"commitInfo,omitempty"`
	Protocol   *Protocol       `json:"protocol,omitempty"`
	Metadata   *Metadata       `json:"metaData,omitempty"`
	Add        *Add            `json:"add,omitempty"`
	Remove     *Remove         `json:"remove,omitempty"`
	Txn        *Txn            `json:"txn,omitempty"`
	Domain     *DomainMetadata `json:"domainMetadata,omitempty"`

	CheckpointMetadata json.RawMessage `json:"checkpointMetadata,omitempty"`
	Sidecar            *sidecar        `json:"sidecar,omitempty"`
}

type sidecar struct {
	Path string `json:"path"`
}

// parseCommit reads the JSON of a version and refuses what the protocol forbids.
func parseCommit(version int64, data []byte) (*commit, error) {
	c := &commit{version: version}
	n := 0
	for raw := range bytes.Lines(data) {
		n++
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			return nil, fmt.Errorf("version %d, line %d: %w: %w", version, n, ErrDamaged, err)
		}
		if err := c.add(&l); err != nil {
			return nil, fmt.Errorf("version %d, line %d: %w: %w", version, n, ErrDamaged, err)
		}
	}
	return c, nil
}

func (c *commit) add(l *line) error {
	switch {
	case l.CheckpointMetadata != nil || l.Sidecar != nil:
		return fmt.Errorf("an action of checkpoints in a commit")
	case l.Protocol != nil:
		if c.protocol != nil {
			return fmt.Errorf("two protocol actions")
		}
		c.protocol = l.Protocol
	case l.Metadata != nil:
		if c.metadata != nil {
			return fmt.Errorf("two metaData actions")
		}
		c.metadata = l.Metadata
	case l.Add != nil:
		c.adds = append(c.adds, l.Add)
	case l.Remove != nil:
		c.removes = append(c.removes, l.Remove)
	case l.Txn != nil:
		for _, t := range c.txns {
			if t.AppID == l.Txn.AppID {
				return fmt.Errorf("two txn actions of %q", t.AppID)
			}
		}
		c.txns = append(c.txns, l.Txn)
	case l.Domain != nil:
		c.domains = append(c.domains, l.Domain)
	case l.CommitInfo != nil:
		c.info = l.CommitInfo
	}
	return nil
}

// checkPaths refuses a path that is added or removed twice.
func (c *commit) checkPaths(root string) error {
	seen := make(map[string]bool, len(c.adds))
	for _, a := range c.adds {
		k := filePath(root, a.Path)
		if seen[k] {
			return fmt.Errorf("version %d: %w: %s is added twice", c.version, ErrDamaged, a.Path)
		}
		seen[k] = true
	}
	clear(seen)
	for _, r := range c.removes {
		k := filePath(root, r.Path)
		if seen[k] {
			return fmt.Errorf("version %d: %w: %s is removed twice", c.version, ErrDamaged, r.Path)
		}
		seen[k] = true
	}
	return nil
}

func (c *commit) encode(info *CommitInfo) []byte {
	var b bytes.Buffer
	put := func(l line) {
		b.Write(marshal(l))
		b.WriteByte('\n')
	}
	if info != nil {
		put(line{CommitInfo: marshal(info)})
	}
	if c.protocol != nil {
		put(line{Protocol: c.protocol})
	}
	if c.metadata != nil {
		put(line{Metadata: c.metadata})
	}
	for _, t := range c.txns {
		put(line{Txn: t})
	}
	for _, d := range c.domains {
		put(line{Domain: d})
	}
	for _, r := range c.removes {
		put(line{Remove: r})
	}
	for _, a := range c.adds {
		put(line{Add: a})
	}
	return b.Bytes()
}
