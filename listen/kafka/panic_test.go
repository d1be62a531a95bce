package kafka_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/listen/kafka"
)

// touchy is a log that does not stand the word "refused".
type touchy struct{ slog.Handler }

func (h touchy) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "refused") {
		panic("refused is no word")
	}
	return h.Handler.Handle(ctx, r)
}

func (h touchy) WithAttrs(a []slog.Attr) slog.Handler { return touchy{h.Handler.WithAttrs(a)} }

// A panic of the reader or of the writer of a connection ends it, with a stack in the log;
// others are served.
func TestAPanicEndsOneConnection(t *testing.T) {
	var log logged
	in := open(t, kafka.Options{Log: slog.New(touchy{slog.NewTextHandler(&log, nil)})})
	for name, req := range map[string]kmsg.Request{
		"reader": kmsg.NewPtrJoinGroupRequest(),
		"writer": produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) { b.NumRecords = 2 })),
	} {
		c := dial(t, in)
		c.send(req, 1)
		if _, err := io.Copy(io.Discard, c.nc); err != nil {
			t.Errorf("%s: the connection ends with %v", name, err)
		}
		log.wants(t, "panic: the connection is closed", "refused is no word", "kafka.(*conn)", "client="+c.nc.LocalAddr().String())
		wantServed(t, in)
	}
}
