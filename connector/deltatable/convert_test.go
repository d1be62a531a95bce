package deltatable

import (
	"strings"
	"testing"

	"spate/column"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

func decimalTarget(precision, scale int) *target {
	return &target{Column: delta.Column{Name: "d", Type: delta.Decimal(precision, scale)},
		parquet: parquetfile.Type{Kind: parquetfile.Decimal, Precision: precision, Scale: scale}}
}

func TestTextsOfADecimalColumn(t *testing.T) {
	d := decimalTarget(5, 2)
	for text, want := range map[string]int64{"1.25": 125, " -1.5 ": -150, "+3": 300, "12e1": 12000, "1250E-3": 125, ".5": 50, "7.": 700, "0e999999": 0, "-0.000": 0, "999.99": 99999} {
		if v, why := d.decimal(column.TextOf(text)); why != "" || v.Int() != want {
			t.Errorf("%q: %d, %q; want %d", text, v.Int(), why, want)
		}
	}
	for _, text := range []string{"1e999999", "1e-999999", "1e99999999999999999999", "1e-99999999999999999999", "1e100", "1000", "1.255"} {
		if _, why := d.decimal(column.TextOf(text)); !strings.Contains(why, "does not fit") {
			t.Errorf("%q: %q, want that it does not fit", text, why)
		}
	}
	for _, text := range []string{"", ".", "e5", "1e", "1e+", "--1", "+-1", "1/2", "1_000", "0x10", "Inf", "NaN", "1.2.3", "1e5e5", "1e1.5", "١", strings.Repeat("1", 61)} {
		if _, why := d.decimal(column.TextOf(text)); !strings.Contains(why, "is no decimal number") {
			t.Errorf("%q: %q, want that it is no number", text, why)
		}
	}
}

func BenchmarkDecimalTextWithALargeExponent(b *testing.B) {
	d, v := decimalTarget(5, 2), column.TextOf("1e999999")
	for b.Loop() {
		d.decimal(v)
	}
}
