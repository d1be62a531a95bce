package exec

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/bits"
)

// exactSum adds floats without rounding: a 128-bit two's complement number with
// lowest bit 2^-76. Values of magnitude 2^40 or more and values with bits below
// 2^-76 go to wide, which covers the whole range of a float. The result is a
// function of the multiset of values: of no order, split or merge.
type exactSum struct {
	hi   int64
	lo   uint64
	wide *big.Int // in units of 2^-1074; nil until needed
}

const (
	sumScale  = 76
	wideScale = 1074
)

// add has the common case in it: a magnitude of 2^-12 to 2^40, whose bits all
// lie within the narrow part.
func (s *exactSum) add(f float64) {
	b := math.Float64bits(f)
	exp := uint(b>>52) & 0x7ff
	if exp-(1023-12) >= 52 {
		s.addSigned(f, false)
		return
	}
	m := b&(1<<52-1) | 1<<52
	shift := exp - (1075 - sumScale)
	lo, hi := m<<shift, m>>(64-shift)
	if shift >= 64 {
		lo, hi = 0, m<<(shift-64)
	}
	neg := uint64(int64(b) >> 63) // all ones for a negative value
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo^neg, neg&1)
	hi, _ = bits.Add64(uint64(s.hi), hi^neg, carry)
	s.hi = int64(hi)
	if h := s.hi >> 62; h != 0 && h != -1 {
		s.spill()
	}
}

func (s *exactSum) sub(f float64) { s.addSigned(f, true) }

func (s *exactSum) addSigned(f float64, negate bool) {
	b := math.Float64bits(f)
	exp := int(b>>52) & 0x7ff
	m := b & (1<<52 - 1)
	if exp == 0 {
		if m == 0 {
			return
		}
		s.addWide(f, negate)
		return
	}
	m |= 1 << 52
	shift := exp - 1075 + sumScale
	if shift < 0 {
		if shift <= -53 || m&(1<<uint(-shift)-1) != 0 {
			s.addWide(f, negate)
			return
		}
		m >>= uint(-shift)
		shift = 0
	} else if exp >= 1023+40 {
		s.addWide(f, negate)
		return
	}
	var hi, lo uint64
	if shift >= 64 {
		hi = m << uint(shift-64)
	} else {
		lo = m << uint(shift)
		hi = m >> uint(64-shift)
	}
	if (b>>63 != 0) != negate {
		var borrow uint64
		s.lo, borrow = bits.Sub64(s.lo, lo, 0)
		s.hi -= int64(hi) + int64(borrow)
	} else {
		var carry uint64
		s.lo, carry = bits.Add64(s.lo, lo, 0)
		s.hi += int64(hi) + int64(carry)
	}
	if h := s.hi >> 62; h != 0 && h != -1 {
		s.spill()
	}
}

func (s *exactSum) addWide(f float64, negate bool) {
	if s.wide == nil {
		s.wide = new(big.Int)
	}
	x := wideOf(f)
	if negate {
		s.wide.Sub(s.wide, x)
		return
	}
	s.wide.Add(s.wide, x)
}

// wideOf returns f in units of 2^-1074, exactly.
func wideOf(f float64) *big.Int {
	m, e := math.Frexp(f)
	x := big.NewInt(int64(m * (1 << 53)))
	if sh := e - 53 + wideScale; sh >= 0 {
		x.Lsh(x, uint(sh))
	} else {
		x.Quo(x, new(big.Int).Lsh(big.NewInt(1), uint(-sh)))
	}
	return x
}

// spill moves the narrow part to the wide one.
func (s *exactSum) spill() {
	if s.wide == nil {
		s.wide = new(big.Int)
	}
	s.wide.Add(s.wide, s.narrow())
	s.hi, s.lo = 0, 0
}

// narrow returns the narrow part in units of 2^-1074.
func (s *exactSum) narrow() *big.Int {
	x := big.NewInt(s.hi)
	x.Lsh(x, 64)
	x.Add(x, new(big.Int).SetUint64(s.lo))
	return x.Lsh(x, wideScale-sumScale)
}

// total returns the sum in units of 2^-1074.
func (s *exactSum) total() *big.Int {
	x := s.narrow()
	if s.wide != nil {
		x.Add(x, s.wide)
	}
	return x
}

func (s *exactSum) merge(o *exactSum) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi += o.hi + int64(carry)
	if o.wide != nil {
		if s.wide == nil {
			s.wide = new(big.Int)
		}
		s.wide.Add(s.wide, o.wide)
	}
	if h := s.hi >> 62; h != 0 && h != -1 {
		s.spill()
	}
}

// unmerge takes back what merge added.
func (s *exactSum) unmerge(o *exactSum) {
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, o.lo, 0)
	s.hi -= o.hi + int64(borrow)
	if o.wide != nil {
		if s.wide == nil {
			s.wide = new(big.Int)
		}
		s.wide.Sub(s.wide, o.wide)
	}
	if h := s.hi >> 62; h != 0 && h != -1 {
		s.spill()
	}
}

// unshare makes a copied sum one of its own.
func (s *exactSum) unshare() {
	if s.wide != nil {
		s.wide = new(big.Int).Set(s.wide)
	}
}

// float returns the sum rounded once, to nearest even.
func (s *exactSum) float() float64 {
	if s.wide == nil {
		return s.narrowFloat()
	}
	return wideFloat(s.total())
}

func (s *exactSum) narrowFloat() float64 {
	hi, lo := uint64(s.hi), s.lo
	neg := s.hi < 0
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	if hi == 0 && lo == 0 {
		return 0
	}
	n := 128 - bits.LeadingZeros64(hi)
	if hi == 0 {
		n = 64 - bits.LeadingZeros64(lo)
	}
	shift := n - 53
	m := lo
	if shift > 0 {
		var rest, half uint64
		if shift >= 64 {
			m = hi >> uint(shift-64)
			rest = hi & (1<<uint(shift-64) - 1)
			if lo != 0 {
				rest = rest<<1 | 1
			} else {
				rest <<= 1
			}
			half = 1 << uint(shift-64)
			if shift == 64 {
				// The remainder is lo alone.
				rest, half = lo>>1|lo&1, 1<<62
			}
		} else {
			m = hi<<uint(64-shift) | lo>>uint(shift)
			rest = lo & (1<<uint(shift) - 1)
			half = 1 << uint(shift-1)
		}
		if rest > half || rest == half && m&1 == 1 {
			m++
		}
	}
	f := math.Ldexp(float64(m), max(shift, 0)-sumScale)
	if neg {
		return -f
	}
	return f
}

// wideFloat rounds a number of units of 2^-1074 to the nearest float, infinite
// where it is beyond the range.
func wideFloat(x *big.Int) float64 {
	if x.Sign() == 0 {
		return 0
	}
	bf := new(big.Float).SetInt(x)
	bf.SetMantExp(bf, -wideScale)
	f, _ := bf.Float64()
	return f
}

// appendTo writes the sum in the one form that its value has, whatever way it came
// about: narrow if it fits, else wide alone.
func (s *exactSum) appendTo(dst []byte) []byte {
	hi, lo, wide := s.hi, s.lo, (*big.Int)(nil)
	if s.wide != nil {
		hi, lo, wide = narrowed(s.total())
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(hi))
	dst = binary.BigEndian.AppendUint64(dst, lo)
	if wide == nil {
		return append(dst, 0)
	}
	sign := byte(1)
	if wide.Sign() < 0 {
		sign = 2
	}
	w := wide.Bytes()
	dst = binary.AppendUvarint(append(dst, sign), uint64(len(w)))
	return append(dst, w...)
}

// narrowed returns units of 2^-1074 as a narrow number, or as they are where they do
// not fit one.
func narrowed(x *big.Int) (hi int64, lo uint64, wide *big.Int) {
	const shift = wideScale - sumScale
	if x.Sign() == 0 {
		return 0, 0, nil
	}
	if x.TrailingZeroBits() < shift || x.BitLen()-shift > 126 {
		return 0, 0, x
	}
	n := new(big.Int).Rsh(x, shift)
	abs := new(big.Int).Abs(n)
	lo = new(big.Int).And(abs, new(big.Int).SetUint64(1<<64-1)).Uint64()
	hi = int64(new(big.Int).Rsh(abs, 64).Uint64())
	if n.Sign() < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi = -hi - int64(borrow)
	}
	return hi, lo, nil
}

var errState = errors.New("the state is cut short or damaged")

func (s *exactSum) readFrom(b []byte) ([]byte, error) {
	if len(b) < 17 {
		return nil, errState
	}
	s.hi, s.lo = int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])
	sign := b[16]
	b = b[17:]
	if sign == 0 {
		return b, nil
	}
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, errState
	}
	s.wide = new(big.Int).SetBytes(b[w : w+int(n)])
	if sign == 2 {
		s.wide.Neg(s.wide)
	}
	return b[w+int(n):], nil
}
