package deltatable

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
)

// BenchmarkRawTelemetry writes epochs of the raw table: text times to parse, a
// day partition, Parquet, one commit each.
func BenchmarkRawTelemetry(b *testing.B) {
	const rows, per = 1 << 16, 4096
	d := delta.Definition{PartitionBy: []delta.Partition{{DateOf: "Timestamp"}}}
	fields := "EventId,DeviceId,Location,DeviceType,Temperature,Humidity,Pressure,BatteryLevel,SignalStrength,Timestamp,IngestionTime"
	proto := batch(fields)
	for i, f := range proto.Schema.Fields {
		typ := delta.String
		if i > 3 {
			typ = delta.Double
		}
		if i > 8 {
			typ = delta.Timestamp
		}
		d.Columns = append(d.Columns, delta.Column{Name: f.Name, Type: typ, Nullable: true})
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	dicts := []*column.Dict{column.NewDict(), column.NewDict(), column.NewDict()}
	now := day
	var batches []*column.Batch
	for range rows / per {
		cols := make([]*column.Builder, 11)
		for i := range cols {
			cols[i] = column.NewBuilder(nil)
			if i > 0 && i < 4 {
				cols[i] = column.NewBuilder(dicts[i-1])
			}
		}
		for range per {
			dev := rnd.IntN(20)
			now += column.Ticks(rnd.IntN(20_000))
			cols[0].Append(column.TextOf(fmt.Sprintf("device-%03d-%.6f", dev, float64(now.UnixMicro())/1e6)))
			for i := 1; i < 4; i++ {
				cols[i].Append(column.TextOf(fmt.Sprint("name-", dev)))
			}
			for i := 4; i < 9; i++ {
				cols[i].Append(column.FloatOf(math.Round(rnd.NormFloat64()*500) / 100))
			}
			cols[9].Append(column.TextOf(string(column.AppendTicks(nil, now)[:26])))
			cols[10].Append(column.TimeOf(now))
		}
		x := &column.Batch{Schema: proto.Schema, Rows: per, Time: make([]column.Ticks, per)}
		for _, c := range cols {
			x.Cols = append(x.Cols, c.Vector())
		}
		batches = append(batches, x)
	}
	s, err := Open(b.Context(), Options{Store: blob.NewMemory(), Path: "t", Create: &d, Output: "a"})
	if err != nil {
		b.Fatal(err)
	}
	w, err := s.OpenWriter(b.Context(), connector.Shard{Job: "job", Number: 0, Of: 1})
	if err != nil {
		b.Fatal(err)
	}
	n := int64(0)
	for b.Loop() {
		n++
		for _, x := range batches {
			if bad, err := w.Write(b.Context(), x); err != nil || len(bad) > 0 {
				b.Fatal(bad, err)
			}
		}
		p, err := w.Prepare(b.Context(), epoch(n))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Commit(b.Context(), epoch(n), []connector.Prepared{p}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
