package reorder_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"spate/column"
	"spate/stream/reorder"
)

// devices is a batch of three columns: a coded device, a float, a bigint.
type devices struct {
	schema *column.Schema
	dict   *column.Dict
	codes  []uint32
}

func newDevices(n int) *devices {
	d := &devices{schema: &column.Schema{Fields: []column.Field{{Name: "k"}, {Name: "v"}, {Name: "n"}}}, dict: column.NewDict()}
	for i := range n {
		d.codes = append(d.codes, d.dict.CodeOf(fmt.Sprint("device-", i)))
	}
	return d
}

func (d *devices) batch(times []column.Ticks, seq int64) *column.Batch {
	n := len(times)
	b := &column.Batch{Schema: d.schema, Rows: n, Time: times, Seq: make([]int64, n)}
	k := column.Vector{Kind: column.Text, Codes: make([]uint32, n), Dict: d.dict.View()}
	v := column.Vector{Kind: column.Float64, Floats: make([]float64, n)}
	x := column.Vector{Kind: column.Int64, Ints: make([]int64, n)}
	for i := range n {
		b.Seq[i] = seq + int64(i)
		k.Codes[i] = d.codes[i*7%len(d.codes)]
		v.Floats[i], x.Ints[i] = float64(i)/2, int64(i)
	}
	b.Cols = []column.Vector{k, v, x}
	return b
}

// Rows that come from several sources and interleave one by one.
func BenchmarkInterleaved(b *testing.B) {
	const rows = 1024
	for _, sources := range []int{1, 2, 4, 16, 64} {
		b.Run(fmt.Sprintf("sources=%d", sources), func(b *testing.B) {
			var dev []*devices // every partition has a decoder, and with it a dictionary
			for range sources {
				dev = append(dev, newDevices(1000))
			}
			var packets [][]*column.Batch // made before: they are not what is measured
			for round := range 64 / min(sources, 16) {
				var p []*column.Batch
				for s := range sources {
					times := make([]column.Ticks, rows)
					for i := range times {
						times[i] = column.Ticks((round*rows+i)*sources + s)
					}
					p = append(p, dev[s].batch(times, int64(s)<<46|int64(round*rows)))
				}
				packets = append(packets, p)
			}
			batches, got := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				buf := reorder.New(dev[0].schema, sources)
				for _, p := range packets {
					for s, x := range p {
						buf.Add(s, x)
						buf.Reach(s, column.Position{Time: x.Time[rows-1], Arrived: x.Time[rows-1], Seq: x.Seq[rows-1] + 1})
						err := buf.Release(func(x *column.Batch) error { batches, got = batches+1, got+x.LiveRows(); return nil })
						if err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/row")
			b.ReportMetric(float64(got)/float64(batches), "rows/batch")
		})
	}
}

// One source whose rows come up to ten seconds late, from an empty buffer to one that
// has held ten seconds of them for ten seconds.
func BenchmarkDisorder(b *testing.B) {
	const rows = 1024
	for _, rate := range []int{10_000, 50_000, 100_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			dev := newDevices(1000)
			var packets []*column.Batch
			for n := 0; n < 20*rate; n += rows {
				times := make([]column.Ticks, rows)
				for i := range times {
					times[i] = column.Ticks(n+i)*column.Second/column.Ticks(rate) + column.Ticks(r.Int64N(int64(10*column.Second)))
				}
				packets = append(packets, dev.batch(times, int64(n)))
			}
			got := 0
			count := func(x *column.Batch) error { got += x.LiveRows(); return nil }
			b.ReportAllocs()
			for b.Loop() {
				buf := reorder.New(dev.schema, 1)
				for i, x := range packets {
					buf.Add(0, x)
					buf.Reach(0, column.Position{Time: column.Ticks(i*rows) * column.Second / column.Ticks(rate)})
					if err := buf.Release(count); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/released-row")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(packets)*rows), "ns/row")
		})
	}
}
