package syntax

// Dialect is a variant of the language.
type Dialect uint8

// Dialects.
const (
	ASA   Dialect = iota // Stream Analytics: streaming jobs
	TSQL                 // people's queries
	Spark                // table definitions and maintenance
)

// String returns the name of the dialect.
func (d Dialect) String() string {
	switch d {
	case ASA:
		return "asa"
	case TSQL:
		return "tsql"
	}
	return "spark"
}
