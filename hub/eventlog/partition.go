package eventlog

import (
	"context"
	"log/slog"
	"time"

	"spate/metric"
)

type Syncer struct{}

func NewSyncer() *Syncer { return &Syncer{} }

type Settings struct {
	SegmentBytes   int64
	Retention      time.Duration
	RetentionBytes int64
	Policy         Policy
	MaxBatchBytes  int
}

type Options struct {
	Dir             string
	Hub             string
	ID              [16]byte
	Created         time.Time
	Syncer          *Syncer
	Clock           func() time.Time
	Log             *slog.Logger
	Messages, Bytes *metric.Counter
}
type Log struct{}

func Create(o Options, s Settings, partitions int) (*Log, error) { return nil, ErrClosed }
func Open(o Options) (*Log, error)                               { return nil, ErrClosed }
func (l *Log) Close() error                                      { return nil }
func (l *Log) Delete()                                           {}
func (l *Log) Settings() Settings                                { return Settings{} }
func (l *Log) SetSettings(Settings) error                        { return nil }
func (l *Log) Grow(n int) error                                  { return nil }
func (l *Log) Partitions() int                                   { return 0 }
func (l *Log) Partition(i int) *Partition                        { return nil }
func (l *Log) Trim(now time.Time) error                          { return nil }
func ReplaceFile(path string, b []byte) error                    { return nil }
func HoldsRecords(dir string) (bool, error)                      { return false, nil }

type Partition struct{}
type group struct {
	done chan struct{}
	err  error
}
type place struct{}
type decompressor struct{}

func (d *decompressor) decompress(dst []byte, codec uint8, src []byte) ([]byte, error) {
	return nil, nil
}

// Bounds says where a log begins and ends for readers.
type Bounds struct {
	First        int64     // oldest offset kept
	Next         int64     // durable end: offset of the next record
	LastSequence int64     // offset of the last record ever written, -1 if there never was one
	LastTime     time.Time // append time of that record; zero if there never was one
	Empty        bool      // no record is kept
	Bytes        int64     // on disk
}

func (p *Partition) Append(origin Origin, events []Event) *Ticket                      { return nil }
func (p *Partition) AppendBatch(batch []byte) *Ticket                                  { return nil }
func (p *Partition) AppendOnce(producer int64, firstSeq int32, events []Event) *Ticket { return nil }
func (p *Partition) ProducerNext(producer int64) int32                                 { return 0 }
func (p *Partition) Bounds() Bounds                                                    { return Bounds{} }
func (p *Partition) Epoch() int32                                                      { return 0 }
func (p *Partition) EpochEnd(e int32) int64                                            { return 0 }
func (p *Partition) OffsetAt(t time.Time) (int64, error)                               { return 0, nil }
func (p *Partition) OffsetAtRecordTime(ms int64) (offset, recordMs int64, err error)   { return }
func (p *Partition) MaxRecordTime() (offset, recordMs int64, err error)                { return }
func (p *Partition) Promise() time.Time                                                { return time.Time{} }
func (p *Partition) PromiseFrom(next int64) int64                                      { return 0 }
func (p *Partition) TrimTo(offset int64) error                                         { return nil }
func (p *Partition) Err() error                                                        { return nil }
func (p *Partition) Read(ctx context.Context, from int64, maxBytes int, c *Chunk, wake <-chan struct{}) error {
	return nil
}
