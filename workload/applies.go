package workload

import (
	"context"
	"fmt"

	"spate/column"
	"spate/stream/exec"
)

// measureApply takes arrays of 20 elements and records of 20 fields apart, beside a key
// that each part takes along. The last figure is a whole job, which reads the events too.
func measureApply(ctx context.Context, r *Report) error {
	const parts, rows, rounds = 20, 1024, 100
	for _, c := range []struct {
		name, call, read string
		of               func(i int) column.Value
	}{
		{"elements, numbers", "GetArrayElements(a)", "ArrayValue", func(i int) column.Value {
			list := make([]column.Value, parts)
			for k := range list {
				list[k] = column.FloatOf(float64(i*k) + 0.5)
			}
			return column.ArrayOf(list)
		}},
		{"elements, records", "GetArrayElements(a)", "ArrayValue", func(i int) column.Value {
			list := make([]column.Value, parts)
			for k := range list {
				list[k] = column.RecordOf(&column.RecordValue{Names: []string{"id", "v"}, Values: []column.Value{column.IntOf(int64(k)), column.FloatOf(float64(i))}})
			}
			return column.ArrayOf(list)
		}},
		{"fields with their names", "GetRecordProperties(a)", "PropertyName, e.PropertyValue", func(i int) column.Value {
			rec := &column.RecordValue{}
			for k := range parts {
				rec.Names, rec.Values = append(rec.Names, fmt.Sprintf("sensor%02d", k)), append(rec.Values, column.FloatOf(float64(i)))
			}
			return column.RecordOf(rec)
		}},
	} {
		op, job, err := operatorOf("SELECT k, e." + c.read + " INTO o FROM i CROSS APPLY " + c.call + " AS e")
		if err != nil {
			return err
		}
		below := job.Outputs[0].In.Inputs()[0].Inputs()[0]
		b := &column.Batch{Schema: exec.SchemaOf(below.Columns()), Rows: rows, Time: make([]column.Ticks, rows), Seq: make([]int64, rows)}
		for i := range rows {
			b.Time[i], b.Seq[i] = benchEpoch+column.Ticks(i), int64(i)
		}
		dict := column.NewDict()
		for _, col := range below.Columns() {
			bl := column.NewBuilder(dict)
			for i := range rows {
				if col.Name == "i.k" {
					bl.Append(column.TextOf(fmt.Sprintf("device-%03d", i%100)))
				} else {
					bl.Append(c.of(i))
				}
			}
			b.Cols = append(b.Cols, bl.Vector())
		}
		var out nothing
		before := used()
		for range rounds {
			if err := op.Process(0, b, &out); err != nil {
				return err
			}
		}
		u := used().since(before)
		if out.rows != parts*rows*rounds {
			return fmt.Errorf("%s: %d rows, want %d", c.name, out.rows, parts*rows*rounds)
		}
		r.add("apply, "+c.name, "CPU-ns/part", float64(u.cpu)/float64(out.rows), 80)
	}
	const n = 100_000
	src := &spreadSource{n: n, parts: 2,
		arrival: func(i int) column.Ticks { return benchEpoch + column.Ticks(i)*100 },
		body: func(dst []byte, i int) []byte {
			dst = fmt.Appendf(dst, `{"d":"device-%03d","a":[`, i%1000)
			for k := range parts {
				if k > 0 {
					dst = append(dst, ',')
				}
				dst = fmt.Appendf(dst, `{"id":"s%02d","v":%d.5}`, k, i%97)
			}
			return append(dst, "]}"...)
		},
	}
	src.fill()
	u, _, got, err := runJob(ctx, "SELECT d, e.ArrayValue.id AS id, e.ArrayValue.v AS v INTO o FROM i CROSS APPLY GetArrayElements(a) AS e", src, nil)
	if err != nil {
		return err
	}
	if got != n*parts {
		return fmt.Errorf("the job with APPLY gave %d rows, want %d", got, n*parts)
	}
	r.Counters["apply.rows"] = got
	r.add("apply, a job over events of 20 records", "CPU-ns/part", float64(u.cpu)/float64(got), 0)
	return nil
}
