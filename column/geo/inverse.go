package geo

import (
	"math"

	"github.com/golang/geo/r3"
)

// The ellipsoid of WGS 84, in metres.
const (
	equator    = 6378137.0
	flattening = 1 / 298.257223563
	polar      = equator * (1 - flattening)
)

// metres is the length of the shortest line on the ellipsoid between two places. It is right
// to a tenth of a millimetre.
// Source: T. Vincenty, Direct and Inverse Solutions of Geodesics on the Ellipsoid, 1975.
func metres(p, q xy) float64 {
	if p == q {
		return 0
	}
	sinU1, cosU1 := reduced(p.Y)
	sinU2, cosU2 := reduced(q.Y)
	lon := math.Abs(radians(math.Remainder(q.X-p.X, 360)))
	lambda := lon
	for range 20 {
		sinL, cosL := math.Sincos(lambda)
		sinS := math.Hypot(cosU2*sinL, cosU1*sinU2-sinU1*cosU2*cosL)
		cosS := sinU1*sinU2 + cosU1*cosU2*cosL
		switch {
		case sinS < 1e-3 && cosS < 0:
			return opposite(p, q, lon)
		case sinS == 0:
			return 0
		}
		sigma := math.Atan2(sinS, cosS)
		sinA := cosU1 * cosU2 * sinL / sinS
		cos2A := 1 - sinA*sinA
		cos2M := 0.0 // along the equator
		if cos2A > 1e-24 {
			cos2M = cosS - 2*sinU1*sinU2/cos2A
		}
		c := flattening / 16 * cos2A * (4 + flattening*(4-3*cos2A))
		next := lon + (1-c)*flattening*sinA*(sigma+c*sinS*(cos2M+c*cosS*(2*cos2M*cos2M-1)))
		if next > math.Pi {
			break
		}
		if math.Abs(next-lambda) < 1e-14 {
			return polar * arc(cos2A, sigma, sinS, cosS, cos2M)
		}
		lambda = next
	}
	return opposite(p, q, lon)
}

// arc is the length of a line over that of the polar radius.
func arc(cos2A, sigma, sinS, cosS, cos2M float64) float64 {
	u2 := cos2A * (equator*equator - polar*polar) / (polar * polar)
	a := 1 + u2/16384*(4096+u2*(-768+u2*(320-175*u2)))
	b := u2 / 1024 * (256 + u2*(-128+u2*(74-47*u2)))
	delta := b * sinS * (cos2M + b/4*(cosS*(2*cos2M*cos2M-1)-b/6*cos2M*(4*sinS*sinS-3)*(4*cos2M*cos2M-3)))
	return a * (sigma - delta)
}

// reduced is the sine and cosine of the reduced latitude of a latitude in degrees.
func reduced(lat float64) (sin, cos float64) {
	if math.Abs(lat) == 90 {
		return math.Copysign(1, lat), 0
	}
	u := (1 - flattening) * math.Tan(radians(lat))
	cos = 1 / math.Sqrt(1+u*u)
	return u * cos, cos
}

// opposite is metres where the iteration does not end: between places that lie nearly
// opposite each other. The longitude that a line from the first place covers until it
// reaches the latitude of the second grows with the angle at which it sets out, so the
// angle is found by halving.
// Source: C. Karney, Algorithms for geodesics, 2013, section 4.
func opposite(p, q xy, lon float64) float64 {
	a, b := p.Y, q.Y
	if math.Abs(a) < math.Abs(b) {
		a, b = b, a
	}
	if a > 0 {
		a, b = -a, -b
	}
	a = min(a, -1e-13) // on the equator the angle would decide nothing
	sin1, cos1 := reduced(a)
	sin2, cos2 := reduced(b)
	low, high := 0.0, math.Pi
	var length float64
	for range 64 {
		azimuth := (low + high) / 2
		var reached float64
		reached, length = along(azimuth, sin1, cos1, sin2, cos2)
		if reached < lon {
			low = azimuth
		} else {
			high = azimuth
		}
	}
	return length
}

// along follows a line that sets out at an azimuth from the first reduced latitude to the
// second, and gives the longitude that it covers and its length.
func along(azimuth, sin1, cos1, sin2, cos2 float64) (lon, length float64) {
	sinAz, cosAz := math.Sincos(azimuth)
	sin0 := sinAz * cos1
	cos0 := math.Hypot(cosAz, sinAz*sin1)
	cosAz1 := cosAz * cos1
	cosAz2 := math.Sqrt(max(0, cosAz1*cosAz1+(cos2-cos1)*(cos2+cos1)))
	s1, s2 := math.Atan2(sin1, cosAz1), math.Atan2(sin2, cosAz2)
	w1, w2 := math.Atan2(sin0*sin1, cosAz1), math.Atan2(sin0*sin2, cosAz2)
	k := cos0 * cos0 * (equator*equator - polar*polar) / (polar * polar)
	var sum, turn float64
	const pieces = 200 // of Simpson's rule
	h := (s2 - s1) / pieces
	for i := range pieces + 1 {
		weight := 2.0
		switch {
		case i == 0 || i == pieces:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		sin := math.Sin(s1 + float64(i)*h)
		root := math.Sqrt(1 + k*sin*sin)
		sum += weight * root
		turn += weight * (2 - flattening) / (1 + (1-flattening)*root)
	}
	return w2 - w1 - flattening*sin0*turn*h/3, polar * sum * h / 3
}

// cartesian is a place on the ellipsoid in metres from its centre.
func cartesian(p xy) r3.Vector {
	sinB, cosB := reduced(p.Y)
	sinL, cosL := math.Sincos(radians(math.Remainder(p.X, 360)))
	return r3.Vector{X: equator * cosB * cosL, Y: equator * cosB * sinL, Z: polar * sinB}
}
