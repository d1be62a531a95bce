package random

import (
	"fmt"
)

// named returns the columns of a class, and a literal if there is none.
func (g *generator) named(sc scope, c class, literal string) string {
	var names []string
	for _, f := range sc.fields {
		if f.class == c {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return literal
	}
	return pick(g, names...)
}

// fails is a number that some events do not have.
func (g *generator) fails(sc scope) string {
	n, s := g.named(sc, number, "0"), g.named(sc, text, "'b'")
	switch g.int(1, 9) {
	case 1:
		return fmt.Sprintf("7 / CAST(%s AS bigint)", n)
	case 2:
		return fmt.Sprintf("CAST(%s AS bigint) + 9223372036854775802", n)
	case 3:
		return fmt.Sprintf("LEN(LEFT(%s, CAST(%s AS bigint)))", s, n)
	case 4:
		return fmt.Sprintf("LEN(TRANSLATE(%s, 'abc', %s))", s, s)
	case 5:
		return fmt.Sprintf("CAST(%s AS bigint)", g.named(sc, wide, s))
	case 6:
		return fmt.Sprintf("CAST(%s AS float)", s)
	case 7:
		return fmt.Sprintf("YEAR(DATEADD(year, 1000 * CAST(%s AS bigint), '2026-01-05'))", n)
	}
	return fmt.Sprintf("CAST(%s AS bigint)", g.named(sc, mixed, s))
}

// failingAggregate is an aggregate that does not take every event, or has no result for
// every group, or is in an expression that has none.
func (g *generator) failingAggregate(sc scope) string {
	switch g.int(1, 7) {
	case 1:
		return fmt.Sprintf("SUM(CAST(%s AS bigint) * 4611686018427387904)", g.named(sc, number, "1"))
	case 2:
		return fmt.Sprintf("%s(COALESCE(%s, %s))", pick(g, "MIN", "MAX"), g.named(sc, moment, "'x'"), g.named(sc, number, "1"))
	case 3:
		return fmt.Sprintf("%s(%s)", pick(g, "MIN", "MAX", "SUM", "AVG"), g.named(sc, mixed, g.named(sc, text, "'x'")))
	case 4:
		return fmt.Sprintf("SUM(%s)", g.named(sc, wide, "1e308"))
	case 5:
		return "7 / (COUNT(*) - 1)"
	}
	return fmt.Sprintf(pick(g, "SUM(%s)", "MAX(%s)", "COUNT(%s)", "COUNT(DISTINCT %s)"), g.fails(sc))
}

// numberExpr is an expression over numbers that cannot fail, unless that is wanted: no
// bigint is divided, and values stay small.
func (g *generator) numberExpr(sc scope, depth int) string {
	if depth == 0 || g.chance(30) {
		if g.chance(25) {
			return pick(g, "0", "1", "2", "0.5", "1.0", "10", "-3")
		}
		return g.named(sc, number, "1")
	}
	if g.failing && g.chance(5) {
		return g.fails(sc)
	}
	a := g.numberExpr(sc, depth-1)
	switch g.int(1, 21) {
	case 13:
		return fmt.Sprintf("-(%s)", a)
	case 14:
		return fmt.Sprintf("(%s %s %s)", g.whole(sc), pick(g, "&", "|", "^"), g.whole(sc))
	case 15:
		return fmt.Sprintf("~(%s)", g.whole(sc))
	case 16:
		return fmt.Sprintf("DATEDIFF(%s, %s, %s)", g.unit(), g.momentExpr(sc, depth-1), g.momentExpr(sc, depth-1))
	case 17:
		return pick(g, fmt.Sprintf("DATEPART(%s, %s)", g.unit(), g.momentExpr(sc, depth-1)), fmt.Sprintf("DAY(%s)", g.momentExpr(sc, depth-1)))
	case 18:
		for _, f := range sc.fields {
			if f.class == array {
				return fmt.Sprintf(pick(g, "GetArrayLength(%s)", "GetArrayElement(%s, 0)", "GetArrayElement(%s, 1)"), f.name)
			}
		}
		return a
	case 19:
		return fmt.Sprintf("%s(ABS(%s))", pick(g, "SQRT", "SQUARE"), a)
	case 20:
		return pick(g, fmt.Sprintf("CHARINDEX(%s, %s)", g.textExpr(sc, 0), g.textExpr(sc, depth-1)), fmt.Sprintf("PATINDEX('%%%s%%', %s)", pick(g, "a", "[a-c]", "_", "x_y"), g.textExpr(sc, depth-1)))
	case 21:
		return fmt.Sprintf("%s(CreatePoint(%s, %s), %s)", pick(g, "ST_WITHIN", "ST_INTERSECTS"), a, g.numberExpr(sc, 0),
			pick(g, "'POLYGON((0 0,3 0,3 3,0 3,0 0))'", "CreateLineString('POINT(-10 -10)', 'POINT(10 10)')", "'MULTIPOINT((1 1),(0 2))'"))
	case 1, 2, 3:
		return fmt.Sprintf("(%s %s %s)", a, pick(g, "+", "-", "*"), g.numberExpr(sc, depth-1))
	case 4:
		return fmt.Sprintf("(%s / %s)", a, pick(g, "2.0", "0.25", "-3.0"))
	case 5:
		return fmt.Sprintf("(%s %% %s)", a, pick(g, "2", "3", "2.5"))
	case 6:
		return fmt.Sprintf("%s(%s)", pick(g, "ABS", "FLOOR", "CEILING", "SIGN"), a)
	case 7:
		return fmt.Sprintf("ROUND(%s, %d)", a, g.int(-1, 3))
	case 8:
		return fmt.Sprintf("COALESCE(%s, %s)", a, g.numberExpr(sc, depth-1))
	case 9:
		return fmt.Sprintf("CAST(%s AS %s)", a, pick(g, "float", "bigint"))
	case 10:
		return fmt.Sprintf("TRY_CAST(%s AS %s)", g.named(sc, mixed, "'7'"), pick(g, "float", "bigint"))
	case 11:
		return fmt.Sprintf("LEN(%s)", g.textExpr(sc, depth-1))
	}
	return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.condition(sc, depth-1), a, g.numberExpr(sc, depth-1))
}

// textExpr is an expression over texts.
func (g *generator) textExpr(sc scope, depth int) string {
	if depth == 0 || g.chance(30) {
		if g.chance(25) {
			return pick(g, "'a'", "'A'", "''", "'B'", "'x y'")
		}
		return g.named(sc, text, "'q'")
	}
	a := g.textExpr(sc, depth-1)
	switch g.int(1, 10) {
	case 7:
		return fmt.Sprintf("%s(%s, %d)", pick(g, "LEFT", "RIGHT", "REPLICATE"), a, g.int(0, 4))
	case 8:
		return fmt.Sprintf("STUFF(%s, %d, %d, %s)", a, g.int(0, 4), g.int(0, 3), g.textExpr(sc, depth-1))
	case 9:
		return fmt.Sprintf("TRANSLATE(%s, 'abé', 'bcx')", a)
	case 10:
		return fmt.Sprintf("DATENAME(%s, %s)", g.unit(), g.momentExpr(sc, depth-1))
	case 1:
		return fmt.Sprintf("%s(%s)", pick(g, "UPPER", "LOWER", "TRIM", "REVERSE"), a)
	case 2:
		return fmt.Sprintf("CONCAT(%s, %s)", a, g.numberExpr(sc, depth-1))
	case 3:
		return fmt.Sprintf("SUBSTRING(%s, %d, %d)", a, g.int(0, 3), g.int(0, 3))
	case 4:
		return fmt.Sprintf("REPLACE(%s, 'a', %s)", a, g.textExpr(sc, depth-1))
	case 5:
		return fmt.Sprintf("CAST(%s AS nvarchar(max))", g.named(sc, mixed, "1.5"))
	}
	return fmt.Sprintf("COALESCE(%s, 'none')", a)
}

// whole is a bigint whose bits may be looked at.
func (g *generator) whole(sc scope) string {
	return fmt.Sprintf("CAST(%s AS bigint)", g.named(sc, number, "5"))
}

func (g *generator) unit() string {
	return pick(g, "year", "quarter", "month", "dayofyear", "day", "week", "weekday", "hour", "minute", "second", "millisecond", "microsecond")
}

// now is the time of a row, if it has one.
func (g *generator) now() string {
	if g.timeless {
		return "'2026-01-05T00:00:05Z'"
	}
	return "System.Timestamp()"
}

// momentExpr is an expression over datetimes that stays within the years 1 to 9999.
func (g *generator) momentExpr(sc scope, depth int) string {
	if depth <= 0 || g.chance(40) {
		return pick(g, g.now(), g.named(sc, moment, g.now()), "'2026-01-05T00:00:10Z'")
	}
	return fmt.Sprintf("DATEADD(%s, %s, %s)", g.unit(), pick(g, "1", "-1", "100", "1.9", "-13"), g.momentExpr(sc, depth-1))
}

func (g *generator) caseExpr(sc scope) string {
	return fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s THEN %s ELSE %s END",
		g.condition(sc, 1), g.numberExpr(sc, 1), g.condition(sc, 1), g.textExpr(sc, 1), g.named(sc, mixed, "NULL"))
}

// condition is a predicate.
func (g *generator) condition(sc scope, depth int) string {
	if depth > 0 && g.chance(45) {
		switch g.int(1, 4) {
		case 1:
			return "NOT (" + g.condition(sc, depth-1) + ")"
		case 2, 3:
			return fmt.Sprintf("(%s AND %s)", g.condition(sc, depth-1), g.condition(sc, depth-1))
		}
		return fmt.Sprintf("(%s OR %s)", g.condition(sc, depth-1), g.condition(sc, depth-1))
	}
	op := pick(g, "=", "<>", "<", "<=", ">", ">=")
	switch g.int(1, 10) {
	case 10:
		return fmt.Sprintf("%s %s %s", g.momentExpr(sc, 1), op, g.now())
	case 1, 2:
		return fmt.Sprintf("%s %s %s", g.numberExpr(sc, 1), op, g.numberExpr(sc, 1))
	case 3:
		return fmt.Sprintf("%s %s %s", g.textExpr(sc, 1), op, g.textExpr(sc, 1))
	case 4:
		return fmt.Sprintf("%s %s", g.named(sc, pick(g, number, text, mixed, bit), "1"), pick(g, "IS NULL", "IS NOT NULL"))
	case 5:
		return fmt.Sprintf("%s %s ('a', 'b', %s)", g.named(sc, text, "'a'"), pick(g, "IN", "NOT IN"), g.named(sc, text, "'c'"))
	case 6:
		return fmt.Sprintf("%s %s %s AND %s", g.numberExpr(sc, 1), pick(g, "BETWEEN", "NOT BETWEEN"), g.numberExpr(sc, 0), g.numberExpr(sc, 0))
	case 7:
		return fmt.Sprintf("%s %s '%s'", g.named(sc, text, "'abc'"), pick(g, "LIKE", "NOT LIKE"), pick(g, "a%", "%b%", "_", "[a-c]%", "%"))
	case 8:
		return fmt.Sprintf("%s %s %s", g.named(sc, mixed, "1"), op, pick(g, "1", "0.5", "'a'", "'1'"))
	}
	return fmt.Sprintf("GetType(%s) = '%s'", g.named(sc, mixed, "1"), pick(g, "bigint", "float", "nvarchar(max)", "bit"))
}
