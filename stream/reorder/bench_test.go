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
			buf := reorder.New(dev[0].schema, sources)
			at, seq := column.Ticks(0), int64(0)
			batches, got := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				packets := make([]*column.Batch, sources)
				for s := range packets {
					times := make([]column.Ticks, rows)
					for i := range times {
						times[i] = at + column.Ticks(i*sources+s)
					}
					packets[s] = dev[s].batch(times, int64(s)<<46|seq)
				}
				at, seq = at+column.Ticks(rows*sources), seq+rows
				b.StartTimer()
				for s, x := range packets {
					buf.Add(s, x)
					buf.Reach(s, column.Position{Time: x.Time[rows-1], Arrived: x.Time[rows-1], Seq: x.Seq[rows-1] + 1})
					err := buf.Release(func(x *column.Batch) error { batches, got = batches+1, got+x.LiveRows(); return nil })
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/row")
			b.ReportMetric(float64(got)/float64(batches), "rows/batch")
		})
	}
}

// One source whose rows come up to ten seconds late.
func BenchmarkDisorder(b *testing.B) {
	const rows = 1024
	for _, rate := range []int{10_000, 50_000, 100_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			dev := newDevices(1000)
			buf := reorder.New(dev.schema, 1)
			n := 0
			next := func() *column.Batch {
				times := make([]column.Ticks, rows)
				for i := range times {
					times[i] = column.Ticks(n+i)*column.Second/column.Ticks(rate) + column.Ticks(r.Int64N(int64(10*column.Second)))
				}
				x := dev.batch(times, int64(n))
				n += rows
				return x
			}
			feed := func(x *column.Batch) {
				buf.Add(0, x)
				buf.Reach(0, column.Position{Time: column.Ticks(n) * column.Second / column.Ticks(rate)})
				if err := buf.Release(func(*column.Batch) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			for n < 10*rate {
				feed(next())
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				x := next()
				b.StartTimer()
				feed(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
