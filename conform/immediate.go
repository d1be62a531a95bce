package conform

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"spate/column"
	"spate/connector"
)

// immediateSink shows rows as they come. A row that an earlier life of the job has
// written must come again as it was.
type immediateSink struct {
	mu     sync.Mutex
	rows   []Row
	stored [][]byte // the rows, encoded
	saved  int      // rows before the newest checkpoint
	lives  int
}

func (s *immediateSink) Form() string { return "memory" }

func (s *immediateSink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives++
	return &immediateWriter{sink: s, life: s.lives, at: s.saved}, nil
}

func (s *immediateSink) Commit(_ context.Context, _ connector.Epoch, shards []connector.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range shards {
		s.saved = int(binary.BigEndian.Uint64(p))
	}
	return nil
}

type immediateWriter struct {
	sink *immediateSink
	life int
	at   int // rows so far
}

func (w *immediateWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	s := w.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.life != s.lives {
		return nil, fmt.Errorf("a row of life %d of the job, and there is life %d", w.life, s.lives)
	}
	for _, r := range RowsOf(b) {
		rec := column.RecordOf(&column.RecordValue{Names: r.Names, Values: r.Values})
		row := column.AppendBinary(nil, column.ArrayOf([]column.Value{column.TimeOf(r.Time), rec}))
		if w.at == len(s.rows) {
			s.rows, s.stored = append(s.rows, r), append(s.stored, row)
		} else if !bytes.Equal(row, s.stored[w.at]) {
			return nil, fmt.Errorf("row %d of life %d is %v, and was %v", w.at, w.life, r, s.rows[w.at])
		}
		w.at++
	}
	return nil, nil
}

func (w *immediateWriter) Flush(context.Context) error { return nil }

func (w *immediateWriter) Behind() bool {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	return w.at < len(w.sink.rows)
}

func (w *immediateWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return binary.BigEndian.AppendUint64(nil, uint64(w.at)), nil
}

func (w *immediateWriter) Close() error { return nil }
