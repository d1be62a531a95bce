package syntax

// Feature is a construct of the Stream Analytics language. Its text is what a refusal calls
// it.
type Feature string

// Features that this version may lack. A feature that is built leaves missing: its refusals
// must go with it, and the hints that need it come back by themselves.
const (
	TimestampOver Feature = "TIMESTAMP BY ... OVER"
	OtherMetadata Feature = "the metadata property"
)

var missing = map[Feature]bool{
	TimestampOver: true, OtherMetadata: true,
}

// Missing reports whether a construct is refused.
func Missing(f Feature) bool { return missing[f] }

// MissingFeatures are all constructs that are refused, in no order.
func MissingFeatures() []Feature {
	var out []Feature
	for f := range missing {
		out = append(out, f)
	}
	return out
}

// Hint is advice that names constructs: empty while one of them is missing, for it would
// only lead to the next refusal.
func Hint(advice string, needs ...Feature) string {
	for _, f := range needs {
		if missing[f] {
			return ""
		}
	}
	return advice
}
