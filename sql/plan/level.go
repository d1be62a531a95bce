package plan

import "fmt"

// Level is a compatibility level of the language: how old a job is that is to run as it
// did. The zero value is the newest. A later level is greater in the language and less
// here.
type Level uint8

// The levels.
const (
	Level12 Level = iota
	Level11
	Level10
)

// Levels are the names of the levels, the newest first.
var Levels = []string{"1.2", "1.1", "1.0"}

// ParseLevel reads the name of a level; without a name it is the newest.
func ParseLevel(name string) (Level, error) {
	if name == "" {
		return Level12, nil
	}
	for i, l := range Levels {
		if l == name {
			return Level(i), nil
		}
	}
	return Level12, fmt.Errorf("compatibility level %s: want 1.0, 1.1 or 1.2", name)
}

// String is the name of the level.
func (l Level) String() string { return Levels[l] }

// LowersNames reports whether names of fields and columns are in lower case, and an event
// is bad in which two fields have one name then.
func (l Level) LowersNames() bool { return l >= Level10 }

// LowersMetadata reports whether the alias of GetMetadataPropertyValue is in lower case.
func (l Level) LowersMetadata() bool { return l >= Level11 }

// ReadsTimes reports whether a text of JSON that is a date with a time of day is read as a
// datetime.
func (l Level) ReadsTimes() bool { return l >= Level10 }

// PassesNaN reports whether an event passes that has no number in a column which CREATE
// TABLE declares as float, but NaN or an infinity.
func (l Level) PassesNaN() bool { return l >= Level10 }

// BitsAreBigints reports whether true and false of JSON are read as 1 and 0.
func (l Level) BitsAreBigints() bool { return l >= Level11 }

// Geodesic reports whether geospatial functions look at the globe, and not at the plane.
func (l Level) Geodesic() bool { return l >= Level11 }

// AnyPrefix reports whether a function of the language may stand behind any prefix.
func (l Level) AnyPrefix() bool { return l >= Level11 }

// KeysOfPartitions reports whether a SELECT whose input is partitioned by PartitionId must
// have PartitionId in its GROUP BY.
func (l Level) KeysOfPartitions() bool { return l >= Level11 }
