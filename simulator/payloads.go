package simulator

import "time"

// Encoded holds many bodies back to back.
type Encoded struct {
	Data []byte
	Ends []int // body i is Data[Ends[i-1]:Ends[i]]
}

// Len is the number of bodies.
func (e *Encoded) Len() int { return len(e.Ends) }

// At returns body i, a view of Data.
func (e *Encoded) At(i int) []byte {
	start := 0
	if i > 0 {
		start = e.Ends[i-1]
	}
	return e.Data[start:e.Ends[i]:e.Ends[i]]
}

// Payloads returns n bodies of the seed scenario for benchmarks: 20 devices in
// rotation, times about 1.2346 ms apart from a fixed start on.
func Payloads(n int, seed int64) *Encoded {
	const devices = 20
	f, err := New(Options{
		Devices: devices, Seed: seed, Interval: 20 * 1234567 * time.Nanosecond,
		Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	})
	if err != nil {
		panic(err) // the options above are valid
	}
	for i := range f.devices { // spread over the beat
		f.devices[i].offset = time.Duration(i) * 1234567 * time.Nanosecond
	}
	f.buf = make([]byte, 0, n*290)
	f.ends = make([]int, 0, n)
	for len(f.ends) < n {
		f.devices[f.next].advance(f, f.beat)
		if f.next++; f.next == devices {
			f.next, f.beat = 0, f.beat+1
		}
		f.ends = append(f.ends, len(f.buf))
	}
	return &Encoded{Data: f.buf, Ends: f.ends}
}
