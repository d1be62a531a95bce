package syntax

// Feature is a construct of the Stream Analytics language. Its text is what a refusal calls
// it.
type Feature string

// Features that this version may lack. A feature that is built leaves missing: its refusals
// must go with it, and the hints that need it come back by themselves.
const (
	ReferenceJoins  Feature = "JOIN with reference data"
	ReferenceData   Feature = "reference data"
	MatchRecognizes Feature = "MATCH_RECOGNIZE"
	SpikesAndDips   Feature = "AnomalyDetection_SpikeAndDip"
	ChangePoints    Feature = "AnomalyDetection_ChangePoint"
	Geospatial      Feature = "a geospatial function"
	UserFunctions   Feature = "a user function"
)

var missing = map[Feature]bool{
	ReferenceJoins: true, ReferenceData: true, MatchRecognizes: true,
	SpikesAndDips: true, ChangePoints: true,
	Geospatial: true, UserFunctions: true,
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
