package random

// calling makes one call of a scalar function among conform.Functions.
func (g *generator) calling(sc scope) (string, field) {
	f := g.picked(sc)
	if f.name == "" {
		f = pick(g, sc.fields...)
	}
	switch g.int(1, 6) {
	case 1:
		return "udf.half(" + g.numberExpr(sc, 1) + ")", field{class: number}
	case 2:
		if g.failing {
			return "udf.fails(" + g.named(sc, number, "1") + ")", field{class: number}
		}
		return "udf.half(" + f.name + ")", field{class: mixed}
	case 3:
		return "udf.same(" + g.named(sc, number, "1") + ")", field{class: number}
	}
	return "udf.kind(" + f.name + ")", field{class: text}
}

// folding makes one call of an aggregate among conform.Functions.
func (g *generator) folding(sc scope) (string, field) {
	f := g.picked(sc)
	if f.name == "" {
		f = pick(g, sc.fields...)
	}
	at := ""
	if g.chance(25) {
		at = ", System.Timestamp()"
	}
	switch g.int(1, 5) {
	case 1:
		return "uda.newest(" + f.name + at + ")", field{class: mixed}
	case 2:
		if g.failing {
			return "uda.few(" + f.name + ")", field{class: number}
		}
	}
	return "uda.order(" + f.name + at + ")", field{class: number}
}
