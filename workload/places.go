package workload

import (
	"context"
	"fmt"
	"math"
	"strings"

	"spate/column"
)

// measurePlaces is a fence of 20 corners that half of the events are in, and the distance to
// a place, in whole jobs that read the events too.
func measurePlaces(ctx context.Context, r *Report) error {
	const n = 200_000
	var fence []string
	for k := range 21 {
		angle := float64(k%20) * math.Pi / 10
		fence = append(fence, fmt.Sprintf("%.6f %.6f", 8+math.Cos(angle), 50+math.Sin(angle)))
	}
	src := &spreadSource{n: n, parts: 2,
		arrival: func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*100 },
		body: func(dst []byte, i int) []byte {
			return fmt.Appendf(dst, `{"d":"device-%03d","lat":%.5f,"lon":%.5f}`, i%1000, 49+float64(i%997)/498, 7+float64(i%1009)/504)
		},
	}
	src.fill()
	for _, c := range []struct{ name, script string }{
		{"a point in a fence of 20 corners", "SELECT d INTO o FROM i WHERE ST_WITHIN(CreatePoint(lat, lon), 'POLYGON((" + strings.Join(fence, ",") + "))') = 1"},
		{"metres to a place", "SELECT d, ST_DISTANCE(CreatePoint(lat, lon), 'POINT(8 50)') AS metres INTO o FROM i"},
	} {
		u, _, rows, err := runJob(ctx, c.script, src, nil)
		if err != nil {
			return err
		}
		if rows < n/2 {
			return fmt.Errorf("%s: %d rows of %d", c.name, rows, n)
		}
		r.Counters["places.rows"] += rows
		r.add("places, "+c.name, "CPU-ns/event", float64(u.cpu)/n, 5000)
	}
	return nil
}
