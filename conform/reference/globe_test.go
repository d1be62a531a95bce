package reference

import (
	"math"
	"testing"
)

// Lengths that GeographicLib gives.
func TestWay(t *testing.T) {
	for _, c := range [][5]float64{ // latitude, longitude, latitude, longitude, metres
		{-5, -5, 0, 0, 784028.739809},
		{0, 0, 0, 1, 111319.490793},
		{0, 0, 0, 179, 19926188.851996},
		{0, 0, 0, 179.5, 19980861.908891},
		{0, 0, 0, 180, 20003931.458625},
		{30, 20, -29.7, 199.6, 19961957.911922},
		{90, 0, -90, 0, 20003931.458625},
		{47.6, -122.1, 47.6, -122.2, 7520.038027},
		{-33.9, 151.2, 38.7, -9.1, 18180039.322979},
		{0, 0, 5, 0, 552885.451058},
	} {
		p, q := place{c[1], c[0]}, place{c[3], c[2]}
		for _, got := range []float64{way(p, q), way(q, p)} {
			if math.Abs(got-c[4]) > 1e-4+1e-10*c[4] {
				t.Errorf("%v to %v: %.6f m, want %.6f", p, q, got, c[4])
			}
		}
	}
}
