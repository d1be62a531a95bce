package workload

import (
	"context"
	"fmt"

	"spate/column"
	"spate/stream"
)

// joinSide gives n events, of 1,000 devices in turn, each late by so much.
func joinSide(n, parts int, field string, late column.Ticks) *spreadSource {
	at := func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*100 + late }
	src := &spreadSource{n: n, parts: parts, arrival: at,
		body: func(dst []byte, i int) []byte {
			return fmt.Appendf(dst, `{"d":"device-%03d","%s":%d.5,"at":"%s"}`, i%1000, field, i%97, at(i))
		},
	}
	src.fill()
	return src
}

// measureJoin is a join of two streams of 1,000 devices in which every event has one
// partner, of the four events of its device that are in reach at a time.
func measureJoin(ctx context.Context, r *Report) error {
	const n = 500_000
	for _, c := range []struct{ name, join string }{{"join", "JOIN"}, {"left join", "LEFT JOIN"}} {
		script := "SELECT a.d, a.v, b.w INTO o FROM i a TIMESTAMP BY at " + c.join +
			" j b TIMESTAMP BY at ON a.d = b.d AND DATEDIFF(millisecond, a, b) BETWEEN 1 AND 3"
		right := joinSide(n, 2, "w", 2*column.Millisecond)
		u, _, rows, err := runJob(ctx, script, joinSide(n, 2, "v", 0), func(o *stream.Options) {
			o.Inputs["j"] = stream.Input{Source: right}
		})
		if err != nil {
			return err
		}
		if rows != n {
			return fmt.Errorf("the %s gave %d rows, want %d", c.name, rows, n)
		}
		r.add(c.name+" of two streams, one partner each, 1,000 keys", "ns/event", float64(u.cpu)/(2*n), 600)
	}
	return nil
}
