package eventlog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// Manifest: event-hubs.md 14.2.
const (
	manifestName    = "manifest"
	manifestVersion = 1
	manifestTime    = "2006-01-02T15:04:05.000Z"
)

type manifest struct {
	Hub        string              `json:"hub"`
	ID         string              `json:"id"`
	Created    string              `json:"created"`
	Options    manifestOptions     `json:"options"`
	Clean      bool                `json:"clean"`
	Partitions []manifestPartition `json:"partitions"`
}

type manifestOptions struct {
	SegmentBytes   int64  `json:"segment_bytes"`
	RetentionMs    int64  `json:"retention_ms"`
	RetentionBytes int64  `json:"retention_bytes"`
	TimestampType  string `json:"timestamp_type"`
	Headers        string `json:"headers"`
	Policy         string `json:"policy"`
	Compression    string `json:"compression"`
	MaxBatchBytes  int    `json:"max_batch_bytes"`
}

type manifestPartition struct {
	ID     int           `json:"id"`
	Epoch  int32         `json:"epoch"`
	Start  int64         `json:"start"`
	Epochs []epochStart  `json:"epochs,omitempty"`
	Tail   *manifestTail `json:"tail,omitempty"`
}

// epochStart says at which offset a log epoch began.
type epochStart struct {
	Epoch int32 `json:"epoch"`
	Start int64 `json:"start"`
}

type manifestTail struct {
	Segment int64 `json:"segment"`
	Length  int64 `json:"length"`
	Next    int64 `json:"next"`
	Time    int64 `json:"time"`
}

func (s Settings) options() manifestOptions {
	return manifestOptions{SegmentBytes: s.SegmentBytes, RetentionMs: s.Retention.Milliseconds(), RetentionBytes: s.RetentionBytes,
		TimestampType: "create", Headers: "raw", Policy: s.Policy.String(), Compression: "none", MaxBatchBytes: s.MaxBatchBytes}
}

func (o manifestOptions) settings() (Settings, error) {
	s := Settings{SegmentBytes: o.SegmentBytes, Retention: time.Duration(o.RetentionMs) * time.Millisecond,
		RetentionBytes: o.RetentionBytes, MaxBatchBytes: o.MaxBatchBytes}
	switch o.Policy {
	case "sync":
	case "os":
		s.Policy = OS
	case "interval":
		s.Policy = Interval
	default:
		return s, fmt.Errorf("policy %q is unknown", o.Policy)
	}
	return s, nil
}

func writeManifest(fs fileSystem, dir string, m *manifest) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write manifest of %s: %w", m.Hub, err)
	}
	body = append(body, '\n')
	head := fmt.Sprintf("spate-log %d %08x\n", manifestVersion, crcOf(body))
	return replace(fs, filepath.Join(dir, manifestName), append([]byte(head), body...))
}

func readManifest(fs fileSystem, dir string, hub [16]byte) (*manifest, error) {
	path := filepath.Join(dir, manifestName)
	b, err := fs.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return parseManifest(b, path, hub)
}

func parseManifest(b []byte, path string, hub [16]byte) (*manifest, error) {
	head, body, _ := bytes.Cut(b, []byte("\n"))
	var version int
	var crc uint32
	if n, _ := fmt.Sscanf(string(head), "spate-log %d %08x", &version, &crc); n != 2 {
		return nil, fmt.Errorf("read %s: first line is not a manifest's: %w", path, ErrDamaged)
	}
	if version != manifestVersion {
		return nil, fmt.Errorf("read %s: format version %d, this program reads %d", path, version, manifestVersion)
	}
	if got := crcOf(body); got != crc {
		return nil, fmt.Errorf("read %s: crc %08x, stored %08x: %w", path, got, crc, ErrDamaged)
	}
	m := new(manifest)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if m.ID != hex.EncodeToString(hub[:]) {
		return nil, fmt.Errorf("read %s: it is of hub %s, not %x: %w", path, m.ID, hub, ErrDamaged)
	}
	for i, p := range m.Partitions {
		if p.ID != i || p.Start < 0 {
			return nil, fmt.Errorf("read %s: partition %d stands at %d: %w", path, p.ID, i, ErrDamaged)
		}
	}
	return m, nil
}
